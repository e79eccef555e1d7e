// The migrate dialog: which options apply to the chosen kind, errors at their fields. Verdicts come from the server.
const form = () => document.getElementById("migrate-form");

function refresh() {
  const dialog = form();
  if (!dialog) return;
  const kind = dialog.querySelector("input[name=kind]:checked")?.value;
  for (const part of dialog.querySelectorAll("[data-kinds]")) apply(part, part.dataset.kinds.split(" ").includes(kind));
  const stays = dialog.querySelector("input[name=stays]:checked");
  if (!stays || stays.disabled) dialog.querySelector("input[name=stays]:not(:disabled)").checked = true;
  const confirm = dialog.querySelector("[data-shown-for]");
  const nowhere = dialog.querySelector("input[name=stays]:checked")?.value === confirm.dataset.shownFor;
  apply(confirm, nowhere);
  apply(dialog.querySelector("[data-shown-copying]"), dialog.querySelector("input[name=storage]:checked")?.value !== "shared");
  // One name is asked for once, however many dangerous choices there are.
  const removes = dialog.querySelector("input[name=remove_source_disks]");
  apply(dialog.querySelector("[data-shown-removing]"), !nowhere && removes.checked && !removes.disabled);
  for (const group of dialog.querySelectorAll(".option-group")) group.hidden = !group.querySelector(".option:not([hidden])");
  for (const help of dialog.querySelectorAll("[data-choice-help]")) help.hidden = help.closest(".field").querySelector("select").value !== help.dataset.choiceHelp;
  countAdvanced(dialog);
}

// What does not apply is neither shown nor sent.
function apply(part, fits) {
  part.hidden = !fits;
  for (const control of part.querySelectorAll("input, select, textarea")) control.disabled = !fits;
}

function countAdvanced(dialog) {
  const changed = [...dialog.querySelectorAll("#migrate-advanced .option:not([hidden])")].filter((option) =>
    [...option.querySelectorAll("input, select, textarea")].some((control) =>
      control.type === "checkbox" ? control.checked !== control.defaultChecked
        : control.tagName === "SELECT" ? !control.selectedOptions[0]?.defaultSelected && control.selectedIndex > 0
          : control.value !== control.defaultValue)).length;
  dialog.querySelector("[data-advanced-count]").textContent = changed ? `${changed} changed` : "";
}

function showErrors() {
  const list = document.getElementById("migrate-errors");
  if (!list) return;
  const errors = new Map([...list.children].map((item) => [item.dataset.field, item.textContent]));
  for (const slot of form().querySelectorAll("[data-error-for]")) {
    const name = slot.dataset.errorFor;
    const words = errors.get(name) ?? "";
    slot.textContent = words;
    slot.hidden = !words;
    slot.id ||= `error-${name}`;
    for (const control of form().querySelectorAll(`[name="${name}"]`)) {
      control.toggleAttribute("aria-invalid", Boolean(words));
      if (words) control.setAttribute("aria-invalid", "true");
      words ? control.setAttribute("aria-errormessage", slot.id) : control.removeAttribute("aria-errormessage");
    }
    if (words) slot.closest("details")?.setAttribute("open", "");
  }
}

// Before htmx collects the fields, hence in the capturing phase.
document.addEventListener("change", (event) => event.target.closest?.("#migrate-form") && refresh(), true);
document.addEventListener("input", (event) => event.target.closest?.("#migrate-form") && refresh(), true);
document.addEventListener("htmx:after:swap", () => {
  if (!form()) return;
  refresh();
  showErrors();
});
// Not "from:body" in hx-trigger: that listener would outlive the dialog.
document.addEventListener("inventory-changed", () => document.getElementById("migrate-options")?.dispatchEvent(new CustomEvent("recheck")));
