"""One process for one data directory: an exclusive lock that ends with its holder, however that ends.

Knows: flock, and who holds it. Must not know: what the holder does.
The file names the holder for people to read; the truth is the lock itself, which the system gives back when the
process dies, so a file that was left behind locks nobody out.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from core.domain.errors import StoreError, StoreLocked

LOCK_NAME = "rejoinder.lock"
_HOLDER_MAX_BYTES = 4_096


class DataLock:
    """The held lock; also the proof that a function may replace files in `data_dir`."""

    def __init__(self, data_dir: Path, fd: int) -> None:
        self.data_dir = data_dir
        self._fd = fd

    @classmethod
    def acquire(cls, data_dir: Path, *, now_ms: int) -> DataLock:
        """Take the lock, never waiting for it.

        Raises:
            StoreLocked: another process holds it; `detail` names that process.
            StoreError: the folder or its file system does not allow a lock.
        """
        try:
            fd = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(code="store_lock", detail=f"{data_dir}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(fd)
            os.close(fd)
            raise StoreLocked(code="store_locked", detail=f"{data_dir} is in use by {holder}") from None
        except OSError as error:
            os.close(fd)
            raise StoreError(code="store_lock", detail=f"{data_dir}: {error.strerror}") from error
        mine = {"pid": os.getpid(), "host": socket.gethostname(), "since_ms": now_ms}
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(mine).encode() + b"\n", 0)
        return cls(data_dir, fd)

    def release(self) -> None:
        """Give the lock back. Twice is as good as once."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _holder(fd: int) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError, OverflowError, OSError):
        said = json.loads(os.pread(fd, _HOLDER_MAX_BYTES, 0))
        since = datetime.fromtimestamp(int(said["since_ms"]) / 1000, tz=UTC)
        return f"process {int(said['pid'])} on {said['host']} since {since:%Y-%m-%d %H:%M:%S} UTC"
    return "another process"
