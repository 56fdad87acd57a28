"""The three ways to store an exchange: our store, raw aiosqlite, and one JSON blob for each session.

Knows: the rows. An exchange is one source key, two messages and the session as it is now; our store and raw
aiosqlite write the very same rows into the very same schema, each exchange acknowledged only when it is on the disk
(WAL, synchronous=FULL). The blob way (the source document's option 1: load the session's JSON, append, write it
back) is given the same WAL and FULL, which is kinder to it than the rollback journal that it comes with.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import aiosqlite

from core.domain.entities import Message, Role, Session
from core.domain.keys import SessionKey
from storage import open_store
from storage.apply import apply
from storage.claims import Starting
from storage.connection import open_for_writing
from storage.migrate import prepare
from storage.rows import MESSAGE, SEQ_BITS, SESSION
from storage.sqlite import SqliteStore

NOW_MS = 1_764_000_000_000
TEXT = "Words of an ordinary length, as people and models write them in a chat. " * 7  # 504 bytes, twice per exchange
_STARTING = Starting(boot="bench", now_ms=NOW_MS, room={})
_SOURCE = "INSERT INTO source (key, at_ms) VALUES (?, ?)"
INSERT_MESSAGE = f"INSERT INTO message (id, {', '.join(MESSAGE.fields)}) VALUES (?{', ?' * len(MESSAGE.fields)})"  # noqa: S608
_FILL = 5_000  # rows at a time


_Row = tuple[object, ...]


class Way(Protocol):
    """One way to store exchanges; `sessions` of them with `history` messages each are there already."""

    name: str

    def prepare(self, sessions: int, each: int) -> None:
        """Make what will be stored: that is the caller's work on either side, and is not measured."""
        ...

    async def exchange(self, at: int) -> None:
        """Store one more exchange of session `at`, which was prepared; it is on the disk when this returns."""
        ...

    async def close(self) -> None:
        """Close the database."""
        ...


def session(at: int) -> Session:
    """Session `at` before its first message."""
    return Session(
        id=f"01BENCH{at:019d}",
        owner=f"01OWNER{at:019d}",
        home=SessionKey(platform="local", workspace="home", channel="general", thread=f"t{at}", user="alice"),
        created_ms=NOW_MS,
        last_human_ms=NOW_MS,
        due_ms=NOW_MS + 1_800_000,
    )


def said(of: Session, seq: int) -> Message:
    """Message `seq` of a session: a person's, then the answer, in turn."""
    role = Role.USER if seq % 2 else Role.ASSISTANT
    return Message(session_id=of.id, seq=seq, role=role, text=TEXT, created_ms=NOW_MS, author="Alice", tokens=168)


def fill(path: Path, sessions: int, history: int) -> list[Session]:
    """Make a database of this release with `sessions` sessions of `history` messages."""
    prepare(path)
    conn = open_for_writing(path)
    made = [replace(session(at), next_seq=history + 1, tokens=168 * history) for at in range(sessions)]
    conn.execute("BEGIN")
    conn.executemany(SESSION.insert, [SESSION.encode(each) for each in made])
    conn.execute("COMMIT")
    for num, each in enumerate(made, 1):
        for first in range(1, history + 1, _FILL):
            seqs = range(first, min(first + _FILL, history + 1))
            conn.execute("BEGIN")
            conn.executemany(
                INSERT_MESSAGE, [(num << SEQ_BITS | seq, *MESSAGE.encode(said(each, seq))) for seq in seqs]
            )
            conn.execute("COMMIT")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    conn.close()
    return made


class Ours:
    """`SqliteStore`, one unit for each exchange."""

    name = "rejoinder"

    def __init__(self, store: SqliteStore, sessions: list[Session]) -> None:
        self.store = store
        self._sessions = sessions
        self._ready: list[deque[tuple[tuple[str, int], tuple[Session, Message, Message]]]] = [deque() for _ in sessions]

    @classmethod
    async def open(cls, path: Path, sessions: int, history: int) -> Ours:
        """Make and open a database."""
        made = fill(path, sessions, history)
        return cls(await open_store(path), made)

    def prepare(self, sessions: int, each: int) -> None:
        """See `Way.prepare`."""
        for at in range(sessions):
            for _ in range(each):
                before = self._sessions[at]
                seq = before.next_seq
                now = self._sessions[at] = replace(before, next_seq=seq + 2, tokens=before.tokens + 336)
                self._ready[at].append(((f"local:{at}:{seq}", NOW_MS), (now, said(now, seq), said(now, seq + 1))))

    async def exchange(self, at: int) -> None:
        """See `Way.exchange`."""
        key, changes = self._ready[at].popleft()

        def unit(conn: sqlite3.Connection) -> None:
            conn.execute(_SOURCE, key)
            apply(conn, changes, _STARTING, None)

        await self.store.submit(unit)

    async def close(self) -> None:
        """See `Way.close`."""
        await self.store.close()


