"""Brings a database to this release's schema, or refuses to touch it.

Knows: numbered SQL files, the header of an SQLite file, our application id. Must not know: what tables mean.

Each migration is one transaction together with its record, so a crash between two of them leaves a database that
the next start carries on with. A new database is made under another name and renamed when it is complete: a file
of that name which is empty, cut short or foreign is therefore never one that we were still making, and no empty
database ever takes the place of one that was lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import StoreDamaged, StoreError, StoreNewer
from storage.connection import open_for_reading, open_for_writing
from storage.faults import RESTORE_HINT, translate
from storage.files import SNAPSHOT, fsync_file, fsync_folder, log_of, make_private, remove, with_companions

APPLICATION_ID = 0x524A4E31  # "RJN1", in the header of every database of ours
_HEADER_BYTES = 100
_RECORD = (
    "CREATE TABLE IF NOT EXISTS migration"
    " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT"
)

OnPoint = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    sql: str


def migrations(folder: Path = Path(__file__).parent / "migrations") -> tuple[Migration, ...]:
    """All migrations in order. Raises `ValueError` when a number is missing or doubled."""
    found = tuple(
        Migration(version=int(path.name[:4]), name=path.stem, sql=path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    )
    if [each.version for each in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations in {folder.name} are not numbered 1, 2, 3 ...")
    return found


def prepare(path: Path, *, steps: tuple[Migration, ...] | None = None, on_point: OnPoint | None = None) -> None:
    """Create the database at `path` if there is none, check it if there is one, and migrate it.

    Only the holder of the folder's lock may call this.

    Raises:
        StoreDamaged: the file is damaged or not ours, or its log is left without it.
        StoreNewer: a newer release wrote it.
        StoreFull: no room for the migration; the database is as it was.
    """
    steps = migrations() if steps is None else steps
    remove(*path.parent.glob(f"{path.name}{SNAPSHOT}*"))
    try:
        if path.exists():
            inspect(path, newest=len(steps))
            _migrate(path, steps, on_point)
        else:
            _create(path, steps, on_point)
    except sqlite3.Error as error:
        raise translate(error) from error


def inspect(path: Path, *, newest: int | None = None) -> int:
    """Check that the file is a database of ours which this release understands; its schema version.

    Looks at the header, the length and the schema, not at every page (see `check`).
    Also beside a running bot, and inside it: the file is looked at through SQLite alone (see storage/files.py).

    Raises:
        FileNotFoundError: there is none.
        StoreDamaged: it is not ours, or it is damaged.
        StoreNewer: a newer release wrote it.
    """
    newest = len(migrations()) if newest is None else newest
    file_bytes = path.stat().st_size
    if file_bytes < _HEADER_BYTES:
        raise _damaged(path, f"it has only {file_bytes} bytes")
    try:
        with contextlib.closing(open_for_reading(path)) as conn:
            version, tables = _look(conn, path)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise _damaged(path, "it is not an SQLite database") from error
        raise translate(error) from error
    if version > newest:
        raise StoreNewer(
            code="store_newer",
            detail=f"{path.name} has schema {version}, this release knows {newest}: use the newer release",
        )
    if version and "migration" not in tables:
        raise _damaged(path, "its tables are missing")
    return version


def check(path: Path) -> None:
    """Read every page and index. Raises `StoreDamaged` when something is wrong; slow on large files."""
    inspect(path)
    try:
        with contextlib.closing(open_for_reading(path)) as conn:
            problems = [str(row[0]) for row in conn.execute("PRAGMA integrity_check(1)").fetchall()]
    except sqlite3.Error as error:
        raise translate(error) from error
    if problems != ["ok"]:
        raise _damaged(path, problems[0])


# --- checks -----------------------------------------------------------------------------------------


def _look(conn: sqlite3.Connection, path: Path) -> tuple[int, set[str]]:
    """The schema version and the names of the tables of a database of ours."""
    if _pragma(conn, "application_id") != APPLICATION_ID:
        raise _damaged(path, "it is a database of another program")
    tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return _pragma(conn, "user_version"), tables


def _pragma(conn: sqlite3.Connection, name: str) -> int:
    return int(conn.execute(f"PRAGMA {name}").fetchone()[0])


def _damaged(path: Path, why: str) -> StoreDamaged:
    return StoreDamaged(
        code="store_damaged", detail=f"{path.name} cannot be used: {why}; nothing was changed; {RESTORE_HINT}"
    )


# --- migrating --------------------------------------------------------------------------------------


def _create(path: Path, steps: tuple[Migration, ...], on_point: OnPoint | None) -> None:
    if log_of(path).exists():
        raise _damaged(path, f"it is gone, but {log_of(path).name} is still there")
    new = path.with_name(path.name + ".new")
    remove(*with_companions(new))
    make_private(new)
    conn = open_for_writing(new)
    try:
        conn.execute(f"PRAGMA application_id={APPLICATION_ID}")
        for step in steps:
            _run(conn, step, on_point)
    finally:
        conn.close()  # folds the log and removes it
    fsync_file(new)
    _point(on_point, "migrate.before_rename")
    new.rename(path)
    fsync_folder(path.parent)
    _point(on_point, "migrate.after_rename")


def _migrate(path: Path, steps: tuple[Migration, ...], on_point: OnPoint | None) -> None:
    conn = open_for_writing(path)
    try:
        done = int(conn.execute("PRAGMA user_version").fetchone()[0])
        for step in steps[done:]:
            _run(conn, step, on_point)
    finally:
        conn.close()


def _run(conn: sqlite3.Connection, step: Migration, on_point: OnPoint | None) -> None:
    conn.execute("BEGIN IMMEDIATE")
    try:
        conn.execute(_RECORD)
        for statement in statements(step.sql):
            conn.execute(statement)
        digest = hashlib.sha256(step.sql.encode()).hexdigest()
        conn.execute(
            "INSERT INTO migration (version, name, sha256) VALUES (?, ?, ?)", (step.version, step.name, digest)
        )
        conn.execute(f"PRAGMA user_version={step.version:d}")
        _point(on_point, f"migrate.before_commit:{step.version}")
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
    _point(on_point, f"migrate.after_commit:{step.version}")


def statements(sql: str) -> Iterator[str]:
    """The single statements of an SQL text (`executescript` would commit before the first)."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if "".join(each.split("--")[0] for each in pending.splitlines()).strip():
        raise StoreError(code="store_sql", detail="a migration ends in the middle of a statement")


def _point(on_point: OnPoint | None, name: str) -> None:
    if on_point is not None:
        on_point(name)
