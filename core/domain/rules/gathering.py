"""What a decision consists of, while it is made: rows, effects and cards.

Knows: how rows are collected, how an effect is made, how a card changes and is shown once. Must not know: messages,
turns, money (see `making`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from core.domain.decision import Decision, Nothing, Reply, View
from core.domain.effects import Effect, ShowCard
from core.domain.entities import Binding, Button, Card, EffectRow, EffectState, Entity, Forgotten, Session
from core.domain.keys import PersonKey, Place
from core.domain.rules.timeline import next_due
from core.domain.stamp import Stamp
from core.domain.tasking import Work

RING_MAX_MS = 300 * 24 * 3_600_000  # a step further ahead is looked at again on the way
PACE_MS = 1_500  # between two edits of a card that follows something; a person cannot read faster
PACED = "task:"  # the cards that do


class Gathering:
    """Collects rows; `session`, `works` and `spends` are the latest state of what the view began with."""

    def __init__(self, view: View, stamp: Stamp, session: Session) -> None:
        self.view = view
        self.stamp = stamp
        self.now_ms = stamp.now_ms
        self.session = session
        self.spends = view.spends
        self.works: dict[str, Work] = {each.task.id: each for each in (*view.works, *filter(None, (view.work,)))}
        self._rows: list[Entity] = []
        self._last: dict[str, Callable[[], None]] = {}
        self._stops: list[str] = []
        self.careful: frozenset[str] = frozenset()  # tools that are asked for, by the names that the model knows
        self.delivery = ""  # the newest delivery of an answer that this decision begins
        self._before_answer: tuple[str, ...] = ()  # what has to be shown before that
        self._effects = 0
        self._showing: set[tuple[str, str]] = set()
        self._postponed_ms: int | None = None
        if session is not view.session:
            self.put(Binding(key=session.home, session_id=session.id))
            self.session = replace(session, language=view.spoken or view.hinted)

    def put(self, *rows: Entity) -> None:
        """Rows as they shall be."""
        self._rows.extend(rows)

    @property
    def cards(self) -> tuple[Card, ...]:
        """The session's cards that ask something, as this decision has left them so far."""
        changed = {(row.session_id, row.key): row for row in self._rows if isinstance(row, Card)}
        latest = (changed.get((each.session_id, each.key), each) for each in self.view.cards)
        return tuple(each for each in latest if each.buttons)

    def interrupt(self, effect_id: str) -> None:
        """End a running effect after the commit."""
        self._stops.append(effect_id)

    def postpone(self, due_ms: int) -> None:
        """Look at the session again at `due_ms`, later than its row says."""
        self._postponed_ms = due_ms

    def set_work(self, work: Work) -> None:
        """A task and its steps as they shall be."""
        before = self.works.get(work.task.id, Work(task=work.task))
        self.works[work.task.id] = work
        left = {each.id for each in work.steps}
        gone = tuple(each.id for each in before.steps if each.id not in left)
        if gone:
            self.put(Forgotten(steps=gone))
        self.put(work.task, *(each for each in work.steps if each not in before.steps))

    def at_last(self, name: str, deed: Callable[[], None]) -> None:
        """Do it once, when everything else is decided."""
        self._last[name] = deed

    def done(self, reply: Reply | None = None, *, received: int = 0) -> Decision:
        """The decision: all rows, then the session and the spends as they ended."""
        for deed in self._last.values():
            deed()
        due_ms = self._postponed_ms or next_due(self.session, self.view.policy)
        if due_ms is not None:
            due_ms = min(due_ms, self.now_ms + RING_MAX_MS)
        self.session = replace(self.session, due_ms=due_ms)
        spends = tuple(each for each in self.spends if each not in self.view.spends)
        return Decision(
            changes=(self.session, *self._rows, *spends),
            reply=reply or Nothing(),
            received=received,
            stop=tuple(self._stops),
            titled=self._titled(),
        )

    def _titled(self) -> tuple[str, ...]:
        known = (each for each in (self.view.session, self.view.there) if each is not None)
        before = next(((each.title, each.home) for each in known if each.id == self.session.id), None)
        return (self.session.id,) if self.session.title and (self.session.title, self.session.home) != before else ()

    # --------------------------------------------------------------------------- cards and effects

    def new_card(
        self,
        key: str,
        text: str,
        buttons: Sequence[Button] = (),
        *,
        place: Place | None = None,
        recipient: PersonKey | None = None,
    ) -> Card:
        """A card of this session that does not stand yet; where the conversation lives unless a place is named.

        With a `recipient` it is shown in this person's private place, where there is one.
        """
        return Card(
            id=self.stamp.ulid(f"card:{key}"),
            session_id=self.session.id,
            key=key,
            place=place or self.session.home.place,
            text=text,
            buttons=tuple(buttons),
            created_ms=self.now_ms,
            recipient=recipient,
        )

    def card(self, card: Card) -> None:
        """The card changes (or is new); one pending or running ShowCard brings it up to date."""
        self.put(card)
        showing = any(
            isinstance(each.effect, ShowCard) and (each.session_id, each.effect.card_key) == (card.session_id, card.key)
            for each in self.view.open_effects
        )
        if not showing:
            self.show(card)

    def first(self, card: Card) -> None:
        """A new card that has to be read before the answer that this decision may begin."""
        self.put(card)
        self._before_answer = (self.show(card),)

    def show(self, card: Card) -> str:
        """Bring the card up to its wanted version; once in a decision. Returns the effect, "" when it is under way."""
        if (card.session_id, card.key) in self._showing:
            return ""
        self._showing.add((card.session_id, card.key))
        paced = card.key.startswith(PACED) and card.wanted_version > 1
        return self.effect(
            ShowCard(card_key=card.key),
            not_before_ms=self.now_ms + PACE_MS if paced else 0,
            order_key=f"card:{card.place}",
            deadline_ms=self.now_ms + self.view.policy.platform_deadline_ms,
            session_id=card.session_id,
        )

    def effect(
        self,
        effect: Effect,
        *,
        not_before_ms: int = 0,
        deadline_ms: int | None = None,
        order_key: str = "",
        waits: tuple[str, ...] = (),
        session_id: str = "",
    ) -> str:
        """A new effect, pending, of this session unless another is named; returns its id."""
        self._effects += 1
        row = EffectRow(
            id=self.stamp.ulid(f"effect:{self._effects}"),
            session_id=session_id or self.session.id,
            effect=effect,
            created_ms=self.now_ms,
            state=EffectState.PENDING,
            not_before_ms=not_before_ms,
            deadline_ms=deadline_ms,
            order_key=order_key,
            waits=waits,
        )
        self.put(row)
        return row.id