class Raw:
    """aiosqlite as its documentation shows it: statements, then a commit, for each exchange."""

    name = "raw aiosqlite"
    _SESSION = "UPDATE session SET last_human_ms = ?, due_ms = ?, next_seq = ?, tokens = ? WHERE id = ?"

    def __init__(self, db: aiosqlite.Connection, sessions: int, history: int) -> None:
        self._db = db
        self._lock = asyncio.Lock()  # coroutines on one connection would share a transaction
        self._ids = [session(at).id for at in range(sessions)]
        self._next = [history + 1] * sessions
        self._ready: list[deque[tuple[_Row, list[_Row], _Row]]] = [deque() for _ in range(sessions)]

    @classmethod
    async def open(cls, path: Path, sessions: int, history: int) -> Raw:
        """Make and open a database."""
        fill(path, sessions, history)
        return cls(await _connect(path), sessions, history)

    def prepare(self, sessions: int, each: int) -> None:
        """See `Way.prepare`."""
        for at in range(sessions):
            of, first = session(at), (at + 1) << SEQ_BITS
            for _ in range(each):
                seq = self._next[at]
                self._next[at] = seq + 2
                update = (NOW_MS, NOW_MS + 1_800_000, seq + 2, 168 * (seq + 1), self._ids[at])
                messages: list[_Row] = [(first | each, *MESSAGE.encode(said(of, each))) for each in (seq, seq + 1)]
                self._ready[at].append(((f"local:{at}:{seq}", NOW_MS), messages, update))

    async def exchange(self, at: int) -> None:
        """See `Way.exchange`."""
        source, messages, update = self._ready[at].popleft()
        async with self._lock:
            await self._db.execute(_SOURCE, source)
            await self._db.executemany(INSERT_MESSAGE, messages)
            await self._db.execute(self._SESSION, update)
            await self._db.commit()

    async def close(self) -> None:
        """See `Way.close`."""
        await self._db.close()


class Blob:
    """One row for each session, its history as one JSON text that is read and written whole."""

    name = "JSON blob"

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, sessions: int, history: int) -> Blob:
        """Make and open a database."""
        db = await _connect(path)
        await db.execute("PRAGMA journal_mode=WAL")
        await db.execute("CREATE TABLE session (id INTEGER PRIMARY KEY, data TEXT NOT NULL, updated_ms INTEGER)")
        data = json.dumps([cls._entry(seq) for seq in range(1, history + 1)])
        await db.executemany("INSERT INTO session VALUES (?, ?, ?)", [(at, data, NOW_MS) for at in range(sessions)])
        await db.commit()
        return cls(db)

    def prepare(self, sessions: int, each: int) -> None:
        """See `Way.prepare`; what it writes depends on what it reads."""

    async def exchange(self, at: int) -> None:
        """See `Way.exchange`."""
        async with self._lock:
            rows = await self._db.execute_fetchall("SELECT data FROM session WHERE id = ?", (at,))
            history = json.loads(next(iter(rows))[0])
            history += [self._entry(1), self._entry(2)]
            await self._db.execute(
                "UPDATE session SET data = ?, updated_ms = ? WHERE id = ?", (json.dumps(history), NOW_MS, at)
            )
            await self._db.commit()

    @staticmethod
    def _entry(seq: int) -> dict[str, object]:
        return {"role": "user" if seq % 2 else "assistant", "content": TEXT, "at_ms": NOW_MS, "author": "Alice"}

    async def close(self) -> None:
        """See `Way.close`."""
        await self._db.close()


async def _connect(path: Path) -> aiosqlite.Connection:
    db = await aiosqlite.connect(path)
    await db.execute("PRAGMA synchronous=FULL")
    return db
