// A field that narrows a long list of boxes, and a button that ticks what is shown. What is hidden keeps its tick.
const items = (name) => document.getElementById(name)?.querySelectorAll("[data-item]") ?? [];

document.addEventListener("input", (event) => {
  const list = event.target.dataset?.filters;
  if (!list) return;
  const wanted = event.target.value.trim().toLocaleLowerCase();
  for (const item of items(list)) item.hidden = !item.textContent.toLocaleLowerCase().includes(wanted);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-ticks]");
  if (!button) return;
  const boxes = [...items(button.dataset.ticks)].filter((item) => !item.hidden).map((item) => item.querySelector("input[type=checkbox]")).filter((box) => box && !box.disabled);
  const all = boxes.every((box) => box.checked);
  for (const box of boxes) box.checked = !all;
  boxes[0]?.dispatchEvent(new Event("input", { bubbles: true }));
});
// Enter in such a field narrows the list; it does not send the form around it.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.dataset?.filters) event.preventDefault();
});
