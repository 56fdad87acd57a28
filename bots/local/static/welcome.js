/* What stands in an empty conversation: where it will be, and something to try.
   Knows: channels and suggestions. Must not know: HTTP. */

import { $, h } from "./dom.js";
import { suggest } from "./composer.js";
import { channelName } from "./sidebar.js";
import { changed, messagesOf, state } from "./store.js";

const SUGGESTIONS = [
  "My app is called Heron. Please remember that.",
  "What is my app called?",
  "Tell me a long story about a lighthouse.",
  "/help",
];
const USUAL = ["dm", "general", "private-team"];

let print = "";

export function drawWelcome() {
  const place = $("welcome");
  place.hidden = Boolean(state.thread) || messagesOf("").size > 0 || state.sending.some((each) => !each.thread);
  if (place.hidden) return;
  const channels = [...new Set([...USUAL, ...(state.threads.get(state.workspace) || []).map((line) => line.channel), state.channel])];
  const now = JSON.stringify([channels, state.channel, state.about.offline, state.workspace]);
  if (now === print) return;
  print = now;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  place.replaceChildren(
    h("p", { class: "welcome-head" }, "Where shall we begin?"),
    h("p", { class: "welcome-text" }, "Leave whenever you like. What is said here outlives restarts, crashes and weeks of silence, and goes on where it stopped."),
    state.about.offline ? offlineNote() : null,
    whereTo(channels),
    h("ul", { class: "suggestions", "aria-label": "Something to try" }, ...SUGGESTIONS.map((text) => h("li", {}, h("button", { type: "button", on: { click: () => suggest(text) } }, text)))),
  );
  if (focused) [...place.querySelectorAll("[data-name]")].find((each) => each.dataset.name === focused)?.focus();
}

function offlineNote() {
  return h("p", { class: "offline" }, h("strong", {}, "Offline demo model. "), "No key is set, so a small built-in program answers, not Claude. It is enough to try everything here; set ", h("code", {}, "ANTHROPIC_API_KEY"), " for the real one.");
}

function whereTo(channels) {
  const group = h("div", { class: "where", role: "group", "aria-label": "Where" });
  for (const channel of channels) {
    const button = h("button", { type: "button", "aria-pressed": String(channel === state.channel), on: { click: () => choose(channel) } }, channelName(channel));
    button.dataset.name = channel;
    group.append(button);
  }
  const other = h("input", { type: "text", maxlength: "64", placeholder: "another channel", "aria-label": "Another channel", autocomplete: "off" });
  other.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const name = other.value.trim().replace(/^#/, "");
    if (name) choose(name);
  });
  group.append(other);
  return group;
}

function choose(channel) {
  state.channel = channel;
  changed("channel");
}
