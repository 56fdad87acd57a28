"""A person's message comes in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.decision import Decision, Policy
from core.domain.effects import AskModel, Deliver, FetchFile, Mark, MarkKind
from core.domain.entities import (
    Binding,
    EffectRow,
    EffectState,
    Message,
    Person,
    Phase,
    Role,
    Session,
    Spend,
    Turn,
    TurnState,
    Waiting,
)
from core.domain.events import Address, MessageReceived
from core.domain.keys import PersonKey, SessionKey
from core.domain.rules.arrive import DEBOUNCE_MAX_MS
from core.domain.rules.making import MARK_LIFE_MS
from core.domain.rules.titles import TITLE_MAX_CHARS
from tests.domain.builders import (
    ACCOUNTS,
    ALICE,
    BOB,
    DELIVER,
    NOW,
    PENDING,
    PICTURE,
    POLICY,
    SESSION,
    STARTED,
    THREAD,
    TURN,
    asked,
    calm,
    effects,
    one,
    person,
    rows,
    said,
    then,
    waits,
)


def joins(decision: Decision) -> bool:
    """Whether the message joined the turn that was collecting."""
    return bool(rows(decision, Turn)) and one(decision, Turn).id == "T1" and not rows(decision, Waiting)


def test_a_first_message_opens_a_session_and_a_turn() -> None:
    """Somebody writes to the bot for the first time and gets no answer."""
    decision = then(replace(calm(session=None), newcomer=True), said("  what\n is  this? "))
    session, turn, message = one(decision, Session), one(decision, Turn), one(decision, Message)
    assert (session.owner, session.title, session.next_seq) == ("id-alice", "what is this?", 2)
    assert (session.created_ms, session.last_human_ms, session.phase) == (NOW, NOW, Phase.ACTIVE)
    assert session.tokens == message.tokens > 0
    assert one(decision, Binding) == Binding(key=SessionKey.at(THREAD, "alice"), session_id=session.id)
    assert one(decision, Person) == person()
    assert (message.session_id, message.seq, message.turn_id) == (session.id, 1, turn.id)
    assert (message.text, message.author, message.ref, message.role) == (
        "  what\n is  this? ",
        "Alice",
        "m9",
        Role.USER,
    )
    assert (turn.first_seq, turn.last_seq, turn.reply_to, turn.place) == (1, 1, "m9", THREAD)
    assert (turn.asker, turn.state, turn.model) == (ALICE, TurnState.OPEN, POLICY.model)
    assert decision.received == 1


def test_the_answer_is_asked_for_and_opened_after_a_pause() -> None:
    """Three quick messages get three answers, or an answer that stands above the last of them."""
    decision = then(calm(), said())
    turn = one(decision, Turn)
    [(asking, ask)] = effects(decision, AskModel)
    assert (ask.turn_id, asking.not_before_ms) == (turn.id, NOW + POLICY.debounce_ms)
    assert (asking.state, asking.attempt, asking.order_key) == (EffectState.PENDING, 0, "")
    assert asking.deadline_ms == NOW + POLICY.model_deadline_ms
    [(showing, _)] = effects(decision, Deliver)
    assert (showing.not_before_ms, showing.order_key) == (NOW + POLICY.debounce_ms, f"answer:{showing.session_id}")
    assert showing.deadline_ms == NOW + POLICY.platform_deadline_ms


def test_somebody_known_is_not_stored_again() -> None:
    """Every message costs a needless write."""
    assert rows(then(calm(), said()), Person) == []


def test_a_later_message_goes_on_in_the_same_session() -> None:
    """The conversation begins anew with every message."""
    decision = then(calm(), said("and?"))
    session = one(decision, Session)
    assert (session.id, session.next_seq, session.title) == ("S1", 3, "hello")
    assert session.last_human_ms == NOW
    assert one(decision, Message).seq == 2
    assert rows(decision, Binding) == []


def test_a_title_is_short() -> None:
    """A list of conversations shows whole essays."""
    decision = then(calm(session=None), said("word " * 100))
    assert len(one(decision, Session).title) == TITLE_MAX_CHARS


@pytest.mark.parametrize("phase", [Phase.WARNED, Phase.PARKED, Phase.EXPIRED])
def test_a_message_brings_a_quiet_session_back(phase: Phase) -> None:
    """After a pause the bot does as if it had never met the person."""
    decision = then(calm(session=replace(SESSION, phase=phase)), said())
    session = one(decision, Session)
    assert (session.id, session.phase) == ("S1", Phase.ACTIVE)


@pytest.mark.parametrize("phase", [Phase.CLOSED, Phase.ERASED])
def test_after_the_end_a_message_starts_anew_in_the_same_place(phase: Phase) -> None:
    """`/new` or "forget me" has no effect: the old conversation goes on."""
    old = replace(SESSION, phase=phase)
    decision = then(asked(session=old), said())
    session = one(decision, Session)
    assert session.id != "S1"
    assert one(decision, Binding) == Binding(key=old.home, session_id=session.id)
    assert one(decision, Message).seq == 1
    assert one(decision, Turn).id != "T1"  # and the answer that still runs there is not joined


# --------------------------------------------------------------------------------------------- addressing


@pytest.mark.parametrize(
    ("address", "before", "taken"),
    [
        (Address.DIRECT, False, True),
        (Address.MENTION, False, True),
        (Address.PLAIN, False, False),
        (Address.PLAIN, True, True),
        (Address.OTHER, True, False),
    ],
)
def test_only_what_is_for_the_bot_is_answered(address: Address, *, before: bool, taken: bool) -> None:
    """The bot answers people who talk to one another, or stays silent when it is spoken to."""
    decision = then(replace(calm(), addressed_before=before), said(address=address))
    assert (decision != Decision()) is taken
    assert decision.received == int(taken)


def test_nobody_is_answered_without_a_person() -> None:
    """A message that nobody wrote opens a session."""
    assert then(replace(calm(), person=None), said()) == Decision()


@pytest.mark.parametrize(("shared", "user"), [(True, ""), (False, "alice")])
def test_a_thread_is_shared_only_where_that_is_set(shared: bool, user: str) -> None:  # noqa: FBT001 -- a parameter
    """Two people in a thread get into one conversation, or into two, against the setting."""
    policy = Policy(shared_threads=shared)
    decision = then(calm(session=None, policy=policy), said())
    assert one(decision, Session).home.user == user


def test_a_channel_itself_is_never_shared() -> None:
    """Everybody in a channel talks in one conversation."""
    place = replace(THREAD, thread="")
    decision = then(calm(session=None, policy=Policy(shared_threads=True)), said(place=place))
    assert one(decision, Session).home == SessionKey.at(place, "alice")


# ------------------------------------------------------------------------------------------------- joining


def test_a_quick_second_message_joins_and_puts_the_call_off() -> None:
    """Three quick messages are three answers, or the call starts without the last of them."""
    decision = then(asked(effects=(PENDING, DELIVER)), said("two", ref="m2"))
    turn, message, asking = one(decision, Turn), one(decision, Message), one(decision, EffectRow)
    assert joins(decision)
    assert (turn.first_seq, turn.last_seq, turn.reply_to) == (1, 2, "m2")
    assert (message.seq, message.turn_id) == (2, "T1")
    assert (asking.id, asking.not_before_ms) == ("E1", NOW + POLICY.debounce_ms)
    assert decision.received == 1


def test_a_message_that_joins_puts_the_answer_below_itself() -> None:
    """The answer to three quick messages stands above the last of them."""
    unopened = replace(DELIVER, state=EffectState.PENDING, attempt=0)
    decision = then(asked(effects=(PENDING, unopened)), said("two", ref="m2"))
    assert [row.not_before_ms for row in rows(decision, EffectRow)] == [NOW + POLICY.debounce_ms] * 2


def test_a_message_without_a_ref_leaves_the_reply_where_it_was() -> None:
    """The answer replies to nothing."""
    assert one(then(asked(effects=(PENDING,)), said(ref="")), Turn).reply_to == "m1"


def test_somebody_who_keeps_typing_is_answered_all_the_same() -> None:
    """Somebody who writes many short lines is never answered."""
    now_ms = TURN.created_ms + DEBOUNCE_MAX_MS - 100
    decision = then(asked(effects=(PENDING,)), said(), now_ms)
    assert one(decision, EffectRow).not_before_ms == TURN.created_ms + DEBOUNCE_MAX_MS


def test_what_is_said_where_the_conversation_moved_to_joins_nothing_elsewhere() -> None:
    """Its answer would come in the old thread, and in the new one nothing at all."""
    there = replace(THREAD, thread="t2")
    moved = replace(SESSION, home=SessionKey.at(there, "alice"))
    view = asked(session=moved, effects=(PENDING, replace(DELIVER, state=EffectState.PENDING, boot="", attempt=0)))
    decision = then(view, said("and here?", place=there))
    assert not joins(decision)
    assert one(decision, Waiting).text == "and here?"


def test_joining_never_makes_a_call_earlier() -> None:
    """A message in a pause after an error lets the model be asked without the pause."""
    later = replace(PENDING, not_before_ms=NOW + 60_000)
    assert one(then(asked(effects=(later,)), said()), EffectRow).not_before_ms == NOW + 60_000


@pytest.mark.parametrize(
    "row",
    [STARTED, replace(PENDING, attempt=1), None],
    ids=["the call runs", "the model was busy", "no call"],
)
def test_no_message_joins_a_call_that_has_started(row: EffectRow | None) -> None:
    """A message is never answered, because it joined after the model was asked."""
    decision = then(asked(effects=() if row is None else (row,)), said("two"))
    assert not joins(decision)
    assert one(decision, Waiting).text == "two"
    assert rows(decision, Turn) == []


@pytest.mark.parametrize(
    "turn",
    [
        replace(TURN, state=TurnState.STOPPING),
        replace(TURN, said="So far"),
        replace(TURN, stalls=1),
        replace(TURN, stripped=True),
        replace(TURN, asker=BOB),
        replace(TURN, first_seq=0, last_seq=0),
    ],
    ids=["stopping", "after a cut", "after a stall", "asked once more", "somebody else's", "an older turn, repeated"],
)
def test_a_message_joins_only_a_new_turn_of_the_same_person(turn: Turn) -> None:
    """A message becomes part of somebody else's question, or of an answer that is half said."""
    decision = then(asked(turn=turn, effects=(PENDING, DELIVER)), said("two"))
    assert not joins(decision)
    assert one(decision, Waiting).text == "two"


