"""The door to the built-in web chat's own board, which stands for a platform's server.

Knows: what that board must do. Must not know: who implements it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.domain.entities import Button, FileCopy, FileRef
from core.domain.keys import Place
from core.domain.outline import Outline


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
    files: tuple[FileRef, ...] = ()  # what came with a post; the bytes are found by `FileRef.id`
    card: bool = False  # a card of ours: the placeholders in its text are revealed to whoever reads it
    outline: Outline | None = None  # of a card that is about steps


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

    async def edit(self, post: Post, files: Sequence[FileCopy] = ()) -> None:
        """Replace text, state, buttons, mark, outline, files of the post with this id. Raises `KeyError`.

        `files` are the bytes of those that are new.
        """
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
