"""The door to everything durable; the docstrings are the contract, `tests/storage/contract.py` holds every store to it.

Knows: what a store must do. Must not know: who implements it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.domain.decision import Decision, Policy, View
from core.domain.effects import EraseKind
from core.domain.entities import Card, Draft, EffectRow, FileCopy, Message, Part, Session, Turn
from core.domain.events import Event
from core.domain.keys import Place
from core.domain.leaving import Summary
from core.domain.rules.loops import NO_LOOPS, Loops
from core.domain.stamp import Stamp
from core.domain.tasking import Work
from core.domain.tooling import ToolList
from core.engine.tool_ports import ToolReads

Decide = Callable[[View, Event, Stamp], Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to finish an effect: a result is taken only while state, boot and attempt still match."""

    effect_id: str
    boot: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of an event.

    `duplicate`: a source key was seen before, nothing was done. `stale`: the claim no longer holds, nothing was
    done. `started`: effects of this decision that were committed as started and shall be performed now.
    """

    decision: Decision
    duplicate: bool = False
    stale: bool = False
    started: tuple[EffectRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a model call needs. `messages` oldest first, the turn's own included; `whole`: nothing was left out.

    `loops` has the rounds of the turn itself, and of the others whose messages are there while it is whole; `tools` is
    the session's pinned list.
    """

    session: Session
    turn: Turn
    messages: tuple[Message, ...]
    whole: bool
    summary: Summary | None
    files: Mapping[str, FileCopy]
    loops: Loops = NO_LOOPS
    tools: ToolList | None = None
    work: Work | None = None  # the task that the turn is for


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A session whose timer has rung."""

    session_id: str
    idle_epoch: int
    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a delivery needs: the turn, everything said so far (message, or `said` + drafts) and its parts."""

    turn: Turn
    text: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """What a deletion reaches: the sessions, where their words stand, and the cards of ours that stand anywhere."""

    sessions: tuple[str, ...]
    places: tuple[Place, ...]
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """A deletion that is done. `hits`: traces that a scan of the files still found; 0, or it is not proven."""

    rows: int
    hits: int


class Store(ToolReads, Protocol):
    """Everything durable. One writer; a returned await means: on the disk (WAL, synchronous=FULL)."""

    async def accept(
        self,
        event: Event,
        stamp: Stamp,
        decide: Decide,
        *,
        policy: Policy,
        boot: str,
        finishes: Claim | None = None,
        room: Mapping[str, int] | None = None,
    ) -> Accepted:
        """One transaction: source keys, view, `decide`, changes, strike-off of the finished effect.

        An effect of the decision that is due, waits for nothing and finds `room` (free slots by effect class name)
        is committed as started under `boot` with attempt + 1 and returned in `started`.
        Raises `StoreFull` (nothing written). An exception of `decide` fails only this unit.
        """
        ...

    async def claim(self, *, boot: str, now_ms: int, room: Mapping[str, int]) -> tuple[EffectRow, ...]:
        """Commit due pending effects as started (attempt + 1), within `room`, respecting `order_key` and `waits`."""
        ...

    async def next_effect_ms(self, now_ms: int) -> int | None:
        """The earliest `not_before_ms` after `now_ms` of the pending effects; None when nothing is pending.

        When all that is pending is due already and waits for other effects: `now_ms`.
        """
        ...

    async def orphans(self, boot: str) -> tuple[EffectRow, ...]:
        """Effects that another boot had started, oldest first."""
        ...

    async def draft_of(self, effect_id: str) -> str:
        """The drafted text of a model call, "" when there is none."""
        ...

    async def progress(self, drafts: Sequence[Draft], parts: Sequence[Part]) -> None:
        """Append drafts and bring parts up to date in one low-priority unit. Ignores rows of struck-off effects."""
        ...

    async def conversation(self, turn_id: str, budget_tokens: int) -> Conversation:
        """The newest messages from `fresh_from_seq` on whose estimated tokens sum to at most `budget_tokens`.

        The turn's own messages are always there; messages of other turns that failed with "model_refusal" never.
        Reads a bounded tail, never the whole history. `files` are those of the messages returned.
        A turn that works on a step of a task has its task, and no messages.
        Raises `HistoryUnreadable` when rows cannot be decoded, `KeyError` for an unknown turn.
        """
        ...

    async def delivery(self, turn_id: str) -> Delivery:
        """Raises `KeyError` for an unknown turn."""
        ...

    async def card(self, session_id: str, key: str) -> Card:
        """Raises `KeyError` for an unknown card."""
        ...

    async def history(self, session_id: str, from_seq: int, to_seq: int, limit: int) -> tuple[Message, ...]:
        """The first `limit` messages of `from_seq..to_seq`, oldest first. Raises `HistoryUnreadable`."""
        ...

    async def summary(self, session_id: str) -> Summary | None:
        """The newest summary of a session."""
        ...

    async def doomed(self, kind: EraseKind, key: str) -> Doomed:
        """What `erase` would reach; empty when there is nothing of that name."""
        ...

    async def erase(self, kind: EraseKind, key: str, asked_ms: int) -> Erased:
        """Delete the session or owner `key` from every table and from the log, and scan the files for traces.

        `asked_ms`: when the person asked; posts of the local board that are younger stay. Sets a tombstone, so that
        neither a redelivery nor a restored backup brings anything back. Doing it again does no harm.
        """
        ...

    async def due_sessions(self, now_ms: int, horizon_ms: int, limit: int) -> tuple[Due, ...]:
        """Sessions whose timer has rung, the longest overdue first.

        Else those whose timer is set beyond `horizon_ms`: by a clock that has been stepped back since.
        """
        ...

    async def ahead_of_time(self, now_ms: int, limit: int) -> tuple[Due, ...]:
        """Sessions with a timer whose last human act is later than now: the clock has been set back since.

        Looks at every session with a timer, so it is asked at the start and after a step of the clock only.
        """
        ...

    async def wake_unused(self, now_ms: int) -> None:
        """Set the timer of every expired or ended session that has none: retention was off when it was stored."""
        ...

    async def uptime_ms(self) -> int:
        """What `keep_uptime` stored last; 0 at first."""
        ...

    async def keep_uptime(self, ms: int) -> None:
        """Store how long the program has been up, over all its starts."""
        ...

    async def next_due_ms(self) -> int | None:
        """When the next timer of a session rings; None when none is set."""
        ...

    async def queued(self) -> int:
        """How many messages of people wait, for a turn or for somebody's choice."""
        ...

    async def holding(self, platform: str) -> tuple[str, ...]:
        """Ids of the sessions at home on `platform` that have held waiting messages (said while we were away)."""
        ...
