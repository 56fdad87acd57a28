"""What a person is offered while they type `/resume`: their own conversations, best first.

Knows: lines and how they read in one line of plain text. Must not know: the platform, the store. A completion carries
the session's id, never a code; whoever fills one in is checked like everybody else.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.domain.decision import Line
from core.domain.entities import Phase
from core.domain.rules.spots import plain
from core.domain.rules.telling import ago, short, where
from core.domain.words import say

SUGGESTIONS_MAX = 25  # Discord shows no more
_TITLE_CHARS = 40
_LABEL_CHARS = 100
_CODE_SHAPE = frozenset("0123456789ABCDEFGHJKMNPQRSTVWXYZ-")


def suggestions(lines: Iterable[Line], typed: str, *, language: str, now_ms: int) -> tuple[tuple[str, str], ...]:
    """(label, session id) of the conversations that fit what is typed; those that sleep come before the others.

    Nothing is offered to somebody who is typing a code: it would only stand in the way.
    """
    bare = typed.strip()
    if any(each.isdigit() for each in bare) and not set(bare.upper()) - _CODE_SHAPE:
        return ()
    found = [each for each in lines if _fits(each, bare.casefold())]
    found.sort(key=lambda each: (each.phase is Phase.CLOSED, each.phase is Phase.ACTIVE))
    return tuple((_label(each, language, now_ms), each.session_id) for each in found[:SUGGESTIONS_MAX])


def _fits(line: Line, words: str) -> bool:
    said = f"{line.title} {line.last_words}".casefold()
    return all(each in said for each in words.split())


def _label(line: Line, language: str, now_ms: int) -> str:
    text = say(
        language,
        "resume.option",
        title=short(line.title, _TITLE_CHARS) or say(language, "mine.untitled"),
        place=plain(where(language, line.home, line.audience)),
        ago=ago(language, line.last_human_ms, now_ms),
    )
    return short(text, _LABEL_CHARS)
