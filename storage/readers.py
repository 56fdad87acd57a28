"""Read connections: a function in, values out, one snapshot, one hop.

Knows: a small pool and its turn order. Must not know: what is read.
A read is one function that opens a transaction, fetches all and ends it on the thread; nothing stays open between
awaits, because a forgotten read transaction lets the log grow without limit (facts/reliability.md, aiosqlite rules).
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from storage.connection import Connection, open_for_reading
from storage.faults import translate
from storage.rows import Row, Scalar

T = TypeVar("T")

READERS = 2  # one long read (an export) leaves one for the short ones


class Readers:
    """A pool of read connections. Make one with `Readers.open`."""

    def __init__(self, conns: tuple[Connection, ...]) -> None:
        self._conns = conns
        self._turn = itertools.cycle(conns)

    @classmethod
    async def open(cls, path: Path) -> Readers:
        """Open the pool on an existing database. Raises `StoreError` when it cannot be opened."""
        conns: list[Connection] = []
        try:
            for _ in range(READERS):
                conns.append(await Connection.open(lambda: open_for_reading(path)))  # noqa: PERF401 -- closes on error
        except BaseException as error:
            for conn in conns:
                await conn.close()
            if isinstance(error, sqlite3.Error):
                raise translate(error) from error
            raise
        return cls(tuple(conns))

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` in one snapshot. Raises `StoreError` for SQLite's errors, else what it raises."""
        try:
            return await next(self._turn).run(lambda conn: in_snapshot(conn, function))
        except sqlite3.Error as error:
            raise translate(error) from error

    async def rows(self, sql: str, values: Sequence[Scalar]) -> list[Row]:
        """All rows of one statement, which is a snapshot by itself. Raises `StoreError`."""
        try:
            return await next(self._turn).run(lambda conn: conn.execute(sql, values).fetchall())
        except sqlite3.Error as error:
            raise translate(error) from error

    async def close(self) -> None:
        """Close the pool. Twice is as good as once."""
        for conn in self._conns:
            await conn.close()


def in_snapshot(conn: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    """Run `function` inside one read transaction that ends on every path."""
    conn.execute("BEGIN")
    try:
        return function(conn)
    finally:
        if conn.in_transaction:  # an I/O error ends it by itself
            conn.execute("ROLLBACK")
