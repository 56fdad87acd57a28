"""Cutting one long answer into parts that a platform takes, stable while the text grows.

Knows: Markdown fences, paragraphs, lines, words. A part that is full is never cut again elsewhere: the border
depends only on the text up to the limit, so parts already shown stay as they are.
Must not know: any platform's limit (it is given).
"""

from __future__ import annotations

_FENCE = "```"
_RESERVE_CHARS = 40  # room for closing and reopening a fence
_MIN_FILL = 0.5  # a border in the first half of a part wastes too much


def next_start(text: str, start: int, max_chars: int) -> int | None:
    """Where the part after the one at `start` begins; None while the rest fits."""
    room = max_chars - _RESERVE_CHARS - len(_reopen(text, start))
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
    body = text[start:end]
    if end is None:
        return _reopen(text, start) + body
    closing = ""
    if _open_fence(text, end) is not None:
        closing = _FENCE if body.endswith("\n") else "\n" + _FENCE
    else:
        body = body.rstrip("\n ")
    return _reopen(text, start) + body + closing


def _reopen(text: str, start: int) -> str:
    fence = _open_fence(text, start)
    return "" if fence is None else fence + "\n"


def _open_fence(text: str, end: int) -> str | None:
    """The fence line that is open at `end`, None outside of code."""
    fence: str | None = None
    for line in text[:end].split("\n"):
        bare = line.strip()
        if bare.startswith(_FENCE):
            fence = bare if fence is None else None
    return fence
