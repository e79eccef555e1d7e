// The keys that work everywhere, except while somebody types.
import { openPalette } from "./palette.js";
import { focusTree, migrate, selected } from "./tree.js";
import { openedMenu } from "./menu.js";

const types = (node) => node?.closest?.("input, textarea, select, [contenteditable]");

// The guest of the page, or the one chosen in the tree.
function guest() {
  const [, page] = /^\/guests\/(\d+)\//.exec(location.pathname) ?? [];
  const item = selected();
  const inTree = item?.contains(document.activeElement) ? item : null;
  return inTree?.dataset.kind === "guest" ? inTree.dataset.pk : page ?? (item?.dataset.kind === "guest" ? item.dataset.pk : null);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || types(event.target) || document.querySelector("dialog[open]") || openedMenu()) return;
  const act = {
    "/": () => openPalette(),
    "?": () => document.querySelector("[data-action=keys]").click(),
    t: () => focusTree(),
    m: async () => {
      const pk = guest();
      if (pk) migrate(pk);
      else (await import("./shell.js")).toast("Choose a guest first: m migrates the one that is selected.");
    },
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});
