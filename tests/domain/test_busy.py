"""The model cannot be asked just now."""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision
from core.domain.effects import AskModel
from core.domain.entities import EffectRow, EffectState, Message, Spend, Turn, TurnState
from core.domain.events import ModelBusy, ModelCut, ModelReplied
from core.domain.rules.attempts import WAIT_MAX_MS
from tests.domain.builders import DELIVER, NOW, STARTED, TURN, asked, effects, ended, one, pressed, rows, then


def busy(retry_ms: int | None = None) -> ModelBusy:
    """The model could not be asked."""
    return ModelBusy(turn_id="T1", code="model_busy", retry_ms=retry_ms)


def wait(turn: Turn, *, now_ms: int, retry_ms: int | None, attempt: int = 1) -> tuple[Turn, EffectRow]:
    """One more try that only waits."""
    decision = then(ended(turn=turn, row=replace(STARTED, attempt=attempt)), busy(retry_ms), now_ms)
    return one(decision, Turn), one(decision, EffectRow)


def test_a_busy_model_is_asked_again_when_it_said() -> None:
    """The bot comes back too early and is locked out, or does not come back."""
    decision = then(ended(), busy(NOW + 5_000))
    turn, row = one(decision, Turn), one(decision, EffectRow)
    assert (row.id, row.state, row.boot, row.not_before_ms) == ("E1", EffectState.PENDING, "", NOW + 5_000)
    assert (turn.state, turn.waiting_since_ms, turn.retry_ms) == (TurnState.OPEN, NOW, NOW + 5_000)
    assert turn.stalls == 0
    assert rows(decision, Spend) == []  # the reservation stays


