"""A store of dictionaries that does what the real one promises: dedupe, claim, view, decide, apply.

Knows: the contract of `Store.accept` and of `View`. Must not know: rules. It checks every row that is written over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from core.domain.decide import decide
from core.domain.decision import Decision, Policy, View
from core.domain.effects import AskModel
from core.domain.entities import (
    Binding,
    Card,
    EffectRow,
    EffectState,
    Entity,
    FileCopy,
    Forgotten,
    Message,
    Part,
    Person,
    Phase,
    Role,
    Session,
    Spend,
    Turn,
    TurnState,
    Waiting,
)
from core.domain.events import ButtonPressed, CaughtUp, CommandIssued, Event, MessageReceived
from core.domain.keys import PersonKey, SessionKey
from core.domain.leaving import Adoption, Guesses, Link, MoveClaim, Preference, Revocation, Summary, Ticket
from core.domain.phases import may_step
from core.domain.rules.budget import accounts_of, day_of
from core.domain.stamp import Stamp
from core.domain.tasking import SETTLED, Step, StepState, Task
from core.domain.tooling import Credential, Login, Permit, Round, ToolCall, ToolList
from tests.domain.builders import NOW, THREAD, person

Check = Callable[[View, Event, Stamp, Decision], None]
OPEN_TURNS = (TurnState.OPEN, TurnState.STOPPING)
OPEN_EFFECTS = (EffectState.PENDING, EffectState.STARTED)


class Tiny:
    """All rows of one product, and its clock. `check` sees every decision."""

    def __init__(self, policy: Policy, check: Check | None = None) -> None:
        self.policy = policy
        self.now_ms = NOW
        self.boot = 1
        self.people: dict[PersonKey, Person] = {}
        self.sessions: dict[str, Session] = {}
        self.bindings: dict[SessionKey, str] = {}
        self.messages: dict[tuple[str, int], Message] = {}
        self.waiting: dict[str, Waiting] = {}
        self.turns: dict[str, Turn] = {}
        self.effects: dict[str, EffectRow] = {}
        self.cards: dict[str, Card] = {}
        self.spends: dict[tuple[str, str], Spend] = {}
        self.tasks: dict[str, Task] = {}
        self.steps: dict[str, Step] = {}
        self.received = 0
        self._seen: set[str] = set()
        self._stamps = 0
        self._check = check

    # ----------------------------------------------------------------------------------------- accept

    def accept(self, event: Event, finishes: EffectRow | None = None) -> Decision | None:
        """The decision, or None for an event that was seen before or whose claim no longer holds."""
        keys = getattr(event, "source_keys", ())
        if self._seen.intersection(keys):
            return None
        if finishes is not None and self.effects[finishes.id] != finishes:
            return None
        self._seen.update(keys)
        if finishes is not None:
            self.effects[finishes.id] = replace(finishes, state=EffectState.DONE)
        self._stamps += 1
        stamp = Stamp(now_ms=self.now_ms, seed=f"{self._stamps:032x}")
        view = self.view(event, finishes)
        decision = decide(view, event, stamp)
        if self._check is not None:
            self._check(view, event, stamp, decision)
        for row in decision.changes:
            self._write(row, event)
        self.received += decision.received
        return decision

    def view(self, event: Event, finishing: EffectRow | None) -> View:
        """What the rules may look at."""
        session, turn, card = self._subject(event, finishing)
        running = next((t for t in self.turns_of(session) if t.state in OPEN_TURNS), None)
        who = self._person(event)
        accounts = set(accounts_of(session)) if session else set()
        if who is not None:
            place = event.place if isinstance(event, MessageReceived | ButtonPressed | CommandIssued) else THREAD
            accounts |= {f"person:{who.identity}", f"workspace:{place.platform}/{place.workspace}"}
        days = {(account, day_of(self.now_ms)) for account in accounts}
        if finishing is not None and isinstance(finishing.effect, AskModel):
            days |= {(account, finishing.effect.day) for account in finishing.effect.accounts}
        return View(
            policy=self.policy,
            person=who,
            newcomer=who is not None and who.key not in self.people,
            session=session,
            turn=turn or running,
            running=running,
            waiting=tuple(each for each in self.waiting.values() if session and each.session_id == session.id),
            open_effects=tuple(each for each in self.open_effects() if session and each.session_id == session.id),
            finishing=finishing,
            card=card,
            spends=tuple(self.spends[each] for each in sorted(days) if each in self.spends),
            addressed_before=session is not None,
        )

    def _person(self, event: Event) -> Person | None:
        if isinstance(event, MessageReceived | ButtonPressed | CommandIssued):
            return self.people.get(event.author.key, person(event.author.key))
        return None

    def _subject(self, event: Event, finishing: EffectRow | None) -> tuple[Session | None, Turn | None, Card | None]:
        turn = card = None
        match event:
            case MessageReceived() | CommandIssued():
                user = "" if self.policy.shared_threads and event.place.thread else event.author.key.user
                session = self.sessions.get(self.bindings.get(SessionKey.at(event.place, user), ""))
                card = self._mailbag(session)
            case ButtonPressed():
                card = self.cards.get(event.button.subject)
                turn = self.turns.get(event.button.subject)
                subject = card or turn
                session = self.sessions.get(subject.session_id) if subject else None
            case CaughtUp():
                session = self.sessions[event.session_id]
                card = self._mailbag(session)
            case _ if (turn := self.turns.get(getattr(event, "turn_id", ""))) is not None:
                session = self.sessions[turn.session_id]
            case _:
                assert finishing is not None
                session = self.sessions[finishing.session_id]
                key = getattr(event, "card_key", "")
                card = next((each for each in self.cards.values() if each.key == key), None)
        return session, turn, card

    def _mailbag(self, session: Session | None) -> Card | None:
        mine = [each for each in self.cards.values() if session and each.session_id == session.id and each.buttons]
        return mine[-1] if mine else None

    # ------------------------------------------------------------------------------------------ apply

    def _write(self, row: Entity, event: Event) -> None:  # noqa: C901, PLR0912 -- one arm for each kind of row
        match row:
            case Person():
                self.people[row.key] = row
            case Session():
                old = self.sessions.get(row.id, row)
                assert may_step(old.phase, row.phase)
                assert old.phase is not Phase.CLOSED or row.phase is Phase.CLOSED, "nothing reopens by itself"
                assert (old.next_seq, old.exchanges) <= (row.next_seq, row.exchanges)
                self.sessions[row.id] = row
            case Binding():
                self.bindings[row.key] = row.session_id
            case Message():
                before = self.messages.get((row.session_id, row.seq))
                if before is not None:
                    assert before.role is row.role is Role.ASSISTANT
                    assert before.turn_id == row.turn_id
                self.messages[row.session_id, row.seq] = row
            case Waiting():
                self.waiting[row.id] = row
            case Turn():
                self._write_turn(row, event)
            case EffectRow():
                self.effects[row.id] = row
            case Card():
                self.cards[row.id] = row
            case Spend():
                assert min(row.reserved, row.settled) >= 0
                self.spends[row.account, row.day] = row
            case Forgotten():
                for each in row.waiting:
                    del self.waiting[each]
                for each in row.steps:
                    assert self.steps.pop(each).state is StepState.WAITING, "a plan never loses what has begun"
            case Part() | FileCopy() | Summary() | Ticket() | MoveClaim() | Revocation() | Link() | Adoption():
                pass
            case Preference() | Guesses() | Round() | ToolCall() | ToolList() | Permit() | Credential() | Login():
                pass
            case Task():
                self.tasks[row.id] = row
            case Step():
                self._write_step(row)
            case _:
                assert_never(row)

    def _write_step(self, row: Step) -> None:
        old = self.steps.get(row.id, row)
        assert old.state not in SETTLED or replace(row, cost=old.cost) == old, "a finished step is finished for good"
        self.steps[row.id] = row

    def _write_turn(self, row: Turn, event: Event) -> None:
        old = self.turns.get(row.id)
        if old is not None and old.state not in OPEN_TURNS and old != row:
            repeated = isinstance(event, ButtonPressed) and event.button.verb == "again"
            assert repeated, "a final turn changes only when it is tried again"
            assert old.state is TurnState.FAILED
        self.turns[row.id] = row

    # ---------------------------------------------------------------------------------------- effects

    def turns_of(self, session: Session | None) -> list[Turn]:
        """The turns of a session, in the order in which they were opened."""
        return [each for each in self.turns.values() if session and each.session_id == session.id]

    def open_effects(self) -> list[EffectRow]:
        """Pending or started."""
        return [each for each in self.effects.values() if each.state in OPEN_EFFECTS]

    def started(self) -> list[EffectRow]:
        """Those that somebody performs."""
        return [each for each in self.effects.values() if each.state is EffectState.STARTED]

    def ready(self) -> list[EffectRow]:
        """Those that may start: due, first of their order, waiting for nothing."""
        ready, orders, still = [], set(), {each.id for each in self.open_effects()}
        for each in self.open_effects():
            first = not each.order_key or each.order_key not in orders
            orders.add(each.order_key)
            due = each.state is EffectState.PENDING and each.not_before_ms <= self.now_ms
            if first and due and not still.intersection(each.waits):
                ready.append(each)
        return ready

    def start(self, row: EffectRow) -> EffectRow:
        """Commit an effect as started."""
        begun = replace(row, state=EffectState.STARTED, boot=f"boot-{self.boot}", attempt=row.attempt + 1)
        self.effects[row.id] = begun
        return begun
