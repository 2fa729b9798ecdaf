// The number beside a slider follows it; of text, picture and "like this" the last one given counts.
document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.type === "range") field.parentElement.querySelector("output").value = field.value;
  if (field.name !== "q" && field.name !== "image") return;
  const form = document.forms.ask.elements;
  form.like.value = "";
  if (field.name === "q") form.image.value = "";
  else form.q.value = "";
});
// "Like this" asks with the item instead of the text and the picture; weights and filter stay.
document.addEventListener("click", (event) => {
  if (!event.target.matches("button.like")) return;
  const form = document.forms.ask;
  form.elements.q.value = "";
  form.elements.image.value = "";
  form.elements.like.value = event.target.dataset.id;
  form.requestSubmit();
});
