"""The writer: every trap of aiosqlite that facts/reliability.md found, and what a full disk does."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.domain.errors import StoreError, StoreFull
from storage.migrate import prepare
from storage.wal import CALM_BYTES, HARD_BYTES, Log
from storage.writer import BATCH_UNITS, DRAFT, DRAFT_SHARE, URGENT, Writer

LOG_BOUND_BYTES = 64 * 1024 * 1024  # DESIGN section 9


FORGETFUL = """
import asyncio, sys
from pathlib import Path
from storage import open_store
async def main():
    store = await open_store(Path(sys.argv[1]))
    await store.submit(lambda conn: conn.execute("INSERT INTO meta (key, value) VALUES ('k', 'v')").rowcount)
    print("ready", flush=True)
    END
asyncio.run(main())
"""


@pytest.fixture
async def writer(database: Path) -> AsyncIterator[Writer]:
    """Give an open writer on a migrated database."""
    prepare(database)
    opened = await Writer.open(database)
    yield opened
    await opened.close()


def put(key: str, value: str = "v") -> Callable[[sqlite3.Connection], None]:
    """Give a unit that inserts one row, in two steps that belong together."""

    def unit(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (key, ""))
        conn.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))

    return unit


def keys(database: Path) -> set[str]:
    """Give the keys of the rows that another connection sees."""
    conn = sqlite3.connect(database)
    try:
        assert not conn.execute("SELECT 1 FROM meta WHERE value = ''").fetchone(), "half a unit"
        assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return {row[0] for row in conn.execute("SELECT key FROM meta")}
    finally:
        conn.close()


class Gate:
    """A unit that holds the writer's thread until it is opened, so that what is queued meanwhile is one batch."""

    def __init__(self, writer: Writer) -> None:
        self._open = threading.Event()
        self._held = threading.Event()
        self._task = asyncio.create_task(writer.submit(self._hold))

    def _hold(self, _: sqlite3.Connection) -> None:
        self._held.set()
        self._open.wait()

    async def held(self) -> None:
        """Return when the thread stands at the gate."""
        await asyncio.to_thread(self._held.wait)

    async def open(self) -> None:
        """Let the thread go on."""
        self._open.set()
        await self._task


async def queued(writer: Writer, *units: Callable[[sqlite3.Connection], object]) -> list[asyncio.Task[object]]:
    """Submit units that wait for the next batch."""
    tasks = [asyncio.create_task(writer.submit(unit)) for unit in units]
    await asyncio.sleep(0)
    return tasks


async def test_a_cancelled_waiter_poisons_nothing(writer: Writer, database: Path) -> None:
    """One impatient caller and the bot answers nobody any more ("database is locked")."""
    gate = Gate(writer)
    await gate.held()
    (waiter,) = await queued(writer, put("cancelled"))
    waiter.cancel()
    await gate.open()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await writer.submit(put("after"))
    assert keys(database) == {"after"}


