// The tree of hosts and guests: roving focus, folding, type-ahead, menus, and dragging a guest onto a host.
import { fetchMenu } from "./menu.js";

const COOKIE = "vm_migrate_tree";
const scroller = document.getElementById("tree-scroll");
const tree = document.getElementById("tree");
const filter = document.getElementById("tree-filter");
let wanted = null; // id of the item that holds, or should get back, the focus

const items = () => [...tree.querySelectorAll("[role=treeitem]")].filter((item) => !item.parentElement.hidden);
const itemOf = (node) => node?.closest?.("#tree [role=treeitem]");
const parentOf = (item) => item.parentElement.closest("[role=treeitem]");
const isHost = (item) => item.dataset.kind === "host";
const isOpen = (item) => item.getAttribute("aria-expanded") === "true";
const group = (item) => item.querySelector("[role=group]");

// Which hosts are unfolded is a cookie: the server then renders the same tree, without a flicker. ---
function rememberOpen() {
  if (filter?.value) return;
  const parts = [...tree.querySelectorAll("[data-kind=host][aria-expanded=true]")].map((host) => {
    const more = host.querySelector("[data-kind=more]");
    const shown = more ? Number(more.dataset.limit) - 200 : host.querySelectorAll("[data-kind=guest]").length;
    return shown > 200 ? `${host.dataset.pk}*${Math.ceil(shown / 200) * 200}` : host.dataset.pk;
  });
  document.cookie = `${COOKIE}=${parts.slice(0, 200).join(".") || "0"}; path=/; max-age=31536000; samesite=lax`;
}

// What a person folded stays folded, also when an answer that was asked for before comes after it.
const decided = new Map(); // id of a host → unfolded?
function keepDecisions() {
  if (filter?.value) return;
  for (const [id, wish] of decided) {
    const host = document.getElementById(id);
    if (host && isOpen(host) !== wish) wish ? unfold(host) : fold(host);
  }
}

async function unfold(item, limit) {
  const place = group(item);
  if (!filter?.value) decided.set(item.id, true);
  item.setAttribute("aria-expanded", "true");
  place.hidden = false;
  if (limit || !place.childElementCount) await htmx.ajax("GET", `${item.dataset.branch}${limit ? `?limit=${limit}` : ""}`, { source: place, target: place, swap: "innerMorph" });
  rememberOpen();
  show();
}
function fold(item) {
  if (!filter?.value) decided.set(item.id, false);
  item.setAttribute("aria-expanded", "false");
  group(item).hidden = true;
  if (group(item).contains(document.activeElement)) focus(item);
  rememberOpen();
}

function focus(item) {
  if (!item) return;
  for (const old of tree.querySelectorAll('[role=treeitem][tabindex="0"]')) old.tabIndex = -1;
  item.tabIndex = 0;
  wanted = item.id;
  item.focus({ preventScroll: true });
  item.firstElementChild.scrollIntoView({ block: "nearest" });
}

export function open(item) {
  if (item.dataset.kind === "more") { unfold(parentOf(item), item.dataset.limit); return; }
  htmx.ajax("GET", item.dataset.href, { source: "#main", target: "#main", swap: "innerHTML scroll:top", push: "true" });
}
export function selected() {
  return itemOf(document.activeElement) ?? tree.querySelector('[aria-selected="true"]');
}
export function focusTree() { focus(document.getElementById(wanted) ?? tree.querySelector('[aria-selected="true"]') ?? items()[0]); }

