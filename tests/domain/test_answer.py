"""The model replies, is cut, is stopped, refuses, cannot read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.decision import Decision, Policy
from core.domain.effects import AskModel, Deliver
from core.domain.entities import (
    EffectRow,
    EffectState,
    Forgotten,
    Level,
    Message,
    Role,
    Session,
    Spend,
    Turn,
    TurnState,
)
from core.domain.events import (
    Event,
    HistoryLost,
    ModelCut,
    ModelRefused,
    ModelReplied,
    ModelStopped,
    Usage,
)
from core.domain.rules.account import Account, account
from core.domain.rules.answer import CONTINUED_MAX
from core.domain.rules.attempts import ATTEMPTS_MAX, DIED
from core.domain.tokens import estimate
from core.domain.words import say
from tests.domain.builders import (
    ACCOUNTS,
    ALICE,
    BOB,
    DAY,
    NOW,
    POLICY,
    RESERVED,
    SESSION,
    TURN,
    effects,
    ended,
    one,
    rows,
    then,
    waits,
)

USED = Usage(tokens_in=10, tokens_out=5, cache_read=3, cache_write=2, cost=77)
STOPPING = replace(TURN, state=TurnState.STOPPING)


def replied(text: str = "Hello.", stop_reason: str = "end_turn", *, blocks: str = "[1]") -> ModelReplied:
    """The model finished."""
    return ModelReplied(
        turn_id="T1", text=text, blocks=blocks, prefix="p1", stop_reason=stop_reason, model="m-1", usage=USED
    )


def cut(text: str = "", code: str = "model_cut", *, blameless: bool = False) -> ModelCut:
    """The call ended early."""
    return ModelCut(turn_id="T1", text=text, code=code, blameless=blameless, usage=USED)


def stopped(text: str = "") -> ModelStopped:
    """The call was stopped."""
    return ModelStopped(turn_id="T1", text=text, usage=USED)


def asks_again(decision: Decision) -> EffectRow:
    """The next call of the turn that is still open."""
    assert one(decision, Turn).state is TurnState.OPEN
    [(row, ask)] = effects(decision, AskModel)
    assert ask.turn_id == "T1"
    assert row.state is EffectState.PENDING
    assert effects(decision, Deliver) == []
    return row


# ------------------------------------------------------------------------------------------------ replied


def test_a_reply_ends_the_turn() -> None:
    """An answer is shown but not remembered."""
    decision = then(ended(), replied("Hello."))
    turn, message, session = one(decision, Turn), one(decision, Message), one(decision, Session)
    assert (turn.state, turn.answer_seq, turn.said, turn.model) == (TurnState.ANSWERED, 2, "", "m-1")
    assert (message.role, message.seq, message.text, message.turn_id) == (Role.ASSISTANT, 2, "Hello.", "T1")
    assert (message.blocks, message.prefix, message.tokens) == ("[1]", "p1", estimate("Hello."))
    assert (session.exchanges, session.next_seq, session.recovered_ms) == (1, 3, None)
    assert session.tokens == SESSION.tokens + estimate("Hello.")
    assert session.last_human_ms == SESSION.last_human_ms  # an answer is no human act
    assert effects(decision, AskModel) == []
    assert effects(decision, Deliver) == []  # the one that follows the turn shows its end


def test_a_reply_without_a_model_name_keeps_the_one_that_was_asked() -> None:
    """The page shows no model under the answer."""
    decision = then(ended(), replace(replied(), model=""))
    assert one(decision, Turn).model == TURN.model


def test_what_a_reply_cost_is_booked() -> None:
    """The day's budget is used up by reservations that never end."""
    booked = rows(then(ended(), replied()), Spend)
    assert [spend.account for spend in booked] == list(ACCOUNTS)
    assert {(each.reserved, each.settled, each.tokens_in, each.tokens_out) for each in booked} == {(0, 77, 15, 5)}


def test_a_reply_without_a_call_costs_nothing() -> None:
    """An outcome that came twice is paid twice."""
    assert rows(then(replace(ended(), finishing=None), replied()), Spend) == []


def test_after_a_cut_the_answer_is_one_message_without_signed_blocks() -> None:
    """An answer in two pieces is remembered as half, or the provider refuses it from then on."""
    decision = then(ended(turn=replace(TURN, said="The quick ", stitched=True)), replied("brown fox."))
    message = one(decision, Message)
    assert (message.text, message.blocks, message.prefix) == ("The quick brown fox.", "", "")
    assert one(decision, Session).recovered_ms == NOW


