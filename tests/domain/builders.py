"""Small values to build views and events from; a test changes what it is about with `dataclasses.replace`.

Knows: one conversation of Alice in one thread, with Bob beside her. Must not know: what is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from core.domain.decide import decide
from core.domain.decision import Decision, Policy, Private, View
from core.domain.effects import AskModel, Deliver
from core.domain.entities import (
    EffectRow,
    EffectState,
    FileRef,
    Person,
    Session,
    Spend,
    Turn,
    Waiting,
)
from core.domain.events import Address, Author, ButtonPressed, CommandIssued, Event, MessageReceived
from core.domain.keys import ButtonId, PersonKey, Place, SessionKey
from core.domain.stamp import Stamp

E = TypeVar("E")

NOW = 1_764_000_000_000  # 2025-11-24, 16:00 UTC
DAY = "2025-11-24"
POLICY = Policy()
THREAD = Place(platform="local", workspace="home", channel="general", thread="t1")

ALICE = PersonKey(platform="local", workspace="home", user="alice")
BOB = PersonKey(platform="local", workspace="home", user="bob")
ACCOUNTS = ("person:id-alice", "workspace:local/home")

SESSION = Session(
    id="S1",
    owner="id-alice",
    home=SessionKey.at(THREAD, "alice"),
    created_ms=NOW - 60_000,
    last_human_ms=NOW - 60_000,
    title="hello",
    next_seq=2,
    tokens=10,
)
TURN = Turn(
    id="T1",
    session_id="S1",
    asker=ALICE,
    place=THREAD,
    reply_to="m1",
    created_ms=NOW - 1_000,
    first_seq=1,
    last_seq=1,
    model="claude-sonnet-5-5",
)
PENDING = EffectRow(
    id="E1",
    session_id="S1",
    effect=AskModel(turn_id="T1", reserved=1_000, accounts=ACCOUNTS, day=DAY),
    created_ms=NOW - 1_000,
    not_before_ms=NOW - 400,
    deadline_ms=NOW + POLICY.model_deadline_ms,
)
STARTED = EffectRow(
    id="E1",
    session_id="S1",
    effect=PENDING.effect,
    created_ms=PENDING.created_ms,
    state=EffectState.STARTED,
    boot="boot-1",
    attempt=1,
    deadline_ms=PENDING.deadline_ms,
)
DELIVER = EffectRow(
    id="E2",
    session_id="S1",
    effect=Deliver(turn_id="T1"),
    created_ms=NOW - 1_000,
    state=EffectState.STARTED,
    boot="boot-1",
    attempt=1,
    order_key="answer:S1",
)
RESERVED = tuple(Spend(account=account, day=DAY, reserved=1_000) for account in ACCOUNTS)
PICTURE = FileRef(id="F1", handle="h1", name="cat.png", media_type="image/png", size_bytes=9)


def stamp(now_ms: int = NOW, seed: str = "0f") -> Stamp:
    """A moment, and a chance that is told by `seed`."""
    return Stamp(now_ms=now_ms, seed=seed.rjust(32, "0"))


def person(key: PersonKey = ALICE) -> Person:
    """The person of an account, known as `id-<user>`."""
    return Person(key=key, identity=f"id-{key.user}", name=key.user.title())


def waits(n: int, text: str = "", *, by: PersonKey = ALICE, held: bool = False) -> Waiting:
    """The `n`th waiting message."""
    return Waiting(
        id=f"W{n}",
        session_id="S1",
        author=by.user.title(),
        asker=by,
        text=text or f"waiting {n}",
        ref=f"w{n}",
        received_ms=NOW - 100 + n,
        held=held,
    )


def said(
    text: str = "hi",
    *,
    by: PersonKey = ALICE,
    place: Place = THREAD,
    address: Address = Address.DIRECT,
    ref: str = "m9",
    caught_up: bool = False,
    files: tuple[FileRef, ...] = (),
) -> MessageReceived:
    """Somebody writes."""
    return MessageReceived(
        source_keys=(f"local:{ref}",),
        author=Author(key=by, name=by.user.title()),
        place=place,
        text=text,
        ref=ref,
        address=address,
        caught_up=caught_up,
        files=files,
    )


def pressed(verb: str, subject: str, *, by: PersonKey = ALICE, version: int = 0) -> ButtonPressed:
    """Somebody presses a button."""
    return ButtonPressed(
        source_keys=(f"press:{verb}:{subject}",),
        author=Author(key=by, name=by.user.title()),
        place=THREAD,
        button=ButtonId(verb=verb, subject=subject, version=version),
    )


def issued(name: str, *, by: PersonKey = ALICE) -> CommandIssued:
    """Somebody issues a command."""
    return CommandIssued(
        source_keys=(f"command:{name}",), author=Author(key=by, name=by.user.title()), place=THREAD, name=name
    )


def asked(
    *,
    turn: Turn | None = TURN,
    session: Session | None = SESSION,
    by: PersonKey = ALICE,
    effects: Sequence[EffectRow] = (STARTED, DELIVER),
    waiting: Sequence[Waiting] = (),
    policy: Policy = POLICY,
) -> View:
    """What a message, a button or a command of `by` sees while `turn` is running."""
    return View(
        policy=policy,
        person=person(by),
        session=session,
        turn=turn,
        running=turn,
        waiting=tuple(waiting),
        open_effects=tuple(effects),
        spends=RESERVED,
    )


def calm(
    *,
    session: Session | None = SESSION,
    by: PersonKey = ALICE,
    waiting: Sequence[Waiting] = (),
    policy: Policy = POLICY,
) -> View:
    """What a message, a button or a command of `by` sees while nothing is running."""
    return View(policy=policy, person=person(by), session=session, waiting=tuple(waiting))


def ended(
    *,
    turn: Turn = TURN,
    session: Session = SESSION,
    row: EffectRow = STARTED,
    waiting: Sequence[Waiting] = (),
    policy: Policy = POLICY,
    spends: tuple[Spend, ...] = RESERVED,
) -> View:
    """What the outcome of the model call `row` sees."""
    return View(
        policy=policy,
        session=session,
        turn=turn,
        running=turn,
        waiting=tuple(waiting),
        open_effects=(DELIVER,),
        finishing=row,
        spends=spends,
    )


def rows(decision: Decision, kind: type[E]) -> list[E]:
    """The rows of one kind, each as it was put last, in the order in which they were first put."""
    latest: dict[object, E] = {}
    for n, row in enumerate(decision.changes):
        if isinstance(row, kind):
            latest[getattr(row, "id", getattr(row, "seq", getattr(row, "account", n)))] = row
    return list(latest.values())


def one(decision: Decision, kind: type[E]) -> E:
    """The only row of a kind."""
    (row,) = rows(decision, kind)
    return row


def effects(decision: Decision, kind: type[E]) -> list[tuple[EffectRow, E]]:
    """The effects of one kind, with their rows."""
    return [(row, row.effect) for row in rows(decision, EffectRow) if isinstance(row.effect, kind)]


def reply_of(decision: Decision) -> str:
    """The private words that the acting person gets at once."""
    assert isinstance(decision.reply, Private)
    return decision.reply.text


def then(view: View, event: Event, now_ms: int = NOW) -> Decision:
    """What is decided."""
    return decide(view, event, stamp(now_ms))
