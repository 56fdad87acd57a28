"""Time that moves only when nothing else can: a clock, and a store without threads, for stories that replay.

Knows: the loop, the writer, the readers. Must not know: what a story is about.
"""

from __future__ import annotations

import asyncio
import heapq
import sqlite3
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from core.domain.effects import EraseKind
from core.engine.ports import Erased
from storage import claims
from storage.connection import Connection, open_for_reading, open_for_writing
from storage.files import Peephole
from storage.readers import Readers
from storage.sqlite import SqliteStore
from storage.wal import Log
from storage.writer import URGENT, OnPoint, Priority, Unit, Writer
from tests.kit.clock import ManualClock
from tests.kit.world import KEYS

T = TypeVar("T")
U = TypeVar("U")

_PAGE_BYTES = 4096
_ALMOST_MIDNIGHT_MS = 1_764_028_799_000


class Busy:
    """How many calls of the store are open."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """A call is open while the body runs."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def still(self) -> None:
        """Return when everything that can run has run: no callback of the loop is ready, no call is open."""
        ready: Sized = vars(asyncio.get_running_loop())["_ready"]  # there is no public way to ask
        while True:
            await asyncio.sleep(0)
            if ready:
                continue
            if not self._count:
                return
            await self._none.wait()


class StillClock(ManualClock):
    """Moves on only when everything that was woken has come to where it waits.

    It begins a second before midnight UTC, so that the money of a story is of two days.
    """

    def __init__(self) -> None:
        super().__init__(_ALMOST_MIDNIGHT_MS)
        self.busy = Busy()

    async def advance(self, seconds: float) -> None:
        """See `ManualClock`."""
        end = self._elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self._move(due)
                woken.set_result(None)
                await self.busy.still()
        self._move(end)
        await self.busy.still()


class Inline(Connection):
    """Runs every function at once on the loop's own thread, so that a story plays the same way every time."""

    @classmethod
    async def open(cls, connector: Callable[[], sqlite3.Connection]) -> Inline:
        """Connect. Raises whatever `connector` raises."""
        conn = cls(connector)
        conn.bare = connector()
        return conn

    bare: sqlite3.Connection

    def run(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """See `Connection.run`; the outcome is there after one turn of the loop, so that others can queue meanwhile."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        try:
            value = function(self.bare)
        except BaseException as error:  # noqa: BLE001 -- handed over, as aiosqlite's thread does
            loop.call_soon(_settle, future, future.set_exception, error)
        else:
            loop.call_soon(_settle, future, future.set_result, value)
        return future

    async def close(self) -> None:
        """Close the connection."""
        self.bare.close()


def _settle(future: asyncio.Future[T], how: Callable[[U], None], what: U) -> None:
    if not future.done():
        how(what)


class StillWriter(Writer):
    """The writer; its open calls are counted."""

    busy: Busy

    async def submit(self, unit: Unit[T], priority: Priority = URGENT) -> T:
        """See `Writer.submit`."""
        with self.busy.one_more():
            return await super().submit(unit, priority)


class StillReaders(Readers):
    """The readers; their open calls are counted."""

    busy: Busy

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """See `Readers.run`."""
        with self.busy.one_more():
            return await super().run(function)


class StillErasing(SqliteStore):
    """A store whose deletions are counted as a whole: they read files in threads of their own."""

    busy: Busy

    async def erase(self, kind: EraseKind, key: str, asked_ms: int) -> Erased:
        """See `Store.erase`."""
        with self.busy.one_more():
            return await super().erase(kind, key, asked_ms)


class Borrowed(Inline):
    """Somebody else's connection; whose it is closes it."""

    @classmethod
    async def of(cls, other: Inline) -> Borrowed:
        """Borrow it."""
        conn = cls(lambda: other.bare)
        conn.bare = other.bare
        return conn

    async def close(self) -> None:
        """Leave it open."""


class Ground(Protocol):
    """What a story's store stands on."""

    async def open(self, kind: type[SqliteStore], path: Path, busy: Busy, on_point: OnPoint) -> SqliteStore:
        """Open an existing, migrated database as `kind`; its calls are counted in `busy`."""
        ...

    def died(self) -> None:
        """The process is dead and every connection closed."""
        ...


class Kernel:
    """The kernel keeps what it was given, so a death takes nothing and nobody needs to sync."""

    async def open(self, kind: type[SqliteStore], path: Path, busy: Busy, on_point: OnPoint) -> SqliteStore:
        """See `Ground`."""
        write = await Inline.open(lambda: _unsynced(path))
        read = await Inline.open(lambda: open_for_reading(path))
        return await assemble(kind, path, (write, read), busy, on_point)

    def died(self) -> None:
        """Nothing is lost."""


def _unsynced(path: Path) -> sqlite3.Connection:
    conn = open_for_writing(path)
    conn.execute("PRAGMA synchronous=OFF")
    return conn


async def assemble(
    kind: type[SqliteStore], path: Path, conns: tuple[Inline, Inline], busy: Busy, on_point: OnPoint
) -> SqliteStore:
    """A store of `kind` on two connections, the writing one first."""
    still = type(f"Still{kind.__name__}", (StillErasing, kind), {})
    peephole = Peephole(path)
    writer = StillWriter(conns[0], Log(path, _PAGE_BYTES), on_point)
    readers = StillReaders((conns[1],))
    writer.busy = readers.busy = busy
    store: StillErasing = still(path, peephole, writer, readers, await readers.run(claims.latest_created_ms), KEYS)
    store.busy = busy
    return store
