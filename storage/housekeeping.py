"""Timers that are due, and rows that have had their time.

Knows: how long bookkeeping rows are kept, and that a list of tools is kept while a conversation is answered with it.
Must not know: what a timer means. Nothing a person said is deleted here.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.domain.stamp import Stamp
from core.engine.ports import Due

DAY_MS = 24 * 3_600_000
SOURCE_KEPT_MS = 30 * DAY_MS  # a redelivery or a catch-up older than that is not expected (DESIGN section 2)
EFFECT_KEPT_MS = 30 * DAY_MS  # finished effects, for `show` and for questions of operators
TICKET_KEPT_MS = 30 * DAY_MS  # tickets that open nothing any more, and answered claims; a later code is unknown
GUESS_KEPT_MS = DAY_MS  # wrong codes outlive the longest lock-out, and who was turned away is told once a day
SLICE_ROWS = 2_000  # of one sweep: a few milliseconds of the writer

_DUE = "SELECT id, idle_epoch, due_ms FROM session WHERE due_ms IS NOT NULL AND due_ms <= ? ORDER BY due_ms LIMIT ?"
_BEYOND = "SELECT id, idle_epoch, due_ms FROM session WHERE due_ms IS NOT NULL AND due_ms > ? LIMIT ?"
_AHEAD = "SELECT id, idle_epoch, due_ms FROM session WHERE due_ms IS NOT NULL AND last_human_ms > ? LIMIT ?"
_OLD_EFFECTS = (
    "DELETE FROM effect WHERE n IN (SELECT n FROM effect ORDER BY n LIMIT ?)"
    " AND state NOT IN ('pending', 'started') AND created_ms < ?"
)
# Ids begin with the time, so old rows are one range of the primary key.
_OLD_TICKETS = (
    "DELETE FROM ticket WHERE id IN (SELECT id FROM ticket WHERE id < ?1 AND expires_ms < ?2 ORDER BY id LIMIT ?3)"
)
_OLD_CLAIMS = (
    "DELETE FROM move_claim WHERE id IN"
    " (SELECT id FROM move_claim WHERE id < ?1 AND (state <> 'open' OR ask_owner = 0) ORDER BY id LIMIT ?2)"
)
_UNUSED_TOOL_LISTS = (
    "DELETE FROM tool_list WHERE digest IN (SELECT t.digest FROM tool_list AS t"
    " WHERE NOT EXISTS (SELECT 1 FROM session AS s WHERE s.tools = t.digest AND s.tools <> '') LIMIT ?)"
)
_OLD_GUESSES = "DELETE FROM guesses WHERE key IN (SELECT key FROM guesses WHERE last_ms < ? LIMIT ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many rows went, and the source key that the walk has come to ("" = start over)."""

    rows: int
    last_key: str


def due_sessions(conn: sqlite3.Connection, now_ms: int, horizon_ms: int, limit: int) -> tuple[Due, ...]:
    """See `Store.due_sessions`."""
    rows = conn.execute(_DUE, (now_ms, limit)).fetchall() or conn.execute(_BEYOND, (horizon_ms, limit)).fetchall()
    return tuple([Due(session_id=row[0], idle_epoch=row[1], due_ms=row[2]) for row in rows])


def ahead_of_time(conn: sqlite3.Connection, now_ms: int, limit: int) -> tuple[Due, ...]:
    """See `Store.ahead_of_time`."""
    rows = conn.execute(_AHEAD, (now_ms, limit)).fetchall()
    return tuple([Due(session_id=row[0], idle_epoch=row[1], due_ms=row[2]) for row in rows])


def next_due_ms(conn: sqlite3.Connection) -> int | None:
    """When the next timer rings."""
    row = conn.execute("SELECT min(due_ms) FROM session WHERE due_ms IS NOT NULL").fetchone()
    return None if row[0] is None else int(row[0])


def wake_unused(conn: sqlite3.Connection, now_ms: int) -> None:
    """See `Store.wake_unused`."""
    conn.execute(
        "UPDATE session SET due_ms = ? WHERE due_ms IS NULL AND phase IN ('expired', 'closed')",
        (now_ms,),
    )


def uptime_ms(conn: sqlite3.Connection) -> int:
    """See `Store.uptime_ms`."""
    row = conn.execute("SELECT value FROM meta WHERE key = 'uptime_ms'").fetchone()
    return 0 if row is None else int(row[0])


def keep_uptime(conn: sqlite3.Connection, ms: int) -> None:
    """See `Store.keep_uptime`."""
    sql = "INSERT INTO meta (key, value) VALUES ('uptime_ms', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    conn.execute(sql, (str(ms),))


def sweep(conn: sqlite3.Connection, now_ms: int, after_key: str) -> Swept:
    """Delete one slice of what has had its time; of source keys, walking on from `after_key`."""
    keys = conn.execute(
        "SELECT key, at_ms FROM source WHERE key > ? ORDER BY key LIMIT ?", (after_key, SLICE_ROWS)
    ).fetchall()
    old = [(key,) for key, at_ms in keys if at_ms < now_ms - SOURCE_KEPT_MS]
    conn.executemany("DELETE FROM source WHERE key = ?", old)
    effects = conn.execute(_OLD_EFFECTS, (SLICE_ROWS, now_ms - EFFECT_KEPT_MS)).rowcount
    last = keys[-1][0] if len(keys) == SLICE_ROWS else ""
    lists = conn.execute(_UNUSED_TOOL_LISTS, (SLICE_ROWS,)).rowcount
    return Swept(rows=len(old) + effects + lists + _sweep_codes(conn, now_ms), last_key=last)


def _sweep_codes(conn: sqlite3.Connection, now_ms: int) -> int:
    """Tickets, claims and wrong codes that mean nothing any more."""
    before_ms = max(now_ms - TICKET_KEPT_MS, 0)
    oldest = Stamp(now_ms=before_ms, seed="").ulid("")[:10]
    tickets = conn.execute(_OLD_TICKETS, (oldest, before_ms, SLICE_ROWS)).rowcount
    claims = conn.execute(_OLD_CLAIMS, (oldest, SLICE_ROWS)).rowcount
    return tickets + claims + conn.execute(_OLD_GUESSES, (now_ms - GUESS_KEPT_MS, SLICE_ROWS)).rowcount


def bind_key(conn: sqlite3.Connection, key_id: str) -> str:
    """The id of the root key that the database is used with; `key_id` if none was noted yet."""
    conn.execute("INSERT INTO meta (key, value) VALUES ('key_id', ?) ON CONFLICT (key) DO NOTHING", (key_id,))
    return str(conn.execute("SELECT value FROM meta WHERE key = 'key_id'").fetchone()[0])


def rebind_key(conn: sqlite3.Connection, key_id: str) -> None:
    """From now on the database is used with this root key."""
    conn.execute("UPDATE meta SET value = ? WHERE key = 'key_id'", (key_id,))