def test_the_model_may_find_that_all_was_said() -> None:
    """An answer that was cut after its last word fails, because nothing was left to say."""
    decision = then(ended(turn=replace(TURN, said="All said.", stitched=True)), replied(""))
    assert one(decision, Turn).state is TurnState.ANSWERED
    assert one(decision, Message).text == "All said."


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_reply_is_asked_again_and_fails_after_three(text: str) -> None:
    """An empty message stands there as an answer, or the model is asked for ever."""
    turn = TURN
    for stalls in (1, 2):
        decision = then(ended(turn=turn), replied(text))
        row = asks_again(decision)
        turn = one(decision, Turn)
        assert (turn.stalls, turn.said, turn.stitched) == (stalls, "", False)
        assert row.not_before_ms == NOW + 1_000 * stalls
    turn = one(then(ended(turn=turn), replied(text)), Turn)
    assert (turn.state, turn.failure) == (TurnState.FAILED, "model_empty")


def test_what_was_said_outlives_empty_replies() -> None:
    """After a cut and three empty replies the words that stood there are gone."""
    half = replace(TURN, said="Half", stitched=True, stalls=2)
    decision = then(ended(turn=half), replied("", "max_tokens"))
    assert (one(decision, Turn).state, one(decision, Turn).said) == (TurnState.FAILED, "Half")
    assert one(decision, Message).text == "Half"


def test_what_the_model_declines_is_not_remembered() -> None:
    """Half a sentence that the provider withdrew stays in the conversation."""
    decision = then(ended(turn=replace(TURN, said="How to")), replied(" build", "refusal"))
    turn = one(decision, Turn)
    assert (turn.state, turn.failure, turn.said) == (TurnState.FAILED, "model_refusal", "")
    assert rows(decision, Message) == []
    assert one(decision, Session).exchanges == 0


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded", "pause_turn"])
def test_a_long_answer_goes_on(reason: str) -> None:
    """A long answer ends in the middle of a sentence."""
    decision = then(ended(turn=replace(TURN, stalls=2)), replied("Long ", reason))
    turn = one(decision, Turn)
    assert asks_again(decision).not_before_ms == NOW
    assert (turn.said, turn.stitched, turn.stalls, turn.continued) == ("Long ", True, 0, 1)
    assert rows(decision, Message) == []


def test_a_very_long_answer_ends_with_an_honest_remark() -> None:
    """An answer without end costs money without end."""
    turn = TURN
    for n in range(CONTINUED_MAX):
        decision = then(ended(turn=turn), replied(f"part {n} ", "max_tokens"))
        asks_again(decision)
        turn = one(decision, Turn)
    decision = then(ended(turn=turn), replied("the last", "max_tokens"))
    turn = one(decision, Turn)
    assert (turn.state, turn.finish_note) == (TurnState.ANSWERED, "cut_long")
    assert one(decision, Message).text == "part 0 part 1 part 2 part 3 the last"


def test_a_reply_that_was_faster_than_stop_is_kept() -> None:
    """Stop at the last moment throws a complete answer away."""
    assert one(then(ended(turn=STOPPING), replied()), Turn).state is TurnState.ANSWERED


def test_stop_ends_a_long_answer_at_its_limit() -> None:
    """An answer goes on after Stop."""
    turn = one(then(ended(turn=STOPPING), replied("Long", "max_tokens")), Turn)
    assert (turn.state, turn.finish_note) == (TurnState.ANSWERED, "cut_long")


def test_stop_ends_an_empty_answer() -> None:
    """The model is asked again after Stop."""
    decision = then(ended(turn=STOPPING), replied(""))
    assert one(decision, Turn).state is TurnState.STOPPED
    assert effects(decision, AskModel) == []


# ---------------------------------------------------------------------------------------------------- cut


def test_a_cut_with_new_text_goes_on_at_once() -> None:
    """A broken connection costs the person what stood there, or a needless pause."""
    decision = then(ended(turn=replace(TURN, said="The ", stalls=2)), cut("quick"))
    turn = one(decision, Turn)
    assert asks_again(decision).not_before_ms == NOW
    assert (turn.said, turn.stitched, turn.stalls) == ("The quick", True, 0)


