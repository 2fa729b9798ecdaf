const form = document.forms.ask, hits = document.getElementById("hits"), why = document.getElementById("why");

// A text asks the set model, a picture another: only what can be weighed there has its slider.
function showSliders() {
  const { like, image } = form.elements;
  const asks = like.value || image.value ? form.dataset.picture : "sets";
  for (const label of form.querySelectorAll("[data-uses]")) {
    label.hidden = !label.dataset.uses.split(" ").includes(asks);
    label.querySelector("input").disabled = label.hidden;
  }
}
function moved(slider) {
  slider.parentElement.querySelector("output").value = slider.value;
  slider.parentElement.classList.toggle("moved", slider.value !== "1");
}
function askAgain() {
  if (hits.querySelector(".hits li") && !hits.classList.contains("stale")) form.requestSubmit();
}
// Of text, picture and "like this" the last one given counts; hits of the old one are no longer explained.
form.addEventListener("input", ({ target }) => {
  if (target.type === "range") moved(target);
  if (target.name !== "q" && target.name !== "image") return;
  form.elements.like.value = "";
  if (target.name === "q") form.elements.image.value = "";
  else form.elements.q.value = "";
  hits.classList.add("stale");
  showSliders();
});
form.addEventListener("change", ({ target }) => {
  if (target.type === "range") askAgain();
  if (target.name === "image" && target.value) form.requestSubmit();
});
document.addEventListener("click", ({ target }) => {
  if (target.matches(".reset")) {
    for (const slider of form.querySelectorAll("input[type=range]")) {
      slider.value = 1;
      moved(slider);
    }
    askAgain();
  }
  // "Like this" asks with the item instead of the text and the picture; weights and filter stay.
  if (target.matches("button.like")) {
    form.elements.q.value = form.elements.image.value = "";
    form.elements.like.value = target.dataset.id;
    showSliders();
    form.requestSubmit();
    scrollTo({ top: 0, behavior: "smooth" });
  }
  if (target === why) why.close();
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target === hits) hits.classList.remove("stale");
  if (detail.target === why && !why.open) why.showModal();
});
// Firefox keeps what was moved when the page is loaded again.
for (const slider of form.querySelectorAll("input[type=range]")) moved(slider);
showSliders();
