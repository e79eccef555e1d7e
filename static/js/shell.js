// The frame around every page: panes, dialogs, toasts, ages, copying, and what to do when a request goes wrong.
import "./menu.js";
import "./tree.js";
import "./palette.js";
import "./keys.js";
import "./folds.js";
import "./upload.js";
import "./filter.js";

const shell = document.getElementById("shell");
const main = document.getElementById("main");
const dialog = document.getElementById("dialog");

export const remember = (name, value) => { try { localStorage.setItem(`vm-migrate.${name}`, value); } catch { /* private window */ } };
export const recall = (name) => { try { return localStorage.getItem(`vm-migrate.${name}`); } catch { return null; } };
export const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${shell.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
};
export const announce = (text) => { document.getElementById("announcer").textContent = text; };

// Toasts -------------------------------------------------------------------------------------------
const TOAST_MS = 6000;

export function toast(text, kind = "info") {
  const toasts = document.getElementById("toasts");
  if ([...toasts.querySelectorAll(".grow")].some((item) => item.textContent === text)) return;
  const box = document.createElement("div");
  box.className = `toast toast-${kind}`;
  box.dataset.toast = "";
  const words = document.createElement("span");
  words.className = "grow";
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn btn-quiet btn-small btn-icon";
  close.dataset.toastClose = "";
  close.setAttribute("aria-label", "Dismiss");
  close.append(icon("x-lg"));
  box.append(icon({ bad: "exclamation-circle-fill", ok: "check-circle-fill" }[kind] ?? "info-circle-fill"), words, close);
  toasts.append(box);
}

// Bad news stays until it is dismissed; good news goes by itself, not while it is pointed at.
new MutationObserver((changes) => {
  for (const node of changes.flatMap((change) => [...change.addedNodes])) if (node.nodeType === 1) retire(node);
}).observe(document.getElementById("toasts"), { childList: true });
document.querySelectorAll("#toasts > [data-toast]").forEach(retire);

function retire(box) {
  if (box.classList.contains("toast-bad")) return;
  const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : box.remove());
  setTimeout(leave, TOAST_MS);
}

// Dialog -------------------------------------------------------------------------------------------
let opener = null;

export function openDialog(source) {
  if (dialog.open) return;
  opener = source instanceof HTMLElement && source.isConnected ? source : document.activeElement;
  dialog.showModal();
  (dialog.querySelector("[autofocus]") ?? dialog.querySelector(".dialog-body input:not([type=hidden]), .dialog-body select, .dialog-body textarea") ?? dialog.querySelector(".dialog-foot button:not([disabled])") ?? dialog.querySelector("button"))?.focus();
}

export function showTemplate(id) {
  if (dialog.open) return;
  dialog.replaceChildren(document.getElementById(id).content.cloneNode(true));
  openDialog(document.activeElement);
}

dialog.addEventListener("close", () => {
  // What it still asks for has no place to go to any more. Emptied by htmx, which then forgets its timers, too.
  for (const asker of dialog.querySelectorAll("[data-htmx-powered]")) asker.dispatchEvent(new CustomEvent("htmx:abort"));
  htmx.swap({ target: dialog, text: "", swap: "innerHTML" });
  const back = opener?.isConnected ? opener : document.getElementById(opener?.id) ?? main;
  opener = null;
  if (document.activeElement === document.body || dialog.contains(document.activeElement)) back.focus({ preventScroll: true });
});
// A press on the backdrop closes only what holds no typing.
dialog.addEventListener("mousedown", (event) => {
  if (event.target === dialog && !dialog.querySelector("form")) dialog.close();
});
document.addEventListener("dialog-close", () => dialog.open && dialog.close());

// Requests -----------------------------------------------------------------------------------------
const WORDS = {
  403: "This is not allowed for you, or the page is too old. Reload it and try again.",
  404: "This is no longer there. The lists are being read again.",
  429: "Too many requests. Wait a moment and try again.",
};
let loads = 0;
const intoMain = (ctx) => ctx?.target === main;
// What a person waits for: a page, or a dialog that opens.
const isShown = (ctx) => intoMain(ctx) || ctx?.target === dialog;

