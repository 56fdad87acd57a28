"""Single decisions about resuming and moving that the whole house shows only by luck of timing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.codes import placeholder
from core.domain.decide import decide
from core.domain.decision import Choices, Decision, Line, Policy, Private, View
from core.domain.effects import ShowCard
from core.domain.entities import Button, Card, EffectRow, Level, Person, Phase, Session
from core.domain.events import Author, ButtonPressed, CardShown, CommandIssued, ResumeAsked
from core.domain.keys import Audience, ButtonId, PersonKey, Place, SessionKey
from core.domain.leaving import Guesses, Ticket, TicketState
from core.domain.rules.resume import CHOICES_MAX, candidates
from core.domain.stamp import Stamp
from core.domain.words import LANGUAGES

NOW = 1_764_000_000_000
HOME = Place(platform="local", workspace="home", channel="general", thread="t1")
AWAY = Place(platform="local", workspace="away", channel="general", thread="t9")
ALICE = PersonKey(platform="local", workspace="home", user="alice")
BOB = PersonKey(platform="local", workspace="home", user="bob")
SESSION = Session(id="S1", owner="id-alice", home=SessionKey.at(HOME, "alice"), created_ms=NOW - 9)
TICKET = Ticket(id="K1", session_id="S1", owner="id-alice", issued_ms=NOW - 9, expires_ms=NOW + 9)
STAMP = Stamp(now_ms=NOW, seed="0f")
QUESTION = Card(
    id="C1",
    session_id="S1",
    key="mailbag:C1",
    place=AWAY,
    text="?",
    buttons=(Button(id="rj1:answer_all:C1:0", label="Answer all"),),
    wanted_version=2,
)


def asked(by: PersonKey = ALICE) -> ResumeAsked:
    """Somebody types a code."""
    return ResumeAsked(source_keys=("k",), author=Author(key=by, name=by.user.title()), place=HOME, digest="d")


def view(by: PersonKey = ALICE, **more: object) -> View:
    """What a typed code of `by` sees."""
    person = Person(key=by, identity=f"id-{by.user}", name=by.user.title())
    plain = View(person=person, session=SESSION, ticket=TICKET, accounts=(by,))
    return replace(plain, **more)  # type: ignore[arg-type]


def line(name: str, *, place: Place = AWAY, phase: Phase = Phase.PARKED) -> Line:
    """One conversation of a list."""
    return Line(
        session_id=name,
        title=name,
        phase=phase,
        home=SessionKey.at(place, "alice"),
        audience=Audience.PUBLIC,
        last_human_ms=NOW,
        last_words="",
        level=Level.FULL,
        waits_for_you=False,
    )


def shown(decision: Decision) -> str:
    """The private words."""
    assert isinstance(decision.reply, Private)
    return decision.reply.text


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_way_to_be_refused_is_one_decision(language: str) -> None:
    """Neither words nor buttons tell an unknown code from a used, expired, revoked or somebody else's."""
    policy = Policy(language=language)
    full = tuple(Guesses(key=f"person:{BOB}", times_ms=(NOW - n,) * 5) for n in (1,))
    views = [
        view(BOB, ticket=None, session=None),
        view(BOB),
        view(BOB, ticket=replace(TICKET, private=True)),
        view(BOB, guesses=full),
        view(BOB, ticket=replace(TICKET, state=TicketState.USED)),
        view(BOB, ticket=replace(TICKET, state=TicketState.REVOKED)),
        view(BOB, ticket=replace(TICKET, expires_ms=NOW)),
        view(session=replace(SESSION, phase=Phase.ERASED)),
    ]
    replies = {decide(replace(each, policy=policy), asked(), STAMP).reply for each in views}
    assert replies == {Private(text=LANGUAGES[language]["resume.refused"])}


