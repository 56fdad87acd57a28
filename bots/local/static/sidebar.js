/* The list on the left: workspaces, conversations, who one is, the clock, the colours.
   Knows: how they look and what pressing them asks for. Must not know: HTTP. */

import { $, eachFrame, h, icon } from "./dom.js";
import { avatar } from "./messages.js";
import { setting, state } from "./store.js";
import { shortly, span } from "./times.js";

const WORKSPACE_NAMES = { home: "Home", away: "Away" };

let act = { workspace() {}, person() {}, pass() {} };

export const channelName = (channel) => (channel === "dm" ? "Direct message" : `#${channel}`);
export const hashOf = (workspace, thread) => `#/${workspace}/${thread || "new"}`;

export function setUpSidebar(actions) {
  act = actions;
  $("new").querySelector(".slot-icon").append(icon("plus"));
  $("drawer-open").append(icon("menu"));
  $("drawer-close").append(icon("close"));
  $("time").append(icon("clock"));
  $("help").append(icon("help"));
  $("drawer-open").addEventListener("click", () => drawer(true));
  $("drawer-close").addEventListener("click", () => drawer(false));
  $("scrim").addEventListener("click", () => drawer(false));
  $("theme").addEventListener("click", switchTheme);
  window.matchMedia("(max-width: 760px)").addEventListener("change", () => drawer(false));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTheme);
  for (const id of ["people-menu", "time-menu"]) $(id).addEventListener("toggle", (event) => onMenu(event, id));
  drawTheme();
  drawer(false);
}

const narrow = () => window.matchMedia("(max-width: 760px)").matches;

/** Open or close the list on a narrow screen; on a wide one it is always there. */
export function drawer(open) {
  const was = document.body.classList.contains("drawer");
  const on = open && narrow();
  document.body.classList.toggle("drawer", on);
  $("sidebar").inert = narrow() && !on;
  $("main").inert = on;
  $("scrim").hidden = !on;
  $("drawer-open").setAttribute("aria-expanded", String(on));
  if (on) $("drawer-close").focus();
  else if (was && narrow()) $("drawer-open").focus();
}

export const drawSidebar = eachFrame(() => {
  drawWorkspaces();
  drawThreads();
  drawFoot();
});

function drawWorkspaces() {
  const place = $("workspaces");
  if (place.children.length !== state.about.workspaces.length) {
    place.replaceChildren(
      ...state.about.workspaces.map((name) => {
        const button = h("button", { type: "button", on: { click: () => act.workspace(name) } }, WORKSPACE_NAMES[name] || name);
        button.dataset.name = name;
        return button;
      }),
    );
  }
  for (const button of place.children) button.setAttribute("aria-pressed", String(button.dataset.name === state.workspace));
}

function drawThreads() {
  const lines = state.threads.get(state.workspace) || [];
  const list = $("threads");
  const rows = new Map([...list.children].map((row) => [row.dataset.thread, row]));
  const wanted = lines.map((line) => drawThread(rows.get(line.thread) || newThread(line), line));
  for (const row of [...list.children]) if (!wanted.includes(row)) row.remove();
  wanted.forEach((row, at) => {
    if (list.children[at] !== row) list.insertBefore(row, list.children[at] || null);
  });
  $("threads-empty").hidden = lines.length > 0 || !state.threads.has(state.workspace);
}

function newThread(line) {
  const row = h("li", {}, h("a", {}, h("bdi", { class: "thread-title" }), h("span", { class: "thread-where" })));
  row.dataset.thread = line.thread;
  return row;
}

function drawThread(row, line) {
  const anchor = row.firstChild;
  const unread = state.unread.has(line.thread);
  anchor.href = hashOf(line.workspace, line.thread);
  if (line.thread === state.thread) anchor.setAttribute("aria-current", "page");
  else anchor.removeAttribute("aria-current");
  anchor.classList.toggle("unread", unread);
  anchor.children[0].textContent = line.title;
  const words = `${line.channel === "dm" ? "Direct" : `#${line.channel}`} · ${shortly(line.last_ms)}`;
  anchor.children[1].textContent = unread ? `${words} · new` : words;
  return row;
}

function drawFoot() {
  const { about } = state;
  $("person").replaceChildren(avatar(state.person || "?", false), h("bdi", {}, state.person));
  $("person").setAttribute("aria-label", `You are ${state.person}. Switch person`);
  $("model-note").textContent = about.offline
    ? "Offline demo model: no key is set, so a small program answers, not Claude."
    : `${about.model} answers.`;
  $("model-chip").textContent = about.offline ? "Offline demo model" : about.model;
  $("model-chip").hidden = !about.model && !about.offline;
  $("time").hidden = !about.time_travel;
  $("clock-note").hidden = !about.time_offset_ms;
  $("clock-note").textContent = `The bot’s clock is ${span(about.time_offset_ms)} ahead.`;
}

// ------------------------------------------------------------------------------------- the menus

function onMenu(event, id) {
  if (event.newState !== "open") return;
  const menu = $(id);
  if (id === "people-menu") fillPeople(menu);
  else fillTime(menu);
  const edge = $("sidebar").getBoundingClientRect();
  menu.style.left = `${Math.max(8, edge.left + 12)}px`;
  menu.style.bottom = `${window.innerHeight - $(id === "people-menu" ? "person" : "time").getBoundingClientRect().top + 8}px`;
  menu.querySelector("button, input")?.focus();
}

function fillPeople(menu) {
  const choose = (name) => {
    menu.hidePopover();
    act.person(name);
  };
  const rows = state.people.map((name) => {
    const props = { type: "button", class: "menu-row", "aria-pressed": String(name === state.person), on: { click: () => choose(name) } };
    return h("button", props, avatar(name, false), h("bdi", {}, name), name === state.person ? icon("check") : null);
  });
  const input = h("input", { type: "text", maxlength: "64", "aria-label": "Name of another person", placeholder: "Another name", autocomplete: "off" });
  const form = h("form", { class: "menu-form" }, input, h("button", { type: "submit", class: "button plain" }, "Add"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) choose(input.value.trim());
  });
  menu.replaceChildren(h("p", { class: "menu-note" }, "Speak as"), ...rows, form);
}

function fillTime(menu) {
  const row = (by, label) =>
    h("button", { type: "button", class: "menu-row", on: { click: () => (menu.hidePopover(), act.pass(by)) } }, icon("clock"), label);
  const note = "Moves the bot’s own clock forward, so that you can see what becomes of a conversation that was left alone. It cannot be moved back.";
  menu.replaceChildren(h("p", { class: "menu-note" }, "Let time pass"), row("30m", "30 minutes"), row("24h", "24 hours"), h("p", { class: "menu-note small" }, note));
}

// ------------------------------------------------------------------------------------ the colours

const dark = () => {
  const choice = document.documentElement.dataset.theme;
  return choice ? choice === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
};

function switchTheme() {
  const next = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  setting.set("theme", next);
  drawTheme();
}

function drawTheme() {
  $("theme").replaceChildren(icon(dark() ? "sun" : "moon"));
  $("theme").setAttribute("aria-label", dark() ? "Light colours" : "Dark colours");
}