@pytest.mark.parametrize(
    ("queue", "joined"),
    [((waits(1),), False), ((waits(1, held=True),), True), ((waits(1, by=BOB),), True), ((), True)],
    ids=["mine", "mine, for a choice", "somebody else's", "none"],
)
def test_nobody_overtakes_their_own_message(queue: tuple[Waiting, ...], *, joined: bool) -> None:
    """Two messages of one person change places: the later one is answered first."""
    assert joins(then(asked(effects=(PENDING, DELIVER), waiting=queue), said("later"))) is joined


def test_another_effect_is_not_taken_for_the_call() -> None:
    """A message joins a turn whose call belongs to another one."""
    other = replace(PENDING, effect=AskModel(turn_id="T0"))
    assert not joins(then(asked(effects=(DELIVER, other)), said()))


# ------------------------------------------------------------------------------------------------- waiting


def test_a_message_that_waits_is_marked_as_seen() -> None:
    """Somebody who writes during an answer does not know whether it was seen."""
    decision = then(asked(), said("two", ref="m2"))
    waiting = one(decision, Waiting)
    assert (waiting.session_id, waiting.asker, waiting.ref, waiting.held) == ("S1", ALICE, "m2", False)
    [(row, mark)] = effects(decision, Mark)
    assert mark == Mark(platform="local", ref="m2", mark=MarkKind.SEEN)
    assert row.deadline_ms == NOW + MARK_LIFE_MS
    assert rows(decision, Message) == []
    assert decision.received == 1


