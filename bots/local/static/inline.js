/* Markdown within a line -> DOM nodes. Knows: emphasis, code, links. Must not know: blocks, the chat.
   Everything a model or a person says is untrusted: nodes are built one by one, a link may only be http, https or
   mailto, images are not fetched but linked. Every search that failed once is remembered, so that time grows with
   the text and not with its square. */

import { h } from "./dom.js";

const DEPTH_MAX = 6;
const LABEL_MAX = 300;
const URL_MAX = 2000;
const SPECIAL = /[\\`*_~[!<\nh]/g;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const BARE_URL = /https?:\/\/[^\s<>"'`]+/iy;
const ANGLE_URL = /<((?:https?:\/\/|mailto:)[^\s<>]{1,2000}|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})>/iy;
const MARKS = [["**", "strong"], ["__", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];

/** A link that is safe to follow, or just its text. */
export function link(url, children) {
  let parsed = null;
  try {
    parsed = new URL(url);
  } catch {
    parsed = null;
  }
  if (!parsed || !["http:", "https:", "mailto:"].includes(parsed.protocol)) return h("span", {}, ...children);
  const anchor = h("a", { href: parsed.href, rel: "noopener noreferrer nofollow", target: "_blank" }, ...children);
  return anchor;
}

/** The nodes of a text. `breaks`: a line end is a line end. `plain`: only code and links, as for people's words. */
export function inline(text, options = {}, depth = 0) {
  const nodes = [];
  const dead = new Set();
  let from = 0;
  let at = 0;
  const flush = (end) => {
    if (end > from) nodes.push(text.slice(from, end));
  };
  while (at < text.length) {
    SPECIAL.lastIndex = at;
    const found = SPECIAL.exec(text);
    if (!found) break;
    at = found.index;
    const piece = special(text, at, options, depth, dead);
    if (piece) {
      flush(at - (piece.back || 0));
      nodes.push(...piece.nodes);
      at = from = piece.end;
    } else {
      at += 1;
    }
  }
  flush(text.length);
  return nodes;
}

function special(text, at, options, depth, dead) {
  switch (text[at]) {
    case "\n":
      return lineEnd(text, at, options);
    case "`":
      return code(text, at, dead);
    case "h":
      return bareUrl(text, at);
    case "<":
      return angleUrl(text, at);
    case "\\":
      return options.plain ? null : escaped(text, at);
    case "!":
    case "[":
      return options.plain ? null : bracket(text, at, options, depth);
    default:
      return options.plain || depth >= DEPTH_MAX ? null : marked(text, at, options, depth, dead);
  }
}

function lineEnd(text, at, options) {
  const spaces = /( {2,}|\\)?$/.exec(text.slice(Math.max(0, at - 8), at))[0].length;
  if (options.breaks || spaces) return { nodes: [h("br")], end: at + 1, back: spaces };
  return null;
}

function escaped(text, at) {
  const next = text[at + 1];
  return next && PUNCTUATION.test(next) ? { nodes: [next], end: at + 2 } : null;
}

function code(text, at, dead) {
  let size = 1;
  while (text[at + size] === "`") size += 1;
  const fence = "`".repeat(size);
  if (dead.has(fence)) return { nodes: [fence], end: at + size };
  let end = text.indexOf(fence, at + size);
  while (end >= 0 && (text[end + size] === "`" || text[end - 1] === "`")) {
    while (text[end] === "`") end += 1;
    end = text.indexOf(fence, end);
  }
  if (end < 0) {
    dead.add(fence);
    return { nodes: [fence], end: at + size };
  }
  let inner = text.slice(at + size, end).replaceAll("\n", " ");
  if (/^ .*\S.* $/.test(inner)) inner = inner.slice(1, -1);
  return { nodes: [h("code", {}, inner)], end: end + size };
}

function bareUrl(text, at) {
  if (at > 0 && /\w/.test(text[at - 1])) return null;
  BARE_URL.lastIndex = at;
  const found = BARE_URL.exec(text);
  if (!found) return null;
  let url = found[0].slice(0, URL_MAX);
  url = url.replace(/[.,;:!?*_~]+$/, "");
  while (url.endsWith(")") && url.split(")").length > url.split("(").length) url = url.slice(0, -1);
  return { nodes: [link(url, [url])], end: at + url.length };
}

function angleUrl(text, at) {
  ANGLE_URL.lastIndex = at;
  const found = ANGLE_URL.exec(text);
  if (!found) return null;
  const url = found[1].includes(":") ? found[1] : `mailto:${found[1]}`;
  return { nodes: [link(url, [found[1]])], end: at + found[0].length };
}

function bracket(text, at, options, depth) {
  const image = text[at] === "!";
  const open = image ? at + 1 : at;
  if (text[open] !== "[" || depth >= DEPTH_MAX) return null;
  const close = closing(text, open, "[", "]", LABEL_MAX);
  if (close < 0 || text[close + 1] !== "(") return null;
  const end = closing(text, close + 1, "(", ")", URL_MAX);
  if (end < 0) return null;
  const inside = /^\s*<?([^\s>]*)>?(?:\s+["'(].*["')])?\s*$/.exec(text.slice(close + 2, end));
  if (!inside) return null;
  const label = text.slice(open + 1, close);
  const children = image ? [`Image: ${label || inside[1]}`] : inline(label, options, depth + 1);
  return { nodes: [link(inside[1], children)], end: end + 1 };
}

function closing(text, at, opener, closer, most) {
  let open = 0;
  for (let here = at; here < Math.min(text.length, at + most); here += 1) {
    if (text[here] === "\\") here += 1;
    else if (text[here] === opener) open += 1;
    else if (text[here] === closer && --open === 0) return here;
    else if (text[here] === "\n" && text[here + 1] === "\n") return -1;
  }
  return -1;
}

function marked(text, at, options, depth, dead) {
  for (const [mark, tag] of MARKS) {
    if (!text.startsWith(mark, at) || dead.has(mark)) continue;
    const start = at + mark.length;
    if (!text[start] || /\s/.test(text[start])) continue;
    if (mark[0] === "_" && at > 0 && /\w/.test(text[at - 1])) continue;
    const end = closer(text, start, mark);
    if (end < 0) {
      dead.add(mark);
      continue;
    }
    return { nodes: [h(tag, {}, ...inline(text.slice(start, end), options, depth + 1))], end: end + mark.length };
  }
  let run = 1;
  while (text[at + run] === text[at]) run += 1;
  return run > 1 ? { nodes: [text.slice(at, at + run)], end: at + run } : null;
}

function closer(text, start, mark) {
  let end = text.indexOf(mark, start + 1);
  while (end >= 0) {
    let run = end;
    while (text[run] === mark[0]) run += 1;
    const longer = run - end > mark.length;
    const word = mark[0] === "_" && /\w/.test(text[run] || "");
    if (!/\s/.test(text[end - 1]) && !word && text[end - 1] !== "\\") {
      if (!longer) return end;
      if (mark.length === 1 && run - end === 3) return end + 2; // ***: the inner mark closes first
      if (mark.length === 2) return run - 2;
    }
    end = text.indexOf(mark, run);
  }
  return -1;
}
