"""The engine's doors to everything outside; the docstrings are the contract, one contract suite each.

Knows: what a store, a platform, a model and a clock must do. Must not know: who implements them.
A platform or model call raises only `Refused`, `NotSent` or `Ambiguous` (`core.domain.errors`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.domain.decision import Decision, Policy, View
from core.domain.effects import EraseKind, MarkKind
from core.domain.entities import (
    Button,
    Card,
    Draft,
    EffectRow,
    FileCopy,
    FileRef,
    Message,
    Part,
    Session,
    Turn,
)
from core.domain.errors import Ambiguous
from core.domain.events import Event, Usage
from core.domain.keys import Audience, PersonKey, Place
from core.domain.leaving import Summary
from core.domain.rules.loops import NO_LOOPS, Loops
from core.domain.stamp import Stamp
from core.domain.tasking import Work
from core.domain.tooling import ToolList
from core.engine.tool_ports import ToolReads

Decide = Callable[[View, Event, Stamp], Decision]


# --------------------------------------------------------------------------------------------- clock


class Clock(Protocol):
    """Wall clock and monotonic clock. Tests advance it by hand; `Let time pass` shifts the wall clock forward."""

    def now_ms(self) -> int:
        """Wall-clock milliseconds since 1970 UTC, including the stored forward offset."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never steps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of this clock have passed."""
        ...


# --------------------------------------------------------------------------------------------- store


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
    work: Work | None = None  # the task that the turn is for
    loops: Loops = NO_LOOPS
    tools: ToolList | None = None


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

    async def holding(self, platform: str) -> tuple[str, ...]:
        """Ids of the sessions at home on `platform` that have held waiting messages (said while we were away)."""
        ...


# ------------------------------------------------------------------------------------------ platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a platform can do. `max_text_chars` is for one part of an answer."""

    max_text_chars: int
    can_stream: bool = True
    can_private: bool = True
    file_cap_bytes: int = 20_000_000


class AnswerState(StrEnum):
    """What a person sees of an answer part."""

    STREAMING = "streaming"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One part of an answer as it shall stand now: full Markdown text, latest wins."""

    turn_id: str
    n: int
    text: str
    state: AnswerState
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message that stands in a thread, as the platform returns it."""

    author: str
    user: str
    text: str
    ref: str
    at_ms: int
    is_bot: bool = False


class Unreadable(StrEnum):
    """The platform does not let us read there."""

    UNREADABLE = "unreadable"


class Platform(Protocol):
    """A chat platform. Every call raises only `Refused`, `NotSent` or `Ambiguous`."""

    name: str
    limits: Limits

    async def open_answer(self, place: Place, key: str, reply_to: str, piece: Piece) -> str:
        """Open the live message (placeholder or empty stream) and return its ref; idempotent under `key`."""
        ...

    async def write_answer(self, ref: str, piece: Piece) -> str:
        """Make the part read `piece.text`, latest wins; returns its ref, another one after a roll-over."""
        ...

    async def show(self, place: Place, key: str, card: Card, ref: str) -> str:
        """Post the card, or edit `ref` when it is not ""; returns the ref; idempotent under `key`."""
        ...

    async def mark(self, ref: str, mark: MarkKind) -> None:
        """Put a sign on a person's message; best effort."""
        ...

    async def find(self, place: Place, key: str, since_ms: int) -> str | Unreadable | None:
        """Look first: the ref of what was posted under `key`, None when it is certainly not there."""
        ...

    async def audience(self, place: Place) -> Audience:
        """Who can read there, now."""
        ...

    async def read_thread(self, place: Place, limit: int) -> tuple[Heard, ...] | Unreadable:
        """The last `limit` messages of a thread, oldest first."""
        ...

    async def fetch_file(self, handle: str, cap_bytes: int) -> bytes:
        """The bytes of an attachment. Raises `Refused(code="too_large")` above the cap."""
        ...

    async def open_private(self, person: PersonKey) -> Place | None:
        """A place that only this person and the bot can read, None where there is no such thing."""
        ...

    async def forgotten(self, places: Sequence[Place], before_ms: int) -> None:
        """What was said in `places` before is deleted: keep none of it in memory. Never raises."""
        ...


class Intake(Protocol):
    """What an adapter gives to the engine. It acknowledges to its platform only after `accept` has returned."""

    async def accept(self, event: Event, *, finishes: Claim | None = None) -> Accepted:
        """Commit the event; `accepted.decision.reply` is the immediate answer. Raises `StoreFull`, `Closing`."""
        ...


