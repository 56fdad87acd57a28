"""What is stored: one frozen value per row, whole rows replace whole rows.

Knows: the shape and the meaning of every field. Must not know: SQL, JSON, platforms.
Times are `*_ms`, wall-clock milliseconds since 1970 UTC. Texts of people stand only in `Message`,
`Waiting`, `Turn.said`, `Draft`, `FileCopy` and `Card`; every other row points to them by id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from core.domain.effects import Effect
from core.domain.keys import Audience, PersonKey, Place, SessionKey
from core.domain.leaving import (
    Adoption,
    Guesses,
    Link,
    MoveClaim,
    Preference,
    Revocation,
    Summary,
    Ticket,
)
from core.domain.outline import Outline
from core.domain.tasking import Step, Task
from core.domain.tooling import Credential, Login, Permit, Round, ToolCall, ToolList


class Phase(StrEnum):
    """The life of a session; the table of allowed steps is in `core.domain.phases`."""

    ACTIVE = "active"
    WARNED = "warned"
    PARKED = "parked"
    EXPIRED = "expired"
    CLOSED = "closed"
    ERASED = "erased"


class Level(StrEnum):
    """How much of the conversation the model gets."""

    FULL = "full"
    SUMMARY = "summary"
    FRESH = "fresh"


class Role(StrEnum):
    """Who speaks in a stored message."""

    USER = "user"
    ASSISTANT = "assistant"
    HEARD = "heard"


class TurnState(StrEnum):
    """`OPEN` until the answer is final; `STOPPING` while the model is being stopped."""

    OPEN = "open"
    STOPPING = "stopping"
    ANSWERED = "answered"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether the answer is final."""
        return self not in (TurnState.OPEN, TurnState.STOPPING)


