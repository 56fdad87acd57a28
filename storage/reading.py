"""Read-only access for the command line, beside a running process or without one.

Knows: which rows tell an operator what there is. Must not know: how it is printed.
The database is opened read-only: nothing here can change it, and the process that runs is not disturbed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from core.codec import Json, to_plain
from core.domain.entities import Card, EffectRow, Message, Person, Session, Turn, Waiting
from core.domain.errors import BadInput
from core.domain.leaving import Summary
from core.domain.tooling import Round, ToolCall
from storage.connection import open_for_reading
from storage.erasing import OWNER
from storage.faults import translate
from storage.forget import resolve
from storage.lookups import messages
from storage.migrate import inspect
from storage.rows import (
    CARD,
    EFFECT,
    PERSON,
    ROUND,
    SEQ_BITS,
    SESSION,
    SUMMARY,
    TOOL_CALL,
    TURN,
    WAITING,
    Scalar,
    Table,
)

E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLine:
    """One session in a list. `owner_name` is the name of one of the owner's accounts, "" when unknown."""

    session: Session
    messages: int
    owner_name: str
    busy: bool  # an answer is in the making


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDetail:
    """One session with everything that belongs to it, oldest first."""

    session: Session
    messages: tuple[Message, ...]
    waiting: tuple[Waiting, ...]
    turns: tuple[Turn, ...]
    cards: tuple[Card, ...]
    effects: tuple[EffectRow, ...]
    summaries: tuple[Summary, ...] = ()
    rounds: tuple[Round, ...] = ()
    calls: tuple[ToolCall, ...] = ()


@contextlib.contextmanager
def open_reading(database: Path) -> Iterator[sqlite3.Connection]:
    """One consistent, read-only look at the database.

    Raises:
        FileNotFoundError: there is none.
        StoreDamaged: it is damaged or not ours.
        StoreNewer: a newer release wrote it.
    """
    inspect(database)
    try:
        with contextlib.closing(open_for_reading(database)) as conn:
            conn.execute("BEGIN")
            yield conn
    except sqlite3.Error as error:
        raise translate(error) from error


def sessions(conn: sqlite3.Connection, *, limit: int = 1_000, owner: str = "") -> tuple[SessionLine, ...]:
    """The sessions, the one last spoken in first; of one owner if given."""
    sql = (
        f"SELECT {SESSION.fields_of('s')},"
        " (SELECT count(*) FROM message WHERE id >= s.num << ?1 AND id < (s.num + 1) << ?1),"
        " coalesce((SELECT name FROM person WHERE identity = s.owner LIMIT 1), ''),"
        " EXISTS (SELECT 1 FROM turn WHERE session_id = s.id AND state IN ('open', 'stopping'))"
        " FROM session AS s WHERE ?2 = '' OR s.owner = ?2 ORDER BY s.last_human_ms DESC, s.num DESC LIMIT ?3"
    )
    return tuple(
        SessionLine(session=SESSION.decode(row[:-3]), messages=row[-3], owner_name=row[-2], busy=bool(row[-1]))
        for row in conn.execute(sql, (SEQ_BITS, owner, limit)).fetchall()
    )


def detail(conn: sqlite3.Connection, session_id: str) -> SessionDetail:
    """One session. Raises `KeyError` for an unknown one."""
    row = conn.execute(f"SELECT num, {', '.join(SESSION.fields)} FROM session WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        raise KeyError(session_id)
    return SessionDetail(
        session=SESSION.decode(row[1:]),
        messages=messages(conn, row[0], session_id),
        waiting=_rows(conn, WAITING, "session_id = ? ORDER BY n", session_id),
        turns=_rows(conn, TURN, "session_id = ? ORDER BY created_ms, first_seq", session_id),
        cards=_rows(conn, CARD, "session_id = ? ORDER BY created_ms, key", session_id),
        effects=_rows(conn, EFFECT, "session_id = ? ORDER BY n", session_id),
        summaries=_rows(conn, SUMMARY, "session_id = ? ORDER BY to_seq, created_ms", session_id),
        rounds=_rows(conn, ROUND, "session_id = ? ORDER BY turn_id, n", session_id),
        calls=_rows(conn, TOOL_CALL, "session_id = ? ORDER BY created_ms, round, n", session_id),
    )


def export(conn: sqlite3.Connection, name: str) -> dict[str, Json]:
    """Everything of a session, or of an owner, as plain data for JSON.

    Raises:
        BadInput: nothing is called so.
    """
    found = resolve(conn, name)
    if found is None:
        raise BadInput(code="unknown_subject", detail="there is no session and no owner of that name")
    kind, key = found
    if kind != OWNER:
        return _plain(detail(conn, key))
    people: tuple[Person, ...] = _rows(conn, PERSON, "identity = ? ORDER BY key", key)
    ids = [row[0] for row in conn.execute("SELECT id FROM session WHERE owner = ? ORDER BY num", (key,)).fetchall()]
    return {
        "owner": key,
        "accounts": [{"key": str(each.key), "name": each.name} for each in people],
        "sessions": [_plain(detail(conn, each)) for each in ids],
    }


def counts(conn: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has."""
    names = conn.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    ).fetchall()
    return {name: int(conn.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for (name,) in names}


def _plain(value: SessionDetail) -> dict[str, Json]:
    """The detail as plain data, bookkeeping left out."""
    return {
        "session": to_plain(value.session),
        "messages": to_plain(value.messages),
        "waiting": to_plain(value.waiting),
        "turns": to_plain(value.turns),
        "cards": to_plain(value.cards),
        "summaries": to_plain(value.summaries),
        "rounds": to_plain(value.rounds),
        "calls": to_plain(value.calls),
    }


def _rows(conn: sqlite3.Connection, table: Table[E], where: str, *values: Scalar) -> tuple[E, ...]:
    rows = conn.execute(f"{table.select} WHERE {where}", values).fetchall()
    return tuple([table.decode(row) for row in rows])