async def test_a_caller_cancelled_while_its_unit_runs_leaves_it_whole(writer: Writer, database: Path) -> None:
    """Half of a message is stored."""
    running, go_on = threading.Event(), threading.Event()

    def slow(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO meta (key, value) VALUES ('slow', '')")
        running.set()
        go_on.wait()
        conn.execute("UPDATE meta SET value = 'v' WHERE key = 'slow'")

    task = asyncio.create_task(writer.submit(slow))
    await asyncio.to_thread(running.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await writer.submit(put("after"))
    assert keys(database) == {"slow", "after"}


async def test_units_never_mix(writer: Writer, database: Path) -> None:
    """Two people's messages share a transaction, and one's failure takes the other's half with it."""

    def broken(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO meta (key, value) VALUES ('broken', '')")
        raise ZeroDivisionError

    gate = Gate(writer)
    await gate.held()
    tasks = await queued(writer, put("a"), broken, put("b"), put("a"), put("c"))
    await gate.open()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results] == [
        type(None), ZeroDivisionError, type(None), StoreError, type(None),
    ]  # fmt: skip
    assert keys(database) == {"a", "b", "c"}


async def test_a_batch_is_one_commit(database: Path) -> None:
    """A crowd waits for one disk write each instead of one for all."""
    prepare(database)
    points: list[str] = []
    writer = await Writer.open(database, on_point=points.append)
    try:
        gate = Gate(writer)
        await gate.held()
        tasks = await queued(writer, *(put(f"k{n}") for n in range(100)))
        await gate.open()
        await asyncio.gather(*tasks)
        assert points == ["writer.before_commit", "writer.after_commit"] * 2
    finally:
        await writer.close()


async def test_urgent_units_go_first_and_drafts_do_not_starve(writer: Writer) -> None:
    """Saving drafts delays answers; or under load no draft is ever saved."""
    order: list[str] = []
    gate = Gate(writer)
    await gate.held()
    drafts = [asyncio.create_task(writer.submit(lambda _: order.append("draft"), DRAFT)) for _ in range(DRAFT_SHARE)]
    urgent = [
        asyncio.create_task(writer.submit(lambda _: order.append("urgent"), URGENT)) for _ in range(BATCH_UNITS * 2)
    ]
    await asyncio.sleep(0)
    await gate.open()
    await asyncio.gather(*drafts, *urgent)
    first = order[:BATCH_UNITS]
    assert first == ["urgent"] * (BATCH_UNITS - DRAFT_SHARE) + ["draft"] * DRAFT_SHARE


async def test_a_storm_of_cancellations(writer: Writer, database: Path) -> None:
    """Under time-outs and reloads messages are half stored, or the store stands still."""
    chance = random.Random(7)
    acked: set[str] = set()

    async def caller(n: int) -> None:
        await writer.submit(put(f"k{n}"))
        acked.add(f"k{n}")

    for start in range(0, 20_000, 500):
        tasks = [asyncio.create_task(caller(n)) for n in range(start, start + 500)]
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        for task in chance.sample(tasks, 150):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await writer.submit(put("last"))
    assert acked <= keys(database)
    assert len(acked) >= 10_000


async def test_closing_finishes_what_is_queued(database: Path) -> None:
    """What was accepted in the last moment before a stop is lost."""
    prepare(database)
    writer = await Writer.open(database)
    tasks = await queued(writer, *(put(f"k{n}") for n in range(1_000)))
    await writer.close()
    await asyncio.gather(*tasks)
    assert len(keys(database)) == 1_000
    with pytest.raises(StoreError, match="store_closed"):
        await writer.submit(put("late"))
    await writer.close()


async def test_a_cancelled_writer_closes_like_a_closed_one(database: Path) -> None:
    """A Ctrl-C in the wrong moment hangs for ever or loses what was accepted."""
    prepare(database)
    writer = await Writer.open(database)
    gate = Gate(writer)
    await gate.held()
    tasks = await queued(writer, put("queued"))
    writer.task.cancel()
    await asyncio.sleep(0)
    await gate.open()
    await asyncio.gather(*tasks)
    await writer.close()
    assert keys(database) == {"queued"}


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "raise ZeroDivisionError", "return"])
def test_a_process_that_forgets_to_close_ends(database: Path, end: str) -> None:
    """A start that fails leaves a process that nobody can stop but by SIGKILL."""
    program = FORGETFUL.replace("END", end)
    ran = subprocess.run([sys.executable, "-c", program, database], capture_output=True, timeout=60, check=False)
    assert ran.stdout == b"ready\n"
    assert keys(database) == {"k"}


# --- a full disk ------------------------------------------------------------------------------------


async def page_count(writer: Writer) -> int:
    """Give the pages of the database now."""
    return await writer.submit(lambda conn: int(conn.execute("PRAGMA page_count").fetchone()[0]))


async def test_a_full_disk_refuses_cleanly_and_recovers_by_itself(database: Path) -> None:
    """A full disk loses what was acknowledged, or the bot stays dead when there is room again."""
    prepare(database)
    writer = await Writer.open(database)
    room = await page_count(writer)
    await writer.close()
    writer = await Writer.open(database, max_page_count=room + 20)
    try:
        acked: set[str] = set()
        refused = 0
        for n in range(0, 200, 10):
            results = await asyncio.gather(
                *(writer.submit(put(f"k{m}", "x" * 1_500)) for m in range(n, n + 10)), return_exceptions=True
            )
            for m, result in enumerate(results, n):
                if result is None:
                    acked.add(f"k{m}")
                else:
                    assert isinstance(result, StoreFull)
                    refused += 1
        assert acked
        assert refused
        assert keys(database) == acked
        await writer.submit(lambda conn: conn.execute("PRAGMA max_page_count=100000").fetchall())
        await writer.submit(put("again", "x" * 1_500))
        assert keys(database) == {*acked, "again"}
    finally:
        await writer.close()


