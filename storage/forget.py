"""Deletes for good: one session, or everything of an owner; and proves it by a scan.

Knows: tombstones, and that deleted is not gone before the log is folded. Must not know: which tables there are (see
`storage.erasing`), who asked, what they are told.

A tombstone with the forgotten id stays, so that a backup resurrects nothing. `secure_delete` overwrites what is
deleted, folding the log overwrites what the log still held. SQLite overwrites nothing where it moves rows from one
page to another, though: what the scan finds there goes by writing the whole file anew.
Tombstones are also kept in a small file beside the database: the most likely reason for a restore is that the database
is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.errors import BadInput, StoreError, StoreFull
from storage.erasing import OWNER, SESSION, Eraser
from storage.files import Peephole, log_of
from storage.rows import clean

if TYPE_CHECKING:
    from storage.sqlite import SqliteStore  # which asks this file for `Store.erase`

SIDE_NAME = "forgotten.log"
_SCAN_BYTES = 1 << 20
_NEEDLES_MAX = 64  # a sample: each is one more pass over the file
_PATIENCE_MS = 100  # a reader of ours is done by then; a backup takes longer, and is waited for in between
_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """Something that must not come back: `kind` is "session" or "owner", `key` its id."""

    kind: str
    key: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What a unit deleted: rows in all, and words and ids of it that must not be found any more."""

    rows: int
    needles: tuple[str, ...]
    stones: tuple[Tombstone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """The report for the operator. `hits` is 0, or the deletion is not proven."""

    kind: str
    key: str
    rows: int
    needles: int
    hits: int


async def forget(store: SqliteStore, name: str, *, now_ms: int) -> Forgetting:
    """Delete the session or owner called `name` and everything of theirs; returns when the proof is done.

    Args:
        store: the open store.
        name: a session id, an owner's identity, or the text form of one of the owner's accounts.
        now_ms: wall-clock milliseconds.

    Raises:
        BadInput: nothing is called so.
        StoreError: the store refused, or a reader kept the log from being folded.
    """
    found = await store.read(partial(resolve, name=name))
    if found is None:
        raise BadInput(code="unknown_subject", detail="there is no session and no owner of that name")
    return await delete(store, Tombstone(kind=found[0], key=found[1], at_ms=now_ms))


async def delete(store: SqliteStore, stone: Tombstone, *, tries: int = 1) -> Forgetting:
    """Delete what the tombstone names, and prove it. A reader in the way of the proof is tried `tries` times.

    Raises:
        StoreError: the store refused, or a reader kept the log from being folded.
    """
    erased = await store.submit(partial(erase, stone=stone))
    for each in erased.stones:
        await asyncio.to_thread(write_aside, store.path, each)
    await _fold(store, tries)
    hits = await _traces(store, erased.needles)
    if hits or not erased.needles:  # none: also where a process died between the deletion and its proof
        with contextlib.suppress(StoreFull):  # then it is not proven, and said so
            await store.rewrite()
            await _fold(store, tries)
            hits = await _traces(store, erased.needles)
    return Forgetting(kind=stone.kind, key=stone.key, rows=erased.rows, needles=len(erased.needles), hits=hits)


async def _fold(store: SqliteStore, tries: int) -> None:
    tried = 0
    while not await store.fold(patience_ms=_PATIENCE_MS):
        tried += 1
        if tried >= tries:
            detail = "deleted, but a long read keeps the log: forget again to prove it"
            raise StoreError(code="store_busy", detail=detail)
        await asyncio.sleep(_PAUSE_S)


async def _traces(store: SqliteStore, needles: Iterable[str]) -> int:
    left = await asyncio.to_thread(scan, store, [each.encode() for each in needles])
    return await store.read(partial(_unexplained, needles=[each.decode() for each, count in left.items() if count]))


def resolve(conn: sqlite3.Connection, name: str) -> tuple[str, str] | None:
    """What is called `name`: ("session" | "owner", id)."""
    name = clean(name)
    if conn.execute("SELECT 1 FROM session WHERE id = ?", (name,)).fetchone():
        return SESSION, name
    sql = "SELECT identity FROM person WHERE identity = ?1 OR key = ?1 UNION SELECT owner FROM session WHERE owner = ?1"
    row = conn.execute(sql, (name,)).fetchone()
    return None if row is None else (OWNER, str(row[0]))


def erase(conn: sqlite3.Connection, stone: Tombstone) -> Erased:
    """Delete what the tombstone names, and set it.

    An account that came under an owner by a link had an identity of its own before: in a backup from then it still
    has, so that one is forgotten too.
    """
    eraser = Eraser(conn, stone.at_ms)
    stones = [stone]
    if stone.kind == SESSION:
        eraser.session(stone.key)
    else:
        before = conn.execute(_BEFORE, (stone.key,)).fetchall()
        stones.extend(Tombstone(kind=OWNER, key=each, at_ms=stone.at_ms) for (each,) in before)
        for each in stones:
            eraser.owner(each.key)
    conn.executemany(_SET, [(each.kind, each.key, each.at_ms) for each in stones])
    longest = sorted(eraser.needles - {each.key for each in stones}, key=lambda each: (-len(each), each))
    return Erased(rows=eraser.rows, needles=tuple(longest[:_NEEDLES_MAX]), stones=tuple(stones))


_BEFORE = "SELECT DISTINCT before FROM link WHERE after = ?1 AND before <> ?1 AND undone_ms IS NULL"
_SET = "INSERT INTO tombstone (kind, key, at_ms) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO NOTHING"


# --- the proof --------------------------------------------------------------------------------------


def scan(store: SqliteStore, needles: Iterable[bytes]) -> dict[bytes, int]:
    """Count each needle in the bytes of an open store's database and log."""
    found = Counter(occurrences(store.peephole.read, needles))
    if (log := log_of(store.path)).exists():
        with contextlib.closing(Peephole(log)) as bytes_of_log:  # no locks are on the log: it may be closed
            found.update(occurrences(bytes_of_log.read, found))
    return dict(found)


def occurrences(read: Callable[[int, int], bytes], needles: Iterable[bytes]) -> dict[bytes, int]:
    """Count each needle in what `read(size, offset)` gives, block by block."""
    counts = dict.fromkeys(needles, 0)
    overlap = max(map(len, counts), default=1) - 1
    kept, at = b"", 0
    while block := read(_SCAN_BYTES, at):
        window = kept + block
        for needle in counts:
            # What lies wholly in `kept` was counted with the block before.
            counts[needle] += window.count(needle) - kept.count(needle)
        kept = window[-overlap:] if overlap else b""
        at += len(block)
    return counts


def _unexplained(conn: sqlite3.Connection, needles: Sequence[str]) -> int:
    """How many of the found needles are in no row that is left: two people may have said the same."""
    columns = conn.execute(
        "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c"
        " WHERE t.type = 'table' AND c.type = 'TEXT'"
    ).fetchall()
    left = set(needles)
    for table, column in columns:
        for needle in tuple(left):
            sql = f'SELECT 1 FROM "{table}" WHERE instr("{column}", ?) LIMIT 1'
            if conn.execute(sql, (needle,)).fetchone():
                left.discard(needle)
    return len(left)


# --- tombstones -------------------------------------------------------------------------------------


def tombstones(conn: sqlite3.Connection) -> tuple[Tombstone, ...]:
    """All tombstones of a database."""
    rows = conn.execute("SELECT kind, key, at_ms FROM tombstone ORDER BY at_ms").fetchall()
    return tuple(Tombstone(kind=kind, key=key, at_ms=at_ms) for kind, key, at_ms in rows)


def write_aside(database: Path, stone: Tombstone) -> None:
    """Note a tombstone beside the database, on the disk when this returns."""
    fd = os.open(database.parent / SIDE_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{stone.kind} {stone.key} {stone.at_ms}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def read_aside(database: Path) -> tuple[Tombstone, ...]:
    """The tombstones beside a database; a line that a crash cut short is left out."""
    path = database.parent / SIDE_NAME
    if not path.exists():
        return ()
    lines = (line.split(" ") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return tuple(
        Tombstone(kind=line[0], key=line[1], at_ms=int(line[2]))
        for line in lines
        if len(line) == len(("kind", "key", "at_ms")) and line[0] in (SESSION, OWNER) and line[2].isdigit()
    )
