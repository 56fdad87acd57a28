"""Effects as rows: striking off, starting, claiming. The only place that writes `state='started'`.

Knows: states, boots, attempts, order and waits (DESIGN section 4). Must not know: what an effect does.

A result is taken only while state, boot and attempt still match, so a stalled performer can never write over its
successor. An effect with an `order_key` starts only when no older open one has the same key; `waits` names effects
that must not be open any more. Open = pending or started.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.domain.entities import EffectRow, EffectState
from core.engine.ports import Claim
from storage.rows import EFFECT, kind_of, put

OPEN = frozenset({EffectState.PENDING, EffectState.STARTED})

_STRIKE_OFF = (
    "UPDATE effect SET state = 'done' WHERE id = ? AND state = 'started' AND boot = ? AND attempt = ?"
    f" RETURNING {', '.join(EFFECT.fields)}"
)
_OLDER_OPEN = (
    "SELECT 1 FROM effect WHERE order_key = ? AND order_key <> '' AND state IN ('pending', 'started')"
    " AND id <> ? AND n < coalesce((SELECT n FROM effect WHERE id = ?), 9223372036854775807) LIMIT 1"
)
_STILL_OPEN = "SELECT 1 FROM effect WHERE id = ? AND state IN ('pending', 'started')"
_READY = (
    f"SELECT {EFFECT.fields_of('e')}, e.n FROM effect AS e"
    " WHERE e.state = 'pending' AND e.kind = ? AND e.ripe_ms <= ? AND e.not_before_ms <= ?"
    " AND (e.order_key = '' OR NOT EXISTS (SELECT 1 FROM effect AS o WHERE o.order_key = e.order_key"
    "  AND o.order_key <> '' AND o.state IN ('pending', 'started') AND o.n < e.n))"
    " AND (e.waits = '[]' OR NOT EXISTS (SELECT 1 FROM json_each(e.waits) AS w JOIN effect AS x"
    "  ON x.id = w.value WHERE x.state IN ('pending', 'started')))"
    " ORDER BY e.ripe_ms, e.n LIMIT ?"
)
_NEXT = "SELECT min(not_before_ms) FILTER (WHERE not_before_ms > ?), count(*) FROM effect WHERE state = 'pending'"
_START = "UPDATE effect SET state = 'started', boot = ?, attempt = attempt + 1 WHERE n = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """Under which boot, when and how many effects may be started (`room`: free slots by effect class name)."""

    boot: str
    now_ms: int
    room: Mapping[str, int]


def strike_off(conn: sqlite3.Connection, claim: Claim) -> EffectRow | None:
    """Mark the claimed effect done and delete its drafts; the row as it was, None when the claim is stale."""
    rows = conn.execute(_STRIKE_OFF, (claim.effect_id, claim.boot, claim.attempt)).fetchall()
    if not rows:
        return None
    conn.execute("DELETE FROM draft WHERE effect_id = ?", (claim.effect_id,))
    return dataclasses.replace(EFFECT.decode(rows[0]), state=EffectState.STARTED)


def write(conn: sqlite3.Connection, effects: Iterable[EffectRow], starting: Starting) -> tuple[EffectRow, ...]:
    """Write the effects of one decision; those that may start now are written as started and returned."""
    rows = sorted(effects, key=lambda row: row.state in OPEN)  # what ends makes way for what begins
    open_here = {row.id for row in rows if row.state in OPEN}
    room = dict(starting.room)
    started: list[EffectRow] = []
    for row in rows:
        now = row
        if row.state is EffectState.PENDING and room.get(kind_of(row), 0) > 0:
            now = _started_if_ready(conn, row, starting, open_here)
        if now is not row:
            room[kind_of(row)] -= 1
            started.append(now)
        put(conn, EFFECT.upsert, EFFECT.encode(now))
        if row.state not in OPEN:
            conn.execute("DELETE FROM draft WHERE effect_id = ?", (row.id,))
    return tuple(started)


def claim(conn: sqlite3.Connection, starting: Starting, horizon_ms: int) -> tuple[EffectRow, ...]:
    """Start what is due and ready, oldest first, within the room.

    `horizon_ms` is the latest time that any effect was created at. It is `now` but for a clock that was set back:
    what was created "later" is due all the same, and the index is read no further than that.
    """
    started: list[EffectRow] = []
    for kind, free in starting.room.items():
        if free <= 0:
            continue
        for *fields, n in conn.execute(_READY, (kind, horizon_ms, starting.now_ms, free)).fetchall():
            conn.execute(_START, (starting.boot, n))
            started.append(_as_started(EFFECT.decode(fields), starting))
    return tuple(started)


def _started_if_ready(conn: sqlite3.Connection, row: EffectRow, starting: Starting, open_here: set[str]) -> EffectRow:
    """The row as started when it is due, first of its order and waits for nothing; else the row itself.

    Effects of the same decision are written in their order, so older ones with the same key are found as rows;
    those it waits for may come later in the decision and are found in `open_here`.
    """
    if row.not_before_ms > starting.now_ms:
        return row
    if row.order_key and conn.execute(_OLDER_OPEN, (row.order_key, row.id, row.id)).fetchone():
        return row
    for each in row.waits:
        if each in open_here or conn.execute(_STILL_OPEN, (each,)).fetchone():
            return row
    return _as_started(row, starting)


def _as_started(row: EffectRow, starting: Starting) -> EffectRow:
    return dataclasses.replace(row, state=EffectState.STARTED, boot=starting.boot, attempt=row.attempt + 1)


# --- reads ------------------------------------------------------------------------------------------


def next_effect_ms(conn: sqlite3.Connection, now_ms: int) -> int | None:
    """See `Store.next_effect_ms`."""
    later_ms, pending = conn.execute(_NEXT, (now_ms,)).fetchone()
    return (now_ms if later_ms is None else int(later_ms)) if pending else None


def orphans(conn: sqlite3.Connection, boot: str) -> tuple[EffectRow, ...]:
    """Effects that another boot had started, oldest first."""
    # Named, because without statistics SQLite would rather walk the whole table in the order of n.
    sql = f"{EFFECT.select} INDEXED BY effect_started WHERE state = 'started' AND boot <> ? ORDER BY n"
    return tuple([EFFECT.decode(row) for row in conn.execute(sql, (boot,)).fetchall()])


def latest_created_ms(conn: sqlite3.Connection) -> int:
    """The latest creation of a pending effect, 0 when there is none."""
    sql = "SELECT coalesce(max(created_ms), 0) FROM effect WHERE state = 'pending'"
    return int(conn.execute(sql).fetchone()[0])
