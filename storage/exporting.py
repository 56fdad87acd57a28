"""Everything that is kept of a person, read in one snapshot: the counterpart of `storage.erasing`.

Knows: every table that holds words of people. Must not know: how it is handed over. What `erasing` deletes of a
person is here, but for digests of codes and bookkeeping.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TypeVar

from core.domain.codes import hidden
from core.domain.entities import Message, Person, Role
from core.domain.keys import Place
from core.domain.tooling import Credential
from core.engine.handover import Connected, Kept, KeptSession, Posted
from storage import tasking
from storage.erasing import ASKED_ELSEWHERE, HEARD_ELSEWHERE
from storage.lookups import messages
from storage.rows import (
    CREDENTIAL,
    FILE_COPY,
    LINK,
    MESSAGE,
    PERSON,
    PREFERENCE,
    ROUND,
    SEQ_BITS,
    SEQ_MASK,
    SESSION,
    SUMMARY,
    TOOL_CALL,
    WAITING,
    Scalar,
    Table,
)

E = TypeVar("E")

_SESSIONS = f"SELECT num, {', '.join(SESSION.fields)} FROM session WHERE owner = ? ORDER BY num"
_MESSAGE = f"SELECT id, {', '.join(MESSAGE.fields)} FROM message WHERE"
_CARDS = "SELECT text FROM card WHERE session_id = ? ORDER BY created_ms, rowid"
_POSTS = "SELECT place, text, created_ms FROM board_post WHERE place >= ? AND place < ? AND author = ? ORDER BY n"


def kept(conn: sqlite3.Connection, identity: str) -> Kept:
    """Everything of the owner with this identity; empty when there is none."""
    accounts: tuple[Person, ...] = _rows(conn, PERSON, "identity = ? ORDER BY key", identity)
    sessions = [_session(conn, row) for row in conn.execute(_SESSIONS, (identity,)).fetchall()]
    return Kept(
        accounts=accounts,
        sessions=tuple(sessions),
        elsewhere=tuple(each for account in accounts for each in _elsewhere(conn, account, identity)),
        posts=tuple(each for account in accounts for each in _posts(conn, account)),
        links=tuple(each for account in accounts for each in _rows(conn, LINK, "account = ?", str(account.key))),
        preference=next(iter(_rows(conn, PREFERENCE, "identity = ?", identity)), None),
        connections=tuple(map(_connected, _rows(conn, CREDENTIAL, "owner = ? ORDER BY server", identity))),
    )


def _connected(credential: Credential) -> Connected:
    """What can be handed over of a login: not what is sealed in it."""
    return Connected(
        server=credential.server,
        account=credential.account,
        status=credential.status.value,
        scopes=credential.scopes,
        since_ms=credential.created_ms,
        used_ms=credential.used_ms,
    )


def _session(conn: sqlite3.Connection, row: tuple[Scalar, ...]) -> KeptSession:
    session = SESSION.decode(row[1:])
    return KeptSession(
        session=session,
        messages=messages(conn, int(row[0] or 0), session.id),
        waiting=_rows(conn, WAITING, "session_id = ? ORDER BY n", session.id),
        summaries=_rows(conn, SUMMARY, "session_id = ? ORDER BY to_seq, created_ms", session.id),
        tasks=tasking.all_works(conn, session.id),
        notices=tuple(hidden(text) for (text,) in conn.execute(_CARDS, (session.id,)).fetchall()),
        files=_rows(conn, FILE_COPY, "session_id = ? ORDER BY file_id", session.id),
        rounds=_rows(conn, ROUND, "session_id = ? ORDER BY turn_id, n", session.id),
        calls=_rows(conn, TOOL_CALL, "session_id = ? ORDER BY created_ms, round, n", session.id),
    )


def _elsewhere(conn: sqlite3.Connection, account: Person, identity: str) -> Iterable[Message]:
    """What an account said in conversations of others, and what was heard of it there."""
    ids: set[int] = set()
    for turn_id, session_id, num in conn.execute(ASKED_ELSEWHERE, (str(account.key),)).fetchall():
        owner = conn.execute("SELECT owner FROM session WHERE id = ?", (session_id,)).fetchone()[0]
        if owner != identity:
            first, end = num << SEQ_BITS, (num + 1) << SEQ_BITS
            sql = "SELECT id FROM message WHERE id >= ? AND id < ? AND role = 'user' AND (turn_id = ? OR author = ?)"
            ids |= {row[0] for row in conn.execute(sql, (first, end, turn_id, account.name)).fetchall()}
    if account.key.workspace:
        # By name, which is all that we know of whom we only heard; among all people of a platform a name says nothing.
        heard = (SEQ_BITS, account.name, *account.key.places)
        ids |= {row[0] for row in conn.execute(HEARD_ELSEWHERE, heard).fetchall()}
    for message_id in sorted(ids):
        row = conn.execute(f"{_MESSAGE} id = ?", (message_id,)).fetchone()
        session_id = conn.execute("SELECT id FROM session WHERE num = ?", (message_id >> SEQ_BITS,)).fetchone()[0]
        message = MESSAGE.decode(row[1:], session_id=session_id, seq=message_id & SEQ_MASK)
        if message.role is not Role.ASSISTANT:
            yield message


def _posts(conn: sqlite3.Connection, account: Person) -> Iterable[Posted]:
    """What an account wrote on the board of the built-in web chat."""
    for place, text, at_ms in conn.execute(_POSTS, (*account.key.places, account.key.user)).fetchall():
        found = Place.parse(place)
        yield Posted(where=f"{found.workspace}/{found.channel}", text=text, at_ms=at_ms)


def _rows(conn: sqlite3.Connection, table: Table[E], where: str, *values: Scalar) -> tuple[E, ...]:
    rows = conn.execute(f"{table.select} WHERE {where}", values).fetchall()
    return tuple([table.decode(row) for row in rows])
