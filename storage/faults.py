"""SQLite's errors in the words of the error tree.

Knows: result codes of SQLite. Must not know: which statement failed, or for whom.
"""

from __future__ import annotations

import sqlite3

from core.domain.errors import StoreDamaged, StoreError, StoreFull

ROOM_HINT = "make room where the database is and try again; what was acknowledged is safe"
RESTORE_HINT = "stop the bot and bring a backup back: `rejoinder restore FILE`"

KEY_NAME = "secret.key"  # the key file in the data directory (storage/sealing.py)
_PRIMARY = 0xFF  # the low byte of an extended result code


def translate(error: sqlite3.Error) -> StoreError:
    """Give the `StoreError` that stands for an error of SQLite."""
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    detail = f"{name}: {error}"
    primary = code & _PRIMARY if isinstance(code, int) else None
    if primary == sqlite3.SQLITE_FULL:
        return StoreFull(code="store_full", detail=f"{detail}; {ROOM_HINT}")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT):
        return StoreDamaged(code="store_damaged", detail=f"{detail}; {RESTORE_HINT}")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(code="store_busy", detail=detail)
    if primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return StoreError(code="store_io", detail=detail)
    return StoreError(code="store_sql", detail=detail)


def other_key(theirs: bytes, ours: bytes) -> StoreDamaged:
    """The error for something that was sealed with another root key."""
    return StoreDamaged(
        code="seal_other_key",
        detail=(
            f"it was sealed with key {theirs.hex()}, this data directory has key {ours.hex()}: bring back the "
            f"file {KEY_NAME} (or the setting REJOINDER_SECRET_KEY) of that time; it is not part of any backup"
        ),
    )
