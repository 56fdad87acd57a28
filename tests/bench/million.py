"""A database with a million sessions.

Knows: rows by the million. Each session has its binding, a finished effect and a timer, one second after the other.
SQLite makes the rows itself, all like one value of ours but for what tells them apart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from core.domain.effects import Deliver
from core.domain.entities import Binding, EffectRow, EffectState
from storage.connection import open_for_writing
from storage.migrate import prepare
from storage.rows import BINDING, EFFECT, SESSION, Scalar, Table
from tests.bench.exchanges import NOW_MS, session

T = TypeVar("T")

SPACING_MS = 1_000  # between the due times of two sessions

_ROWS = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?), made AS (SELECT i,"
    " printf('01MILLION%017d', i) AS id, printf('slack/T0/C%05d/t%d/U%d', i / 200, i, i) AS key FROM n) "
)
_INDEX = (
    "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name IN ('session', 'binding', 'effect')"
    " AND sql > ''"
)


def make(path: Path, sessions: int) -> None:
    """Make the database; the due time of session i is NOW_MS + i seconds."""
    prepare(path)
    conn = open_for_writing(path)
    conn.execute("PRAGMA journal_mode=OFF").fetchone()
    conn.execute("PRAGMA synchronous=OFF")
    indexes = conn.execute(_INDEX).fetchall()
    conn.execute("BEGIN")
    for name, _ in indexes:
        conn.execute(f"DROP INDEX {name}")
    one = replace(session(0), title="What was the name of the thing that we talked about", next_seq=11, tokens=1_680)
    due = f"{NOW_MS} + i * {SPACING_MS}"
    owner, turn = "printf('01OWNER%019d', i)", "printf('01TURN%020d', i)"
    _fill(conn, SESSION, one, sessions, {"id": "id", "owner": owner, "home": "key", "due_ms": due})
    _fill(conn, BINDING, Binding(key=one.home, session_id=one.id), sessions, {"key": "key", "session_id": "id"})
    done = EffectRow(
        id="", session_id="", effect=Deliver(turn_id=one.id), created_ms=NOW_MS, state=EffectState.DONE, boot="earlier"
    )
    _fill(conn, EFFECT, done, sessions, {"id": "printf('01EFFECT%018d', i)", "session_id": "id", "turn_id": turn})
    for _, sql in indexes:  # sorted once instead of searched a million times
        conn.execute(sql)
    conn.execute("COMMIT")
    conn.execute("PRAGMA journal_mode=WAL").fetchone()
    conn.close()


def _fill(conn: sqlite3.Connection, table: Table[T], one: T, rows: int, varying: Mapping[str, str]) -> None:
    """Insert `rows` rows like `one`; `varying` has expressions of the row's number `i`, its `id` and its `key`."""
    values: list[Scalar] = [
        value for column, value in zip(table.columns, table.encode(one), strict=True) if column not in varying
    ]
    selected = ", ".join(varying.get(column, "?") for column in table.columns)
    sql = f"INSERT INTO {table.name} ({', '.join(table.columns)}) SELECT {selected} FROM made"  # noqa: S608
    conn.execute(_ROWS + sql, [rows, *values])


def session_id(at: int) -> str:
    """The id of session `at`, from 1."""
    return f"01MILLION{at:017d}"


def scan(conn: sqlite3.Connection, now_ms: int) -> int:
    """How many timers are due, found without the index."""
    sql = "SELECT count(*) FROM session NOT INDEXED WHERE due_ms IS NOT NULL AND due_ms <= ?"
    return int(conn.execute(sql, (now_ms,)).fetchone()[0])
