/* The steps of a card as a list, each with its mark, brought up to date in place so that nothing flickers.
   Knows: the marks. Must not know: what a task is. */

import { h, icon } from "./dom.js";

const MARKS = {
  waiting: ["dot", "not begun"],
  running: ["play", "running"],
  done: ["check", "done"],
  failed: ["close", "failed"],
  skipped: ["minus", "left out"],
  unknown: ["ask", "unknown"],
  waiting_for_you: ["clock", "waits for you"],
};

/** Bring `place` up to date with an outline; nothing of it without one. */
export function drawSteps(place, outline) {
  if (!outline) {
    place.replaceChildren();
    return;
  }
  if (!place.firstChild) place.append(h("p", { class: "steps-title" }), h("ol", { class: "steps-list" }));
  const [title, list] = place.children;
  title.textContent = outline.title;
  outline.lines.forEach((line, at) => {
    const print = JSON.stringify(line);
    const stands = list.children[at];
    if (stands && stands.dataset.print === print) return;
    const row = stepRow(line);
    row.dataset.print = print;
    if (stands) stands.replaceWith(row);
    else list.append(row);
  });
  while (list.children.length > outline.lines.length) list.lastChild.remove();
}

function stepRow(line) {
  const [shape, word] = MARKS[line.state] || MARKS.waiting;
  const mark = h("span", { class: "step-mark" }, icon(shape));
  const detail = line.detail ? h("span", { class: "step-detail" }, line.detail) : h("span", { class: "unseen" }, word);
  return h("li", { class: "step", "data-state": line.state }, mark, h("bdi", { class: "step-title" }, `${line.n}. ${line.title}`), detail);
}
