"""`SqliteBoard`: the local chat's own board, on the same file and the same writer.

Knows: posts, threads, files that came with posts, and how far time was moved. Must not know: sessions, effects.
The board stands for a platform's server: what it holds is what a platform would still show after our crash.
"""

from __future__ import annotations

import dataclasses
import re
import sqlite3
from collections.abc import Sequence
from functools import partial

from core import codec
from core.domain.entities import FileCopy
from core.domain.errors import BadInput
from core.domain.keys import Place
from core.engine.ports import Post, ThreadLine
from storage.readers import Readers
from storage.room import Room
from storage.rows import FILE_COPY, POST, Row, clean, put
from storage.writer import Writer

TITLE_CHARS = 80  # of a thread's first post, for the list on the left
_SIGNS = re.compile(r"\*\*|\\(?=[^\w\s])")  # bold, and what keeps a sign from being one
OFFSET_KEY = "time_offset_ms"

_SELECT = f"SELECT n, {', '.join(POST.fields)} FROM board_post"
_INSERT_FILE = (
    "INSERT INTO board_file (file_id, post_id, session_id, media_type, data, problem) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (file_id) DO UPDATE SET media_type = excluded.media_type, data = excluded.data"
)
_THREAD = (
    "INSERT INTO board_thread (place, workspace, title, last_ms, last_n, opener) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (place) DO UPDATE SET last_ms = excluded.last_ms, last_n = excluded.last_n,"
    # A thread that began with a post of ours is called after the first words of a person.
    "  title = CASE WHEN opener = '' AND excluded.opener <> '' THEN excluded.title ELSE title END,"
    "  opener = CASE WHEN opener = '' THEN excluded.opener ELSE opener END"
)
_THREADS = "SELECT place, title, last_ms, opener FROM board_thread WHERE workspace = ? ORDER BY last_n DESC LIMIT ?"
_SET_META = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class SqliteBoard:
    """The `Board` port."""

    def __init__(self, writer: Writer, readers: Readers, room: Room) -> None:
        self._writer = writer
        self._readers = readers
        self._room = room

    async def put(self, post: Post, files: Sequence[FileCopy] = ()) -> Post:
        """See `Board.put`."""
        if post.author:
            self._room.ask()
        return await self._writer.submit(partial(_put, post=post, files=files))

    async def edit(self, post: Post, files: Sequence[FileCopy] = ()) -> None:
        """See `Board.edit`."""
        if not await self._writer.submit(partial(_edit, post=post, files=files)):
            raise KeyError(post.id)

    async def take(self, post_id: str) -> None:
        """See `Board.take`."""
        sql = "UPDATE board_post SET taken = 1 WHERE id = ? AND taken = 0"
        await self._writer.submit(lambda conn: conn.execute(sql, (clean(post_id),)).rowcount)

    async def untaken(self) -> tuple[Post, ...]:
        """See `Board.untaken`."""
        return await self._posts("WHERE taken = 0 AND author <> '' ORDER BY n")

    async def find(self, key: str) -> Post | None:
        """See `Board.find`."""
        return _first(await self._posts("WHERE key = ?", key))

    async def get(self, post_id: str) -> Post | None:
        """See `Board.get`."""
        return _first(await self._posts("WHERE id = ?", post_id))

    async def thread(self, place: Place, limit: int) -> tuple[Post, ...]:
        """See `Board.thread`."""
        latest = await self._posts("WHERE place = ? ORDER BY n DESC LIMIT ?", str(place), limit)
        return latest[::-1]

    async def threads(self, workspace: str, limit: int) -> tuple[ThreadLine, ...]:
        """See `Board.threads`."""
        rows = await self._readers.rows(_THREADS, (clean(workspace), limit))
        return tuple(
            ThreadLine(place=Place.parse(place), title=title, last_ms=last_ms, opener=opener)
            for place, title, last_ms, opener in rows
        )

    async def file(self, file_id: str) -> FileCopy | None:
        """See `Board.file`."""
        sql = f"SELECT {', '.join(FILE_COPY.fields)} FROM board_file WHERE file_id = ?"
        row = await self._readers.run(lambda conn: conn.execute(sql, (clean(file_id),)).fetchone())
        return None if row is None else FILE_COPY.decode(row)

    async def time_offset_ms(self) -> int:
        """See `Board.time_offset_ms`."""
        return await self._readers.run(_offset_ms)

    async def let_time_pass(self, more_ms: int) -> int:
        """See `Board.let_time_pass`."""
        if more_ms <= 0:
            raise ValueError("time moves forward only")
        return await self._writer.submit(partial(_move_ms, more_ms=more_ms))

    async def _posts(self, where: str, *values: str | int) -> tuple[Post, ...]:
        rows = await self._readers.rows(f"{_SELECT} {where}", [clean(each) for each in values])
        return tuple([_decode(row) for row in rows])


def _put(conn: sqlite3.Connection, post: Post, files: Sequence[FileCopy]) -> Post:
    known = conn.execute(f"{_SELECT} WHERE key = ?", (clean(post.key),)).fetchone()
    if known is not None:
        return _decode(known)
    if post.author and conn.execute("SELECT 1 FROM source WHERE key = ?", (clean(post.key),)).fetchone():
        # It was accepted once and is not here: it was forgotten, and a repeated request must not bring it back.
        raise BadInput(code="forgotten", detail="That was forgotten; nothing was stored again.")
    row = [clean(each) for each in POST.encode(post)]
    n = conn.execute(POST.insert, row).lastrowid or 0
    _keep(conn, post, files)
    place, title = str(post.place), title_of(post.text, post.author)
    put(conn, _THREAD, (place, post.place.workspace, title, post.created_ms, n, post.author))
    return dataclasses.replace(post, n=n)


def _edit(conn: sqlite3.Connection, post: Post, files: Sequence[FileCopy]) -> bool:
    outline = None if post.outline is None else codec.dumps(post.outline)
    buttons, files_told = codec.dumps(post.buttons), codec.dumps(post.files)
    values = (post.text, str(post.state), buttons, post.mark, outline, files_told, post.id)
    sql = "UPDATE board_post SET text = ?, state = ?, buttons = ?, mark = ?, outline = ?, files = ? WHERE id = ?"
    found = conn.execute(sql, [clean(each) for each in values]).rowcount > 0
    if found:  # what was forgotten meanwhile gets no files
        _keep(conn, post, files)
    return found


def _keep(conn: sqlite3.Connection, post: Post, files: Sequence[FileCopy]) -> None:
    for each in files:
        values = (each.file_id, post.id, each.session_id, each.media_type, each.data, each.problem)
        put(conn, _INSERT_FILE, values)


def title_of(text: str, author: str) -> str:
    """The line that stands for a thread: the first words of its first post; of ours the first line, without signs."""
    if not author:
        text = _SIGNS.sub("", text.strip().partition("\n")[0])
    return " ".join(text.split())[:TITLE_CHARS]


def _decode(row: Row) -> Post:
    return POST.decode(row[1:], n=row[0])


def _first(posts: tuple[Post, ...]) -> Post | None:
    return posts[0] if posts else None


def _offset_ms(conn: sqlite3.Connection) -> int:
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (OFFSET_KEY,)).fetchone()
    return 0 if row is None else int(row[0])


def _move_ms(conn: sqlite3.Connection, more_ms: int) -> int:
    offset_ms = _offset_ms(conn) + more_ms
    conn.execute(_SET_META, (OFFSET_KEY, str(offset_ms)))
    return offset_ms
