// Uploads: a file goes to the server in slices and goes on where it was after a lost connection; then a worker is
// ordered to write it into its volume. They outlive the page they were begun on. Contract: hosts/views/spool_views.py.
// Imports nothing: shell.js has another address in production, and would run twice.

const SLICE_BYTES = 8 * 1024 * 1024;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;
const QCOW_MAGIC = [0x51, 0x46, 0x49, 0xfb]; // "QFI\xfb", the first bytes of every qcow2 image
const running = new Set();
let chosen = null; // the file of the dialog

// The dialog -----------------------------------------------------------------------------------------
const field = (name) => document.querySelector(`form[data-upload] [name="${name}"]`);

async function choose(file) {
  chosen = file;
  field("file_name").value = file.name;
  field("file_size").value = file.size;
  field("file_stamp").value = file.lastModified;
  document.getElementById("id_file_error").replaceChildren();
  if (field("name") && !field("name").value) field("name").value = file.name;
  const first = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (field("format")) field("format").value = QCOW_MAGIC.every((byte, index) => first[index] === byte) ? "qcow2" : "raw";
  field("file_name").dispatchEvent(new Event("input", { bubbles: true })); // the virsh line follows
}
document.addEventListener("change", ({ target }) => target.id === "upload-file" && target.files.length && choose(target.files[0]));

// Drawn anew with what was wrong, the dialog has lost the file; the person has not.
document.addEventListener("htmx:after:swap", () => {
  const input = document.getElementById("upload-file");
  if (!input || input.files.length) return;
  if (!chosen || field("file_name").value !== chosen.name) { chosen = null; return; }
  const files = new DataTransfer();
  files.items.add(chosen);
  input.files = files.files;
});
document.addEventListener("upload-begin", ({ detail }) => {
  if (!chosen || chosen.size !== detail.size) return;
  new Upload(chosen, detail).start();
  chosen = null;
});

// The list of uploads, above everything --------------------------------------------------------------
function list() {
  const there = document.getElementById("uploads");
  if (there) return there;
  const made = document.createElement("section");
  made.id = "uploads";
  made.setAttribute("aria-label", "Uploads");
  document.body.append(made);
  return made;
}
function element(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}
function button(words, act, name = "btn btn-small") {
  const made = Object.assign(element("button", name, words), { type: "button", onclick: act });
  return made;
}
function icon(name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${document.getElementById("shell").dataset.icons}#${name}`);
  made.append(use);
  return made;
}
const announce = (text) => { document.getElementById("announcer").textContent = text; };
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
function size(bytes) {
  let value = bytes, unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) { value /= 1024; unit += 1; }
  return `${value.toFixed(unit === 0 || value >= 100 || Number.isInteger(value) ? 0 : 1)} ${UNITS[unit]}`;
}
const pause = (milliseconds) => new Promise((done) => {
  const timer = setTimeout(wake, milliseconds);
  function wake() { clearTimeout(timer); removeEventListener("online", wake); done(); }
  addEventListener("online", wake);
});
// Of this moment: a login in another window changes it.
const csrf = () => document.cookie.match(/(?:^|; )vm_migrate_csrf=([^;]+)/)?.[1] ?? "";

class Stop extends Error {}

class Upload {
  constructor(file, detail) {
    Object.assign(this, detail, { file, wait: FIRST_WAIT_MS, begun: Date.now(), from: detail.offset, state: "sending" });
    this.abort = new AbortController();
    this.draw();
  }

  draw() {
    this.box = element("article", "upload");
    this.box.dataset.state = "sending";
    const head = element("div", "upload-head");
    this.action = button("Cancel", () => this.cancel());
    this.action.setAttribute("aria-label", `Cancel the upload of ${this.title}`);
    const title = element("b", "grow truncate", this.title);
    title.title = this.title;
    head.append(title, this.action);
    this.bar = Object.assign(element("progress", "bar"), { max: 100, value: 0 });
    this.bar.setAttribute("aria-label", `Upload of ${this.title}`);
    this.words = element("p", "muted small num-row");
    this.body = element("div", "upload-body");
    this.body.append(this.bar, this.words);
    this.box.append(head, this.body);
    list().append(this.box);
    this.show();
  }

  show(trouble = "") {
    const percent = Math.floor((100 * this.offset) / this.size);
    this.bar.value = Math.min(percent, 99);
    const seconds = (Date.now() - this.begun) / 1000;
    const rate = seconds > 1 ? (this.offset - this.from) / seconds : 0;
    const parts = [`${size(this.offset)} of ${size(this.size)}`];
    if (trouble) parts.push(trouble);
    else if (rate > 0) parts.push(`${size(Math.round(rate))}/s`, `~${Math.ceil((this.size - this.offset) / rate)} s left`);
    this.words.replaceChildren(...parts.map((text) => element("span", "", text)));
    this.box.dataset.state = trouble ? "waiting" : this.state;
  }

