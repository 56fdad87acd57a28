"""What was said while we were away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.decision import Decision, Private, View
from core.domain.effects import AskModel, Deliver, ShowCard
from core.domain.entities import (
    ButtonStyle,
    Card,
    EffectRow,
    EffectState,
    Forgotten,
    Message,
    Phase,
    Session,
    Turn,
    TurnState,
    Waiting,
)
from core.domain.events import ButtonPressed, CaughtUp, ModelReplied
from core.domain.keys import ButtonId, PersonKey
from core.domain.rules.mailbag import CHOICES
from core.domain.words import say
from tests.domain.builders import (
    ALICE,
    BOB,
    NOW,
    POLICY,
    SESSION,
    THREAD,
    TURN,
    asked,
    calm,
    effects,
    ended,
    one,
    pressed,
    reply_of,
    rows,
    then,
    waits,
)

BACK = CaughtUp(session_id="S1")
THREE = (waits(1, "one", held=True), waits(2, "two", held=True), waits(3, "three", held=True))


def card_of(decision: Decision) -> Card:
    """The mail-bag card."""
    return one(decision, Card)


CARD = card_of(then(calm(waiting=THREE[:2]), BACK))
CARD_OF_THREE = card_of(then(calm(waiting=THREE), BACK))
SHOWING = EffectRow(
    id="E5", session_id="S1", effect=ShowCard(card_key=CARD.key), created_ms=NOW, state=EffectState.STARTED
)


def choose(verb: str, *, count: int = 3, by: PersonKey = ALICE) -> ButtonPressed:
    """Somebody presses a button of a card that told of so many messages."""
    return pressed(verb, CARD.id, version=count, by=by)


def before_choice(*, running: Turn | None = None, card: Card | None = CARD_OF_THREE) -> View:
    """Three messages wait for a choice."""
    return replace(asked(turn=running, effects=(), waiting=THREE), card=card)


def test_one_message_is_simply_answered() -> None:
    """After a restart the person is asked what to do with a single message."""
    decision = then(calm(waiting=THREE[:1]), BACK)
    turn, message = one(decision, Turn), one(decision, Message)
    assert (message.text, message.turn_id, turn.reply_to) == ("one", turn.id, "w1")
    assert one(decision, Forgotten).waiting == ("W1",)
    [(asking, _)] = effects(decision, AskModel)
    assert asking.not_before_ms == NOW
    assert len(effects(decision, Deliver)) == 1
    assert rows(decision, Card) == []


def test_one_message_joins_the_queue_of_a_running_answer() -> None:
    """Two answers run in one thread at once."""
    decision = then(asked(waiting=THREE[:1]), BACK)
    assert one(decision, Waiting) == replace(THREE[0], held=False)
    assert rows(decision, Turn) == []


def test_several_messages_are_the_persons_choice() -> None:
    """After a weekend of downtime old questions are all answered at once, or none is and nobody is told."""
    decision = then(calm(waiting=THREE), BACK)
    card = card_of(decision)
    assert card.text == "While I was away 3 messages arrived."
    assert (card.place, card.session_id, card.key) == (THREAD, "S1", f"mailbag:{card.id}")
    assert (card.wanted_version, card.shown_version, card.created_ms) == (1, 0, NOW)
    assert [ButtonId.parse(button.id).verb for button in card.buttons] == list(CHOICES)
    assert {ButtonId.parse(button.id).subject for button in card.buttons} == {card.id}
    assert [button.label for button in card.buttons] == ["Answer all", "Only the last", "Ignore"]
    assert [button.style is ButtonStyle.PRIMARY for button in card.buttons] == [True, False, False]
    assert {button.for_user for button in card.buttons} == {"alice"}
    [(showing, show)] = effects(decision, ShowCard)
    assert (show.card_key, showing.order_key) == (card.key, f"card:{THREAD}")
    assert showing.deadline_ms == NOW + POLICY.platform_deadline_ms
    assert rows(decision, Turn) == []
    assert rows(decision, Waiting) == []


@pytest.mark.parametrize(
    "view", [calm(), calm(waiting=(waits(1),)), calm(session=None), calm(session=None, waiting=THREE)]
)
def test_nothing_held_is_nothing_to_do(view: View) -> None:
    """Every start posts a card about no messages."""
    assert then(view, BACK) == Decision()


def test_more_messages_change_the_card_that_stands_there() -> None:
    """Each restart adds one more card."""
    decision = then(replace(calm(waiting=THREE), card=CARD), BACK)
    card = card_of(decision)
    assert (card.id, card.wanted_version) == (CARD.id, 2)
    assert card.text == "While I was away 3 messages arrived."
    assert [ButtonId.parse(button.id).version for button in (*CARD.buttons, *card.buttons)] == [2, 2, 2, 3, 3, 3]


def test_the_same_number_changes_nothing() -> None:
    """A reconnect edits the card for nothing."""
    decision = then(replace(calm(waiting=THREE[:2]), card=CARD), BACK)
    assert rows(decision, Card) == []
    assert rows(decision, EffectRow) == []


def test_answer_all_is_one_turn_with_all_messages() -> None:
    """Pressing 'Answer all' answers some."""
    decision = then(before_choice(), choose("answer_all"))
    turn = one(decision, Turn)
    assert [(message.text, message.turn_id) for message in rows(decision, Message)] == [
        (each.text, turn.id) for each in THREE
    ]
    assert (turn.first_seq, turn.last_seq) == (2, 4)
    assert one(decision, Forgotten).waiting == ("W1", "W2", "W3")
    assert len(effects(decision, AskModel)) == 1


def test_only_the_last_is_answered_but_all_are_remembered() -> None:
    """The messages that nobody wanted answered are lost."""
    decision = then(before_choice(), choose("answer_last"))
    turn = one(decision, Turn)
    told = [(message.seq, message.text, message.turn_id) for message in rows(decision, Message)]
    assert told == [(2, "one", ""), (3, "two", ""), (4, "three", turn.id)]
    assert (turn.first_seq, turn.last_seq, turn.reply_to) == (4, 4, "w3")
    assert set(one(decision, Forgotten).waiting) == {"W1", "W2", "W3"}


def test_what_is_ignored_is_remembered() -> None:
    """Pressing 'Ignore' deletes messages, or answers them."""
    decision = then(before_choice(), choose("ignore"))
    assert [(message.text, message.turn_id) for message in rows(decision, Message)] == [
        (each.text, "") for each in THREE
    ]
    assert rows(decision, Turn) == []
    assert set(one(decision, Forgotten).waiting) == {"W1", "W2", "W3"}
    assert one(decision, Session).next_seq == 5


@pytest.mark.parametrize("verb", CHOICES)
def test_a_choice_is_told_on_the_card_and_cannot_be_made_twice(verb: str) -> None:
    """The card still asks after the choice, and pressing again answers everything twice."""
    decision = then(before_choice(), choose(verb))
    card = card_of(decision)
    assert (card.text, card.buttons, card.wanted_version) == (say("en", f"mailbag.{verb}", count=3), (), 2)
    assert one(decision, Session).last_human_ms == NOW
    again = then(replace(calm(), card=card), choose(verb))
    assert again.changes == ()
    assert reply_of(again) == say("en", "private.already_done")
    still = then(before_choice(card=card), choose(verb))
    assert still.changes == ()


@pytest.mark.parametrize(
    ("verb", "kept", "remembered"),
    [
        ("answer_all", ["W1", "W2", "W3"], []),
        ("answer_last", ["W3"], ["one", "two"]),
        ("ignore", [], ["one", "two", "three"]),
    ],
)
def test_a_choice_during_an_answer_waits_for_its_end(verb: str, kept: list[str], remembered: list[str]) -> None:
    """Two answers run in one thread at once, or the choice is lost."""
    decision = then(before_choice(running=TURN), choose(verb))
    assert [(each.id, each.held) for each in rows(decision, Waiting)] == [(each, False) for each in kept]
    assert [message.text for message in rows(decision, Message)] == remembered
    assert rows(decision, Turn) == []
    assert not set(one(decision, Forgotten).waiting) & set(kept)
    queue = tuple(rows(decision, Waiting))
    reply = ModelReplied(turn_id="T1", text="x", blocks="", prefix="", stop_reason="end_turn", model="")
    following = rows(then(ended(session=one(decision, Session), waiting=queue), reply), Turn)[1:]
    assert [turn.state for turn in following] == [TurnState.OPEN] * bool(kept)


@pytest.mark.parametrize("verb", CHOICES)
@pytest.mark.parametrize("card", [CARD, CARD_OF_THREE], ids=["not told yet", "told meanwhile"])
def test_a_choice_holds_for_what_was_told(card: Card, verb: str) -> None:
    """Ignore is pressed for two messages, and a third one that nobody had told of is put aside, too."""
    decision = then(before_choice(card=card), choose(verb, count=2))
    assert rows(decision, Message) == []
    assert rows(decision, Waiting) == []
    reply = decision.reply
    assert isinstance(reply, Private)
    assert reply.text == "While I was away 3 messages arrived."
    assert [button.label for button in reply.buttons] == ["Answer all", "Only the last", "Ignore"]
    assert {ButtonId.parse(button.id).version for button in reply.buttons} == {3}
    assert [each.text for each in rows(decision, Card)] == ([reply.text] if card is CARD else [])


def test_a_stranger_cannot_choose() -> None:
    """Somebody else in the thread decides what I get answered."""
    decision = then(replace(before_choice(), person=asked(by=BOB).person), choose("ignore", by=BOB))
    assert decision.changes == ()
    assert reply_of(decision) == say("en", "private.not_owner")


def test_a_card_that_is_gone_says_so() -> None:
    """A button on an old card does nothing at all."""
    decision = then(before_choice(card=None), pressed("ignore", "C0"))
    assert (decision.changes, reply_of(decision)) == ((), say("en", "private.gone"))


def test_ten_changes_cost_one_edit() -> None:
    """A busy start makes the bot edit its card ten times and run into the platform's limit."""
    view = replace(calm(waiting=THREE), card=CARD, open_effects=(SHOWING,))
    decision = then(view, BACK)
    assert card_of(decision).wanted_version == 2
    assert effects(decision, ShowCard) == []
    other = replace(SHOWING, effect=ShowCard(card_key="mailbag:other"))
    assert len(effects(then(replace(view, open_effects=(other,)), BACK), ShowCard)) == 1


def test_the_words_of_the_choice_are_in_the_set_language() -> None:
    """A German team is asked in English."""
    policy = replace(POLICY, language="de")
    card = card_of(then(calm(waiting=THREE, policy=policy), BACK))
    assert (card.text, card.buttons[2].label) == ("Während ich weg war, kamen 3 Nachrichten.", "Lassen")


def test_a_choice_without_its_session_changes_nothing() -> None:
    """A button of a session that is gone breaks the bot."""
    decision = then(replace(before_choice(), session=None), choose("ignore"))
    assert (decision.changes, reply_of(decision)) == ((), say("en", "private.gone"))


def test_a_choice_never_opens_what_was_closed() -> None:
    """`/new` is undone by a button on an old card."""
    closed = replace(before_choice(), session=replace(SESSION, phase=Phase.CLOSED))
    assert one(then(closed, choose("ignore")), Session).phase is Phase.CLOSED
