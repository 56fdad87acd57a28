"""Places and audiences in sentences that others may read.

Knows: a public place is named, a private one is not: its name alone may say too much where others read it.
Must not know: who reads the sentence.
"""

from __future__ import annotations

import re
from dataclasses import replace

from core.domain.keys import Audience, Place, SessionKey
from core.domain.rules.telling import where
from core.domain.words import say

_ESCAPED = re.compile(r"\\(.)")


def spot(language: str, home: SessionKey, audience: Audience, here: Place) -> str:
    """Where a conversation lives, as it may be said at `here`."""
    same_workspace = (home.platform, home.workspace) == (here.platform, here.workspace)
    if audience in (Audience.DM, Audience.PRIVATE):
        kind = say(language, f"move.place.{audience.value}")
        outside = "" if same_workspace else where(language, replace(home, channel=""), Audience.PUBLIC, here)
        return f"{kind} ({outside})" if outside else kind
    named = where(language, home, audience, here)
    if same_workspace and home.channel == here.channel:
        return say(language, "move.other_thread", place=named)
    return named


def readers(language: str, place: Place, audience: Audience, *, there: bool = False) -> str:
    """Who can read at a place, here or `there`, as a noun phrase: "everybody in away"."""
    code = f"move.readers{'_there' if there else ''}.{audience.value}"
    return say(language, code, place=where_of(language, place))


def plain(words: str) -> str:
    """The words without the marks that keep them from being Markdown, for a label."""
    return _ESCAPED.sub(r"\1", words)


def where_of(language: str, place: Place) -> str:
    """The workspace or platform of a place, by a name that people know."""
    return where(language, SessionKey.at(replace(place, channel=""), ""), Audience.PUBLIC)
