"""`/forget`: the person's words go for good, one conversation or everything.

Knows: it is asked once, with what it covers; only the owner may; from the moment of the answer nothing of it is used
any more (phase `erased`), and an `Erase` effect, which is repeated until it is done, takes it off the disk. Must not
know: which tables and files there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.domain.decision import Decision, Private, View
from core.domain.effects import Erase, EraseKind
from core.domain.entities import Button, ButtonStyle, EffectRow, EffectState, Person, Phase, Session
from core.domain.events import ButtonPressed, CommandIssued
from core.domain.keys import ButtonId
from core.domain.rules import connections, people
from core.domain.rules.making import Making
from core.domain.rules.replies import private
from core.domain.rules.telling import places, title
from core.domain.stamp import Stamp
from core.domain.words import say

LINES_MAX = 50  # of the list that is loaded; whoever has more knows that these are many
_THIS = ("", "this")
_EVERYTHING = ("everything", "all")


def on_forget(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/forget [this | everything]`: ask once, naming what it covers."""
    del stamp
    asked = event.rest.strip().casefold()
    if view.person is None or asked not in (*_THIS, *_EVERYTHING):
        return private(view, "forget.unknown")
    if asked in _EVERYTHING:
        return _ask_everything(view, view.person)
    session = view.session
    if session is None or session.phase is Phase.ERASED:
        return private(view, "forget.nothing_here")
    if not people.owns(view.person, session):
        return private(view, "private.not_owner")
    return _ask_this(view, session)


def on_this(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Forget for good]` of one conversation."""
    del event
    session = view.session
    if view.person is None or session is None or session.phase is Phase.ERASED:
        return private(view, "forget.done_already")
    if not people.owns(view.person, session):
        return private(view, "private.not_owner")
    making = Making(view, stamp, session)
    erase(making)
    return making.done(Private(text=say(view.policy.language, "forget.done_this")))


def on_everything(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Forget for good]` of everything that a person has here."""
    if view.person is None or event.button.subject != view.person.identity:
        return private(view, "forget.done_already")
    ended, effects = connections.end_all((*view.credentials, *view.held), stamp)
    row = EffectRow(
        id=stamp.ulid("effect:erase"),
        session_id="",
        effect=Erase(kind=EraseKind.OWNER, key=view.person.identity),
        created_ms=stamp.now_ms,
        waits=tuple(each.id for each in effects),  # a login that is only deleted here would live on at its server
    )
    reply = Private(text=say(view.policy.language, "forget.done_everything"))
    return Decision(changes=(*ended, *effects, row), reply=reply)


def on_not(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Keep]`."""
    del event, stamp
    return private(view, "forget.kept")


BUTTONS: Mapping[str, Callable[[View, ButtonPressed, Stamp], Decision]] = {
    "forget_this": on_this,
    "forget_all": on_everything,
    "forget_not": on_not,
}


def erase(making: Making) -> None:
    """From now on nothing of the session is used; what is on the disk follows at once."""
    session = making.session
    for row in making.view.open_effects:
        if row.state is EffectState.PENDING:
            making.put(replace(row, state=EffectState.FAILED, failure="forgotten"))
            making.give_back(row)
    making.session = replace(session, phase=Phase.ERASED, title="", unsaid="", retention_told_ms=None)
    making.effect(Erase(kind=EraseKind.SESSION, key=session.id))


def _ask_this(view: View, session: Session) -> Decision:
    language = view.policy.language
    text = say(language, "forget.ask_this", title=title(language, session.title), count=session.next_seq - 1)
    return Decision(reply=Private(text=text, buttons=_buttons("forget_this", session.id, language)))


def _ask_everything(view: View, person: Person) -> Decision:
    language = view.policy.language
    if view.newcomer:
        return private(view, "mine.none")
    count = f"{len(view.mine)}+" if len(view.mine) >= LINES_MAX else str(len(view.mine))
    what = say(language, "forget.ask_everything", count=count, places=places(view.mine))
    return Decision(reply=Private(text=what, buttons=_buttons("forget_all", person.identity, language)))


def _buttons(verb: str, subject: str, language: str) -> tuple[Button, ...]:
    sure = ButtonId(verb=verb, subject=subject)
    keep = ButtonId(verb="forget_not", subject=subject)
    return (
        Button(id=str(sure), label=say(language, "forget.button"), style=ButtonStyle.DANGER),
        Button(id=str(keep), label=say(language, "forget.button_keep")),
    )
