"""The one writer: units in, one transaction per batch, outcomes out.

Knows: batches, savepoints, priorities, futures. Must not know: what a unit does.

A *unit* is a synchronous function of the bare connection. The task takes everything that is queued (urgent units
first, drafts last) and runs all of it in one hop to the connection's thread: BEGIN IMMEDIATE, the units, COMMIT;
then it resolves the futures. What queues meanwhile is the next batch, so nobody lingers. Units are functions of the
database, so running one again after a rollback is harmless; three of the corner cases rest on that.

Corner cases, each a test:
- A caller is cancelled: its unit runs or does not run, whole either way; nobody else notices.
- A unit raises: the batch is rolled back and run again with each unit in a savepoint, so that only the future of
  that unit fails. Savepoints cost a fifth of a small unit, and failures are rare: hence not at first.
- SQLite ends the whole transaction inside a unit (a full disk may do that): the other units of the batch run again,
  each in a transaction of its own.
- COMMIT fails: nothing of the batch is on the disk, every future of it fails; the next batch starts afresh.
- The task itself is cancelled (`asyncio.run` does that at its end): it finishes what is queued and closes the
  connection like `close`; the batch on the thread is never abandoned.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from core.domain.errors import StoreError
from storage.connection import Connection, open_for_writing
from storage.faults import translate
from storage.wal import Folding, Log

T = TypeVar("T")

Unit = Callable[[sqlite3.Connection], T]
OnPoint = Callable[[str], None]

BATCH_UNITS = 256  # bounds what one COMMIT can lose and how long an urgent unit waits for the batch before it
DRAFT_SHARE = 32  # of a batch: drafts come last, but a flood of urgent units does not starve them
IDLE_S = 3.0  # without a write for this long, the log is folded


class Priority(IntEnum):
    """Which units go first when there is a choice."""

    URGENT = 0
    DRAFT = 1


URGENT = Priority.URGENT
DRAFT = Priority.DRAFT


@dataclass(slots=True, kw_only=True)
class _Job:
    unit: Unit[object]
    future: asyncio.Future[object]
    value: object = None
    error: Exception | None = None


class Writer:
    """Owns the write connection. Make one with `Writer.open`."""

    def __init__(self, conn: Connection, log: Log, on_point: OnPoint | None) -> None:
        self._conn = conn
        self._log = log
        self._folding = Folding(log)
        self._on_point = on_point
        self._urgent: deque[_Job] = deque()
        self._drafts: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_due = False
        self._changes = self._changes_armed = self._changes_folded = 0  # rows changed, to tell idle from busy
        self._closing = False
        self.task = asyncio.create_task(self._run(), name="store-writer")

    @classmethod
    async def open(cls, path: Path, *, max_page_count: int | None = None, on_point: OnPoint | None = None) -> Writer:
        """Open the write connection on an existing, migrated database.

        Raises:
            StoreError: the file cannot be opened.
        """
        try:
            conn = await Connection.open(lambda: open_for_writing(path, max_page_count=max_page_count))
        except sqlite3.Error as error:
            raise translate(error) from error
        page_bytes = await conn.run(lambda bare: int(bare.execute("PRAGMA page_size").fetchone()[0]))
        return cls(conn, Log(path, page_bytes), on_point)

    async def submit(self, unit: Unit[T], priority: Priority = URGENT) -> T:
        """Run `unit` in the next batch; when this returns, what it wrote is on the disk.

        Raises:
            StoreFull: no room; nothing of the unit was written.
            StoreError: SQLite refused, or the writer is closed.
            Exception: whatever `unit` raised; nothing of it was written.
        """
        if self._closing:
            raise StoreError(code="store_closed", detail="the store is closed")
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        queue = self._drafts if priority is DRAFT else self._urgent
        queue.append(_Job(unit=unit, future=future))
        self._wake.set()
        return cast("T", await future)

    async def fold(self, *, patience_ms: int = 0) -> bool:
        """Cut the log to zero after everything that is queued; False while a reader is in the way.

        `patience_ms`: how long to wait for readers, and everybody who writes with us.
        """
        await self.submit(lambda _: None)
        return await self._conn.run(partial(self._folding.to_zero, patience_ms=patience_ms))

    async def rewrite(self) -> None:
        """Write the whole file anew after everything that is queued: what deleted rows left in its pages is gone.

        Everybody who writes waits for it.

        Raises:
            StoreFull: no room for a second copy; the file is as it was.
            StoreError: SQLite refused; the file is as it was.
        """
        await self.submit(lambda _: None)
        try:
            await self._conn.run(lambda conn: conn.execute("VACUUM").close())
        except sqlite3.Error as error:
            raise translate(error) from error

    async def close(self) -> None:
        """Finish what is queued, fold the log and close the connection. Twice is as good as once."""
        self._closing = True
        self._wake.set()
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.result()

    # --- the task ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        batch: list[_Job] = []
        try:
            while batch := await self._next_batch():
                await self._finish(self._conn.run(partial(self._write, batch=batch)))
                _resolve(batch)
                self._arm_idle_timer()
        finally:
            self._closing = True
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            left = [*batch, *self._urgent, *self._drafts]  # not empty only after an error of the writer itself
            for job in left:
                job.error = StoreError(code="store_closed", detail="the writer has stopped")
            _resolve(left)
            await self._finish(asyncio.ensure_future(self._conn.close()))
            self._log.close()

    async def _next_batch(self) -> list[_Job]:
        """Wait for units; an empty list means: closed and nothing left."""
        while True:
            if batch := self._take():
                return batch
            if self._closing:
                return []
            if self._idle_due:
                self._idle_due = False
                await self._finish(self._conn.run(self._folding.when_idle))
                continue
            self._wake.clear()
            try:
                await self._wake.wait()
            except asyncio.CancelledError:
                self._closing = True

    def _take(self) -> list[_Job]:
        batch: list[_Job] = []
        keep = min(len(self._drafts), DRAFT_SHARE)
        for queue, room in ((self._urgent, BATCH_UNITS - keep), (self._drafts, BATCH_UNITS)):
            while queue and len(batch) < room:
                job = queue.popleft()
                if not job.future.cancelled():
                    batch.append(job)
        return batch

    async def _finish(self, work: asyncio.Future[T]) -> T:
        """Wait for what runs on the thread, through any number of cancellations."""
        while True:
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                self._closing = True

    def _arm_idle_timer(self) -> None:
        if self._idle_timer is None and self._changes != self._changes_folded:
            self._changes_armed = self._changes
            self._idle_timer = asyncio.get_running_loop().call_later(IDLE_S, self._idle)

    def _idle(self) -> None:
        self._idle_timer = None
        if self._changes != self._changes_armed:
            self._arm_idle_timer()
            return
        self._changes_folded = self._changes
        self._idle_due = True
        self._wake.set()

    # --- on the connection's thread -----------------------------------------------------------------

    def _write(self, conn: sqlite3.Connection, batch: list[_Job]) -> None:
        if not self._commit(conn, batch, savepoints=False) and len(batch) > 1:
            for job in batch:
                job.error = None
            if not self._commit(conn, batch, savepoints=True):
                for job in batch:
                    if job.error is None:
                        self._commit(conn, [job], savepoints=False)
        self._changes = conn.total_changes
        others_wait = bool(self._urgent or self._drafts)
        with contextlib.suppress(sqlite3.Error):
            self._folding.after_batch(conn, others_wait=others_wait)

    def _commit(self, conn: sqlite3.Connection, jobs: list[_Job], *, savepoints: bool) -> bool:
        """Run the jobs in one transaction; False when a job that failed took the transaction with it."""
        try:
            if conn.in_transaction:  # left behind by a ROLLBACK that failed
                conn.execute("ROLLBACK")
            conn.execute("BEGIN IMMEDIATE")
            for job in jobs:
                _run_unit(conn, job, savepoint=savepoints)
                if not conn.in_transaction:
                    job.error = job.error or StoreError(code="store_sql", detail="a unit ended the transaction")
                    return False
                if job.error is not None and not savepoints:
                    conn.execute("ROLLBACK")
                    return False
            self._point("writer.before_commit")
            conn.execute("COMMIT")
        except sqlite3.Error as error:
            fault = translate(error)
            for job in jobs:
                job.error = job.error or fault
            with contextlib.suppress(sqlite3.Error):
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
        else:
            self._point("writer.after_commit")
        return True

    def _point(self, name: str) -> None:
        if self._on_point is not None:
            self._on_point(name)


def _run_unit(conn: sqlite3.Connection, job: _Job, *, savepoint: bool) -> None:
    if savepoint:
        conn.execute("SAVEPOINT unit")
    try:
        job.value = job.unit(conn)
    except Exception as error:  # noqa: BLE001 -- handed to the caller, who alone knows what it means
        job.error = translate(error) if isinstance(error, sqlite3.Error) else error
        if savepoint and conn.in_transaction:
            conn.execute("ROLLBACK TO unit")
    if savepoint and conn.in_transaction:
        conn.execute("RELEASE unit")


def _resolve(batch: list[_Job]) -> None:
    for job in batch:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.value)