def test_a_cut_without_new_text_pauses_and_counts() -> None:
    """A broken provider is hammered without pause."""
    turn = TURN
    for stalls in range(1, ATTEMPTS_MAX):
        decision = then(ended(turn=turn), cut())
        assert asks_again(decision).not_before_ms == NOW + 1_000 * stalls
        turn = one(decision, Turn)
        assert turn.stalls == stalls
    decision = then(ended(turn=turn), cut(code="model_silent"))
    assert (one(decision, Turn).state, one(decision, Turn).failure) == (TurnState.FAILED, "model_silent")
    assert effects(decision, AskModel) == []


@pytest.mark.parametrize("text", ["\n", "  \n  "])
@pytest.mark.parametrize("said", ["", "Half"])
def test_blank_space_is_no_progress(text: str, said: str) -> None:
    """A model that sends line breaks and breaks off is asked for ever, at the person's expense."""
    turn = replace(TURN, said=said, stitched=bool(said))
    for _ in range(2):
        turn = one(then(ended(turn=turn), cut(text)), Turn)
        assert turn.state is TurnState.OPEN
        assert turn.said.strip() == said
    assert one(then(ended(turn=turn), cut(text)), Turn).state is TurnState.FAILED


def test_a_repetition_is_no_progress() -> None:
    """A model that begins anew each time and breaks off is asked for ever."""
    half = replace(TURN, said="The quick brown fox jumps", stitched=True)
    turn = one(then(ended(turn=half), cut("The quick brown")), Turn)
    assert (turn.said, turn.stalls) == (half.said, 1)


def test_a_failure_keeps_what_was_said() -> None:
    """After three breaks the words that stood there are gone, for the person or for the model."""
    half = replace(TURN, said="Half", stitched=True, stalls=2)
    decision = then(ended(turn=half), cut(code="model_cut"))
    turn = one(decision, Turn)
    assert (turn.state, turn.said, turn.answer_seq) == (TurnState.FAILED, "Half", 2)
    assert (one(decision, Message).text, one(decision, Session).exchanges) == ("Half", 0)


def test_a_death_counts_but_is_not_waited_for() -> None:
    """After a restart the person waits longer for the answer than need be."""
    decision = then(ended(), cut(code=DIED))
    assert asks_again(decision).not_before_ms == NOW
    assert one(decision, Turn).stalls == 1


def test_our_own_drain_is_nobodys_fault() -> None:
    """Three deploys in a row make an answer fail."""
    decision = then(ended(turn=replace(TURN, stalls=2)), cut("", "drain", blameless=True))
    assert asks_again(decision).not_before_ms == NOW
    assert (one(decision, Turn).stalls, one(decision, Turn).said) == (2, "")


def test_words_before_a_drain_are_progress() -> None:
    """An answer that went well until the deploy fails at the next hiccup."""
    decision = then(ended(turn=replace(TURN, stalls=2)), cut("New words", "drain", blameless=True))
    asks_again(decision)
    assert (one(decision, Turn).stalls, one(decision, Turn).said) == (0, "New words")


@pytest.mark.parametrize("event", [cut("end"), cut("end", DIED), cut("end", blameless=True), stopped("end")])
def test_stop_keeps_what_was_said_however_the_call_ended(event: Event) -> None:
    """Stop throws away what stood there, or the answer goes on by itself."""
    decision = then(ended(turn=replace(STOPPING, said="So far, the ")), event)
    turn = one(decision, Turn)
    assert (turn.state, turn.said, turn.answer_seq) == (TurnState.STOPPED, "So far, the end", 2)
    assert one(decision, Message).text == "So far, the end"
    assert one(decision, Session).exchanges == 0
    assert effects(decision, AskModel) == []


def test_stop_before_the_first_word_leaves_no_message() -> None:
    """The model sees an empty answer of its own."""
    for event in (stopped(), stopped(" \n")):
        decision = then(ended(turn=STOPPING), event)
        assert (one(decision, Turn).state, one(decision, Turn).said) == (TurnState.STOPPED, "")
        assert rows(decision, Message) == []


def test_a_call_that_died_is_paid_by_estimate() -> None:
    """Broken calls are free, and budgets are overrun."""
    dead = replace(cut("x" * 300), usage=Usage())
    for event in (dead, replace(stopped("x" * 300), usage=Usage())):
        spend = rows(then(ended(), event), Spend)[0]
        assert (spend.tokens_in, spend.tokens_out) == (SESSION.tokens, 100)
        assert spend.settled > 0
    rich = replace(SESSION, tokens=10**6)
    spend = rows(then(ended(session=rich), dead), Spend)[0]
    assert spend.tokens_in == POLICY.recall_budget_tokens


