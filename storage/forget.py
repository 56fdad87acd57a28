"""Deletes for good: one session, or everything of an owner, from every table; and proves it by a scan.

Knows: every table that can hold words or ids of people. Must not know: who asked, or what they are told.

What stays: source keys, so that a redelivery resurrects nothing; a tombstone with the forgotten id, so that a
backup resurrects nothing; the workspace's sums of money. `secure_delete` overwrites what is deleted, folding the
log overwrites what the log still held. Tombstones are also kept in a small file beside the database: the most
likely reason for a restore is that the database is gone.
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

from core.domain.errors import BadInput, StoreError
from core.domain.keys import PersonKey, Place, SessionKey
from storage.board import title_of
from storage.files import Peephole, log_of
from storage.rows import SEQ_BITS, clean
from storage.sqlite import SqliteStore

SESSION = "session"
OWNER = "owner"
SIDE_NAME = "forgotten.log"
_SCAN_BYTES = 1 << 20
_NEEDLES_MAX = 64  # a sample: each is one more pass over the file
_NEEDLE_MIN_CHARS = 12  # shorter words occur by chance
_NEEDLE_MAX_CHARS = 48  # of a longer text; it may lie across pages, its id does not


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
    stone = Tombstone(kind=found[0], key=found[1], at_ms=now_ms)
    erased = await store.submit(partial(erase, stone=stone))
    write_aside(store.path, stone)
    if not await store.fold():
        raise StoreError(code="store_busy", detail="deleted, but a long read keeps the log: forget again to prove it")
    left = await asyncio.to_thread(scan, store, [each.encode() for each in erased.needles])
    hits = await store.read(partial(_unexplained, needles=[each.decode() for each, count in left.items() if count]))
    return Forgetting(kind=stone.kind, key=stone.key, rows=erased.rows, needles=len(erased.needles), hits=hits)


def resolve(conn: sqlite3.Connection, name: str) -> tuple[str, str] | None:
    """What is called `name`: ("session" | "owner", id)."""
    name = clean(name)
    if conn.execute("SELECT 1 FROM session WHERE id = ?", (name,)).fetchone():
        return SESSION, name
    sql = "SELECT identity FROM person WHERE identity = ?1 OR key = ?1 UNION SELECT owner FROM session WHERE owner = ?1"
    row = conn.execute(sql, (name,)).fetchone()
    return None if row is None else (OWNER, str(row[0]))


def erase(conn: sqlite3.Connection, stone: Tombstone) -> Erased:
    """Delete what the tombstone names, and set it."""
    eraser = _Eraser(conn)
    if stone.kind == SESSION:
        eraser.session(stone.key)
    else:
        eraser.owner(stone.key)
    conn.execute(
        "INSERT INTO tombstone (kind, key, at_ms) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO NOTHING",
        (stone.kind, stone.key, stone.at_ms),
    )
    longest = sorted(eraser.needles - {stone.key}, key=lambda each: (-len(each), each))
    return Erased(rows=eraser.rows, needles=tuple(longest[:_NEEDLES_MAX]))


class _Eraser:
    """Deletes rows and remembers what was in them."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self.rows = 0
        self.needles: set[str] = set()

    def session(self, session_id: str) -> None:
        """Everything of a session."""
        row = self._conn.execute("SELECT num, home FROM session WHERE id = ?", (session_id,)).fetchone()
        if row is None:
            return
        num, home = int(row[0]), SessionKey.parse(row[1])
        places = {home.place}
        places |= {
            Place.parse(each) for each in self._column("SELECT place FROM turn WHERE session_id = ?", session_id)
        }
        places |= {
            Place.parse(each) for each in self._column("SELECT place FROM card WHERE session_id = ?", session_id)
        }
        users = {home.user} | {
            PersonKey.parse(each).user
            for each in self._column(
                "SELECT asker FROM turn WHERE session_id = ?1 UNION SELECT asker FROM waiting WHERE session_id = ?1",
                session_id,
            )
        }
        refs = self._refs(num, session_id)
        self._delete("draft", "effect_id IN (SELECT id FROM effect WHERE session_id = ?)", session_id, also="text")
        self._delete("part", "turn_id IN (SELECT id FROM turn WHERE session_id = ?)", session_id)
        self._delete("message", "id >= ? AND id < ?", num << SEQ_BITS, (num + 1) << SEQ_BITS, also="text")
        for table, also in (("effect", "id"), ("turn", "id"), ("waiting", "text"), ("card", "id"), ("file_copy", "")):
            self._delete(table, "session_id = ?", session_id, also=also)
        self._delete("binding", "session_id = ?", session_id)
        self._delete("session", "id = ?", session_id, also="title")
        for place in places:
            self._board(place, users, refs)

    def owner(self, identity: str) -> None:
        """Everything of an owner: their sessions, and their words in sessions of others."""
        people = self._conn.execute("SELECT key, name FROM person WHERE identity = ?", (identity,)).fetchall()
        for session_id in self._column("SELECT id FROM session WHERE owner = ?", identity):
            self.session(session_id)
        for key, name in people:
            self._words_elsewhere(key, name)
            self._posts_of(PersonKey.parse(key))
        self._delete("spend", "account = ?", f"person:{identity}")
        self._delete("person", "identity = ?", identity, also="key")

    def _words_elsewhere(self, key: str, name: str) -> None:
        """Turns that this account asked for in others' sessions, and what it said or was heard saying there."""
        self._delete("waiting", "asker = ?", key, also="text")
        asked = self._conn.execute(
            "SELECT t.id, t.session_id, s.num FROM turn AS t JOIN session AS s ON s.id = t.session_id"
            " WHERE t.asker = ?",
            (key,),
        ).fetchall()
        for turn_id, session_id, num in asked:
            first, last = num << SEQ_BITS, (num + 1) << SEQ_BITS
            self._delete("message", "id >= ? AND id < ? AND turn_id = ?", first, last, turn_id, also="text")
            self._delete("message", "id >= ? AND id < ? AND author = ?", first, last, name, also="text")
            mine = "session_id = ? AND turn_id = ?"
            self._delete(
                "draft", f"effect_id IN (SELECT id FROM effect WHERE {mine})", session_id, turn_id, also="text"
            )
            self._delete("effect", mine, session_id, turn_id, also="id")
            self._delete("part", "turn_id = ?", turn_id)
            self._delete("turn", "id = ?", turn_id, also="id")

    def _refs(self, num: int, session_id: str) -> set[str]:
        """Platform ids of everything that the session said or was told."""
        sql = (
            "SELECT ref FROM message WHERE id >= ?2 AND id < ?3"
            " UNION SELECT ref FROM waiting WHERE session_id = ?1 UNION SELECT ref FROM card WHERE session_id = ?1"
            " UNION SELECT reply_to FROM turn WHERE session_id = ?1"
            " UNION SELECT p.ref FROM part AS p JOIN turn AS t ON t.id = p.turn_id WHERE t.session_id = ?1"
        )
        rows = self._conn.execute(sql, (session_id, num << SEQ_BITS, (num + 1) << SEQ_BITS)).fetchall()
        return {row[0] for row in rows if row[0]}

    # --- the local board ------------------------------------------------------------------------------

    def _board(self, place: Place, users: set[str], refs: set[str]) -> None:
        """Posts of the session in a place; all of the place when nobody else's session lives there."""
        low, high = f"{place}/", f"{place}0"
        if not self._conn.execute("SELECT 1 FROM binding WHERE key >= ? AND key < ?", (low, high)).fetchone():
            self._posts("place = ?", str(place))
        for user in users - {""}:
            self._posts("place = ? AND author = ?", str(place), user)
        for ref in refs:
            self._posts("place = ? AND id = ?", str(place), ref)
        self._thread(str(place))

    def _posts_of(self, person: PersonKey) -> None:
        """Every post that an account wrote on the board."""
        # A place's text begins with platform and workspace, written as in a person's key.
        low = str(person).rpartition("/")[0]
        touched = self._column(
            "SELECT DISTINCT place FROM board_post WHERE place >= ? AND place < ? AND author = ?",
            f"{low}/", f"{low}0", person.user,
        )  # fmt: skip
        for place in touched:
            self._posts("place = ? AND author = ?", place, person.user)
            self._thread(place)

    def _posts(self, where: str, *values: str) -> None:
        for post_id in self._column(f"SELECT id FROM board_post WHERE {where}", *values):
            self._delete("board_file", "post_id = ?", post_id)
        self._delete("board_post", where, *values, also="text")

    def _thread(self, place: str) -> None:
        """The line of a thread, told anew by the first post that is left, or gone with the last."""
        sql = "SELECT text, author FROM board_post WHERE place = ? ORDER BY n LIMIT 1"
        left = self._conn.execute(sql, (place,)).fetchone()
        if left is None:
            self._delete("board_thread", "place = ?", place)
        else:
            title = title_of(left[0])
            self._conn.execute("UPDATE board_thread SET title = ?, opener = ? WHERE place = ?", (title, left[1], place))

    # --- rows -------------------------------------------------------------------------------------------

    def _column(self, sql: str, *values: str) -> list[str]:
        return [row[0] for row in self._conn.execute(sql, values).fetchall()]

    def _delete(self, table: str, where: str, *values: str | int, also: str = "") -> None:
        """Delete rows; the column `also` is what must not be found afterwards."""
        if also:
            for (text,) in self._conn.execute(f"SELECT {also} FROM {table} WHERE {where}", values):
                if len(text) >= _NEEDLE_MIN_CHARS:
                    self.needles.add(text[:_NEEDLE_MAX_CHARS])
        self.rows += self._conn.execute(f"DELETE FROM {table} WHERE {where}", values).rowcount


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