  async start() {
    running.add(this);
    announce(`Uploading ${this.title}`);
    try {
      while (this.offset < this.size) await this.step();
      await this.order();
    } catch (error) {
      if (error.name !== "AbortError") this.fail(error instanceof Stop ? error.message : "The file could not be read. It may have been changed or moved meanwhile.");
    } finally {
      running.delete(this);
    }
  }

  // One slice; when it does not get through: wait, ask how much is there, and go on from that.
  async step() {
    const slice = await this.file.slice(this.offset, this.offset + SLICE_BYTES).arrayBuffer();
    const answer = await this.ask(`${this.send}?offset=${this.offset}`, { method: "PUT", body: slice, headers: { "Content-Type": "application/octet-stream" } });
    if (answer?.ok) {
      this.offset = (await answer.json()).offset;
      this.wait = FIRST_WAIT_MS;
      this.show();
      return;
    }
    const told = await this.resync(answer);
    this.show(told);
    await pause(this.wait);
    this.abort.signal.throwIfAborted();
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    const now = await this.ask(this.send, {});
    if (now?.ok) this.offset = (await now.json()).offset;
    else if (now) await this.resync(now);
  }

  // What a refusal means; throws where waiting would not help.
  async resync(answer) {
    if (!answer) return "connection lost, it goes on by itself";
    if (answer.type === "opaqueredirect" || answer.status === 403) return "signed out: log in in another window, it goes on by itself";
    if (answer.status === 413) throw new Stop("A proxy before the server refuses slices of 8 MiB. Its limit for request bodies must be higher.");
    if (answer.status === 404 || answer.status === 409) {
      const { message, offset } = await answer.json().catch(() => ({}));
      if (answer.status === 404 || offset === undefined) throw new Stop(message ?? `The server refused it (${answer.status}).`);
      this.offset = offset;
      return "";
    }
    if (answer.status < 500 && answer.status !== 429) throw new Stop(`The server refused it (${answer.status}).`);
    return "the server is busy, it goes on by itself";
  }

  // undefined: there was no answer.
  async ask(address, { headers = {}, ...options }) {
    try {
      return await fetch(address, { ...options, headers: { ...headers, "X-CSRFToken": csrf() }, redirect: "manual", signal: this.abort.signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return undefined;
    }
  }

  // All of it is on the server: the rest is the worker's, and what stands here then is the server's own words.
  async order() {
    this.state = "sent";
    this.show("sent, asking for a worker");
    let answer;
    for (;;) {
      answer = await this.ask(this.order_address, { method: "POST", body: new URLSearchParams(this.values), headers: { "HX-Request": "true" } });
      if (answer?.ok || answer?.status === 422) break;
      this.show(await this.resync(answer));
      await pause(this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    }
    const text = await answer.text();
    htmx.swap({ target: this.body, text, swap: "innerHTML" });
    this.box.dataset.state = answer.ok ? "ordered" : "refused";
    announce(`${this.title}: ${answer.ok ? "sent" : "refused"}`);
    if (answer.ok) document.body.dispatchEvent(new CustomEvent("storage-ordered", { bubbles: true }));
    else this.body.append(button("Try again", () => { this.body.replaceChildren(this.bar, this.words); this.start(); }));
    this.closable(answer.ok ? () => {} : () => this.forget());
  }

  fail(message) {
    this.box.dataset.state = "failed";
    const line = element("p", "field-error");
    line.append(icon("exclamation-circle-fill"), element("span", "", message));
    this.body.replaceChildren(line);
    announce(`Upload failed: ${message}`);
    this.closable(() => {});
  }

  closable(act) {
    const close = button("", () => { act(); this.box.remove(); }, "btn btn-quiet btn-small btn-icon");
    close.setAttribute("aria-label", `Dismiss ${this.title}`);
    close.append(icon("x-lg"));
    this.action.replaceWith(close);
    this.action = close;
  }

  cancel() {
    this.abort.abort();
    this.forget();
    this.box.remove();
    announce(`Upload of ${this.title} cancelled`);
  }

  forget() {
    fetch(this.send, { method: "DELETE", headers: { "X-CSRFToken": csrf() } }).catch(() => { /* it is swept after a day */ });
  }
}

addEventListener("beforeunload", (event) => { if (running.size) event.preventDefault(); });
