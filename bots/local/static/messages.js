/* The thread on the right: one element per message, brought up to date in place.
   Knows: how a message looks. Must not know: HTTP. */

import { $, copyButton, eachFrame, h, icon } from "./dom.js";
import { renderInto } from "./markdown.js";
import { drawSteps } from "./steps.js";
import { inOrder, state } from "./store.js";
import { dayOf, timeOf } from "./times.js";

const NEAR_PX = 90; // as close to the end counts as reading along
const STATES = { stopped: "Stopped", failed: "This answer did not finish" };
const MARKS = { seen: "Seen", working: "Working on it", stopped: "Stopped" };

let act = { press() {}, retry() {}, discard() {} };
let shownThread = null;
let following = true;
const shown = new Map(); // id -> {row, parts}

export function setUpMessages(actions) {
  act = actions;
  const scroll = $("scroll");
  $("latest").prepend(icon("down"));
  $("latest").addEventListener("click", () => toEnd(true));
  scroll.addEventListener("scroll", () => {
    following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_PX;
    $("latest").hidden = following;
  });
  new ResizeObserver(() => following && !$("messages").hidden && toEnd(false)).observe(scroll);
}

export const drawMessages = eachFrame(() => {
  const list = $("messages");
  if (shownThread !== state.thread) {
    shown.clear();
    list.replaceChildren();
    shownThread = state.thread;
    following = true;
  }
  const rows = [];
  let lastDay = "";
  const own = new Set(state.sending.map((each) => each.key)); // shown as being sent until they are acknowledged
  for (const message of [...inOrder(state.thread).filter((each) => !own.has(each.key)), ...pending()]) {
    const date = dayOf(message.created_ms);
    if (date !== lastDay && state.thread) rows.push(dayRow(date));
    lastDay = date;
    rows.push(rowOf(message));
  }
  settle(list, rows);
  list.hidden = rows.length === 0;
  if (rows.length === 0) $("scroll").scrollTo(0, 0);
  else if (following) toEnd(false);
});

function pending() {
  return state.sending
    .filter((each) => each.thread === state.thread)
    .map((each) => ({ ...each, id: `sending-${each.key}`, author: state.person, bot: false, state: "done", buttons: [], sending: true }));
}

/** Bring the list to `rows` and touch only what is not in its place. */
function settle(list, rows) {
  const wanted = new Set(rows);
  for (const child of [...list.children]) {
    if (wanted.has(child)) continue;
    child.remove();
    if (child.dataset.id) shown.delete(child.dataset.id);
  }
  rows.forEach((row, at) => {
    if (list.children[at] !== row) list.insertBefore(row, list.children[at] || null);
  });
}

const days = new Map();
function dayRow(date) {
  if (!days.has(date)) days.set(date, h("li", { class: "day" }, h("span", {}, date)));
  return days.get(date);
}

export function toEnd(smooth) {
  const scroll = $("scroll");
  scroll.scrollTo({ top: scroll.scrollHeight, behavior: smooth ? "smooth" : "instant" });
  following = true;
  $("latest").hidden = true;
}

function rowOf(message) {
  let entry = shown.get(message.id);
  if (!entry) {
    entry = build(message);
    shown.set(message.id, entry);
  }
  if (entry.last !== message) update(entry, message);
  entry.last = message;
  return entry.row;
}

function build(message) {
  const parts = {
    flag: h("span", { class: "flag" }),
    steps: h("div", { class: "steps" }),
    body: h("div", { class: message.bot ? "body prose" : "body prose said", dir: "auto" }),
    files: h("ul", { class: "files", "aria-label": "Files" }),
    downloads: h("ul", { class: "files", "aria-label": "Downloads" }),
    status: h("p", { class: "status" }),
    buttons: h("div", { class: "buttons" }),
    tools: h("div", { class: "tools" }),
  };
  const name = h("bdi", { class: "author" }, message.author);
  const time = h("time", { datetime: new Date(message.created_ms).toISOString() }, timeOf(message.created_ms));
  const row = h(
    "li",
    { class: `message ${message.bot ? "from-bot" : "from-person"}` },
    avatar(message.author, message.bot),
    h("div", { class: "said-by" }, name, time, parts.flag, parts.tools),
    parts.steps, parts.body, parts.files, parts.downloads, parts.status, parts.buttons,
  );
  row.dataset.id = message.id;
  return { row, parts, last: null };
}

export function avatar(name, bot) {
  if (bot) return h("img", { class: "avatar", src: "/static/icon.svg", alt: "", width: "30", height: "30" });
  let sum = 0;
  for (const each of name) sum = (sum * 31 + each.codePointAt(0)) % 360;
  const circle = h("span", { class: "avatar initial", "aria-hidden": "true" }, [...name][0].toUpperCase());
  circle.style.setProperty("--hue", String(sum));
  return circle;
}