def test_a_message_without_a_ref_cannot_be_marked() -> None:
    """A mark is put on nothing and fails for ever."""
    assert effects(then(asked(), said(ref="")), Mark) == []


def test_what_was_said_while_we_were_away_is_held() -> None:
    """After a weekend of downtime the bot answers forty old messages one by one."""
    for view in (calm(), asked(), calm(session=None)):
        decision = then(view, said("old", caught_up=True))
        assert one(decision, Waiting).held
        assert rows(decision, Turn) == []
        assert rows(decision, EffectRow) == []


# --------------------------------------------------------------------------------------- files and money


def test_files_are_fetched_before_the_model_is_asked() -> None:
    """The model answers without having seen the picture."""
    decision = then(calm(), said(files=(PICTURE,)))
    [(fetching, fetch)] = effects(decision, FetchFile)
    [(asking, _)] = effects(decision, AskModel)
    assert asking.waits == (fetching.id,)
    assert fetch == FetchFile(platform="local", file_id="F1", handle="h1", name="cat.png", media_type="image/png")
    assert fetching.deadline_ms == NOW + POLICY.model_deadline_ms
    assert one(decision, Message).files == (PICTURE,)


def test_files_that_join_are_waited_for_too() -> None:
    """The picture that was sent a moment after the question is not seen."""
    decision = then(asked(effects=(replace(PENDING, waits=("E0",)),)), said(files=(PICTURE,)))
    [(fetching, _)] = effects(decision, FetchFile)
    [(asking, _)] = effects(decision, AskModel)
    assert asking.waits == ("E0", fetching.id)


def test_the_call_is_paid_for_by_the_owner_and_the_workspace() -> None:
    """Budgets count for somebody else."""
    decision = then(calm(), said())
    [(_, ask)] = effects(decision, AskModel)
    assert ask.accounts == ACCOUNTS
    assert ask.reserved > 0
    assert {spend.account: spend.reserved for spend in rows(decision, Spend)} == dict.fromkeys(ACCOUNTS, ask.reserved)


def test_without_budget_the_message_is_kept_and_the_reason_is_told() -> None:
    """Somebody whose budget is used up gets no answer at all, or loses the message."""
    decision = then(calm(policy=Policy(budget_person_day=1)), said())
    turn = one(decision, Turn)
    assert (turn.state, turn.failure) == (TurnState.FAILED, "budget_person")
    assert one(decision, Message).turn_id == turn.id
    assert effects(decision, AskModel) == []
    assert [deliver.turn_id for _, deliver in effects(decision, Deliver)] == [turn.id]
    assert rows(decision, Spend) == []


def test_a_shared_session_belongs_to_its_opener() -> None:
    """The second person in a thread takes the conversation over."""
    bob = MessageReceived(
        source_keys=("k",),
        author=said(by=BOB).author,
        place=THREAD,
        text="me too",
        ref="m3",
    )
    decision = then(calm(by=BOB, policy=Policy(shared_threads=True)), bob)
    assert one(decision, Session).owner == "id-alice"
    assert one(decision, Turn).asker == PersonKey(platform="local", workspace="home", user="bob")
