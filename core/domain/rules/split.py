"""Cutting one long answer into parts that a platform takes, stable while the text grows.

Knows: Markdown fences, paragraphs, lines, words. A part that is full is never cut again elsewhere: the border
depends only on the text up to the limit, so parts already shown stay as they are.
Must not know: any platform's limit (it is given, at least `LEAST_MAX_CHARS`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LEAST_MAX_CHARS = 200  # below it the reserve and a reopened fence would leave hardly any room for text
RESERVE_CHARS = 40  # room for closing a fence and for what a platform adds
_MIN_FILL = 0.5  # a border in the first half of a part wastes too much
_INFO_MAX_CHARS = 20  # of a reopened fence: the language, not the rest of its line
# Three marks or more; more than ten are a ruled line to us, so that a fence always fits into the reserve.
FENCE = re.compile(r"[ \t]*(`{3,10}(?!`)|~{3,10}(?!~))(.*)")


@dataclass(frozen=True, slots=True)
class _Fence:
    """A code block that is open: its marks, and the first word of what stood after them."""

    marks: str
    info: str


def next_start(text: str, start: int, max_chars: int) -> int | None:
    """Where the part after the one at `start` begins; None while the rest fits."""
    room = max_chars - RESERVE_CHARS - len(_reopening(text[:start]))
    if len(text) - start <= room:
        return None
    window = text[start : start + room]
    least = int(room * _MIN_FILL)
    for border in ("\n\n", "\n", ". ", " "):
        at = window.rfind(border, least)
        if at != -1:
            return start + at + len(border)
    return start + room


def part_text(text: str, start: int, end: int | None) -> str:
    """The characters `start..end` as a part of their own: open code fences are closed and reopened."""
    body = _reopening(text[:start]) + text[start:end]
    if end is None:
        return body
    tail = closing(text[:end])
    return body + tail if tail else body.rstrip("\n ")


def closing(text: str) -> str:
    """What has to follow `text` so that its code block ends; "" outside of code."""
    fence = _open_fence(text)
    if fence is None:
        return ""
    return fence.marks if text.endswith("\n") else "\n" + fence.marks


def _reopening(text: str) -> str:
    """The line that begins a part after `text`, when that ends within a code block."""
    fence = _open_fence(text)
    return "" if fence is None else f"{fence.marks}{fence.info[:_INFO_MAX_CHARS]}\n"


def _open_fence(text: str) -> _Fence | None:
    """The code block that `text` ends in, None outside of code.

    As CommonMark has it: a fence of backticks has none in the rest of its line (else it is code within a line), and
    is closed by at least as many of the same mark with nothing after them.
    """
    fence: _Fence | None = None
    for line in text.split("\n"):
        found = FENCE.match(line)
        if found is None:
            continue
        marks, info = found[1], found[2].strip()
        if fence is None:
            if marks[0] == "~" or "`" not in info:
                fence = _Fence(marks=marks, info=info.partition(" ")[0])
        elif marks.startswith(fence.marks) and not info:
            fence = None
    return fence
