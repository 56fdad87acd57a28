"""The operator's allow-lists: who is outside, and what they get."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.decision import Decision, Nothing, Policy
from core.domain.entities import Session
from core.domain.events import Address, Arrival, ResumeAsked
from core.domain.keys import Audience
from core.domain.leaving import Guesses
from core.domain.rules.allowed import TOLD_AGAIN_MS, outside
from tests.domain.builders import BOB, NOW, THREAD, calm, issued, one, pressed, reply_of, rows, said, then

REFUSAL = "Sorry, I am not here for you in this place"
ONLY_ALICE = Policy(allow_people=("alice",))
RESUMES = ResumeAsked(source_keys=("r",), author=said(by=BOB).author, place=THREAD, digest="d")


def decided(event: Arrival, policy: Policy = ONLY_ALICE, *told: Guesses, now_ms: int = NOW) -> Decision:
    """What Bob gets, who has nothing here."""
    return then(replace(calm(by=BOB, session=None, policy=policy), guesses=told), event, now_ms)


@pytest.mark.parametrize(
    ("policy", "out"),
    [
        (Policy(), False),
        (Policy(allow_people=("alice", "bob")), False),
        (Policy(allow_people=("alice",)), True),
        (Policy(allow_workspaces=(THREAD.workspace,)), False),
        (Policy(allow_workspaces=("elsewhere",)), True),
        (Policy(allow_channels=(THREAD.channel,)), False),
        (Policy(allow_channels=("other",)), True),
        (Policy(allow_channels=("other", "dm")), True),
        (Policy(allow_channels=(THREAD.channel,), allow_people=("alice",)), True),
        (Policy(allow_workspaces=("elsewhere",), allow_people=("bob",)), True),
    ],
)
def test_every_list_that_is_set_has_to_name_it(policy: Policy, out: bool) -> None:  # noqa: FBT001
    """An operator's limit would let somebody in, or keep somebody out."""
    assert outside(policy, said(by=BOB)) is out


def test_direct_conversations_are_let_in_by_one_word() -> None:
    """An operator who lists channels could not let anybody write to the bot alone."""
    direct = replace(said(by=BOB), audience=Audience.DM)
    assert outside(Policy(allow_channels=("other",)), direct)
    assert not outside(Policy(allow_channels=("other", "dm")), direct)


def test_who_only_opens_a_page_has_not_spoken() -> None:
    """A stranger who looks at the app's Home would have no word left for their question."""
    looked = replace(issued("sessions", by=BOB), unasked=True)
    assert decided(looked) == Decision()
    assert REFUSAL in reply_of(decided(replace(looked, unasked=False)))


@pytest.mark.parametrize(
    "event",
    [said("hi", by=BOB), said("hi", by=BOB, address=Address.MENTION), issued("sessions", by=BOB), RESUMES],
    ids=["direct", "mention", "command", "code"],
)
def test_who_is_outside_is_told_once_and_nothing_else_happens(event: Arrival) -> None:
    """A stranger would spend the operator's money, or be ignored without a word, or be told again and again."""
    first = decided(event)
    assert reply_of(first).startswith(REFUSAL)
    told = one(first, Guesses)
    assert first.changes == (told,)
    again = decided(event, ONLY_ALICE, told, now_ms=NOW + TOLD_AGAIN_MS - 1)
    assert (again.changes, again.reply) == ((), Nothing())
    later = decided(event, ONLY_ALICE, told, now_ms=NOW + TOLD_AGAIN_MS)
    assert reply_of(later).startswith(REFUSAL)


@pytest.mark.parametrize("address", [Address.PLAIN, Address.OTHER])
def test_who_did_not_speak_to_the_bot_hears_nothing(address: Address) -> None:
    """The bot would interrupt people who talk with one another."""
    assert decided(said("hi", by=BOB, address=address)) == Decision()


def test_a_button_of_an_earlier_time_does_nothing_any_more() -> None:
    """Somebody who was taken off the list could go on by pressing Resume."""
    assert reply_of(decided(pressed("resume", "S1", by=BOB))).startswith(REFUSAL)


@pytest.mark.parametrize("name", ["forget", "export", "privacy"])
def test_everybody_may_ask_for_their_own_data(name: str) -> None:
    """Somebody who was taken off the list could not have their words deleted."""
    assert not reply_of(decided(issued(name, by=BOB))).startswith(REFUSAL)


def test_messages_from_outside_are_counted_as_refused() -> None:
    """The account of what came in would not balance: answered, queued or refused."""
    first = decided(said("hi", by=BOB))
    assert (first.received, first.turned_away) == (1, 1)
    again = decided(said("hi", by=BOB), ONLY_ALICE, one(first, Guesses))
    assert (again.received, again.turned_away) == (1, 1)


def test_who_is_on_the_list_notices_nothing() -> None:
    """The bot would not answer those whom it is for."""
    view = calm(session=None, policy=ONLY_ALICE)
    assert rows(then(view, said("hi")), Session)
