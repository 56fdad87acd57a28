"""SQLite connections of this project: how each is opened, and one hop that runs a whole function on its thread.

Knows: pragmas and aiosqlite's thread. Must not know: tables, units, batches.

aiosqlite's own calls are one hop between the loop and the thread each, and two coroutines that use them on one
connection share a transaction. So nothing here is called from outside but `run`: a function gets the bare
connection on its own thread, does all that it has to do and returns values, never a cursor.
The thread is a daemon: a process that dies without `close` ends (aiosqlite's own thread would hold it for ever).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import aiosqlite

from core.domain.errors import StoreError

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5_000  # somebody else's short read of the schema, a checkpoint of a command line tool
CACHED_STATEMENTS = 512  # all statements of the package, prepared once for each connection
PAGE_CACHE_KIB = 32 * 1024
LOG_KEEP_BYTES = 8 * 1024 * 1024  # a log that was once longer is cut to this when it starts over


class Connection(aiosqlite.Connection):
    """An aiosqlite connection that runs whole functions on its thread."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._thread.daemon = True

    @classmethod
    async def open(cls, connector: Callable[[], sqlite3.Connection]) -> Connection:
        """Start the thread and connect on it. Raises whatever `connector` raises."""
        conn = cls(connector)
        _ = await conn
        return conn

    def run(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Queue `function` for the thread; it runs even if nobody waits for the future any more.

        Raises:
            StoreError: the connection is closed.
        """
        if not self._running or self._connection is None:
            raise StoreError(code="store_closed", detail="the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((future, partial(function, self._connection)))
        return future


def open_for_writing(path: Path, *, max_page_count: int | None = None) -> sqlite3.Connection:
    """Open the one connection that writes; the file must exist.

    WAL with synchronous=FULL: an acknowledged commit survives a power cut (facts/reliability.md, finding 6).
    Automatic checkpoints are off: only the writer checkpoints, when it suits (storage/wal.py).
    """
    conn = _connect(path, "rw")
    try:
        conn.execute("PRAGMA journal_mode=WAL").fetchone()
        conn.execute("PRAGMA synchronous=FULL")
        conn.execute("PRAGMA secure_delete=ON").fetchone()
        conn.execute("PRAGMA wal_autocheckpoint=0").fetchone()
        conn.execute(f"PRAGMA journal_size_limit={LOG_KEEP_BYTES}").fetchone()
        conn.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")
        conn.execute("PRAGMA temp_store=MEMORY")
        if max_page_count is not None:
            conn.execute(f"PRAGMA max_page_count={max_page_count:d}").fetchone()
    except BaseException:
        conn.close()
        raise
    return conn


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a connection that can only read; the file must exist."""
    conn = _connect(path, "ro")
    try:
        conn.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")
        conn.execute("PRAGMA temp_store=MEMORY")
    except BaseException:
        conn.close()
        raise
    return conn


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    conn = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,  # we say BEGIN IMMEDIATE; the driver's own transactions start too late
        check_same_thread=False,  # aiosqlite opens, uses and closes on its thread; tools on theirs
        cached_statements=CACHED_STATEMENTS,
    )
    conn.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}").fetchone()
    return conn
