"""The doors to and from a chat platform; one contract suite holds every adapter to them.

Knows: what a platform must do and what it gives us. Must not know: who implements it.
A call raises only `Refused`, `NotSent` or `Ambiguous` (`core.domain.errors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.domain.effects import MarkKind
from core.domain.entities import Button, Card
from core.domain.events import Event
from core.domain.files import AnswerFile
from core.domain.keys import Audience, PersonKey, Place
from core.engine.ports.store import Accepted, Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a platform can do. `max_text_chars` is for one part of an answer.

    `block_max_chars`: so much of a block of code or a table stands in the thread; a larger one comes as a file, too.
    0: none does.
    """

    max_text_chars: int
    block_max_chars: int = 0
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
    """One part of an answer as it shall stand now: full Markdown text, latest wins.

    `files` hang in the thread once the piece is written, each once however often that is repeated. Only a final piece
    has any; one that cannot be had is `Refused`, and the engine writes the piece again with their text in it. Code
    `file_unsure`: the platform cannot say whether an earlier try has brought it.
    """

    turn_id: str
    n: int
    text: str
    state: AnswerState
    buttons: tuple[Button, ...] = ()
    files: tuple[AnswerFile, ...] = ()


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
        """Make the part read `piece.text`, latest wins, its files in the same thread.

        Returns its ref, another one after a roll-over.
        """
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
