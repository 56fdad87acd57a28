/* Forms, lists and help in a dialog. Knows: what is asked. Must not know: what the answer does. */

import { $, h } from "./dom.js";

const isMac = /mac|iphone|ipad/i.test(navigator.platform);
const SHORTCUTS = [
  ["Ctrl K", "New conversation"],
  ["Alt ↑  Alt ↓", "Conversation above, below"],
  ["Enter", "Send (or, with an empty box, stop the answer)"],
  ["Shift Enter", "New line"],
  ["/", "Commands"],
  ["Esc", "Close what is open; back to the message box"],
];

function open(title, ...content) {
  const dialog = $("dialog");
  dialog.replaceChildren(h("h2", { id: "dialog-title" }, title), ...content);
  dialog.showModal();
  return dialog;
}

const closing = (label) => h("button", { type: "button", class: "button plain", on: { click: () => $("dialog").close() } }, label);

/** Ask the fields of a form; `send` gets an object of strings. */
export function askForm(form, send) {
  const inputs = form.fields.map((field) => {
    const props = { id: `field-${field.id}`, maxlength: String(field.max_chars), name: field.id };
    return field.long ? h("textarea", { ...props, rows: "5" }) : h("input", { ...props, type: "text" });
  });
  const body = h(
    "form",
    { method: "dialog", class: "form" },
    ...form.fields.map((field, at) => h("div", { class: "field" }, h("label", { for: `field-${field.id}` }, field.label), inputs[at])),
    h("div", { class: "buttons end" }, closing("Cancel"), h("button", { type: "submit", class: "button primary" }, form.submit.label)),
  );
  body.addEventListener("submit", () => send(Object.fromEntries(inputs.map((input) => [input.name, input.value]))));
  open(form.title, body);
  inputs[0]?.focus();
}

/** Offer a list; `send` gets the chosen button. */
export function askChoice(choices, send) {
  const pick = (option) => {
    $("dialog").close();
    send(option);
  };
  const options = choices.options.map((option) => h("li", {}, h("button", { type: "button", class: "button wide", on: { click: () => pick(option) } }, option.label)));
  open(choices.text, h("ul", { class: "options" }, ...options), h("div", { class: "buttons end" }, closing("Cancel")));
}

/** The keyboard, explained. */
export function showShortcuts() {
  const rows = SHORTCUTS.map(([keys, what]) => h("div", {}, h("dt", {}, h("kbd", {}, isMac ? keys.replaceAll("Alt", "⌥") : keys)), h("dd", {}, what)));
  open("Keyboard", h("dl", { class: "shortcuts" }, ...rows), h("div", { class: "buttons end" }, closing("Close")));
}
