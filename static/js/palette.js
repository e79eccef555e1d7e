// Ctrl K: type, arrow, Enter. The server searches; what comes back is a listbox, the input keeps the focus.
const palette = document.getElementById("palette");
let serial = 0, timer = 0;

export function openPalette() {
  if (palette.open || document.querySelector("dialog[open]")) return;
  palette.replaceChildren(document.getElementById("palette-template").content.cloneNode(true));
  palette.showModal();
  field().focus();
  search();
}
const field = () => palette.querySelector("input");
const list = () => palette.querySelector("[role=listbox]");
const options = () => [...palette.querySelectorAll("[role=option]")];

async function search() {
  const mine = ++serial;
  const query = encodeURIComponent(field().value.trim());
  const ask = (address) => fetch(`${address}?q=${query}`, { headers: { "HX-Request": "true" } }).then((answer) => (answer.ok && !answer.redirected && answer.status !== 204 ? answer.text() : ""), () => "");
  const answers = await Promise.all([ask(list().dataset.search), query ? ask(list().dataset.moves) : ""]);
  if (mine !== serial || !palette.open) return;
  list().innerHTML = answers.join("");
  const found = options();
  found.forEach((option, index) => { option.id ||= `palette-option-${index}`; });
  choose(found[0]);
  palette.querySelector("#palette-count").textContent = found.length ? "" : "Nothing has this in its name.";
}
function choose(option) {
  for (const other of options()) other.setAttribute("aria-selected", String(other === option));
  if (option) { field().setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
  else field().removeAttribute("aria-activedescendant");
}
function go(option) {
  if (!option) return;
  palette.close();
  htmx.ajax("GET", option.dataset.href ?? option.getAttribute("href"), { source: "#main", target: "#main", swap: "innerHTML scroll:top", push: "true" });
}

document.getElementById("search").addEventListener("click", openPalette);
palette.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 90); });
palette.addEventListener("click", (event) => {
  if (event.target === palette) palette.close();
  const option = event.target.closest("[role=option]");
  if (!option || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  go(option);
});
palette.addEventListener("mousemove", (event) => {
  const option = event.target.closest("[role=option]");
  if (option && option.getAttribute("aria-selected") !== "true") choose(option);
});
palette.addEventListener("keydown", (event) => {
  const all = options();
  const now = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
  const act = {
    ArrowDown: () => choose(all[(now + 1) % all.length]),
    ArrowUp: () => choose(all[(now - 1 + all.length) % all.length]),
    Enter: () => go(all[now]),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});
