/* Times in words, on the product's clock. Knows: the offset of `Let time pass`. Must not know: the page. */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const shortDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

let offsetMs = 0;

export const setOffset = (ms) => (offsetMs = ms);
export const now = () => Date.now() + offsetMs;
export const timeOf = (ms) => clock.format(new Date(ms));

const midnight = (ms) => new Date(ms).setHours(0, 0, 0, 0);
const daysAgo = (ms) => Math.round((midnight(now()) - midnight(ms)) / 86_400_000);

/** "Today", "Yesterday", or the day's name and date. */
export function dayOf(ms) {
  const ago = daysAgo(ms);
  return ago === 0 ? "Today" : ago === 1 ? "Yesterday" : day.format(new Date(ms));
}

/** The shortest name of a moment that still tells: "14:05", "yesterday", "3 May". */
export function shortly(ms) {
  const ago = daysAgo(ms);
  return ago <= 0 ? timeOf(ms) : ago === 1 ? "yesterday" : shortDay.format(new Date(ms));
}

/** A span in words: "24 h 30 min". */
export function span(ms) {
  const minutes = Math.round(ms / 60_000);
  const parts = [];
  if (minutes >= 60) parts.push(`${Math.floor(minutes / 60)} h`);
  if (minutes % 60) parts.push(`${minutes % 60} min`);
  return parts.join(" ") || "0 min";
}
