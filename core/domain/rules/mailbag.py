"""What was said while we were away: one message is simply answered, several are the person's choice.

Knows: held messages and the mail-bag card `[Answer all] [Only the last] [Ignore]`. Messages that nobody wants
answered still enter the history, so that later answers know them. A choice holds for the messages that the card told
of: when more have come since, it is asked again.
Must not know: how a platform finds out what was said.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, Private, View
from core.domain.entities import Button, ButtonStyle, Card, Forgotten, Session, Waiting
from core.domain.events import ButtonPressed, CaughtUp
from core.domain.keys import ButtonId
from core.domain.rules import looping
from core.domain.rules.making import Making
from core.domain.rules.outcomes import newest
from core.domain.rules.replies import private
from core.domain.stamp import Stamp
from core.domain.words import say

CHOICES = ("answer_all", "answer_last", "ignore")


def on_caught_up(view: View, _event: CaughtUp, stamp: Stamp) -> Decision:
    """Everything that was said meanwhile is here."""
    held = _held(view)
    if view.session is None or not held:
        return Decision()
    making = Making(view, stamp, view.session)
    if len(held) == 1:
        _answer(making, held, ())
    else:
        _ask(making, view.card, len(held))
    return making.done()


def on_choice(view: View, session: Session, card: Card, event: ButtonPressed, stamp: Stamp) -> Decision:
    """The person chose; whoever owns the session may, the dispatcher has looked."""
    held = _held(view)
    language = view.policy.language
    if not held or not card.buttons:
        return private(view, "private.already_done")
    making = Making(view, stamp, session)
    making.human_act()
    if event.button.version != len(held):
        _ask(making, card, len(held))
        return making.done(Private(text=_told(making, len(held)), buttons=_buttons(making, card.id, len(held))))
    verb = event.button.verb
    wanted = {"answer_all": held, "answer_last": held[-1:], "ignore": ()}[verb]
    _answer(making, wanted, tuple(each for each in held if each not in wanted))
    words = say(language, f"mailbag.{verb}", count=len(held))
    making.card(newest(card, text=words, buttons=()))
    return making.done()


def _held(view: View) -> tuple[Waiting, ...]:
    return tuple(each for each in view.waiting if each.held and not each.said_at)


def _answer(making: Making, wanted: tuple[Waiting, ...], unwanted: tuple[Waiting, ...]) -> None:
    """Unwanted messages enter the history; the wanted ones are answered, now or with the next turn."""
    making.take(unwanted, "")
    if wanted and making.view.running is not None and not looping.make_way(making):
        making.put(*(replace(each, held=False) for each in wanted))
        wanted = ()
    making.put(Forgotten(waiting=tuple(each.id for each in (*unwanted, *wanted))))
    if wanted:
        making.open_turn(wanted, pause_ms=0)


def _ask(making: Making, card: Card | None, count: int) -> None:
    text = _told(making, count)
    if card is not None:
        if card.text != text:
            making.card(newest(card, text=text, buttons=_buttons(making, card.id, count)))
        return
    card_id = making.stamp.ulid("card")
    making.card(
        Card(
            id=card_id,
            session_id=making.session.id,
            key=f"mailbag:{card_id}",
            place=making.session.home.place,
            text=text,
            buttons=_buttons(making, card_id, count),
            created_ms=making.now_ms,
        )
    )


def _told(making: Making, count: int) -> str:
    return say(making.view.policy.language, "mailbag.some", count=count)


def _buttons(making: Making, card_id: str, count: int) -> tuple[Button, ...]:
    """The choices, whose version is the number of messages that they are about."""
    return tuple(
        Button(
            id=str(ButtonId(verb=verb, subject=card_id, version=count)),
            label=say(making.view.policy.language, f"button.{verb}"),
            style=ButtonStyle.PRIMARY if verb == "answer_all" else ButtonStyle.PLAIN,
            for_user=making.session.home.user,
        )
        for verb in CHOICES
    )
