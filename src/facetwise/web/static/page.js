// The number beside a slider follows it; a text or a picture takes the place of "like this".
document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.type === "range") field.parentElement.querySelector("output").value = field.value;
  if (field.name === "q" || field.name === "image") document.forms.ask.elements.like.value = "";
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
