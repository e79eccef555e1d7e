// Menus by the ARIA pattern: arrows, Home, End, type-ahead, Esc; focus goes back where it came from.
let open = null; // { menu, back, owned }

export const openedMenu = () => open?.menu ?? null;

const items = (menu) => [...menu.querySelectorAll("[role^=menuitem]")].filter((item) => !item.closest("[hidden]"));

export function showMenu(menu, at, back, { owned = false, focus = true } = {}) {
  closeMenu(false);
  menu.hidden = false;
  open = { menu, back, owned };
  const box = menu.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.x, innerWidth - box.width - 8));
  const top = at.y + box.height + 8 > innerHeight ? Math.max(8, (at.top ?? at.y) - box.height) : at.y;
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
  if (focus) items(menu)[0]?.focus();
}

export function closeMenu(giveBack = true) {
  if (!open) return;
  const { menu, back, owned } = open;
  open = null;
  document.querySelector(`[data-menu="${menu.id}"]`)?.setAttribute("aria-expanded", "false");
  if (owned) menu.remove();
  else menu.hidden = true;
  if (giveBack && back?.isConnected) back.focus({ preventScroll: true });
}

// The menu of a guest or host comes from the server, which knows what is possible.
export async function fetchMenu(address, at, back) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } });
  if (!answer.ok || answer.redirected) return;
  const holder = document.createElement("div");
  holder.innerHTML = await answer.text();
  const menu = holder.querySelector("[role=menu]");
  document.getElementById("menus").replaceChildren(menu);
  htmx.process(menu);
  showMenu(menu, at, back, { owned: true });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-menu], [data-menu-from]");
  if (button) {
    event.preventDefault();
    const box = button.getBoundingClientRect();
    const place = { x: box.left, y: box.bottom + 4, top: box.top - 4 };
    if (button.dataset.menuFrom) { fetchMenu(button.dataset.menuFrom, place, button); return; }
    const menu = document.getElementById(button.dataset.menu);
    if (open?.menu === menu) { closeMenu(); return; }
    showMenu(menu, place, button);
    button.setAttribute("aria-expanded", "true");
  } else if (open?.menu.contains(event.target)) {
    // After htmx has seen the press.
    if (event.target.closest("[role^=menuitem]")) { const { back } = open; back?.isConnected && back.focus({ preventScroll: true }); setTimeout(() => closeMenu(false)); }
  }
});
document.addEventListener("pointerdown", (event) => {
  if (open && !open.menu.contains(event.target) && !event.target.closest?.("[data-menu]")) closeMenu(false);
});
addEventListener("blur", () => closeMenu(false));
addEventListener("resize", () => closeMenu(false));

document.addEventListener("keydown", (event) => {
  if (!open) return;
  const all = items(open.menu);
  const now = all.indexOf(document.activeElement);
  const go = (index) => { event.preventDefault(); all[(index + all.length) % all.length]?.focus(); };
  if (event.key === "Escape") { event.preventDefault(); event.stopImmediatePropagation(); closeMenu(); }
  else if (event.key === "ArrowDown") go(now + 1);
  else if (event.key === "ArrowUp") go(now - 1);
  else if (event.key === "Home") go(0);
  else if (event.key === "End") go(all.length - 1);
  else if (event.key === "Tab") closeMenu(true);
  else if (event.key === " " && now >= 0) { event.preventDefault(); all[now].click(); }
  else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const letter = event.key.toLowerCase();
    const next = [...all.slice(now + 1), ...all.slice(0, now + 1)].find((item) => item.textContent.trim().toLowerCase().startsWith(letter));
    event.stopImmediatePropagation();
    if (next) go(all.indexOf(next));
  }
}, true);
