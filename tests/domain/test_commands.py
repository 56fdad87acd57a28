"""What a person asks for by a command or a button."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.decision import Decision, View
from core.domain.effects import AskModel, Deliver
from core.domain.entities import EffectState, Message, Phase, Session, Spend, Turn, TurnState
from core.domain.events import Event, ModelReplied
from core.domain.tokens import estimate
from core.domain.words import say
from tests.domain.builders import (
    BOB,
    DELIVER,
    NOW,
    PENDING,
    SESSION,
    STARTED,
    TURN,
    asked,
    calm,
    effects,
    ended,
    issued,
    one,
    person,
    pressed,
    reply_of,
    rows,
    then,
    waits,
)

FAILED = replace(TURN, state=TurnState.FAILED, failure="model_cut", stalls=3, stripped=True)


def refused(decision: Decision, code: str) -> bool:
    """Whether nothing changed, and the person was told so in private."""
    return decision.changes == () and reply_of(decision) == say("en", f"private.{code}")


# -------------------------------------------------------------------------------------------------- stop


@pytest.mark.parametrize("event", [pressed("stop", "T1"), issued("stop"), issued("STOP")])
def test_stop_interrupts_the_call_that_runs(event: Event) -> None:
    """Stop does nothing until the answer is complete."""
    decision = then(asked(), event)
    assert one(decision, Turn) == replace(TURN, state=TurnState.STOPPING)
    assert decision.stop == ("E1",)
    assert reply_of(decision) == "Stopping."
    assert one(decision, Session).last_human_ms == NOW
    assert rows(decision, Spend) == []  # paid when the call has ended


def test_stop_before_the_call_began_ends_the_turn_and_gives_the_money_back() -> None:
    """Stop in the first half second is ignored, or the reservation stays."""
    decision = then(asked(effects=(PENDING, DELIVER), waiting=(waits(1),)), pressed("stop", "T1"))
    stopped, following = rows(decision, Turn)
    assert (stopped.state, following.state) == (TurnState.STOPPED, TurnState.OPEN)
    [(row, _), _] = effects(decision, AskModel)
    assert (row.id, row.state) == ("E1", EffectState.DONE)
    assert decision.stop == ()
    assert effects(decision, Deliver)[0][1].turn_id == following.id
    [(_, ask)] = [(row, ask) for row, ask in effects(decision, AskModel) if row.id != "E1"]
    assert {spend.reserved for spend in rows(decision, Spend)} == {ask.reserved}


def test_stop_keeps_what_was_said_before_a_pause() -> None:
    """Stop between two calls throws away what stood there."""
    turn = replace(TURN, said="Half", stitched=True)
    decision = then(asked(turn=turn, effects=(PENDING,)), pressed("stop", "T1"))
    assert (one(decision, Turn).said, one(decision, Message).text) == ("Half", "Half")


def test_stop_twice_is_stop() -> None:
    """An impatient second press is an error."""
    assert refused(then(asked(turn=replace(TURN, state=TurnState.STOPPING)), pressed("stop", "T1")), "stopped")


@pytest.mark.parametrize("state", [TurnState.ANSWERED, TurnState.STOPPED, TurnState.FAILED])
def test_stop_on_an_old_answer_says_what_is(state: TurnState) -> None:
    """A press that came too late is an error, or stops another answer."""
    view = replace(asked(), turn=replace(TURN, id="T0", state=state))
    assert refused(then(view, pressed("stop", "T0")), "already_finished")


def test_an_open_turn_without_a_call_cannot_be_stopped() -> None:
    """Stop breaks the bot in the moment between two calls."""
    assert refused(then(asked(effects=(DELIVER,)), pressed("stop", "T1")), "already_finished")


def test_only_the_asker_and_the_owner_can_stop() -> None:
    """Anybody in the thread can end my answer, or the opener of a shared one cannot."""
    assert refused(then(asked(by=BOB), pressed("stop", "T1", by=BOB)), "not_yours")
    assert refused(then(asked(by=BOB), issued("stop", by=BOB)), "not_yours")
    bobs = replace(TURN, asker=BOB)
    assert then(asked(turn=bobs, by=BOB), pressed("stop", "T1", by=BOB)).stop == ("E1",)
    assert then(asked(turn=bobs), pressed("stop", "T1")).stop == ("E1",)
    linked = replace(asked(by=BOB), person=replace(person(BOB), identity="id-alice"))
    assert then(linked, pressed("stop", "T1", by=BOB)).stop == ("E1",)


def test_stop_with_nothing_running_says_so() -> None:
    """`/stop` is answered with silence."""
    assert refused(then(calm(), issued("stop")), "nothing_running")


@pytest.mark.parametrize("view", [replace(asked(), person=None), replace(asked(), session=None)])
def test_nobody_can_stop_nothing(view: View) -> None:
    """A command in a place without a session breaks the bot."""
    assert refused(then(view, issued("stop")), "not_yours")


def test_stop_does_not_reopen_what_was_closed() -> None:
    """`/new` and then Stop: the next message goes on in the old conversation."""
    for row in (STARTED, PENDING):
        view = asked(session=replace(SESSION, phase=Phase.CLOSED), effects=(row, DELIVER))
        assert one(then(view, pressed("stop", "T1")), Session).phase is Phase.CLOSED


# ------------------------------------------------------------------------------------------------- again


def test_try_again_asks_again_in_the_same_message() -> None:
    """Pressing 'Try again' does nothing, or answers in a second message."""
    decision = then(replace(calm(), turn=FAILED), pressed("again", "T1"))
    turn = one(decision, Turn)
    assert (turn.id, turn.state, turn.failure, turn.stalls, turn.stripped) == ("T1", TurnState.OPEN, "", 0, False)
    [(row, ask)] = effects(decision, AskModel)
    assert (ask.turn_id, row.not_before_ms, row.attempt) == ("T1", NOW, 0)
    assert [deliver.turn_id for _, deliver in effects(decision, Deliver)] == ["T1"]
    assert {spend.reserved for spend in rows(decision, Spend)} == {ask.reserved}
    assert one(decision, Session).last_human_ms == NOW
    assert rows(decision, Message) == []


def test_try_again_goes_on_from_what_was_said() -> None:
    """What the failed answer had said is generated again, or counted twice."""
    half = replace(FAILED, said="Half", stitched=True, answer_seq=2)
    session = replace(SESSION, next_seq=3, tokens=10 + estimate("Half"))
    decision = then(replace(calm(session=session), turn=half), pressed("again", "T1"))
    turn = one(decision, Turn)
    assert (turn.said, turn.answer_seq) == ("Half", 2)
    reply = ModelReplied(turn_id="T1", text=" and half", blocks="", prefix="", stop_reason="end_turn", model="")
    after = then(ended(turn=turn, session=one(decision, Session)), reply)
    assert one(after, Session).tokens == 10 + estimate("Half and half")


def test_try_again_without_budget_fails_again_as_a_whole() -> None:
    """Pressing 'Try again' without budget loses what stood there."""
    half = replace(FAILED, said="Half", stitched=True, answer_seq=2)
    session = replace(SESSION, next_seq=3, tokens=10 + estimate("Half"))
    view = replace(calm(session=session, policy=replace(asked().policy, budget_person_day=0)), turn=half)
    decision = then(view, pressed("again", "T1"))
    assert (one(decision, Turn).failure, one(decision, Message).text) == ("budget_person", "Half")
    assert one(decision, Session).tokens == session.tokens
    assert len(effects(decision, Deliver)) == 1


@pytest.mark.parametrize("state", [TurnState.OPEN, TurnState.STOPPING, TurnState.ANSWERED, TurnState.STOPPED])
def test_only_a_failed_turn_is_repeated(state: TurnState) -> None:
    """A second press of "Try again" asks the model twice."""
    assert refused(then(replace(calm(), turn=replace(TURN, state=state)), pressed("again", "T1")), "already_done")


def test_one_answer_at_a_time() -> None:
    """Pressing 'Try again' during another answer gives two at once."""
    view = replace(asked(turn=replace(TURN, id="T2")), turn=FAILED)
    assert refused(then(view, pressed("again", "T1")), "one_at_a_time")


def test_a_stranger_cannot_try_again() -> None:
    """Anybody can spend my budget."""
    assert refused(then(replace(calm(by=BOB), turn=FAILED), pressed("again", "T1", by=BOB)), "not_yours")


def test_try_again_does_not_reopen_what_was_closed() -> None:
    """`/new` and then "Try again" above: the next message goes on in the old conversation."""
    view = replace(calm(session=replace(SESSION, phase=Phase.CLOSED)), turn=FAILED)
    decision = then(view, pressed("again", "T1"))
    assert one(decision, Session).phase is Phase.CLOSED
    assert one(decision, Turn).state is TurnState.OPEN


# ----------------------------------------------------------------------------------------------- buttons


@pytest.mark.parametrize(
    ("view", "verb", "subject"),
    [
        (asked(), "dance", "T1"),
        (asked(), "stop", "T0"),
        (replace(asked(), turn=None), "stop", "T1"),
        (replace(asked(), session=None), "stop", "T1"),
        (replace(asked(), person=None), "stop", "T1"),
        (asked(session=replace(SESSION, phase=Phase.ERASED)), "stop", "T1"),
    ],
)
def test_a_button_without_its_subject_says_so(view: View, verb: str, subject: str) -> None:
    """An old button does nothing at all, or something else."""
    assert refused(then(view, pressed(verb, subject)), "gone")


# ---------------------------------------------------------------------------------------------- commands


def test_new_closes_the_session_and_keeps_it() -> None:
    """`/new` goes on in the old conversation, or deletes it."""
    session = one(then(calm(session=replace(SESSION, due_ms=5)), issued("new")), Session)
    assert (session.phase, session.due_ms, session.next_seq) == (Phase.CLOSED, None, SESSION.next_seq)
    assert reply_of(then(calm(), issued("new"))) == say("en", "private.new")


def test_new_lets_a_running_answer_finish() -> None:
    """`/new` in mid-answer leaves the answer hanging."""
    decision = then(asked(), issued("new"))
    assert rows(decision, Turn) == []
    closed = one(decision, Session)
    reply = ModelReplied(turn_id="T1", text="x", blocks="", prefix="", stop_reason="end_turn", model="")
    after = then(ended(session=closed, waiting=(waits(1),)), reply)
    assert [turn.state for turn in rows(after, Turn)] == [TurnState.ANSWERED, TurnState.OPEN]
    assert one(after, Session).phase is Phase.CLOSED


@pytest.mark.parametrize("session", [None, replace(SESSION, phase=Phase.CLOSED), replace(SESSION, phase=Phase.ERASED)])
def test_new_where_nothing_is_changes_nothing(session: Session | None) -> None:
    """`/new` in a fresh place is an error."""
    assert refused(then(calm(session=session), issued("new")), "new")


@pytest.mark.parametrize("view", [calm(by=BOB), replace(calm(), person=None)])
def test_only_the_owner_can_start_anew(view: View) -> None:
    """Somebody else ends my conversation."""
    assert refused(then(view, issued("new", by=BOB)), "not_owner")


def test_help_lists_the_commands() -> None:
    """Nobody finds out what the bot can do."""
    decision = then(calm(), issued("Help"))
    assert decision.changes == ()
    for name in ("/help", "/stop", "/new"):
        assert name in reply_of(decision)


def test_an_unknown_command_is_named() -> None:
    """A typing error is answered with silence, or with a page of it."""
    assert "I do not know /hlep." in reply_of(then(calm(session=None), issued("hlep")))
    assert "x" * 40 in reply_of(then(calm(), issued("x" * 500)))
    assert "x" * 41 not in reply_of(then(calm(), issued("x" * 500)))


def test_private_words_are_in_the_set_language() -> None:
    """A German team is answered in English."""
    policy = replace(asked().policy, language="de")
    assert reply_of(then(calm(policy=policy), issued("stop"))) == "Hier läuft gerade nichts."
