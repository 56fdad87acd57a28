"""Search in a person's own earlier conversations: what may be shown in which place.

Knows: words of a conversation are shown only where nobody can read who could not read it there (`access`); the rest
is counted and offered to the person in private. Must not know: how it is searched.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.domain.decision import Found, Private, View
from core.domain.entities import Turn
from core.domain.keys import Audience, Place
from core.domain.rules import access, approving
from core.domain.rules.access import Action, Actor, Verdict
from core.domain.rules.making import Making
from core.domain.rules.telling import quoted, short, title, where
from core.domain.tooling import ToolCall
from core.domain.words import say

SHOW = "call_found"
FOUND_MAX = 8  # conversations that are told at once
WORDS_MAX_CHARS = 300


def may_show(found: Found, place: Place, reads: Audience) -> bool:
    """Whether words of a person's conversation may stand in an answer at `place`, which `reads` can read."""
    destination = access.destination_of(found.home, place, reads)
    decided = access.verdict(
        Action.SEARCH, origin=found.audience, destination=destination, reads=reads, actor=Actor.OWNER
    )
    return decided is Verdict.ALLOW


def told(found: Sequence[Found], hidden: int, query: str) -> str:
    """The result for the model: other people's words and its own, as material."""
    if not found and not hidden:
        return f"No earlier conversation of this person contains {query!r}."
    lines = []
    for each in found[:FOUND_MAX]:
        lines.append(f"- Conversation {each.title!r}:")
        lines.extend(f"  > {short(words, WORDS_MAX_CHARS)}" for words in each.words)
    if hidden:
        lines.append(
            f"{hidden} more of this person's conversations match, but fewer people can read them than can read this "
            "place. They are not shown to you; the person gets a button to read them in private. Tell them so."
        )
    return "\n".join(lines)


def offer(making: Making, turn: Turn, call: ToolCall) -> None:
    """A card that offers the person what must not stand in this place."""
    language = making.view.policy.language
    text = say(language, "found.hidden", count=call.hidden)
    show = approving.buttons(language, call, (SHOW,))
    making.card(making.new_card(f"found:{call.id}", text, show, place=turn.place))


def shown(view: View, call: ToolCall) -> Private:
    """What the search finds, for the person alone."""
    del call
    language = view.policy.language
    if not view.found:
        return Private(text=say(language, "found.nothing"))
    here = view.session.home.place if view.session is not None else view.found[0].home.place
    lines = []
    for each in view.found[:FOUND_MAX]:
        lines.append(f"**{title(language, each.title)}** · {where(language, each.home, each.audience, here)}")
        lines.extend(f"  {quoted(words, WORDS_MAX_CHARS)}" for words in each.words[:2])
    return Private(text="\n".join(lines))
