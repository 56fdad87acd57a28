"""How long the write-ahead log is, and when the writer folds it back into the database.

Knows: the log's file format (sqlite.org/walformat.html) and the policy of facts/performance.md section 9.
Must not know: units, tables.

The log's *file* keeps its size when the log starts over, so its size says nothing. A frame belongs to the present
log when its two salts are those of the header; looking at one frame answers "is the log at least that long".
The log file carries no locks (those are on the database and on -shm), so a descriptor of our own does no harm.

Policy: above `CALM_BYTES` fold when nobody waits (PASSIVE: the log starts over with the next commit);
above `HARD_BYTES` fold although somebody waits (RESTART); when nothing was written for a while fold what there is
(PASSIVE again: the file is kept, because a sync of a file that grows costs twice that of one that is written over).
It is cut to zero only when asked (TRUNCATE), for what must not be found there any more.
A reader in the way costs at most `PATIENCE_MS`: the next try comes after `RETRY_BYTES` more.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

CALM_BYTES: Final = 4 * 1024 * 1024
HARD_BYTES: Final = 32 * 1024 * 1024  # half of the 64 MiB bound: room for one large batch above it
RETRY_BYTES: Final = 4 * 1024 * 1024
PATIENCE_MS: Final = 50  # our own reads last milliseconds; a backup lasts longer and is not waited for
_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_SALT_AT: Final = 16  # in the log header
_FRAME_SALT_AT: Final = 8  # in a frame header
_SALT_BYTES: Final = 8


class Log:
    """The write-ahead log of one database, looked at from outside."""

    def __init__(self, database: Path, page_bytes: int) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._frame_bytes = page_bytes + _FRAME_HEADER_BYTES
        self._fd = -1

    def reaches(self, size_bytes: int) -> bool:
        """Tell whether the present log holds at least `size_bytes` (at least one frame for 0)."""
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        salt = os.pread(self._fd, _SALT_BYTES, _SALT_AT)
        frame = max(0, size_bytes // self._frame_bytes - 1)
        at = _HEADER_BYTES + frame * self._frame_bytes + _FRAME_SALT_AT
        return len(salt) == _SALT_BYTES and os.pread(self._fd, _SALT_BYTES, at) == salt

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Folding:
    """When to fold the log; one per writer, used on the writer's thread only."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._next_try_bytes = CALM_BYTES

    def after_batch(self, conn: sqlite3.Connection, *, others_wait: bool) -> None:
        """Fold if the log is long enough for the moment; called between transactions."""
        if self._next_try_bytes > CALM_BYTES and not self._log.reaches(CALM_BYTES):
            self._next_try_bytes = CALM_BYTES  # it has started over
        limit = max(HARD_BYTES, self._next_try_bytes) if others_wait else self._next_try_bytes
        if not self._log.reaches(limit):
            return
        if limit >= HARD_BYTES:
            fold(conn, "RESTART", patience_ms=PATIENCE_MS)
        else:
            fold(conn, "PASSIVE")
        self._next_try_bytes = limit + RETRY_BYTES

    def when_idle(self, conn: sqlite3.Connection) -> None:
        """Fold what no reader is in the way of; the next commit writes over the log."""
        if self._log.reaches(0):
            fold(conn, "PASSIVE")

    def to_zero(self, conn: sqlite3.Connection, patience_ms: int = 0) -> bool:
        """Fold everything and cut the log to zero; False while a reader is in the way for longer than that."""
        return not self._log.reaches(0) or fold(conn, "TRUNCATE", patience_ms=patience_ms)


def fold(conn: sqlite3.Connection, mode: str, *, patience_ms: int = 0) -> bool:
    """Run one checkpoint, waiting at most `patience_ms` for readers; True when all of the log is folded."""
    timeout = conn.execute("PRAGMA busy_timeout").fetchone()[0]
    conn.execute(f"PRAGMA busy_timeout={patience_ms:d}").fetchone()
    try:
        busy, frames, folded = conn.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    except sqlite3.OperationalError:  # locked by a reader that recovers, or no room: the next try does it
        return False
    finally:
        conn.execute(f"PRAGMA busy_timeout={timeout:d}").fetchone()
    return not busy and bool(frames == folded)
