"""What to do in the outside world, imperative; a closed set (DESIGN section 4).

Payloads carry ids only, never a person's words. A performer looks the rest up when it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MarkKind(StrEnum):
    """Small signs on a message; best effort."""

    SEEN = "seen"
    WORKING = "working"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskModel:
    """One streaming model call for a turn."""

    turn_id: str
    reserved: int = 0  # millionths of a dollar reserved for it
    accounts: tuple[str, ...] = ()  # the accounts of the reservation
    day: str = ""
    share: str = ""  # of the performers: "task" for the steps of tasks, so that they never keep a chat waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Open the live message of a turn, follow the draft, write the final text."""

    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCard:
    """Bring the card (session of the effect, `card_key`) up to its wanted version."""

    card_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFile:
    """Copy an attachment from its platform."""

    platform: str
    file_id: str
    handle: str
    name: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadThread:
    """Read once what humans said in a thread before the bot was addressed there."""

    turn_id: str
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarize:
    """Write a summary of the session's messages up to `to_seq`; `extract`: without a model call."""

    to_seq: int
    extract: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTool:
    """One tool call of a turn."""

    turn_id: str
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshCredential:
    """Renew a login ahead of its expiry; done already when its version is not `version` any more."""

    credential_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Show a sign on a person's message."""

    platform: str
    ref: str
    mark: MarkKind


class EraseKind(StrEnum):
    """What is forgotten: one session, or everything of an owner."""

    SESSION = "session"
    OWNER = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    """Delete for good, and prove it: the session `key`, or everything of the identity `key`."""

    kind: EraseKind
    key: str


Effect = (
    AskModel | Deliver | ShowCard | CallTool | FetchFile | ReadThread | Summarize | RefreshCredential | Mark | Erase
)


def kind_of(effect: Effect) -> str:
    """The class name of an effect, with its share of the performers: the key of `room`."""
    name = type(effect).__name__
    return f"{name}:{effect.share}" if isinstance(effect, AskModel) and effect.share else name