def test_without_a_word_from_the_model_the_pauses_grow() -> None:
    """A broken provider is hammered, or asked so seldom that the person gives up."""
    turn, now_ms, pauses = TURN, NOW, []
    for attempt in range(1, 10):
        turn, row = wait(turn, now_ms=now_ms, retry_ms=None, attempt=attempt)
        pauses.append((row.not_before_ms - now_ms) // 1000)
        now_ms = row.not_before_ms
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_no_single_wait_is_longer_than_a_quarter_of_an_hour() -> None:
    """A strange header puts the answer off until tomorrow."""
    _, row = wait(TURN, now_ms=NOW, retry_ms=NOW + 10 * WAIT_MAX_MS)
    assert row.not_before_ms == NOW + WAIT_MAX_MS


def test_a_time_in_the_past_is_soon() -> None:
    """A clock that differs makes the bot wait for ever or fail."""
    _, row = wait(TURN, now_ms=NOW, retry_ms=NOW - 1_000)
    assert NOW < row.not_before_ms <= NOW + 1_000


def test_a_long_wait_is_told() -> None:
    """The person looks at an empty message for minutes."""
    turn, _ = wait(TURN, now_ms=NOW, retry_ms=NOW + 20_000)
    assert turn.told_waiting
    turn, _ = wait(TURN, now_ms=NOW, retry_ms=NOW + 19_999)
    assert not turn.told_waiting


def test_many_short_waits_are_a_long_one() -> None:
    """The model is busy for minutes in steps of ten seconds, and the person is told nothing."""
    turn, _ = wait(TURN, now_ms=NOW, retry_ms=NOW + 10_000)
    assert not turn.told_waiting
    turn, _ = wait(turn, now_ms=NOW + 10_000, retry_ms=NOW + 20_000)
    assert turn.told_waiting
    assert turn.waiting_since_ms == NOW


def test_what_was_told_is_not_taken_back_while_it_lasts() -> None:
    """The words 'Claude is busy' appear and vanish and appear again."""
    turn, _ = wait(TURN, now_ms=NOW, retry_ms=NOW + 60_000)
    turn, row = wait(turn, now_ms=NOW + 60_000, retry_ms=NOW + 61_000)
    assert turn.told_waiting
    assert turn.retry_ms == row.not_before_ms == NOW + 61_000


def test_why_it_waits_is_known_while_it_waits() -> None:
    """A model that cannot be reached is called busy; or an answer that was stopped meanwhile is listed as failed."""
    turn = one(then(ended(), ModelBusy(turn_id="T1", code="model_unreachable", retry_ms=NOW + 60_000)), Turn)
    assert (turn.state, turn.failure) == (TurnState.OPEN, "model_unreachable")
    pending = replace(STARTED, state=EffectState.PENDING, boot="")
    stopped = one(then(asked(turn=turn, effects=(pending, DELIVER)), pressed("stop", "T1")), Turn)
    assert (stopped.state, stopped.failure) == (TurnState.STOPPED, "")


def test_when_the_model_answers_the_wait_is_over() -> None:
    """The line 'Claude is busy' stands under an answer that is being written."""
    waiting = replace(TURN, waiting_since_ms=NOW, retry_ms=NOW, told_waiting=True, failure="model_busy")
    more = ModelCut(turn_id="T1", text="So", code="model_cut")
    for event in (more, ModelReplied(turn_id="T1", text="So", blocks="", prefix="", stop_reason="end_turn", model="")):
        turn = one(then(ended(turn=waiting), event), Turn)
        assert (turn.waiting_since_ms, turn.retry_ms, turn.told_waiting, turn.failure) == (None, None, False, "")


def test_after_half_an_hour_it_fails() -> None:
    """The person waits for ever, or the budget stays reserved."""
    late = replace(STARTED, deadline_ms=NOW + 4_999)
    half = replace(TURN, said="Half", stitched=True, told_waiting=True, waiting_since_ms=NOW - 1, retry_ms=NOW)
    decision = then(ended(row=late, turn=half), busy(NOW + 5_000))
    turn = one(decision, Turn)
    assert (turn.state, turn.failure, turn.told_waiting) == (TurnState.FAILED, "model_busy", False)
    assert one(decision, Message).text == "Half"
    assert [(spend.reserved, spend.settled) for spend in rows(decision, Spend)] == [(0, 0), (0, 0)]
    assert rows(decision, EffectRow) == []


def test_the_deadline_itself_is_still_in_time() -> None:
    """It fails a moment too early."""
    late = replace(STARTED, deadline_ms=NOW + 5_000)
    assert one(then(ended(row=late), busy(NOW + 5_000)), Turn).state is TurnState.OPEN


def test_a_call_without_a_deadline_waits() -> None:
    """A call fails because it has no deadline."""
    free = replace(STARTED, deadline_ms=None)
    assert one(then(ended(row=free), busy()), Turn).state is TurnState.OPEN


def test_stop_before_the_model_turns_out_busy_ends_the_turn() -> None:
    """After Stop the bot waits for the model all the same."""
    stopping = replace(TURN, state=TurnState.STOPPING, said="So")
    decision = then(ended(turn=stopping), busy(NOW + 5_000))
    assert (one(decision, Turn).state, one(decision, Message).text) == (TurnState.STOPPED, "So")
    assert rows(decision, EffectRow) == []
    assert [spend.reserved for spend in rows(decision, Spend)] == [0, 0]


def test_stop_while_it_waits_ends_it_at_once() -> None:
    """Stop works only after the wait."""
    decision = _stop_while_waiting()
    turn = one(decision, Turn)
    assert turn.state is TurnState.STOPPED
    [(row, _)] = effects(decision, AskModel)
    assert (row.id, row.state) == ("E1", EffectState.DONE)
    assert [spend.reserved for spend in rows(decision, Spend)] == [0, 0]
    assert decision.stop == ()


def _stop_while_waiting() -> Decision:
    turn = replace(TURN, told_waiting=True, waiting_since_ms=NOW - 5, retry_ms=NOW + 60_000)
    row = replace(STARTED, state=EffectState.PENDING, boot="", not_before_ms=NOW + 60_000)
    return then(asked(turn=turn, effects=(row, DELIVER)), pressed("stop", "T1"))
