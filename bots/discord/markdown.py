"""The model's Markdown -> what Discord shows of it. Pure.

Knows: that Discord renders headings, lists, quotes, links and code itself, but no tables, which it shows as a heap of
pipes: they are set in a code block, their columns aligned. Must not know: messages. Inside code nothing is touched.
"""

from __future__ import annotations

import re

_FENCE = "```"
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*")
_WIDTH_MAX_CHARS = 120  # a wider table is no better aligned than as it came


def for_discord(text: str) -> str:
    """The text with its tables readable."""
    if "|" not in text:
        return text
    shown: list[str] = []
    lines = text.split("\n")
    in_code = False
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith(_FENCE):
            in_code = not in_code
        if not in_code and _begins_table(lines, at):
            end = _end_of_table(lines, at)
            shown.extend((_FENCE, *_aligned(lines[at:end]), _FENCE))
            at = end
        else:
            shown.append(line)
            at += 1
    return "\n".join(shown)


def _begins_table(lines: list[str], at: int) -> bool:
    return "|" in lines[at] and at + 1 < len(lines) and _RULE.fullmatch(lines[at + 1]) is not None


def _end_of_table(lines: list[str], at: int) -> int:
    end = at + 2
    while end < len(lines) and "|" in lines[end] and lines[end].strip():
        end += 1
    return end


def _aligned(lines: list[str]) -> list[str]:
    rows = [_cells(line) for n, line in enumerate(lines) if n != 1]
    columns = max(len(row) for row in rows)
    rows = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(len(row[n]) for row in rows) for n in range(columns)]
    if sum(widths) + 3 * columns > _WIDTH_MAX_CHARS:
        return lines
    shown = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [shown[0], "-+-".join("-" * width for width in widths), *shown[1:]]


def _cells(line: str) -> list[str]:
    bare = line.strip().removeprefix("|").removesuffix("|")
    return [cell.replace("\\|", "|").replace(_FENCE, "'''").strip() for cell in re.split(r"(?<!\\)\|", bare)]
