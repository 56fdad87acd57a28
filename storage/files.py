"""Small certainties about files: what a database's companions are called, and when a rename is on the disk.

Knows: names and fsync. Must not know: contents.

A trap: SQLite's locks are POSIX locks, which a process loses when it closes *any* descriptor of the file. A process
that has a database open must never open and close the database file beside SQLite: the next tool that looks at the
file would take itself for the only user and delete the log under our feet. `Peephole` is the one way to its bytes.
"""

from __future__ import annotations

import os
from pathlib import Path

SNAPSHOT = ".snapshot-"  # a copy in the making; one that a crash left behind is removed at the next start


class Peephole:
    """The bytes of a database file, for a process that has it open: opened before SQLite opens it, closed after."""

    def __init__(self, database: Path) -> None:
        self._fd = os.open(database, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, size_bytes: int, offset: int) -> bytes:
        """Up to `size_bytes` from `offset`; b"" at the end."""
        return os.pread(self._fd, size_bytes, offset)

    def close(self) -> None:
        """Give the descriptor back, when SQLite has closed its own. Twice is as good as once."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


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