// After every refresh: selection and the one item that Tab reaches. -------------------
function show() {
  const [, kind, pk] = /^\/(hosts|guests)\/(\d+)\//.exec(location.pathname) ?? [];
  const chosen = kind && document.getElementById(`tree-${kind.slice(0, -1)}-${pk}`);
  for (const item of tree.querySelectorAll('[aria-selected="true"]')) if (item !== chosen) item.setAttribute("aria-selected", "false");
  chosen?.setAttribute("aria-selected", "true");
  if (!tree.querySelector('[role=treeitem][tabindex="0"]')) {
    const first = document.getElementById(wanted) ?? chosen ?? tree.querySelector("[role=treeitem]");
    if (first) first.tabIndex = 0;
  }
}
// Who comes to a guest's page from elsewhere finds it in the tree, also below a folded host or out of sight.
let revealed = null;
async function reveal() {
  show();
  const page = document.getElementById("page-guest"); // the address may change before the page does
  if (page?.dataset.guest === revealed) return;
  revealed = page?.dataset.guest;
  const host = page && document.getElementById(`tree-host-${page.dataset.host}`);
  if (host && !isOpen(host) && !filter?.value) await unfold(host);
  tree.querySelector('[aria-selected="true"]')?.firstElementChild.scrollIntoView({ block: "nearest" });
}
document.addEventListener("place-changed", reveal);
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.target !== tree && !tree.contains(ctx.target)) return;
  if (ctx.target === tree) keepDecisions();
  show();
  // A morph may replace the row that had the focus.
  if (wanted && document.activeElement === document.body && tree.dataset.hadFocus) document.getElementById(wanted)?.focus({ preventScroll: true });
});
tree.addEventListener("focusin", (event) => {
  const item = itemOf(event.target);
  if (!item) return;
  tree.dataset.hadFocus = "";
  if (item.tabIndex !== 0) { for (const old of tree.querySelectorAll('[role=treeitem][tabindex="0"]')) old.tabIndex = -1; item.tabIndex = 0; }
  wanted = item.id;
});
tree.addEventListener("focusout", (event) => { if (event.relatedTarget && !tree.contains(event.relatedTarget)) delete tree.dataset.hadFocus; });

// Mouse ----------------------------------------------------------------------------------------------
tree.addEventListener("click", (event) => {
  const item = itemOf(event.target);
  if (!item || event.target.closest("a")) return;
  if (event.target.closest("[data-tree-menu]")) { menuOf(item, event.target.closest("button").getBoundingClientRect()); return; }
  focus(item);
  if (event.target.closest("[data-twist]")) { isOpen(item) ? fold(item) : unfold(item); return; }
  open(item);
});
tree.addEventListener("dblclick", (event) => {
  const item = itemOf(event.target);
  if (item && isHost(item) && !event.target.closest("button, [data-twist]")) isOpen(item) ? fold(item) : unfold(item);
});
tree.addEventListener("contextmenu", (event) => {
  const item = itemOf(event.target);
  if (!item?.dataset.menuUrl) return;
  event.preventDefault();
  focus(item);
  // Shift F10 and the menu key send this event too, without a place.
  const row = item.firstElementChild.getBoundingClientRect();
  fetchMenu(item.dataset.menuUrl, event.clientX || event.clientY ? { x: event.clientX, y: event.clientY } : { x: row.left + 24, y: row.bottom }, item);
});
function menuOf(item, box) { focus(item); fetchMenu(item.dataset.menuUrl, { x: box.left, y: box.bottom + 2, top: box.top - 2 }, item); }

// Keys -----------------------------------------------------------------------------------------------
let typed = "", typedAt = -Infinity; // not 0: that is the moment the page was opened

tree.addEventListener("keydown", (event) => {
  const item = itemOf(event.target);
  if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
  const all = items();
  const now = all.indexOf(item);
  const act = {
    ArrowDown: () => focus(all[now + 1]),
    ArrowUp: () => focus(all[now - 1]),
    Home: () => focus(all[0]),
    End: () => focus(all.at(-1)),
    PageDown: () => focus(all[Math.min(now + 15, all.length - 1)]),
    PageUp: () => focus(all[Math.max(now - 15, 0)]),
    ArrowRight: () => isHost(item) && (isOpen(item) ? focus(group(item).querySelector("[role=treeitem]")) : unfold(item)),
    ArrowLeft: () => (isHost(item) && isOpen(item) ? fold(item) : focus(parentOf(item))),
    Enter: () => open(item),
    " ": () => open(item),
    "*": () => { for (const host of tree.querySelectorAll("[data-kind=host][aria-expanded=false]")) unfold(host); },
  }[event.key];
  if (event.key === "F10" && event.shiftKey) return;
  if (act) { event.preventDefault(); event.stopPropagation(); act(); return; }
  if (event.key.length === 1 && event.key.trim() && !["/", "?"].includes(event.key) && !(event.key === "m" && !typing())) { event.preventDefault(); event.stopPropagation(); jump(event.key, all, now); }
});
const typing = () => performance.now() - typedAt < 700;
function jump(letter, all, now) {
  typed = typing() ? typed + letter.toLowerCase() : letter.toLowerCase();
  typedAt = performance.now();
  const from = typed.length > 1 ? now : now + 1;
  focus([...all.slice(from), ...all.slice(0, from)].find((item) => item.dataset.name?.toLowerCase().startsWith(typed)));
}

