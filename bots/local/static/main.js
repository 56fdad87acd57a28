/* The page as a whole: what the person does becomes requests, what the server says becomes state, state becomes
   elements. Knows: everything that the other modules offer. Must not know: how anything looks. */

import { ApiError, Stream, api, newKey } from "./api.js";
import { drawComposer, forgetDrafts, note, setUpComposer, switchDraft } from "./composer.js";
import { askChoice, askForm, showShortcuts } from "./dialogs.js";
import { $, announce, h } from "./dom.js";
import { drawMessages, setUpMessages, toEnd } from "./messages.js";
import { channelName, drawSidebar, drawer, hashOf, setUpSidebar } from "./sidebar.js";
import { changed, forgetPerson, lineOf, listen, merge, messagesOf, replaceAll, setting, state } from "./store.js";
import { setOffset } from "./times.js";
import { drawWelcome } from "./welcome.js";

const THREADS_WAIT_MS = 150; // several changes of the list cost one request
const ANNOUNCED_CHARS = 400;

let stream = null;
let threadsTimer = 0;

// ---------------------------------------------------------------------------------------- drawing

listen(() => {
  drawSidebar();
  drawWelcome();
  drawMessages();
  drawComposer();
  drawBar();
});

function drawBar() {
  const line = lineOf(state.thread);
  const first = [...messagesOf(state.thread).values()][0];
  const where = line || first;
  $("title").textContent = state.thread ? line?.title || "Conversation" : "New conversation";
  const model = h("span", { class: "only-narrow" }, ` · ${state.about.offline ? "offline demo model" : state.about.model}`);
  $("subtitle").replaceChildren(channelName(state.thread && where ? where.channel : state.channel), model);
  const unread = state.unread.size;
  document.title = `${unread ? `(${unread}) ` : ""}${state.thread && line ? `${line.title} · ` : ""}Rejoinder`;
  const calm = state.online === false ? "Reconnecting … what you write is kept and sent by itself." : "";
  if ($("connection").textContent !== calm) $("connection").textContent = calm;
  $("composer-text").placeholder = `Message ${state.about.name}`;
}

// ----------------------------------------------------------------------------------- where one is

function readHash() {
  const [, workspace, thread] = location.hash.split("/");
  state.workspace = state.about.workspaces.includes(workspace) ? workspace : state.about.workspaces[0];
  state.thread = thread && thread !== "new" ? decodeURIComponent(thread) : "";
  state.unread.delete(state.thread);
  if (!state.thread) state.messages.delete("");
  switchDraft();
  drawer(false);
  changed("place");
  refreshThreads();
  if (state.thread && !state.loaded.has(state.thread)) refreshThread();
}

function go(workspace, thread, { focus = true } = {}) {
  const hash = hashOf(workspace, thread);
  if (location.hash === hash) readHash();
  else location.hash = hash;
  if (focus && !window.matchMedia("(pointer: coarse)").matches) $("composer-text").focus();
}

function step(by) {
  const lines = state.threads.get(state.workspace) || [];
  const at = lines.findIndex((line) => line.thread === state.thread);
  const next = lines[at < 0 ? 0 : at + by];
  if (next) go(state.workspace, next.thread);
}

// --------------------------------------------------------------------------------- from the server

async function refreshThreads() {
  const { workspace, person } = state;
  try {
    const found = await api.threads(workspace, person);
    if (person !== state.person) return;
    state.threads.set(workspace, found.threads);
    changed("threads");
  } catch (error) {
    if (!error.passes) note(error.message);
  }
}

async function refreshThread() {
  const { thread, person } = state;
  if (!thread) return;
  try {
    const found = await api.thread(thread, person);
    if (person !== state.person) return;
    replaceAll(thread, found.messages);
    changed("thread");
  } catch (error) {
    if (error.status === 404 && thread === state.thread) {
      note("This conversation is not there any more, or it is not yours to see.");
      go(state.workspace, "");
    }
  }
}

async function refreshAbout() {
  try {
    state.about = await api.about();
    setOffset(state.about.time_offset_ms);
    const own = setting.get("people", "").split("\n").filter(Boolean);
    state.people = [...new Set([...state.about.people, ...own])];
    changed("about");
  } catch (error) {
    if (error.status === 401 || error.status === 403) note(error.message);
  }
}

const on = {
  up() {
    state.online = true;
    state.loaded.clear();
    refreshAbout();
    refreshThreads();
    refreshThread();
    sendWaiting();
    changed("online");
  },
  down() {
    state.online = false;
    changed("online");
  },
  resync: () => on.up(),
  threads() {
    clearTimeout(threadsTimer);
    threadsTimer = setTimeout(refreshThreads, THREADS_WAIT_MS);
  },
  forgotten({ thread }) {
    state.messages.delete(thread);
    state.loaded.delete(thread);
    state.unread.delete(thread);
    refreshThreads();
    if (thread === state.thread) refreshThread();
    changed("forgotten");
  },
  message(message) {
    const mine = message.key && state.sending.find((each) => each.key === message.key);
    const known = merge(message.thread, message);
    if (mine && !mine.thread) {
      mine.thread = message.thread;
      if (!state.thread && state.workspace === mine.workspace) go(message.workspace, message.thread);
    }
    if (state.scratch.has(message.thread) && !state.thread) go(message.workspace, message.thread);
    if (message.thread === state.thread) tellFinished(known, message);
    else if (message.bot || message.author !== state.person) state.unread.add(message.thread);
    changed("message");
  },
  private(message) {
    merge(state.scratch.has(message.thread) && !state.thread ? "" : message.thread, message);
    changed("message");
  },
};