def test_a_call_that_told_its_cost_is_paid_by_that() -> None:
    """The estimate is booked although the true cost is known."""
    for event in (cut("x"), stopped("x")):
        assert rows(then(ended(), event), Spend)[0].settled == USED.cost


# -------------------------------------------------------------------------------------- what waited, budget


def test_what_waited_is_the_next_turn_in_the_same_commit() -> None:
    """A question that was asked during an answer is forgotten when the bot is restarted."""
    for event in (replied(), cut("x", "died"), stopped("so")):
        turn = replace(TURN, stalls=2, state=TurnState.STOPPING)
        queue = (waits(1, "one"), waits(2, "two", by=BOB), waits(3, held=True))
        decision = then(ended(turn=turn, waiting=queue), event)
        _, following = rows(decision, Turn)
        assert one(decision, Forgotten).waiting == ("W1", "W2")
        taken = [message for message in rows(decision, Message) if message.role is Role.USER]
        assert [(message.text, message.turn_id) for message in taken] == [("one", following.id), ("two", following.id)]
        assert (following.first_seq, following.last_seq) == (taken[0].seq, taken[1].seq)
        assert (following.asker, following.reply_to, following.state) == (BOB, "w2", TurnState.OPEN)
        [(row, ask)] = effects(decision, AskModel)
        assert (ask.turn_id, row.not_before_ms) == (following.id, NOW)
        assert [deliver.turn_id for _, deliver in effects(decision, Deliver)] == [following.id]
        assert one(decision, Session).next_seq == taken[-1].seq + 1


def test_the_answer_stands_before_what_waited() -> None:
    """The model sees the next question before its own answer to the last one."""
    decision = then(ended(waiting=(waits(1),)), replied())
    assert [message.role for message in rows(decision, Message)] == [Role.ASSISTANT, Role.USER]
    assert [message.seq for message in rows(decision, Message)] == [2, 3]


POOR = Policy(budget_workspace_day=1)


@pytest.mark.parametrize(
    "event",
    [cut("more"), cut("more", blameless=True), cut("more", DIED), replied("more", "max_tokens")],
)
def test_an_answer_that_nobody_can_pay_for_ends_with_what_was_said(event: Event) -> None:
    """The budget ends in mid-answer: its words are lost for the model, and later questions wait for ever."""
    turn = replace(TURN, said="And so, ", stitched=True)
    decision = then(ended(turn=turn, policy=POOR, waiting=(waits(1),)), event)
    first, following = rows(decision, Turn)
    assert (first.state, first.failure) == (TurnState.FAILED, "budget_workspace")
    assert (first.said, first.answer_seq) == ("And so, more", 2)
    assert rows(decision, Message)[0].text == "And so, more"
    assert (following.state, following.failure) == (TurnState.FAILED, "budget_workspace")
    assert one(decision, Forgotten).waiting == ("W1",)
    assert effects(decision, AskModel) == []
    assert [deliver.turn_id for _, deliver in effects(decision, Deliver)] == [following.id]


def test_the_next_day_pays_for_the_next_call() -> None:
    """A call that ends after midnight is booked on the wrong day."""
    decision = then(ended(), cut("more"), NOW + 8 * 3_600_000)
    spends = {(spend.account, spend.day): spend for spend in decision.changes if isinstance(spend, Spend)}
    [(_, ask)] = effects(decision, AskModel)
    assert ask.day == "2025-11-25"
    for spend in RESERVED:
        assert spends[spend.account, DAY].reserved == 0
        assert spends[spend.account, DAY].settled == USED.cost
        assert spends[spend.account, ask.day].reserved == ask.reserved
        assert spends[spend.account, ask.day].settled == 0


# ------------------------------------------------------------------------------------------------- refused


def test_a_definite_no_ends_the_turn_and_costs_nothing() -> None:
    """A wrong key is tried again and again, and paid for."""
    decision = then(ended(), ModelRefused(turn_id="T1", code="model_auth"))
    turn = one(decision, Turn)
    assert (turn.state, turn.failure) == (TurnState.FAILED, "model_auth")
    assert [(spend.reserved, spend.settled) for spend in rows(decision, Spend)] == [(0, 0), (0, 0)]
    assert effects(decision, AskModel) == []


