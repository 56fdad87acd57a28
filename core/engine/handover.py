"""Everything that is kept of a person, as it is handed over to them.

Knows: its shape. Must not know: where it is kept, how it is handed over. Resume codes are not in it, and nothing that
a code could be made from; neither is bookkeeping that says nothing about anybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.domain.entities import FileCopy, Message, Person, Session, Waiting
from core.domain.leaving import Link, Preference, Summary
from core.domain.tasking import Work
from core.domain.tooling import Round, ToolCall

MARKDOWN_NAME = "rejoinder-export.md"
JSON_NAME = "rejoinder-export.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSession:
    """One conversation of the person's, oldest first. `notices` are the texts of our cards.

    `rounds` and `calls`: what was said to tools in it, and what they gave.
    """

    session: Session
    messages: tuple[Message, ...]
    waiting: tuple[Waiting, ...]
    summaries: tuple[Summary, ...]
    tasks: tuple[Work, ...]
    notices: tuple[str, ...]
    files: tuple[FileCopy, ...]
    rounds: tuple[Round, ...] = ()
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message of the person's on the built-in web chat's own board."""

    where: str
    text: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A login of the person's at a tool server, without anything that opens it."""

    server: str
    account: str
    status: str
    scopes: str
    since_ms: int
    used_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Everything of one person. `elsewhere`: their words in conversations of others, as said or heard there."""

    accounts: tuple[Person, ...]
    sessions: tuple[KeptSession, ...]
    elsewhere: tuple[Message, ...]
    posts: tuple[Posted, ...]
    links: tuple[Link, ...]
    preference: Preference | None
    connections: tuple[Connected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that is handed over."""

    name: str
    media_type: str
    body: bytes


Exporter = Callable[[str], Awaitable[tuple[File, ...]]]  # from an identity to the files with everything
