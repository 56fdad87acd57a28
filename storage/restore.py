"""Brings a backup back: verified first, then put in place by one rename.

Knows: the order that leaves either the old database or the new one, never neither. Must not know: schedules.

What was forgotten since the backup was made stays forgotten: the tombstones of the present database, and those kept
beside it, are applied to the copy before it takes the place. A present database that is damaged is kept under
another name; a whole one is replaced.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import StoreError
from storage.backup import Contents, Progress, unsealed
from storage.connection import BUSY_TIMEOUT_MS, open_for_reading, open_for_writing
from storage.faults import translate
from storage.files import fsync_file, fsync_folder, log_of, remove, with_companions
from storage.forget import Tombstone, erase, read_aside, tombstones
from storage.lock import DataLock
from storage.migrate import OnPoint, inspect
from storage.sealing import Keys
from storage.wal import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did. `set_aside` names the damaged database that was kept, None when there was none."""

    contents: Contents
    tombstones: int
    set_aside: str | None


def restore(
    source: Path,
    database: Path,
    keys: Keys,
    lock: DataLock,
    *,
    progress: Progress | None = None,
    on_point: OnPoint | None = None,
) -> Restored:
    """Put the backup `source` in the place of `database`. `lock` is the held lock of its folder.

    The next `open_store` brings it to this release's schema.

    Raises:
        StoreDamaged: another key, changed, cut short, or damaged inside; nothing was changed.
        StoreNewer: a newer release made it; nothing was changed.
        StoreError: the lock is not that of the database's folder; nothing was changed.
    """
    if lock.data_dir.resolve() != database.parent.resolve():
        raise StoreError(code="store_lock", detail=f"the lock held is not that of {database.parent}")
    copy = database.with_name(database.name + ".restoring")
    remove(*with_companions(copy))
    with unsealed(source, keys, copy, progress=progress) as contents:
        present = _tombstones(database)
        stones = {(each.kind, each.key): each for each in (*read_aside(database), *(present or ()))}
        _apply(copy, tuple(stones.values()))
        _point(on_point, "restore.before_replace")
        set_aside = _make_way(database, whole=present is not None)
        _point(on_point, "restore.made_way")
        copy.replace(database)
        fsync_folder(database.parent)
        _point(on_point, "restore.after_replace")
    return Restored(contents=contents, tombstones=len(stones), set_aside=set_aside)


def _tombstones(database: Path) -> tuple[Tombstone, ...] | None:
    """The tombstones of the present database; None when there is none that can be read."""
    try:
        inspect(database)
        with contextlib.closing(open_for_reading(database)) as conn:
            return tombstones(conn)
    except (OSError, StoreError, sqlite3.Error):
        return None


def _apply(copy: Path, stones: tuple[Tombstone, ...]) -> None:
    """Forget in the copy what was forgotten since; afterwards it is one file without a log."""
    try:
        with contextlib.closing(open_for_writing(copy)) as conn:
            conn.execute("BEGIN IMMEDIATE")
            for stone in stones:
                erase(conn, stone)
            conn.execute("COMMIT")
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise translate(error) from error
    fsync_file(copy)


def _make_way(database: Path, *, whole: bool) -> str | None:
    """Leave no log that would be taken for the new database's; the name under which a damaged one is kept.

    A whole database takes its log in first, so that until the rename nothing of it is lost. A damaged one goes
    aside before its log: a log without its database is refused at the next start, the other way round is not.
    """
    if whole and _take_log_in(database):
        remove(*with_companions(database)[1:])
        return None
    if not database.exists() and not (log_of(database).exists() and log_of(database).stat().st_size):
        remove(*with_companions(database)[1:])  # an empty log is what a look with no bot running leaves
        return None
    number = 1
    while any(each.exists() for each in with_companions(_aside(database, number))):
        number += 1
    aside = _aside(database, number)
    for old, new in zip(with_companions(database), with_companions(aside), strict=True):
        if old.exists():
            old.rename(new)
    fsync_folder(database.parent)
    return aside.name


def _take_log_in(database: Path) -> bool:
    """Fold the log completely; False when the database turns out to be damaged.

    Raises:
        StoreError: a reader is in the way.
    """
    try:
        with contextlib.closing(open_for_writing(database)) as conn:
            if not fold(conn, "TRUNCATE", patience_ms=BUSY_TIMEOUT_MS):
                raise StoreError(code="store_busy", detail="somebody reads the database; nothing was changed")
    except sqlite3.Error:
        return False
    return True


def _aside(database: Path, number: int) -> Path:
    return database.with_name(f"{database.name}.damaged-{number}")


def _point(on_point: OnPoint | None, name: str) -> None:
    if on_point is not None:
        on_point(name)
