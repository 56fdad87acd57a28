/* The JSON API and the stream. Knows: paths, errors, reconnecting. Must not know: the page. */

const WAITS_MS = [400, 800, 1500, 3000, 5000]; // calm, and quick enough to catch a restart

/** A refusal: `status` 0 when nobody answered; `message` is a sentence for the person. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** Whether trying again may help without anybody doing anything. */
  get passes() {
    return this.status === 0 || this.status === 503;
  }
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  } catch {
    throw new ApiError(0, "unreachable", "Rejoinder cannot be reached just now.");
  }
  const data = await response.json().catch(() => ({}));
  if (response.ok) return data;
  const error = data.error || {};
  throw new ApiError(response.status, error.code || "error", error.message || `It answered ${response.status}.`);
}

const post = (path, body) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
const query = (fields) => new URLSearchParams(fields).toString();

export const api = {
  about: () => call("/api/about"),
  threads: (workspace, person) => call(`/api/threads?${query({ workspace, person })}`),
  thread: (thread, person) => call(`/api/threads/${encodeURIComponent(thread)}?${query({ person })}`),
  say: (body) => post("/api/messages", body),
  press: (body) => post("/api/actions", body),
  pass: (by) => post("/api/time", { by }),
};

/** A key for one act of the person: the same act repeated after a failure carries the same key. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}

/** The stream of one person, opened again whenever it ends. `on` has: up, down, message, private, threads, resync, forgotten. */
export class Stream {
  constructor(person, on) {
    this.person = person;
    this.on = on;
    this.failures = 0;
    this.open();
  }

  open() {
    const source = new EventSource(`/api/stream?${query({ person: this.person })}`);
    this.source = source;
    source.addEventListener("hello", () => {
      this.failures = 0;
      this.on.up();
    });
    for (const name of ["message", "private", "threads", "resync", "forgotten"]) {
      source.addEventListener(name, (event) => this.on[name](JSON.parse(event.data)));
    }
    source.addEventListener("error", () => {
      source.close();
      this.on.down();
      const wait = WAITS_MS[Math.min(this.failures, WAITS_MS.length - 1)];
      this.failures += 1;
      this.timer = setTimeout(() => this.open(), wait);
    });
  }

  /** Do not wait any longer for the next try. */
  hurry() {
    if (this.source.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.timer);
    this.open();
  }

  close() {
    clearTimeout(this.timer);
    this.source.close();
  }
}
