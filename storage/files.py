"""Small certainties about files: what a database's companions are called, and when a rename is on the disk.

Knows: names and fsync. Must not know: contents.
"""

from __future__ import annotations

import os
from pathlib import Path

SNAPSHOT = ".snapshot-"  # a copy in the making; one that a crash left behind is removed at the next start


def fsync_folder(folder: Path) -> None:
    """Make renames and new names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_file(path: Path) -> None:
    """Make the contents of a file durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def log_of(database: Path) -> Path:
    """The write-ahead log beside a database."""
    return database.with_name(database.name + "-wal")


def with_companions(database: Path) -> tuple[Path, ...]:
    """A database and everything that SQLite may keep beside it."""
    return (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm", "-journal")))


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read. Raises `FileExistsError`."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def remove(*paths: Path) -> None:
    """Remove files that may not be there."""
    for path in paths:
        path.unlink(missing_ok=True)