// The filter: Enter or arrow down goes to the first match, Esc clears --------------------------------
filter?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "Enter") {
    event.preventDefault();
    focus(tree.querySelector(filter.value ? "[data-kind=guest]" : "[role=treeitem]") ?? tree.querySelector("[role=treeitem]"));
  } else if (event.key === "Escape" && filter.value) {
    event.stopPropagation();
    filter.value = "";
    filter.dispatchEvent(new Event("search"));
  }
});

// Dragging a guest onto a host opens the dialog with that destination; it never starts a move ---------
let dragged = null;
const clearDrop = () => { for (const row of tree.querySelectorAll("[data-drop]")) delete row.dataset.drop; };
const dropHost = (event) => {
  let item = itemOf(event.target);
  if (item && !isHost(item)) item = parentOf(item);
  return item && dragged && item !== parentOf(dragged) ? item : null;
};
tree.addEventListener("dragstart", (event) => {
  dragged = itemOf(event.target);
  if (dragged?.dataset.kind !== "guest") { dragged = null; return; }
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.name);
  dragged.firstElementChild.dataset.dragging = "";
});
tree.addEventListener("dragover", (event) => {
  clearDrop();
  const host = dropHost(event);
  if (!host) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "move";
  host.firstElementChild.dataset.drop = "";
});
tree.addEventListener("dragleave", (event) => { if (!tree.contains(event.relatedTarget)) clearDrop(); });
tree.addEventListener("drop", (event) => {
  const host = dropHost(event);
  if (!host) return;
  event.preventDefault();
  migrate(dragged.dataset.pk, host.dataset.pk, dragged);
});
tree.addEventListener("dragend", () => {
  clearDrop();
  if (dragged) delete dragged.firstElementChild.dataset.dragging;
  dragged = null;
});

export function migrate(guest, destination = "", source = document.activeElement) {
  htmx.ajax("GET", `/guests/${guest}/migrate/${destination ? `?destination=${destination}` : ""}`, { target: "#dialog", source: source?.isConnected ? source : undefined, swap: "innerHTML" });
}

// Scroll survives a reload ----------------------------------------------------------------------------
scroller.scrollTop = Number(sessionStorage.getItem("vm-migrate.tree-scroll") ?? 0);
addEventListener("pagehide", () => sessionStorage.setItem("vm-migrate.tree-scroll", scroller.scrollTop));
reveal();

// Check: "Where can it go?" of the guest, its card or the tab with all findings, asked anew and shown ----------
const whereItCanGo = () => document.getElementById("guest-readiness") ?? document.getElementById("guest-destinations");
document.addEventListener("click", async (event) => {
  const address = event.target.closest?.("[data-check]")?.dataset.check;
  if (!address) return;
  if (location.pathname !== address || !whereItCanGo()) await htmx.ajax("GET", address, { source: "#main", target: "#main", swap: "innerHTML scroll:top", push: "true" });
  else document.body.dispatchEvent(new CustomEvent("inventory-changed", { bubbles: true }));
  const place = whereItCanGo();
  place?.scrollIntoView({ block: "nearest" });
  place?.classList.add("is-pointed-at");
  setTimeout(() => place?.classList.remove("is-pointed-at"), 1600);
});
