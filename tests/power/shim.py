"""apsw in the clothes of sqlite3: the product's own units, SQL and writer run on it unchanged.

Knows: the part of `sqlite3.Connection` that storage/ uses. Must not know: what is run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import apsw

from storage.connection import open_for_writing

Scalar = str | int | float | bytes | None
Row = tuple[Scalar, ...]

# What `open_for_writing` sets, asked of a connection that it has opened: so the test proves what the product sets.
PRAGMAS = (
    "journal_mode",
    "synchronous",
    "secure_delete",
    "wal_autocheckpoint",
    "journal_size_limit",
    "cache_size",
    "temp_store",
    "busy_timeout",
)


def pragmas_of_product(path: Path) -> dict[str, str]:
    """How the product's writing connection on `path` is set."""
    conn = open_for_writing(path)
    try:
        return {name: str(conn.execute(f"PRAGMA {name}").fetchone()[0]) for name in PRAGMAS}
    finally:
        conn.close()


def open_on(vfs: str, path: Path, pragmas: dict[str, str]) -> sqlite3.Connection:
    """Open `path` on a VFS with these pragmas.

    apsw's VFS has no shared memory, so the log needs exclusive locking; that changes who may look, not what is synced.
    """
    conn = apsw.Connection(str(path), vfs=vfs, flags=apsw.SQLITE_OPEN_READWRITE)
    conn.execute("PRAGMA locking_mode=EXCLUSIVE")
    for name, value in pragmas.items():
        conn.execute(f"PRAGMA {name}={value}")
    return cast("sqlite3.Connection", Shim(conn))


class Shim:
    """Looks like a `sqlite3.Connection` with `isolation_level=None`."""

    def __init__(self, conn: apsw.Connection) -> None:
        self._conn = conn

    def execute(self, sql: str, values: Sequence[Scalar] = ()) -> _Cursor:
        """See `sqlite3.Connection.execute`."""
        return _Cursor(self._conn, self._conn.execute(sql, tuple(values)))

    def executemany(self, sql: str, rows: Iterable[Sequence[Scalar]]) -> _Cursor:
        """See `sqlite3.Connection.executemany`."""
        return _Cursor(self._conn, self._conn.executemany(sql, [tuple(row) for row in rows]))

    @property
    def in_transaction(self) -> bool:
        """See `sqlite3.Connection.in_transaction`."""
        return self._conn.in_transaction

    @property
    def total_changes(self) -> int:
        """See `sqlite3.Connection.total_changes`."""
        return self._conn.total_changes()

    def close(self) -> None:
        """See `sqlite3.Connection.close`."""
        self._conn.close(True)  # noqa: FBT003 -- apsw's own form of "whatever happens"


class _Cursor:
    """Looks like a `sqlite3.Cursor`."""

    def __init__(self, conn: apsw.Connection, cursor: apsw.Cursor) -> None:
        self.rowcount = conn.changes()
        self.lastrowid = conn.last_insert_rowid()
        self._cursor = cursor

    def __iter__(self) -> Iterator[Row]:
        return iter(self.fetchall())

    def fetchone(self) -> Row | None:
        """See `sqlite3.Cursor.fetchone`."""
        row: Row | None = self._cursor.fetchone()
        return row

    def fetchall(self) -> list[Row]:
        """See `sqlite3.Cursor.fetchall`."""
        rows: list[Row] = self._cursor.fetchall()
        return rows
