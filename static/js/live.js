// The live connection: one websocket for the whole shell, whole fragments with versions, never differences.
// Contract: jobs/services/live.py. Not hx-ws: that swaps HTML into targets, but here a message may belong to a row
// that is not there yet, is dropped when older than what is shown (Redis delivers out of order), silence must be
// noticed and said, a normal close must reconnect too, and a tab in the background must stay connected.
import "./dialog.js";
import { feedChart, mountCharts } from "./chart.js";

const SILENCE_MS = 15_000; // three missed heartbeats
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;
const SIGNED_OUT = 4401;
const INVENTORY_EVERY_MS = 300;

const shell = document.getElementById("shell");
const badge = document.getElementById("live");
const rows = () => document.getElementById("dock-rows");
const row = (id) => document.getElementById(`dock-move-${id}`);
const shown = new Map(); // id → { version, active, phase }

let socket = null, heardAt = 0, lostSince = null, wait = FIRST_WAIT_MS, retry = 0, signedOut = false, opened = false;
let asked = false; // a resend is on its way
let caughtUp = false; // since the connection was opened
let work = Promise.resolve(); // swaps one after the other, so that an older one never ends last

// Connection ------------------------------------------------------------------------------------------
function connect() {
  clearTimeout(retry);
  if (signedOut || (socket && socket.readyState <= WebSocket.OPEN)) return;
  const mine = (socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live/`));
  opened = caughtUp = false;
  heardAt = Date.now(); // the time a handshake may take counts as silence too
  mine.onopen = () => { opened = true; watch(); };
  mine.onmessage = ({ data }) => mine === socket && hear(JSON.parse(data));
  mine.onclose = ({ code }) => mine === socket && closed(code);
}

function closed(code) {
  socket = null;
  if (code === SIGNED_OUT) return leave();
  lost();
  if (!opened) askWhy();
  retry = setTimeout(connect, wait * (0.75 + Math.random() / 2));
  wait = Math.min(wait * 2, LONGEST_WAIT_MS);
}

function again() {
  if (socket || signedOut) return;
  wait = FIRST_WAIT_MS;
  connect();
}
addEventListener("online", again);
document.addEventListener("visibilitychange", () => document.hidden || again());

// A refused handshake does not say why; a page does.
async function askWhy() {
  try {
    const answer = await fetch("/dock/", { redirect: "manual", headers: { "HX-Request": "true" } });
    if (answer.type === "opaqueredirect") leave();
  } catch { /* no server: already said */ }
}

function leave() {
  signedOut = true;
  clearTimeout(retry);
  socket?.close();
  socket = null;
  lostSince ??= heardAt ? new Date(heardAt) : new Date();
  show("lost", "signed out: reload to log in");
}

// State, always in sight ---------------------------------------------------------------------------------
function show(state, words) {
  if (badge.dataset.state !== state) {
    badge.dataset.state = state;
    const symbol = { live: "broadcast", lost: "wifi-off", connecting: "circle-half" }[state];
    badge.querySelector("use")?.setAttribute("href", `${shell.dataset.icons}#${symbol}`);
  }
  write(badge.querySelector(".live-word"), words);
  badge.title = words;
  shell.dataset.live = state;
}
const clock = (moment) => moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

function lost() {
  lostSince ??= new Date(heardAt || Date.now());
  show("lost", `not live since ${clock(lostSince)}`);
}
function alive() {
  heardAt = Date.now();
  wait = FIRST_WAIT_MS;
  lostSince = null;
  show("live", "live");
}
setInterval(() => {
  if (signedOut || !socket) return;
  if (Date.now() - heardAt < SILENCE_MS) return;
  const silent = socket;
  socket = null; // whatever it still says is not listened to
  silent.close();
  lost();
  connect();
}, 1000);

// Messages -----------------------------------------------------------------------------------------------
function hear(message) {
  alive();
  handlers[message.type]?.(message);
}
const handlers = {
  snapshot({ moves }) {
    if (!caughtUp) inventoryChanged(); // what changed before this connection was there to hear it
    caughtUp = true;
    asked = false;
    const known = new Set(moves.map((move) => move.id));
    for (const id of rowIds()) if (!known.has(id)) drop(id);
    moves.forEach((move, index) => put(move, { first: !shown.has(move.id), place: index }));
    count();
  },
  move(move) {
    put(move, {});
    count();
  },
  panel({ id, version, panel, point }) {
    work = work.then(async () => {
      const target = document.getElementById(`move-${id}-live`);
      if (!target || Number(target.dataset.version) > version) return;
      await htmx.swap({ target, text: panel, swap: "outerMorph" });
      showStep();
      if (point) feedChart(id, point);
    }).catch(report);
  },
  heartbeat({ versions }) {
    for (const id of rowIds()) if (!(id in versions) && !shown.get(id)?.active) drop(id);
    const behind = Object.entries(versions).some(([id, version]) => (shown.get(Number(id))?.version ?? 0) < version);
    const ghosts = [...shown].some(([id, move]) => move.active && !(id in versions));
    if ((behind || ghosts) && !asked) { asked = true; send({ resend: true }); }
    else asked = false;
    count();
  },
  inventory: () => inventoryChanged(),
  "signed-out": leave,
};
const send = (message) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
const report = (error) => console.error("live:", error);