// A form on its way is not sent twice, and not overtaken by its own live preview (data-quiet), which would cancel it.
function overtakes({ sourceElement, request }) {
  const form = sourceElement?.closest?.("form");
  if (!form || request.method !== "POST") return false;
  if ("sending" in form.dataset) return sourceElement === form || Boolean(sourceElement.closest("[data-quiet]"));
  if (sourceElement === form) form.dataset.sending = "";
  return false;
}

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  if (overtakes(ctx)) return event.preventDefault();
  // data-send="a b": of the enclosing form only these fields leave the page; data-withhold="a b": all but these, its secrets.
  const withheld = ctx.sourceElement?.dataset?.withhold?.split(" ") ?? [];
  if (ctx.request.body instanceof FormData) for (const name of withheld) ctx.request.body.delete(name);
  const only = ctx.sourceElement?.dataset?.send?.split(" ");
  if (only && ctx.request.body instanceof FormData) for (const name of new Set(ctx.request.body.keys())) if (!only.includes(name)) ctx.request.body.delete(name);
});
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  if (isShown(ctx)) { loads += 1; shell.dataset.loading = ""; }
});
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  delete ctx.sourceElement?.dataset?.sending;
  if (isShown(ctx) && (loads = Math.max(0, loads - 1)) === 0) delete shell.dataset.loading;
});
document.addEventListener("htmx:before:response", (event) => {
  const { ctx } = event.detail;
  const { raw, status } = ctx.response;
  if (raw.redirected && new URL(raw.url).pathname.endsWith("/login/")) {
    // Logged out meanwhile: the login page is a page of its own, and leads back to here.
    event.preventDefault();
    location.assign(`${new URL(raw.url).pathname}?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  // 422 is a form that says what is wrong; a page that is not there is a page. Everything else is said, not swapped.
  if (status < 400 || status === 422 || (intoMain(ctx) && (status === 403 || status === 404))) return;
  event.preventDefault();
  toast(WORDS[status] ?? (status >= 500 ? "The server had an error and nothing was shown. Try again; if it stays, tell your administrator." : `The server refused this (${status}).`), "bad");
  if (status === 404) document.body.dispatchEvent(new CustomEvent("inventory-changed", { bubbles: true }));
});
document.addEventListener("htmx:error", ({ detail: { ctx, error } }) => {
  if (!ctx || error?.name === "AbortError") return;
  const quiet = ctx.sourceElement?.closest?.("[data-quiet], #tree, #status");
  if (!quiet) toast("The server does not answer. What is on screen is as it was; try again in a moment.", "bad");
});
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.target === dialog) (dialog.childElementCount ? openDialog(ctx.sourceElement) : dialog.close());
  if (intoMain(ctx)) arrived(ctx);
  tick();
});
document.addEventListener("htmx:after:history:push", showPlace);
document.addEventListener("htmx:after:history:replace", showPlace);

function arrived(ctx) {
  if (dialog.open && dialog.contains(ctx.sourceElement)) dialog.close();
  showPlace();
  closeDrawer();
  if (document.activeElement === document.body) main.focus({ preventScroll: true });
  setTimeout(() => announce(document.title.replace(" · VM Migrate", "")), 50);
}

export function showPlace() {
  const links = [...document.querySelectorAll(".topnav [data-nav]")];
  const here = links.filter((link) => location.pathname.startsWith(link.dataset.nav)).sort((a, b) => b.dataset.nav.length - a.dataset.nav.length)[0];
  for (const link of links) link === here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  document.dispatchEvent(new CustomEvent("place-changed"));
}
addEventListener("popstate", () => setTimeout(showPlace));

// Ages: the words of hosts/templatetags/ui.py, kept right ------------------------------------------
function ageWords(then) {
  const seconds = Math.floor((Date.now() - then) / 1000);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds - (seconds % 5)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}
function tick() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const words = ageWords(Date.parse(time.dateTime));
    if (time.textContent !== words) time.textContent = words;
  }
}
setInterval(tick, 5000);

// Splitters: drag, arrows, double click; sizes in this browser ---------------------------------------
const LIMITS = { "tree-width": [180, 520, 264], "dock-height": [60, 480, 148] };

function splitter(element, name, read) {
  const [least, most, usual] = LIMITS[name];
  const set = (pixels) => {
    const size = Math.round(Math.min(Math.max(pixels, least), Math.min(most, (name === "tree-width" ? innerWidth : innerHeight) * 0.6)));
    document.documentElement.style.setProperty(`--${name}`, `${size}px`);
    element.setAttribute("aria-valuenow", size);
    remember(name, size);
  };
  const now = () => Number.parseInt(getComputedStyle(document.documentElement).getPropertyValue(`--${name}`), 10) || usual;
  element.setAttribute("aria-valuenow", now());
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    element.dataset.dragging = "";
    const [start, size] = [read(event), now()];
    const move = (moved) => set(size + read(moved) - start);
    element.addEventListener("pointermove", move);
    element.addEventListener("lostpointercapture", () => { element.removeEventListener("pointermove", move); delete element.dataset.dragging; }, { once: true });
  });
  element.addEventListener("dblclick", () => set(usual));
  element.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -16, ArrowUp: 16, ArrowRight: 16, ArrowDown: -16 }[event.key];
    if (event.key === "Home") set(least);
    else if (event.key === "End") set(most);
    else if (event.key === "Enter") toggle(name === "tree-width" ? "tree" : "dock");
    else if (step) set(now() + step);
    else return;
    event.preventDefault();
  });
}
splitter(document.getElementById("tree-splitter"), "tree-width", (event) => event.clientX);
splitter(document.getElementById("dock-splitter"), "dock-height", (event) => -event.clientY);

function toggle(pane) {
  const closed = shell.dataset[pane] === "closed";
  shell.dataset[pane] = closed ? "open" : "closed";
  remember(pane, shell.dataset[pane]);
  showFolds();
}
function showFolds() {
  document.getElementById("dock-toggle").setAttribute("aria-expanded", String(shell.dataset.dock !== "closed"));
  const shown = matchMedia("(max-width: 760px)").matches ? shell.dataset.drawer === "open" : shell.dataset.tree !== "closed";
  document.getElementById("tree-toggle").setAttribute("aria-expanded", String(shown));
}
for (const pane of ["tree", "dock"]) if (recall(pane)) shell.dataset[pane] = recall(pane);
showFolds();

// Drawer: the tree on a narrow screen ----------------------------------------------------------------
const treeButton = document.getElementById("tree-toggle");
const narrow = matchMedia("(max-width: 760px)");
function closeDrawer() {
  delete shell.dataset.drawer;
  showFolds();
}
function toggleTree() {
  if (!narrow.matches) { toggle("tree"); return; }
  if (shell.dataset.drawer === "open") { closeDrawer(); return; }
  shell.dataset.drawer = "open";
  showFolds();
  document.getElementById("tree-filter")?.focus();
}
narrow.addEventListener("change", closeDrawer);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || shell.dataset.drawer !== "open" || document.querySelector("dialog[open]")) return;
  closeDrawer();
  treeButton.focus();
});

// Theme ----------------------------------------------------------------------------------------------
function showTheme() {
  const theme = recall("theme") ?? "system";
  for (const choice of document.querySelectorAll("[data-theme-choice]")) choice.setAttribute("aria-checked", String(choice.dataset.themeChoice === theme));
}
function setTheme(theme) {
  remember("theme", theme);
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  showTheme();
  document.dispatchEvent(new CustomEvent("theme-changed"));
}

// One listener for all small things that are pressed ---------------------------------------------------
document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest?.(selector);
  if (at("[data-close]")) at("dialog")?.close();
  else if (at("[data-toast-close]")) at("[data-toast]").remove();
  else if (at("[data-copy]")) copy(at("[data-copy]"));
  else if (at("#dock-toggle")) toggle("dock");
  else if (at("#tree-toggle")) toggleTree();
  else if (at("[data-drawer-close]")) closeDrawer();
  else if (at("[data-theme-choice]")) setTheme(at("[data-theme-choice]").dataset.themeChoice);
  else if (at("[data-action=keys]")) showTemplate("keys-template");
});

// data-copy="text" copies that; an empty data-copy copies the code beside it.
async function copy(button) {
  const text = button.dataset.copy || button.parentElement.querySelector("code, pre")?.textContent || "";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    (button.closest("dialog") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus?.();
  }
  button.dataset.copied = "";
  announce("Copied");
  if (!button.matches(".btn-copy")) toast("Copied.", "ok");
  setTimeout(() => delete button.dataset.copied, 1500);
}

// The row of a list opens its page wherever it is pressed, unless something else was meant.
document.addEventListener("click", (event) => {
  const row = event.target.closest?.("tr[data-row]");
  if (!row || event.target.closest("a, button, input, label, select") || getSelection().toString()) return;
  row.querySelector("a.name")?.click();
});

showTheme();
showPlace();
tick();