function update({ row, parts }, message) {
  row.dataset.state = message.state;
  row.classList.toggle("private", Boolean(message.private));
  row.classList.toggle("card", Boolean(message.card));
  row.classList.toggle("waiting", Boolean(message.sending || message.unsent));
  parts.flag.replaceChildren(...(message.private ? [icon("lock"), "Only you see this"] : []));
  drawSteps(parts.steps, message.steps);
  renderInto(parts.body, message.steps ? message.steps.foot : message.text, { plain: !message.bot });
  parts.body.classList.toggle("empty", message.state === "streaming" && !message.text);
  parts.files.replaceChildren(...(message.files || []).map(fileRow));
  updateDownloads(parts.downloads, message);
  parts.status.replaceChildren(...status(message));
  parts.status.classList.toggle("bad", message.state === "failed" || Boolean(message.error));
  updateButtons(parts.buttons, message);
  const copies = message.bot && message.state !== "streaming" && message.text;
  if (copies && !parts.tools.firstChild) {
    const id = message.id;
    parts.tools.append(copyButton(() => shown.get(id).last.text, "Copy this message"));
  }
}

function status(message) {
  if (message.sending) return [message.error || (state.online ? "Sending …" : "Waiting for the connection. It will be sent by itself.")];
  if (message.unsent) return ["Stored, not taken yet: it will be, as soon as there is room."];
  const words = STATES[message.state] || MARKS[message.mark] || "";
  return words ? [words] : [];
}

/** A file that came with a message; one of ours can be had, as often as it is wanted. */
function fileRow(file) {
  const name = h("bdi", {}, file.name);
  const shown = file.url ? h("a", { href: file.url, download: file.name }, icon("down"), name) : name;
  return h("li", {}, ...(file.url ? [] : [icon("file")]), shown, h("span", {}, size(file.size_bytes)));
}

function updateDownloads(place, message) {
  const print = JSON.stringify(message.downloads || []);
  if (place.dataset.print === print) return;
  place.dataset.print = print;
  const row = (each) => {
    const anchor = h("a", { href: each.url, download: each.name }, icon("down"), h("bdi", {}, each.name));
    anchor.addEventListener("click", () => setTimeout(() => anchor.replaceWith(h("span", {}, each.name, " (used)"))));
    return h("li", {}, anchor);
  };
  place.replaceChildren(...(message.downloads || []).map(row));
}

function updateButtons(place, message) {
  const wanted = message.error
    ? [{ label: "Try again", style: "primary", go: () => act.retry(message.key) }, { label: "Discard", style: "plain", go: () => act.discard(message.key) }]
    : message.buttons.map((each) => ({ ...each, go: () => act.press(message, each) }));
  const print = JSON.stringify(wanted);
  if (place.dataset.print === print) return;
  place.dataset.print = print;
  const focused = place.contains(document.activeElement);
  const lesser = wanted.filter((each) => each.menu);
  place.replaceChildren(
    ...wanted.filter((each) => !each.menu).map((each) => h("button", { type: "button", class: `button ${each.style || "plain"}`, on: { click: each.go } }, each.label)),
    ...(lesser.length ? more(lesser) : []),
  );
  if (focused) (place.querySelector("button") || $("composer-text")).focus();
}

/** Buttons of lesser weight, behind one: [the button, its menu]. */
function more(buttons) {
  const menu = h("div", { class: "menu", popover: "auto", "aria-label": "More choices" });
  menu.append(...buttons.map((each) => h("button", { type: "button", class: "menu-row", on: { click: () => (menu.hidePopover(), each.go()) } }, each.label)));
  const opener = h("button", { type: "button", class: "button plain more", "aria-haspopup": "true", "aria-label": "More choices" }, "⋯");
  opener.popoverTargetElement = menu;
  menu.addEventListener("toggle", (event) => {
    opener.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState !== "open") return;
    const edge = opener.getBoundingClientRect();
    const below = window.innerHeight - edge.bottom > menu.offsetHeight + 16;
    menu.style.top = `${below ? edge.bottom + 6 : edge.top - menu.offsetHeight - 6}px`;
    menu.style.left = `${Math.max(8, Math.min(edge.left, window.innerWidth - menu.offsetWidth - 8))}px`;
    menu.querySelector("button").focus();
  });
  return [opener, menu];
}

export function size(bytes) {
  return bytes < 1000 ? `${bytes} B` : bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
