"""The built-in web chat keeps the contract of platforms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.local import ids
from bots.local.adapter import LocalPlatform
from core.domain.entities import FileCopy, FileRef
from core.domain.keys import PersonKey, Place
from core.engine.ports import Piece, Platform, Post
from storage import open_store
from storage.sqlite import SqliteStore
from tests.kit.clock import ManualClock
from tests.kit.platform_contract import PlatformContract, Seen


class LocalStage:
    """The adapter on a board in a real store."""

    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.person = PersonKey(platform="local", workspace="home", user="alice")
        self._store = store
        self._clock = clock
        self._local = LocalPlatform(store.board, clock)
        self.platform: Platform = self._local

    async def say(self, text: str, *, file: bytes | None = None) -> tuple[Place, str, str]:
        """See `Stage`."""
        import base64  # noqa: PLC0415

        place = Place(platform="local", workspace="home", channel="general", thread="t1")
        post = Post(id="t1", key="local:t1", place=place, author="alice", text=text, state="done")
        files: tuple[FileCopy, ...] = ()
        if file is not None:
            ref = FileRef(id="t1.0", handle="t1.0", name="a.txt", media_type="text/plain", size_bytes=len(file))
            copy = FileCopy(
                file_id="t1.0", session_id="", media_type="text/plain", data=base64.b64encode(file).decode()
            )
            post = Post(id="t1", key="local:t1", place=place, author="alice", text=text, state="done", files=(ref,))
            files = (copy,)
        await self._local.put(post, files)
        return place, "t1", "t1.0"

    async def write(self, ref: str, piece: Piece) -> str:
        """See `Stage`."""
        return await self.platform.write_answer(ref, piece)

    async def files(self, place: Place) -> list[tuple[str, bytes]]:
        """See `Stage`."""
        refs = [ref for post in await self._local.posts(place) if not post.author for ref in post.files]
        return [(ref.name, await self._local.fetch_file(ref.handle, 1_000_000)) for ref in refs]

    async def seen(self, place: Place) -> list[Seen]:
        """See `Stage`."""
        if not place.thread:  # a private place: every post begins a thread there
            found = [line.place for line in await self._local.threads(place.workspace, self.person.user)]
            posts = [post for each in found if ids.is_dm(each) for post in await self._local.posts(each)]
        else:
            posts = list(await self._local.posts(place))
        return [Seen(each.text, [button.label for button in each.buttons]) for each in posts if not each.author]

    async def forget_everything(self) -> None:
        """See `Stage`."""
        self._local = LocalPlatform(self._store.board, self._clock)
        self.platform = self._local

    def now_ms(self) -> int:
        """See `Stage`."""
        return self._clock.now_ms()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[LocalStage]:
    """A board with nobody on it."""
    store = await open_store(tmp_path / "rejoinder.db")
    yield LocalStage(store, ManualClock())
    await store.close()


class TestLocal(PlatformContract):
    """The web chat keeps the contract."""