function tellFinished(known, message) {
  const finished = message.bot && message.state !== "streaming" && (!known || known.state === "streaming");
  if (!finished) return;
  const text = message.text.length > ANNOUNCED_CHARS ? `${message.text.slice(0, ANNOUNCED_CHARS)} …` : message.text;
  announce(`${message.author}: ${text}`);
}

function connect() {
  stream?.close();
  state.online = null;
  stream = new Stream(state.person, on);
}

// --------------------------------------------------------------------------------- from the person

function send(text, files) {
  const command = text.startsWith("/");
  const line = lineOf(state.thread);
  const first = [...messagesOf(state.thread).values()][0];
  const channel = state.thread ? (line || first)?.channel || "dm" : state.channel;
  const act = { key: newKey(), thread: state.thread, workspace: state.workspace, channel, text, files, command, created_ms: Date.now() + state.about.time_offset_ms };
  state.sending.push(act);
  changed("sending");
  toEnd(false);
  deliver(act);
}

async function deliver(act) {
  if (act.busy) return;
  act.busy = true;
  update(act.key, { error: "" });
  const body = { person: state.person, workspace: act.workspace, channel: act.channel, text: act.text, key: act.key };
  if (act.thread) body.thread = act.thread;
  if (act.files.length) body.files = act.files.map(({ name, media_type, data }) => ({ name, media_type, data }));
  const { person } = state;
  try {
    const taken = await api.say(body);
    if (person === state.person) onTaken(act, taken);
  } catch (error) {
    if (error.passes) setTimeout(() => state.online && deliver(act), 1500);
    else update(act.key, { error: error.message });
  } finally {
    act.busy = false;
  }
}

function update(key, news) {
  const act = state.sending.find((each) => each.key === key);
  if (act) Object.assign(act, news);
  state.sending = [...state.sending];
  changed("sending");
}

function onTaken(act, taken) {
  const fresh = !act.thread;
  if (fresh && act.command) {
    state.scratch.add(taken.thread);
    for (const [id, line] of messagesOf(taken.thread)) if (line.private) messagesOf("").set(id, line);
  } else if (!act.command && !messagesOf(taken.thread).has(taken.message)) {
    state.loaded.delete(taken.thread);
  }
  state.sending = state.sending.filter((each) => each.key !== act.key);
  if (fresh && !act.command && !state.thread && state.workspace === act.workspace) go(act.workspace, taken.thread);
  else if (taken.thread === state.thread && !state.loaded.has(taken.thread)) refreshThread();
  if (taken.reply) onReply(taken.reply, taken.thread);
  changed("sending");
}

const sendWaiting = () => state.sending.filter((each) => !each.error).forEach(deliver);

function onReply(reply, thread) {
  const subject = { id: reply.message, thread };
  if (reply.kind === "form") askForm(reply, (fields) => press(subject, reply.submit, fields));
  if (reply.kind === "choices") askChoice(reply, (option) => press(subject, option));
  if (reply.kind === "private") announce(`Only for you: ${reply.text}`);
}

async function press(message, button, value) {
  const body = { person: state.person, message: message.id, button: button.id, key: newKey() };
  if (value !== undefined) body.value = value;
  for (let tries = 0; ; tries += 1) {
    try {
      onReply((await api.press(body)).reply, message.thread);
      note("");
      return;
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passes || tries >= 5) return void note(error.message);
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

function choosePerson(name) {
  if (name === state.person) return;
  forgetPerson();
  forgetDrafts();
  state.person = name;
  if (!state.people.includes(name)) state.people.push(name);
  setting.set("person", name);
  setting.set("people", state.people.join("\n"));
  state.thread = "";
  connect();
  go(state.workspace, "");
  announce(`You are ${name} now`);
}

async function pass(by) {
  try {
    state.about.time_offset_ms = (await api.pass(by)).time_offset_ms;
    setOffset(state.about.time_offset_ms);
    announce("Time has passed");
    changed("about");
  } catch (error) {
    note(error.message);
  }
}

function onShortcut(event) {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    go(state.workspace, "");
  } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    step(event.key === "ArrowUp" ? -1 : 1);
  } else if (event.key === "Escape" && !document.querySelector("dialog[open], :popover-open")) {
    if (document.body.classList.contains("drawer")) drawer(false);
    else $("composer-text").focus();
  }
}

// ------------------------------------------------------------------------------------------- start

setUpMessages({
  press: (message, button) => press(message, button),
  retry: (key) => deliver(state.sending.find((each) => each.key === key)),
  discard: (key) => {
    state.sending = state.sending.filter((each) => each.key !== key);
    changed("sending");
  },
});
setUpComposer({ send, stop: ({ message, button }) => press(message, button) });
setUpSidebar({ workspace: (name) => go(name, ""), person: choosePerson, pass });
$("new").addEventListener("click", () => go(state.workspace, ""));
$("help").addEventListener("click", showShortcuts);
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("composer-text").focus();
});
document.addEventListener("keydown", onShortcut);
window.addEventListener("hashchange", readHash);
window.addEventListener("online", () => stream?.hurry());
document.addEventListener("visibilitychange", () => document.hidden || stream?.hurry());

await refreshAbout();
state.person = setting.get("person") || state.people[0] || "alice";
connect();
readHash();
if (!window.matchMedia("(pointer: coarse)").matches) $("composer-text").focus();