async def test_the_unit_that_fills_the_disk_fails_alone(database: Path) -> None:
    """One person's huge file makes everybody's messages of that moment fail."""
    prepare(database)
    writer = await Writer.open(database)
    room = await page_count(writer)
    await writer.close()
    writer = await Writer.open(database, max_page_count=room + 20)
    try:
        gate = Gate(writer)
        await gate.held()
        tasks = await queued(writer, put("a"), put("huge", "x" * 1_000_000), put("b"))
        await gate.open()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in results] == [type(None), StoreFull, type(None)]
        assert keys(database) == {"a", "b"}
    finally:
        await writer.close()


async def test_a_transaction_that_sqlite_ended_is_run_again_without_the_culprit(writer: Writer, database: Path) -> None:
    """An I/O error that ends the transaction makes the neighbours' messages vanish although they were acknowledged."""

    def ends_it(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO meta (key, value) VALUES ('culprit', '')")
        conn.execute("ROLLBACK")  # as SQLite does by itself after some errors
        raise sqlite3.OperationalError

    gate = Gate(writer)
    await gate.held()
    tasks = await queued(writer, put("a"), ends_it, put("b"))
    await gate.open()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results] == [type(None), StoreError, type(None)]
    assert keys(database) == {"a", "b"}


def test_a_commit_that_fails_fails_its_batch_only(database: Path) -> None:
    """A write error acknowledges messages that are not on the disk, or kills the store for good."""
    program = """
import asyncio, resource, signal, sys
from pathlib import Path
from core.domain.errors import StoreError
from storage import open_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def put(key):
    sql = "INSERT INTO meta (key, value) VALUES (?, ?)"
    return lambda conn: conn.execute(sql, (key, "x" * 200_000)).rowcount
async def main():
    path = Path(sys.argv[1])
    store = await open_store(path)
    await store.submit(put("before"))
    size = Path(str(path) + "-wal").stat().st_size
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, hard))
    failed = await asyncio.gather(*(store.submit(put(f"k{n}")) for n in range(5)), return_exceptions=True)
    assert all(isinstance(each, StoreError) for each in failed), failed
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await store.submit(put("after"))
    await store.close()
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program, database], timeout=60, check=True)
    assert keys(database) == {"before", "after"}


# --- the log ----------------------------------------------------------------------------------------


async def test_the_log_stays_bounded_under_constant_load(writer: Writer, database: Path) -> None:
    """After days of load the disk is full of log, and a start takes minutes."""
    log = database.with_name(database.name + "-wal")
    longest = 0
    body = "x" * 40_000

    async def caller(n: int) -> None:
        nonlocal longest
        for m in range(60):
            await writer.submit(put(f"k{n}-{m}", body))
            longest = max(longest, log.stat().st_size)

    await asyncio.gather(*(caller(n) for n in range(64)))
    assert 64 * 60 * len(body) > HARD_BYTES  # the load was long enough to matter
    assert longest < LOG_BOUND_BYTES
    assert await writer.fold()
    assert log.stat().st_size == 0


async def test_a_reader_in_the_way_is_not_waited_for(writer: Writer, database: Path) -> None:
    """A long export stops everybody's answers, or the log never shrinks again."""
    await writer.submit(put("a"))
    reader = sqlite3.connect(database, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchone()
        await asyncio.gather(*(writer.submit(put(f"k{n}", "x" * 40_000)) for n in range(300)))
        assert not await writer.fold()
        reader.execute("ROLLBACK")
        assert await writer.fold()
        assert database.with_name(database.name + "-wal").stat().st_size == 0
    finally:
        reader.close()


async def test_the_length_of_the_log_is_seen_from_outside(writer: Writer, database: Path) -> None:
    """The log is folded on every commit, or never, because its length is misread."""
    page_bytes = await writer.submit(lambda conn: int(conn.execute("PRAGMA page_size").fetchone()[0]))
    log = Log(database, page_bytes)
    try:
        assert not log.reaches(0)
        await writer.submit(put("a"))
        assert log.reaches(0)
        assert not log.reaches(CALM_BYTES)
        await writer.submit(put("b", "x" * CALM_BYTES))
        # The writer folded it when nobody waited; the file keeps its length until the log starts over.
        await writer.submit(put("c"))
        assert log.reaches(0)
        assert not log.reaches(CALM_BYTES)
        assert database.with_name(database.name + "-wal").stat().st_size > CALM_BYTES
    finally:
        log.close()


async def test_the_pragmas_that_promises_rest_on(writer: Writer) -> None:
    """A power cut takes acknowledged messages; deleted words stay on the disk."""

    def read(conn: sqlite3.Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "secure_delete", "wal_autocheckpoint", "busy_timeout")
        return {name: conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

    assert await writer.submit(read) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "wal_autocheckpoint": 0,
        "busy_timeout": 5_000,
    }