def test_bound_thinking_is_asked_once_more_without_it() -> None:
    """After an update every conversation fails for ever, because the provider does not take its own thoughts back."""
    bound = ModelRefused(turn_id="T1", code="model_bound_thinking")
    decision = then(ended(), bound)
    asks_again(decision)
    assert one(decision, Turn).stripped
    turn = one(then(ended(turn=one(decision, Turn)), bound), Turn)
    assert (turn.state, turn.failure) == (TurnState.FAILED, "model_bound_thinking")


def test_a_refusal_after_stop_is_a_stop() -> None:
    """Somebody pressed Stop and gets an error."""
    turn = replace(STOPPING, said="So")
    decision = then(ended(turn=turn), ModelRefused(turn_id="T1", code="model_auth"))
    assert (one(decision, Turn).state, one(decision, Message).text) == (TurnState.STOPPED, "So")


# -------------------------------------------------------------------------------------------- history lost


def test_history_that_cannot_be_read_leads_to_a_fresh_start() -> None:
    """One damaged row makes a conversation useless for ever, or the bot hides what it has lost."""
    later = replace(TURN, first_seq=7, last_seq=8)
    own = tuple(
        Message(session_id="S1", seq=seq, role=Role.USER, text="Hm?", created_ms=NOW, tokens=seq, turn_id="T1")
        for seq in (7, 8)
    )
    decision = then(ended(turn=later), HistoryLost(turn_id="T1", messages=own))
    turn, session = one(decision, Turn), one(decision, Session)
    asks_again(decision)
    assert (turn.level, turn.finish_note) == (Level.FRESH, "fresh")
    assert (session.level, session.fresh_from_seq) == (Level.FRESH, 7)
    assert session.tokens == 15  # of what is sent from now on
    assert one(decision, Message) == replace(own[0], note=say("en", "memory.fresh"))
    assert [(spend.settled) for spend in rows(decision, Spend)] == [0, 0]
    assert account(HistoryLost(turn_id="T1"), decision) == Account()


@pytest.mark.parametrize("turn", [replace(TURN, level=Level.FRESH), replace(TURN, id="T2")])
def test_a_message_that_cannot_be_read_itself_fails(turn: Turn) -> None:
    """A damaged message is asked about for ever."""
    turn = one(then(ended(turn=turn), HistoryLost(turn_id="T1")), Turn)
    assert (turn.state, turn.failure) == (TurnState.FAILED, "history_unreadable")


def test_lost_history_after_stop_is_a_stop() -> None:
    """Somebody pressed Stop and the bot starts afresh."""
    decision = then(ended(turn=STOPPING), HistoryLost(turn_id="T1"))
    assert one(decision, Turn).state is TurnState.STOPPED
    assert one(decision, Session).level is Level.FULL


def test_the_admission_outlives_a_long_answer() -> None:
    """The bot admits that it starts afresh, and takes the admission back when its answer gets long."""
    turn = replace(TURN, level=Level.FRESH, finish_note="fresh", continued=CONTINUED_MAX)
    turn = one(then(ended(turn=turn), replied("Long", "max_tokens")), Turn)
    assert (turn.level, turn.finish_note) == (Level.FRESH, "cut_long")


# ------------------------------------------------------------------------------------------ an answer again


def test_a_repeated_answer_stands_where_it_stood() -> None:
    """After "Try again" the half answer and the whole one stand in the model's history, one after the other."""
    half = replace(TURN, said="Half", stitched=True, answer_seq=2)
    session = replace(SESSION, next_seq=5, tokens=100)
    decision = then(ended(turn=half, session=session), replied(" and half."))
    message = one(decision, Message)
    assert (message.seq, message.text) == (2, "Half and half.")
    assert one(decision, Session).next_seq == 5
    assert one(decision, Session).tokens == 100 + estimate("Half and half.")
    assert one(decision, Turn).answer_seq == 2


def test_who_asked_and_where_never_changes() -> None:
    """An answer moves to somebody else in the middle."""
    for event in (replied(), cut("x"), stopped("x"), ModelRefused(turn_id="T1", code="model_auth")):
        turn = one(then(ended(), event), Turn)
        assert (turn.asker, turn.place, turn.reply_to) == (ALICE, TURN.place, "m1")