@pytest.mark.parametrize(
    ("ticket", "words"),
    [
        (replace(TICKET, expires_ms=NOW), "resume.expired"),
        (replace(TICKET, state=TicketState.USED), "resume.spent"),
        (replace(TICKET, state=TicketState.REVOKED), "resume.spent"),
        (replace(TICKET, state=TicketState.REPLACED), "resume.spent"),
    ],
)
def test_the_owner_is_told_what_became_of_a_code(ticket: Ticket, words: str) -> None:
    """Somebody types the code on their own notice, and is treated like a thief."""
    reply = decide(view(ticket=ticket), asked(), STAMP).reply
    assert isinstance(reply, Private)
    assert reply.text == LANGUAGES["en"][words]
    assert [ButtonId.parse(each.id).verb for each in reply.buttons] == ["resume"]


def test_a_refusal_tells_nothing_to_the_store_but_the_count() -> None:
    """A wrong code leaves no trace of itself or of what it might have opened: only how often one was wrong."""
    rows = decide(view(BOB), asked(BOB), STAMP).changes
    assert [type(each) for each in rows] == [Guesses, Guesses]


def test_a_card_that_was_shown_too_late_is_shown_where_it_belongs() -> None:
    """A question was being posted while its conversation moved: it is asked where that lives, and called off here."""
    seen = View(session=replace(SESSION, home=SessionKey.at(AWAY, "alice")), card=QUESTION)
    event = CardShown(session_id="S1", card_key=QUESTION.key, version=1, ref="p1", place=str(HOME))
    decision = decide(seen, event, STAMP)
    (left,) = [each for each in decision.changes if isinstance(each, Card)]
    assert (left.place, left.ref, left.buttons) == (HOME, "p1", ())
    effects = [each.effect for each in decision.changes if isinstance(each, EffectRow)]
    assert [each.card_key for each in effects if isinstance(each, ShowCard)] == [left.key, QUESTION.key]


def test_a_card_that_was_shown_in_its_place_is_simply_shown() -> None:
    """Nothing is called off when the card stands where it belongs."""
    seen = View(session=SESSION, card=replace(QUESTION, place=HOME, wanted_version=1))
    event = CardShown(session_id="S1", card_key=QUESTION.key, version=1, ref="p1", place=str(HOME))
    (kept,) = [each for each in decide(seen, event, STAMP).changes if isinstance(each, Card)]
    assert (kept.ref, kept.shown_version) == ("p1", 1)


def test_what_resume_may_mean() -> None:
    """What sleeps in this thread first; then everything that is not right here; what ended only if nothing else is."""
    here = SessionKey.at(HOME, "alice")
    asleep, awake = line("asleep", place=HOME), line("awake", place=HOME, phase=Phase.ACTIVE)
    ended, far = line("ended", phase=Phase.CLOSED), line("far", phase=Phase.ACTIVE)
    assert candidates((far, asleep, ended), here) == (asleep,)
    assert candidates((far, awake, ended), here) == (far,)
    assert candidates((awake, ended), here) == (ended,)
    assert candidates((awake,), here) == ()
    assert candidates((asleep, replace(asleep, session_id="second"), far), here)[2:] == (far,)


def test_a_long_list_is_cut() -> None:
    """A platform shows only so many choices; the rest is what /sessions is for."""
    mine = tuple(line(f"number {n} " + "x" * 80) for n in range(30))
    seen = view(session=None, ticket=None, mine=mine)
    event = CommandIssued(source_keys=("k",), author=Author(key=ALICE, name="Alice"), place=HOME, name="resume")
    reply = decide(seen, event, STAMP).reply
    assert isinstance(reply, Choices)
    assert len(reply.options) == CHOICES_MAX
    assert all(len(each.label) <= 75 for each in reply.options)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_a_code_to_take_along_is_a_placeholder(language: str) -> None:
    """The private answer carries the ticket's id; the code is put in only while it is shown."""
    event = ButtonPressed(
        source_keys=("k",),
        author=Author(key=ALICE, name="Alice"),
        place=HOME,
        button=ButtonId(verb="carry", subject="S1"),
    )
    decision = decide(view(policy=Policy(language=language)), event, STAMP)
    (ticket,) = [each for each in decision.changes if isinstance(each, Ticket)]
    assert ticket.private
    assert placeholder(ticket.id, 1) in shown(decision)
