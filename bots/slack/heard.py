"""What came from Slack, as values: an event for the engine, or something that only the adapter acts on.

Knows: the closed set of what a payload can mean, and where an immediate answer to it can be shown. Must not know:
payloads, the Web API.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.events import Author, ButtonPressed, CommandIssued, MessageReceived
from core.domain.keys import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where somebody acted: what an immediate answer can be shown with.

    `trigger` opens a modal for three seconds; `view` is the modal it came from ("" none, "home" the Home); `submitted`
    a modal whose answer goes into the acknowledgement; `slash` a command, whose answer goes there, too.
    """

    user: str
    channel: str = ""
    thread: str = ""
    team: str = ""
    trigger: str = ""
    view: str = ""
    submitted: bool = False
    slash: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """An event for the engine. `moves`: it may bring a conversation here, so there must be a thread for it."""

    event: MessageReceived | CommandIssued | ButtonPressed
    desk: Desk
    moves: bool = False
    late: bool = False  # out of the history


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeOpened:
    """Somebody looks at the app's Home."""

    author: Author
    channel: str
    source_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPressed:
    """Slack's own Stop: `streams` are the messages that were streaming."""

    author: Author
    place: Place
    streams: tuple[str, ...]
    source_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A person changed their message. `at`: when, as Slack writes it."""

    place: Place
    ref: str
    text: str
    at: str
    source_keys: tuple[str, ...]
    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A message of a person was deleted."""

    place: Place
    ref: str
    source_keys: tuple[str, ...]
    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """The workspace has thrown us out."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing for us; acknowledged and forgotten. `why` is for the log and holds no words of people."""

    why: str


Heard = Arrived | HomeOpened | StopPressed | Edited | Deleted | Revoked | Ignored
