/* Markdown -> DOM nodes, block by block. Knows: blocks. Must not know: the chat.
   A text that grows is rendered again and again: a block whose source did not change keeps its nodes, so that a
   selection, a focus and a scrolled table stay where they are. What is not Markdown stays text. */

import { copyButton, h } from "./dom.js";
import { inline } from "./inline.js";

const DEPTH_MAX = 8;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(?:\s+(.*))?$/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/** Bring `element` up to date with `text`; `plain` for people's words: code blocks, code and links only. */
export function renderInto(element, text, { plain = false } = {}) {
  const found = split(text.replaceAll("\r\n", "\n").split("\n"), { plain });
  const before = element.blocks || [];
  let same = 0;
  while (same < found.length && same < before.length && before[same].source === found[same].source) same += 1;
  for (const gone of before.slice(same)) gone.node.remove();
  const after = found.slice(same).map((block) => ({ source: block.source, node: block.make(0) }));
  element.append(...after.map((block) => block.node));
  element.blocks = [...before.slice(0, same), ...after];
}

function split(lines, options) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [end, kind, make] = block(lines, at, options);
    blocks.push({ source: `${kind}\n${lines.slice(at, end).join("\n")}`, make });
    at = end;
  }
  return blocks;
}

function block(lines, at, options) {
  const fence = FENCE.exec(lines[at]);
  if (fence) return fenced(lines, at, fence);
  if (options.plain) return paragraph(lines, at, options);
  const heading = HEADING.exec(lines[at]);
  if (heading) {
    const tag = `h${Math.min(6, heading[1].length + 2)}`;
    return [at + 1, "heading", () => h(tag, {}, ...inline(heading[2] || ""))];
  }
  if (RULE.test(lines[at])) return [at + 1, "rule", () => h("hr")];
  if (QUOTE.test(lines[at])) return quote(lines, at);
  if (ITEM.test(lines[at]) && !/^\s{4,}/.test(lines[at])) return list(lines, at);
  if (isTable(lines, at)) return table(lines, at);
  return paragraph(lines, at, options);
}

const nodes = (lines, depth) =>
  depth > DEPTH_MAX ? [lines.join("\n")] : split(lines, {}).map((each) => each.make(depth));

function fenced(lines, at, [, marks, info]) {
  let end = at + 1;
  const closes = (line) => new RegExp(`^ {0,3}${marks[0]}{${marks.length},}\\s*$`).test(line);
  while (end < lines.length && !closes(lines[end])) end += 1;
  const text = lines.slice(at + 1, end).join("\n");
  const closed = end < lines.length;
  return [closed ? end + 1 : end, closed ? "code" : "open code", () => codeBlock(text, info.trim().split(/\s/)[0])];
}

function codeBlock(text, language) {
  const name = language ? `Code, ${language}` : "Code";
  return h(
    "div",
    { class: "code" },
    h("div", { class: "code-bar" }, h("span", {}, language || "text"), copyButton(() => text, "Copy the code")),
    h("pre", { tabindex: "0", role: "region", "aria-label": name }, h("code", {}, text)),
  );
}

function quote(lines, at) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [end, "quote", (depth) => h("blockquote", {}, ...nodes(inner, depth + 1))];
}

const indent = (line) => /^\s*/.exec(line)[0].replaceAll("\t", "    ").length;

function list(lines, at) {
  const first = ITEM.exec(lines[at]);
  const base = indent(lines[at]);
  const ordered = /\d/.test(first[2]);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const item = ITEM.exec(lines[end]);
    if (!item || indent(lines[end]) > base + 1 || /\d/.test(item[2]) !== ordered || RULE.test(lines[end])) break;
    const start = end;
    end = itemEnd(lines, start, base);
    items.push(itemLines(lines.slice(start, end), item));
    while (end < lines.length && !lines[end].trim()) end += 1;
  }
  while (end > at && !lines[end - 1].trim()) end -= 1;
  const start = ordered ? Number.parseInt(first[2], 10) : 1;
  const props = ordered && start !== 1 ? { start: String(start) } : {};
  return [end, "list", (depth) => h(ordered ? "ol" : "ul", props, ...items.map((each) => itemNode(each, depth)))];
}

function itemEnd(lines, start, base) {
  let end = start + 1;
  while (end < lines.length) {
    const line = lines[end];
    if (!line.trim()) {
      let next = end;
      while (next < lines.length && !lines[next].trim()) next += 1;
      if (next === lines.length || indent(lines[next]) < base + 2) break;
      end = next;
    } else if (indent(line) < base + 2 && (ITEM.test(line) || startsBlock(line))) break;
    else end += 1;
  }
  return end;
}

function itemLines(lines, item) {
  const [head, ...rest] = lines;
  const least = Math.min(...rest.filter((line) => line.trim()).map(indent), head.length);
  return [item[3] || "", ...rest.map((line) => line.replaceAll("\t", "    ").slice(Math.min(least, indent(line))))];
}

function itemNode(lines, depth) {
  const task = /^\[([ xX])\]\s+/.exec(lines[0]);
  const inner = nodes([lines[0].slice(task ? task[0].length : 0), ...lines.slice(1)], depth + 1);
  if (inner[0] instanceof HTMLParagraphElement) inner.splice(0, 1, ...inner[0].childNodes);
  if (!task) return h("li", {}, ...inner);
  const done = task[1] !== " ";
  const box = h("span", { class: done ? "task done" : "task", role: "img", "aria-label": done ? "Done" : "To do" });
  return h("li", { class: "with-task" }, box, h("span", {}, ...inner));
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function isTable(lines, at) {
  const rule = lines[at + 1];
  return (
    lines[at].includes("|") && rule !== undefined && rule.includes("-") && TABLE_RULE.test(rule) &&
    cells(lines[at]).length === cells(rule).length
  );
}

function table(lines, at) {
  let end = at + 2;
  while (end < lines.length && lines[end].trim() && lines[end].includes("|")) end += 1;
  const head = cells(lines[at]);
  const sides = cells(lines[at + 1]).map((cell) => (cell.endsWith(":") ? (cell[0] === ":" ? "center" : "end") : "start"));
  const row = (tag, line) => h("tr", {}, ...head.map((_, n) => h(tag, { class: `to-${sides[n]}` }, ...inline(line[n] || ""))));
  const make = () =>
    h(
      "div",
      { class: "table", tabindex: "0", role: "region", "aria-label": "Table" },
      h("table", {}, h("thead", {}, row("th", head)), h("tbody", {}, ...lines.slice(at + 2, end).map((line) => row("td", cells(line))))),
    );
  return [end, "table", make];
}

function startsBlock(line) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line);
}

function paragraph(lines, at, options) {
  let end = at + 1;
  const ends = (here) => {
    if (!lines[here].trim() || FENCE.test(lines[here])) return true;
    return !options.plain && (startsBlock(lines[here]) || /^ {0,3}(?:[-*+]|1[.)])\s+\S/.test(lines[here]) || isTable(lines, here));
  };
  while (end < lines.length && !ends(end)) end += 1;
  const text = lines.slice(at, end).join("\n").trim();
  return [end, "paragraph", () => h("p", {}, ...inline(text, { breaks: true, plain: options.plain }))];
}
