/* The message box: growing, completing commands, taking files. Knows: what is being written, per thread and in
   memory. Must not know: HTTP. */

import { $, h, icon } from "./dom.js";
import { size } from "./messages.js";
import { state, stoppable } from "./store.js";

const FILE_MAX_BYTES = 20_000_000;
const FILES_MAX = 10;
const TEXT_MAX_BYTES = 100_000;
const TEXT_NAMES = /\.(txt|md|csv|log|py|js|ts|tsx|jsx|toml|ya?ml|ini|sh|sql|html|css|xml|rs|go|java|c|h|cpp)$/i;
const TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "application/json"];

const drafts = new Map(); // thread -> {text, files}
let here = "";
let files = [];
let offered = [];
let chosen = -1;
let act = { send() {}, stop() {} };

const box = () => $("composer-text");
const onTouch = () => window.matchMedia("(pointer: coarse)").matches;

export function setUpComposer(actions) {
  act = actions;
  $("attach").append(icon("clip"));
  $("attach").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", (event) => {
    take([...event.target.files]);
    event.target.value = "";
  });
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  box().addEventListener("input", () => {
    grow();
    complete();
    drawComposer();
  });
  box().addEventListener("keydown", onKey);
  box().addEventListener("blur", () => setTimeout(() => offer([]), 120));
  box().addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files || [])];
    if (!pasted.length) return;
    event.preventDefault();
    take(pasted);
  });
  const main = $("main");
  main.addEventListener("dragover", (event) => event.preventDefault());
  main.addEventListener("drop", (event) => {
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
}

function onKey(event) {
  if (event.isComposing) return;
  if (offered.length && onOfferKey(event)) return;
  if (event.key === "Enter" && !event.shiftKey && !(onTouch() && !event.ctrlKey)) {
    event.preventDefault();
    submit();
  }
}

function onOfferKey(event) {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps) {
    chosen = (chosen + steps[event.key] + offered.length) % offered.length;
    drawOffer();
  } else if (event.key === "Escape") {
    offer([]);
    event.stopPropagation();
  } else if (event.key === "Tab" || (event.key === "Enter" && box().value.trim() !== `/${offered[chosen].name}`)) {
    choose(offered[chosen]);
  } else return false;
  event.preventDefault();
  return true;
}

function complete() {
  const typed = /^\/(\S*)$/.exec(box().value);
  const start = typed ? typed[1].toLowerCase() : "";
  offer(typed ? state.about.commands.filter((each) => each.name.startsWith(start)) : []);
}

function offer(commands) {
  offered = commands;
  chosen = commands.length ? 0 : -1;
  drawOffer();
}

function drawOffer() {
  const list = $("completion");
  list.hidden = offered.length === 0;
  list.replaceChildren(
    ...offered.map((each, at) => {
      const props = { role: "option", id: `offer-${at}`, "aria-selected": String(at === chosen) };
      const row = h("li", props, h("span", { class: "command" }, `/${each.name}`), h("span", {}, each.help));
      row.addEventListener("mousedown", (event) => {
        event.preventDefault();
        choose(each);
      });
      return row;
    }),
  );
  list.children[chosen]?.scrollIntoView({ block: "nearest" });
  if (chosen >= 0) box().setAttribute("aria-activedescendant", `offer-${chosen}`);
  else box().removeAttribute("aria-activedescendant");
}

function choose(command) {
  box().value = `/${command.name} `;
  offer([]);
  drawComposer();
  box().focus();
}

function submit() {
  const text = box().value;
  if (!text.trim() && !files.length) {
    const running = stoppable(state.thread);
    if (running) act.stop(running);
    return;
  }
  if (new TextEncoder().encode(text).length > TEXT_MAX_BYTES) {
    note("That is more than 100 kB. Attach it as a text file instead.");
    return;
  }
  offer([]);
  note("");
  act.send(text, files);
  put("", []);
  drafts.delete(here);
}

function put(text, newFiles) {
  box().value = text;
  files = newFiles;
  grow();
  drawChips();
  drawComposer();
}

/** Write `text` into the box, for the person to look at before it is sent. */
export function suggest(text) {
  put(text, files);
  complete();
  box().focus();
}

/** Show the draft of the thread that is open now, and keep the other one. */
export function switchDraft() {
  if (here === state.thread) return;
  drafts.set(here, { text: box().value, files });
  here = state.thread;
  const draft = drafts.get(here) || { text: "", files: [] };
  put(draft.text, draft.files);
  offer([]);
  note("");
}

export function forgetDrafts() {
  drafts.clear();
  put("", []);
}

export function note(text) {
  $("composer-note").textContent = text;
  $("composer-note").hidden = !text;
}

function grow() {
  box().style.height = "auto";
  box().style.height = `${Math.min(box().scrollHeight, Math.round(window.innerHeight * 0.4))}px`;
}

export function drawComposer() {
  const empty = !box().value.trim() && !files.length;
  const running = empty && stoppable(state.thread);
  const send = $("send");
  const kind = running ? "stop" : "send";
  if (send.dataset.kind !== kind) {
    send.dataset.kind = kind;
    send.replaceChildren(icon(kind));
    send.setAttribute("aria-label", running ? "Stop the answer" : "Send");
  }
  send.disabled = empty && !running;
}

async function take(list) {
  for (const file of list) {
    const type = TYPES.includes(file.type) || file.type.startsWith("text/") ? file.type : TEXT_NAMES.test(file.name) ? "text/plain" : "";
    if (!type) note(`“${file.name}” is of a kind that I cannot read. Images, PDF and text are fine.`);
    else if (!file.size) note(`“${file.name}” is empty.`);
    else if (file.size > FILE_MAX_BYTES) note(`“${file.name}” has more than 20 MB.`);
    else if (files.length >= FILES_MAX) note(`A message takes at most ${FILES_MAX} files.`);
    else {
      files = [...files, { name: file.name, media_type: type, size_bytes: file.size, data: await base64(file) }];
      note("");
    }
  }
  drawChips();
  drawComposer();
  box().focus();
}

function base64(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(String(reader.result).split(",")[1]));
    reader.addEventListener("error", () => failed(reader.error));
    reader.readAsDataURL(file);
  });
}

function drawChips() {
  const list = $("chips");
  list.hidden = files.length === 0;
  list.replaceChildren(
    ...files.map((file, at) => {
      const remove = h("button", { type: "button", "aria-label": `Remove ${file.name}` }, icon("close"));
      remove.addEventListener("click", () => {
        files = files.filter((_, n) => n !== at);
        drawChips();
        drawComposer();
        box().focus();
      });
      return h("li", {}, icon("file"), h("bdi", {}, file.name), h("span", {}, size(file.size_bytes)), remove);
    }),
  );
}
