"""Where people's messages went, from the rows of a decision alone."""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Altered, Decision, View
from core.domain.entities import Forgotten, Message, Role, Turn, TurnState
from core.domain.events import CaughtUp, HistoryLost, MessageChanged
from core.domain.rules.account import Account, account
from core.domain.rules.edits import on_changed
from tests.domain.builders import NOW, SESSION, THREAD, TURN, waits

MESSAGE = Message(session_id="S1", seq=1, role=Role.USER, text="hi", created_ms=NOW, turn_id="T1")
BACK = CaughtUp(session_id="S1")


def test_what_its_author_took_back_left_the_queue() -> None:
    """A message that somebody took back while it waited is counted as waiting for ever."""
    waiting = waits(1)
    event = MessageChanged(place=THREAD, ref=waiting.ref, text="")
    decision = on_changed(View(altered=(Altered(session=SESSION, waiting=waiting),)), event)
    assert account(event, decision) == Account(queued=-1, refused=1)
    edited = on_changed(View(altered=(Altered(session=SESSION, message=MESSAGE),)), replace(event, text="ho"))
    assert account(event, edited) == Account()


def test_what_waited_was_taken_or_put_aside() -> None:
    """A choice moves messages, and the sum must stay as it is."""
    aside = replace(MESSAGE, seq=2, turn_id="")
    rows = (Forgotten(waiting=("W1", "W2")), MESSAGE, aside, waits(3))
    assert account(BACK, Decision(changes=rows)) == Account(answered=1, refused=1, queued=-2)


def test_a_turn_that_nobody_pays_for_is_refused() -> None:
    """A message over the budget is counted as answered."""
    failed: Turn = replace(TURN, state=TurnState.FAILED, failure="budget_person")
    assert account(BACK, Decision(changes=(MESSAGE, failed))) == Account(refused=1)
    assert account(BACK, Decision(changes=(MESSAGE, replace(failed, id="T0")))) == Account(answered=1)


def test_a_message_that_is_told_again_is_not_counted_again() -> None:
    """A fresh start would make one message two."""
    assert account(HistoryLost(turn_id="T1"), Decision(changes=(MESSAGE,))) == Account()