# --------------------------------------------------------------------------------------------- model


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One model call. `messages` are Messages-API messages; content blocks stay verbatim JSON values."""

    model: str
    system: str
    messages: tuple[Mapping[str, object], ...]
    max_tokens: int = 16_000
    effort: str = "medium"
    schema: str = ""  # JSON text of the schema that the answer has to follow, "" for free text
    tools: str = ""  # JSON text of the list of tools; "" = none
    asker: str = ""  # pseudonymous id of the asking person, for the provider's abuse tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """More visible text of the answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The call ended as the API says. `blocks` is the content verbatim (JSON text)."""

    stop_reason: str
    blocks: str
    model: str
    usage: Usage
    request_id: str = ""


class Cut(Ambiguous):
    """A model call that ended early, after it may have begun. `usage` is what we know that it had spent by then."""

    def __init__(self, *, code: str, detail: str = "", usage: Usage | None = None) -> None:
        super().__init__(code=code, detail=detail)
        self.usage = usage or Usage()


class Model(Protocol):
    """A model. Stands for one provider; never retries by itself."""

    name: str

    def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Yield `Said` as it arrives, then exactly one `Finished`.

        Raises `NotSent` (429, 529, refused connection, 5xx before the first event: nothing was spent; `retry_ms` from
        Retry-After), `Refused` (`model_auth`, `model_permission`, `model_unknown`, `model_billing`,
        `model_spend_limit`, `model_too_long`, `model_invalid`, `model_bound_thinking`), or `Cut` (`model_cut`,
        `model_silent`, `model_error`: cut, clean early end, error event, silence, malformed chunk) once the request
        was on its way. Closing the iterator ends the call at once.
        """
        ...

    async def check(self) -> None:
        """Raise as `stream` does when a call would surely fail (doctor); None otherwise."""
        ...


# ---------------------------------------------------------------------------------- the local board


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One message on the built-in web chat's own board, which stands for a platform's server."""

    id: str
    key: str  # idempotency key, unique
    place: Place
    author: str  # user name, "" for the bot
    text: str
    state: str  # AnswerState value
    buttons: tuple[Button, ...] = ()
    reply_to: str = ""
    created_ms: int = 0
    n: int = 0  # order on the board, given by the board
    taken: bool = True  # False: a person's post that the engine has not accepted yet
    mark: str = ""
    files: tuple[FileRef, ...] = ()  # what came with a person's post; the bytes are found by `FileRef.id`
    card: bool = False  # a card of ours: the placeholders in its text are revealed to whoever reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadLine:
    """One thread of the board, for the list on the left."""

    place: Place
    title: str
    last_ms: int
    opener: str


class Board(Protocol):
    """The durable board of the local chat. Same `key`, same post."""

    async def put(self, post: Post, files: Sequence[FileCopy] = ()) -> Post:
        """Insert, or return the post that has this key already. Returns it with `id` and `n` as stored.

        Raises `BadInput` (`forgotten`) for a person's post that was accepted once and has been forgotten since.
        """
        ...

    async def edit(self, post: Post) -> None:
        """Replace text, state, buttons, mark of the post with this id. Raises `KeyError`."""
        ...

    async def take(self, post_id: str) -> None:
        """Note that the engine has accepted a person's post."""
        ...

    async def untaken(self) -> tuple[Post, ...]:
        """People's posts that the engine has not accepted, oldest first."""
        ...

    async def find(self, key: str) -> Post | None:
        """The post with this key."""
        ...

    async def get(self, post_id: str) -> Post | None:
        """The post with this id."""
        ...

    async def thread(self, place: Place, limit: int) -> tuple[Post, ...]:
        """The last `limit` posts of a thread, oldest first."""
        ...

    async def threads(self, workspace: str, limit: int) -> tuple[ThreadLine, ...]:
        """The threads of a workspace, latest first."""
        ...

    async def file(self, file_id: str) -> FileCopy | None:
        """A file that came with a post."""
        ...

    async def time_offset_ms(self) -> int:
        """How far `Let time pass` has moved the product's clock forward."""
        ...

    async def let_time_pass(self, more_ms: int) -> int:
        """Move it further (`more_ms` > 0, else `ValueError`) and return the new offset."""
        ...
