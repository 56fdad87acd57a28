"""How a person's own conversations are named in sentences: title, place, age.

Knows: titles and last words are text of people and are shown as such, on one line, never as markup. A place is named
only as far as its names read as names; ids of a platform are left out. Must not know: where the sentence is shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from core.domain.decision import Line
from core.domain.keys import Audience, Place, SessionKey
from core.domain.words import say

TITLE_CHARS = 60
WORDS_CHARS = 90
_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_MARKUP = re.compile(r"([\\`*_~\[\]<>|#!{}])")
_NAME = re.compile(r"[a-z][\w.-]{0,31}(?: [\w.-]{1,31})*")


def short(text: str, most: int = TITLE_CHARS) -> str:
    """One line of at most `most` characters, for a label."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def quoted(text: str, most: int = TITLE_CHARS) -> str:
    """One line of at most `most` characters that Markdown shows as it was written."""
    return _MARKUP.sub(r"\\\1", short(text, most))


def title(language: str, text: str) -> str:
    """The title of a conversation, for a sentence in Markdown."""
    return quoted(text) or say(language, "mine.untitled")


def ago(language: str, then_ms: int, now_ms: int) -> str:
    """How long ago something was, in the largest unit that fits."""
    past_ms = max(0, now_ms - then_ms)
    for unit_ms, code in ((_DAY_MS, "days"), (_HOUR_MS, "hours"), (_MINUTE_MS, "minutes")):
        count = past_ms // unit_ms
        if count:
            return say(language, f"mine.ago_{code}" if count > 1 else f"mine.ago_{code[:-1]}", count=count)
    return say(language, "mine.ago_now")


def where(language: str, home: SessionKey, audience: Audience, here: Place | None = None) -> str:
    """Where a conversation lives, seen from `here`: the platform and workspace only when they are others."""
    parts = []
    elsewhere = here is None or home.platform != here.platform
    if elsewhere and not _NAME.fullmatch(home.workspace):
        parts.append(quoted(home.platform.capitalize()))
    elif _NAME.fullmatch(home.workspace) and (elsewhere or (here is not None and home.workspace != here.workspace)):
        parts.append(quoted(home.workspace))
    if audience is Audience.DM:
        parts.append(say(language, "mine.direct"))
    elif _NAME.fullmatch(home.channel):
        parts.append(f"#{quoted(home.channel)}")
    return ", ".join(parts) or quoted(home.platform.capitalize())


def places(lines: Sequence[Line]) -> str:
    """The platforms and workspaces in which `lines` live, each once."""
    names = [each.home.workspace if _NAME.fullmatch(each.home.workspace) else each.home.platform for each in lines]
    return quoted(", ".join(dict.fromkeys(names)), 200)


def hour(at_ms: int) -> str:
    """The time of a moment, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%H:%M")


def day(at_ms: int) -> str:
    """The day of a moment, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%d %b")


def clock(at_ms: int, now_ms: int) -> str:
    """A moment as people read it: the time today, the day too when it is another one. UTC."""
    at, now = (datetime.fromtimestamp(each / 1000, tz=UTC) for each in (at_ms, now_ms))
    return at.strftime("%H:%M UTC") if at.date() == now.date() else at.strftime("%d %b, %H:%M UTC")
