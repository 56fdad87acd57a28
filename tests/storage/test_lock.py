"""One process for one data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.domain.errors import StoreError, StoreLocked
from storage.lock import LOCK_NAME, DataLock
from tests.kit.store import NOW_MS

HOLDER = """
import sys
from pathlib import Path
from storage.lock import DataLock
lock = DataLock.acquire(Path(sys.argv[1]), now_ms=1764000000000)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    """Two bots write one database and damage it; or nobody finds out which one to stop."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreLocked) as error:
            DataLock.acquire(tmp_path, now_ms=NOW_MS)
        assert f"process {holder.pid} on " in error.value.detail
        assert "since 2025-11-24 16:00:00 UTC" in error.value.detail
        holder.kill()
        holder.wait()
        DataLock.acquire(tmp_path, now_ms=NOW_MS).release()


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    """After a calm stop the next start is refused."""
    with DataLock.acquire(tmp_path, now_ms=NOW_MS) as lock:
        with pytest.raises(StoreLocked, match=str(os.getpid())):
            DataLock.acquire(tmp_path, now_ms=NOW_MS)
        lock.release()
    DataLock.acquire(tmp_path, now_ms=NOW_MS).release()


def test_a_file_that_was_left_behind_locks_nobody_out(tmp_path: Path) -> None:
    """After a power cut somebody has to delete a file by hand."""
    (tmp_path / LOCK_NAME).write_text('{"pid": 1, "host": "here", "since_ms": 5}')
    DataLock.acquire(tmp_path, now_ms=NOW_MS).release()


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"pid": "x"}', '{"pid": 1, "host": "h", "since_ms": 1e300}'])
def test_a_holder_that_cannot_be_named_still_holds(tmp_path: Path, text: str) -> None:
    """A strange lock file ends in a stack trace."""
    with DataLock.acquire(tmp_path, now_ms=NOW_MS):
        (tmp_path / LOCK_NAME).write_text(text)
        with pytest.raises(StoreLocked, match="another process"):
            DataLock.acquire(tmp_path, now_ms=NOW_MS)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A wrong path in the settings ends in a stack trace."""
    with pytest.raises(StoreError, match="No such file"):
        DataLock.acquire(tmp_path / "missing", now_ms=NOW_MS)