class EffectState(StrEnum):
    """See DESIGN section 4: `started` is committed before the outside world is touched."""

    PENDING = "pending"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account as we last saw it. `identity` is the owner id that linked accounts share."""

    key: PersonKey
    identity: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One conversation. `id` is identity; `home` is where it lives now."""

    id: str
    owner: str  # identity (Person.identity) of whoever opened it
    home: SessionKey
    created_ms: int
    phase: Phase = Phase.ACTIVE
    title: str = ""  # first words of the first message, at most 80 characters
    last_human_ms: int = 0  # the idle clock: the last *human* act
    idle_epoch: int = 0  # counts returns; part of the notice's key
    due_ms: int | None = None  # when the next timer rings (partial index)
    next_seq: int = 1  # seq of the next message
    tokens: int = 0  # estimated tokens of all messages from `fresh_from_seq`
    exchanges: int = 0  # answered turns
    fresh_from_seq: int = 1  # messages before it are kept but no longer sent
    level: Level = Level.FULL  # of the last return
    recovered_ms: int | None = None  # when an answer was last finished after a crash
    audience: Audience = Audience.PUBLIC  # of `home`, as last seen
    crowded: bool = False  # other humans talk in `home`
    keep_until_ms: int | None = None  # "Keep open 24 h": no notice before
    summary_id: str = ""  # the summary that is sent in front of the messages from `fresh_from_seq`
    unsaid: str = ""  # how much we still have, to be told to the model with the next message
    asked_back: bool = False  # our last answer ended with a question
    tools: str = ""  # digest of the pinned `ToolList`, "" until the first request
    retention_told_ms: int | None = None  # when the coming deletion was announced
    code_until_ms: int | None = None  # while its notice shows a code: when that expires
    retention_told_up_ms: int | None = None  # how long the program had been up in all, then
    language: str = ""  # of the owner, as far as it is known; "" = the installation's


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Where a session lives: unique by key. `session_id` "" unbinds the key."""

    key: SessionKey
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRef:
    """A file that came with a message. `handle` means something to the platform only."""

    id: str
    handle: str
    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One stored message; only an answer that goes on is put again under its seq.

    `blocks` is the model's content verbatim as JSON text, "" for plain text.
    """

    session_id: str
    seq: int
    role: Role
    text: str
    created_ms: int
    author: str = ""  # display name of a human author
    blocks: str = ""
    prefix: str = ""  # hash of system prompt + tools that `blocks` was produced under
    ref: str = ""  # the platform's id of the message
    tokens: int = 0
    turn_id: str = ""
    note: str = ""  # words of ours put before the text for the model (memory level), same words as the person got
    files: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that arrived while an answer was running or while we were away; joins the next turn."""

    id: str
    session_id: str
    author: str
    asker: PersonKey
    text: str
    ref: str
    received_ms: int
    held: bool = False  # True: wait for the person's choice, do not join by itself
    task_id: str = ""  # all steps of this task are over: the turn that takes this message is its answer
    said_at: str = ""  # the place (text form) when it is not where the session lives: it has moved meanwhile
    files: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer in the making: the messages `first_seq..last_seq`, answered in `place`."""

    id: str
    session_id: str
    asker: PersonKey
    place: Place
    reply_to: str  # platform's id of the message that is answered, "" for none
    created_ms: int
    first_seq: int
    last_seq: int
    state: TurnState = TurnState.OPEN
    level: Level = Level.FULL
    said: str = ""  # what had been said before the last cut; the model goes on from it
    stitched: bool = False  # the answer was put together from more than one model call
    failure: str = ""  # stable code when FAILED, and why it waits when OPEN; words come from `core.domain.words`
    stalls: int = 0  # attempts in a row that brought no new text (three, then FAILED)
    waiting_since_ms: int | None = None  # since when the model could not be asked
    retry_ms: int | None = None  # when it will be tried again; told once after 20 s of waiting
    told_waiting: bool = False
    stripped: bool = False  # ask without signed thinking (the provider refused it once)
    continued: int = 0  # how often the answer went on after the model's length limit
    answer_seq: int | None = None  # the assistant message, when there is one
    model: str = ""
    finish_note: str = ""  # code of an honest remark under the answer ("cut_long", "recovered" ...)
    before: str = ""  # what the finished rounds of the tool loop said; stands before `said`
    rounds: int = 0  # model calls of this turn that asked for tools
    round_tokens: int = 0  # estimated tokens of these rounds and of their results
    activity: str = ""  # what the open turn does: "calling:<tools>", "awaits:<what>", or how it asks: "nudging"
    awaits_since_ms: int | None = None  # since when it waits for the person
    step_id: str = ""  # the step (or, for its plan, the task) that this turn works on: its card shows it, no delivery
    cost: int = 0  # of its calls since it was last opened, millionths of a US dollar
    task_id: str = ""  # the task that this turn plans, works on a step of, or answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One platform message of a turn's answer: the characters from `start` on."""

    turn_id: str
    n: int
    ref: str
    start: int
    confirmed_chars: int = 0  # of this part
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Appended text of a running model call: chunk `n` of effect `effect_id`."""

    effect_id: str
    n: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCopy:
    """The bytes of a fetched file, as base64 text, or why it could not be fetched (`problem` code)."""

    file_id: str
    session_id: str
    media_type: str
    data: str = ""
    problem: str = ""


class ButtonStyle(StrEnum):
    """How much a button should stand out."""

    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """`id` is the text form of a `ButtonId`; `for_owner` is the user who alone should see it, where that exists."""

    id: str
    label: str
    style: ButtonStyle = ButtonStyle.PLAIN
    for_user: str = ""
    in_menu: bool = False  # of lesser weight: belongs into a menu where the platform has one


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A message of ours that is not an answer; brought up to date by ShowCard, keyed by (session, key)."""

    id: str  # ULID, the subject of its buttons
    session_id: str
    key: str  # mailbag:<n>, idle:<epoch>, task:<id>, approval:<id>, login:<id>, mine:<login>, moved:<n>, claim:<id>
    place: Place
    text: str
    buttons: tuple[Button, ...] = ()
    wanted_version: int = 1
    shown_version: int = 0
    ref: str = ""
    created_ms: int = 0
    recipient: PersonKey | None = None  # shown in this person's private place instead
    outline: Outline | None = None  # what `text` says, as steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """Money of one account (identity or workspace) on one UTC day, in millionths of a US dollar."""

    account: str  # "person:<identity>" or "workspace:<platform>/<workspace>"
    day: str  # YYYY-MM-DD
    reserved: int = 0
    settled: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """One thing to do in the outside world, and how far it is."""

    id: str
    session_id: str
    effect: Effect
    created_ms: int
    state: EffectState = EffectState.PENDING
    boot: str = ""
    attempt: int = 0  # how often it was started; with `boot` the fence of its results
    faults: int = 0  # how often the outside answered with a fault, or may have acted
    deaths: int = 0  # how often the process died while it was started
    not_before_ms: int = 0
    deadline_ms: int | None = None  # after it, waiting becomes failure
    order_key: str = ""  # effects of one key run one after the other, in the order of creation; "" = free
    waits: tuple[str, ...] = ()  # effect ids that must be finished first
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Rows to delete in this decision: waiting messages and steps by id, bindings and permits by their keys."""

    waiting: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    binding: tuple[SessionKey, ...] = field(default=())
    permits: tuple[Permit, ...] = ()


Entity = (
    Person
    | Session
    | Binding
    | Message
    | Waiting
    | Turn
    | Part
    | FileCopy
    | Card
    | Spend
    | Summary
    | Ticket
    | MoveClaim
    | Revocation
    | Link
    | Adoption
    | Preference
    | Guesses
    | Round
    | ToolCall
    | ToolList
    | Permit
    | Credential
    | Login
    | Task
    | Step
    | EffectRow
    | Forgotten
)
