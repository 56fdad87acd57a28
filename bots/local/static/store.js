/* What the page knows, in memory only: no message text is ever written to the browser's storage.
   Knows: people, threads, messages, how news is merged into them. Must not know: the DOM, HTTP. */

const listeners = new Set();

export const state = {
  about: { name: "Rejoinder", model: "", offline: false, workspaces: ["home", "away"], people: [], commands: [], time_offset_ms: 0, time_travel: false },
  person: "",
  people: [],
  workspace: "home",
  thread: "", // "" is the page for a new conversation
  channel: "dm", // of the new conversation
  online: null, // null until the first word from the server
  threads: new Map(), // workspace -> [line]
  messages: new Map(), // thread -> Map(id -> message); "" holds private lines of the new conversation
  loaded: new Set(), // threads that were fetched since the last connection
  sending: [], // what was not acknowledged yet: {key, thread, channel, text, files, error, ...}
  unread: new Set(),
  scratch: new Set(), // threads that commands of the new conversation were given
};

export const listen = (act) => listeners.add(act);
export const changed = (what) => listeners.forEach((act) => act(what));

/** A setting of this browser: never a text that somebody wrote. */
export const setting = {
  get(name, fallback = "") {
    try {
      return sessionStorage.getItem(`rejoinder.${name}`) ?? localStorage.getItem(`rejoinder.${name}`) ?? fallback;
    } catch {
      return fallback;
    }
  },
  set(name, value) {
    try {
      sessionStorage.setItem(`rejoinder.${name}`, value);
      localStorage.setItem(`rejoinder.${name}`, value);
    } catch {
      // Storage is off: it holds until the page is closed.
    }
  },
};

export function messagesOf(thread) {
  if (!state.messages.has(thread)) state.messages.set(thread, new Map());
  return state.messages.get(thread);
}

/** The messages of a thread in the order in which they were said. */
export function inOrder(thread) {
  const all = [...messagesOf(thread).values()];
  return all.sort((a, b) => a.n - b.n || Number(a.private || 0) - Number(b.private || 0) || a.created_ms - b.created_ms);
}

export function lineOf(thread) {
  for (const lines of state.threads.values()) {
    const found = lines.find((line) => line.thread === thread);
    if (found) return found;
  }
  return null;
}

/** Take a message in. An answer that a restart cut short keeps what was already on the page until it is overtaken. */
export function merge(thread, message) {
  const known = messagesOf(thread).get(message.id);
  const behind =
    known && known.state === "streaming" && message.state === "streaming" &&
    known.text.length > message.text.length && known.text.startsWith(message.text);
  const late = known && !known.unsent && message.unsent; // a look from before it was taken
  const fresh = late ? { ...message, unsent: false } : message;
  messagesOf(thread).set(message.id, behind ? { ...fresh, text: known.text } : fresh);
  if (message.key) state.sending = state.sending.filter((each) => each.key !== message.key || message.unsent);
  return known;
}

/** Replace a thread's messages by what the server says now. */
export function replaceAll(thread, messages) {
  const before = messagesOf(thread);
  const ids = new Set(messages.map((each) => each.id));
  for (const id of before.keys()) if (!ids.has(id)) before.delete(id);
  for (const message of messages) merge(thread, message);
  state.loaded.add(thread);
}

/** Forget everything that belongs to the person who left the page. */
export function forgetPerson() {
  state.threads.clear();
  state.messages.clear();
  state.loaded.clear();
  state.unread.clear();
  state.scratch.clear();
  state.sending = [];
}

/** The newest answer in a thread that is still being written and can be stopped. */
export function stoppable(thread) {
  const writing = inOrder(thread).filter((each) => each.state === "streaming");
  for (const message of writing.reverse()) {
    const button = message.buttons.find((each) => each.id.split(":")[1] === "stop");
    if (button) return { message, button };
  }
  return null;
}