let inventoryTimer = 0;
function inventoryChanged() {
  inventoryTimer ||= setTimeout(() => {
    inventoryTimer = 0;
    document.body.dispatchEvent(new CustomEvent("inventory-changed", { bubbles: true }));
  }, INVENTORY_EVERY_MS);
}

// Rows of the dock -----------------------------------------------------------------------------------------
const rowIds = () => [...(rows()?.children ?? [])].map((item) => Number(item.dataset.move));

function put(move, { first = false }) {
  const before = shown.get(move.id);
  if (before && before.version > move.version) return;
  shown.set(move.id, { version: move.version, active: move.active, phase: move.phase, domain: move.domain, destination: move.destination });
  if (before && before.phase !== move.phase && !first) say(move.say);
  if (!before ? move.active && !first : before.active !== move.active) movesChanged();
  mark();
  work = work.then(() => draw(move)).catch(report);
}

async function draw(move) {
  if (shown.get(move.id)?.version !== move.version) return; // a newer one is waiting behind this
  for (const place of document.querySelectorAll(`[data-move-words="${move.id}"]`)) write(place, move.words);
  if (!move.active && dismissed().has(move.id)) return drop(move.id);
  const target = row(move.id);
  if (target) return htmx.swap({ target, text: move.row, swap: "outerMorph" });
  const firstEnded = move.active ? rows().querySelector(".is-ended") : null;
  return htmx.swap(firstEnded ? { target: firstEnded, text: move.row, swap: "beforebegin" } : { target: rows(), text: move.row, swap: "beforeend" });
}

function drop(id) {
  shown.delete(id);
  row(id)?.remove();
  mark();
}

function count() {
  const active = [...shown.values()].filter((move) => move.active).length;
  write(document.getElementById("moving-count"), `${active} moving`);
  write(document.getElementById("dock-summary"), active ? `${active} moving` : "");
}

function write(place, words) {
  if (place && place.textContent !== words) place.textContent = words;
}
function movesChanged() {
  document.body.dispatchEvent(new CustomEvent("moves-changed", { bubbles: true }));
}
function say(sentence) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = sentence;
}

// In the tree a guest under way says where it goes, and its empty shell at the destination what it is.
export function mark() {
  const moving = new Map([...shown.values()].filter((move) => move.active).map((move) => [move.domain, move.destination]));
  for (const item of document.querySelectorAll("#tree-pane [data-uuid]")) {
    const destination = moving.get(item.dataset.uuid);
    item.toggleAttribute("data-moving", destination !== undefined);
    const arrives = item.closest("[data-kind=host]")?.dataset.name === destination;
    write(item.querySelector("[data-moving-note]"), destination === undefined ? "" : arrives ? "arriving" : `→ ${destination}`);
    if (destination === undefined) item.removeAttribute("aria-description");
    else item.setAttribute("aria-description", arrives ? "arriving" : `moving to ${destination}`);
  }
}

// A line that was dismissed stays away in this browser; the history keeps the move.
const KEY = "vm-migrate.dismissed";
function dismissed() {
  try { return new Set(JSON.parse(localStorage.getItem(KEY) ?? "[]")); } catch { return new Set(); }
}
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-dismiss-move]");
  if (!button) return;
  const id = Number(button.dataset.dismissMove);
  try { localStorage.setItem(KEY, JSON.stringify([...dismissed(), id].slice(-50))); } catch { /* private window */ }
  const next = row(id)?.nextElementSibling ?? row(id)?.previousElementSibling;
  row(id)?.remove();
  (next?.querySelector("[data-dismiss-move], a") ?? document.getElementById("dock-toggle"))?.focus();
});

// On a narrow screen the stepper scrolls to where the move is.
function showStep() {
  const step = document.querySelector(".move-live .step[aria-current]");
  const stepper = step?.parentElement;
  if (stepper && stepper.scrollWidth > stepper.clientWidth) stepper.scrollLeft = step.offsetLeft - stepper.clientWidth / 3;
}

// Pages --------------------------------------------------------------------------------------------------
let watched = "";
function watch() {
  const ids = [...document.querySelectorAll("#main [data-watch-move]")].map((page) => Number(page.dataset.watchMove));
  watched = ids.join();
  send({ watch: ids });
}
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.target?.closest?.("#dock")) return;
  const ids = [...document.querySelectorAll("#main [data-watch-move]")].map((page) => page.dataset.watchMove).join();
  if (ids !== watched) watch();
  mountCharts();
  showStep();
  mark();
  count();
});

// What the server has put into the page is what is shown until the snapshot comes.
for (const item of rows()?.children ?? []) {
  const id = Number(item.dataset.move);
  if (!("active" in item.dataset) && dismissed().has(id)) { item.remove(); continue; }
  shown.set(id, { version: Number(item.dataset.version), active: "active" in item.dataset, phase: item.dataset.step, domain: item.dataset.domain, destination: item.dataset.destination });
}
for (const id of dismissed()) row(id)?.matches(".is-ended") && row(id).remove();
count();
mark();
mountCharts();
showStep();
connect();
