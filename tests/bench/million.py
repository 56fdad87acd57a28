"""A database with a million sessions.

Knows: rows by the million. Each session has its binding, a finished effect and a timer, one second after the other.
SQLite makes the rows itself from one statement; the values have the shapes and sizes of real ones.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.codec import dumps
from core.domain.effects import Deliver
from storage.connection import open_for_writing
from storage.migrate import prepare

NOW_MS = 1_764_000_000_000
SPACING_MS = 1_000  # between the due times of two sessions

_ROWS = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?), made AS (SELECT i,"
    " printf('01MILLION%017d', i) AS id, printf('slack/T0/C%05d/t%d/U%d', i / 200, i, i) AS key FROM n) "
)
_SESSIONS = (
    "INSERT INTO session (num, id, owner, home, created_ms, phase, title, last_human_ms, idle_epoch, due_ms, next_seq,"
    " tokens, exchanges, fresh_from_seq, level) SELECT i, id, printf('01OWNER%019d', i), key, ?, 'active',"
    " 'What was the name of the thing that we talked about', ?, 0, ? + i * ?, 11, 1680, 5, 1, 'full' FROM made"
)
_BINDINGS = "INSERT INTO binding (key, session_id) SELECT key, id FROM made"
_EFFECTS = (
    "INSERT INTO effect (n, id, session_id, effect, created_ms, state, boot, attempt, not_before_ms, deadline_ms,"
    " order_key, waits, failure, kind, turn_id) SELECT i, printf('01EFFECT%018d', i), id, ?, ?, 'done', 'earlier',"
    " 1, 0, ?, 'answer:' || key, '[]', '', 'Deliver', printf('01TURN%020d', i) FROM made"
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
    conn.execute(_ROWS + _SESSIONS, (sessions, NOW_MS, NOW_MS, NOW_MS, SPACING_MS))
    conn.execute(_ROWS + _BINDINGS, (sessions,))
    conn.execute(_ROWS + _EFFECTS, (sessions, dumps(Deliver(turn_id=f"01TURN{0:020d}")), NOW_MS, NOW_MS))
    for _, sql in indexes:  # sorted once instead of searched a million times
        conn.execute(sql)
    conn.execute("COMMIT")
    conn.execute("PRAGMA journal_mode=WAL").fetchone()
    conn.close()


def session_id(at: int) -> str:
    """The id of session `at`, from 1."""
    return f"01MILLION{at:017d}"


def scan(conn: sqlite3.Connection, now_ms: int) -> int:
    """How many timers are due, found without the index."""
    sql = "SELECT count(*) FROM session NOT INDEXED WHERE due_ms IS NOT NULL AND due_ms <= ?"
    return int(conn.execute(sql, (now_ms,)).fetchone()[0])
