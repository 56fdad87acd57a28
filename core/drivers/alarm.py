"""Wakes the engine: a handful of fixed jobs on APScheduler, and one ring at the earliest due time.

Knows: when to call what. Must not know: sessions; what is due stands in the store, this only says "look".

Three things a plain scheduler would get wrong:
- APScheduler drops a run that falls due while the last one still runs (`max_instances`), and a one-time job is
  gone with it. So its own jobs are instants that start ours; a call that comes while its job runs makes it run
  once more.
- Shutting its executor down cancels what runs. Ours are tasks of our own: `stop` waits for them.
- Its times are wall-clock. After a backward step of the clock everything would wait for the lost time to come
  again. A watch on the monotonic clock builds the scheduler anew when a job is later than three of its periods.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from core.engine.ports import Clock

RING = "ring"  # the name of the one-time job
LATE_PERIODS = 3  # a job that is later than this is not late but lost
_HORIZON_MS = 86_400_000  # a ring further away is planned anew after a day

_log = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class _Job:
    """`period_s` None: rings on demand. `started_s` is monotonic: when it last began, or was set up."""

    name: str
    work: Work
    period_s: float | None
    started_s: float
    task: asyncio.Task[None] | None = None
    again: bool = False


class Alarm:
    """Call `every` for each fixed job, then `start`; `ring_at` whenever the earliest due time changes.

    `on_ring` is called at that time, never twice at once. Errors of a job are logged and counted in `failures` by
    its name; the job goes on. `check` is called every `watch_s` seconds by a task that does not depend on
    APScheduler.
    """

    def __init__(self, clock: Clock, on_ring: Work, *, watch_s: float = 5.0) -> None:
        self.failures: Counter[str] = Counter()
        self.rebuilds = 0
        self._clock = clock
        self._watch_s = watch_s
        self._jobs = {RING: _Job(name=RING, work=on_ring, period_s=None, started_s=clock.monotonic())}
        self._due_ms: int | None = None
        self._scheduler: AsyncIOScheduler | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def scheduler(self) -> AsyncIOScheduler:
        """The running scheduler. Raises `RuntimeError` before `start` and after `stop`."""
        if self._scheduler is None:
            raise RuntimeError("the alarm does not run")
        return self._scheduler

    def every(self, seconds: float, name: str, work: Work) -> None:
        """Call `work` every `seconds`, for the first time after `seconds`. Names are unique (`ValueError`)."""
        if name in self._jobs or seconds <= 0:
            raise ValueError(f"a job needs a name of its own and a period: {name}")
        job = _Job(name=name, work=work, period_s=seconds, started_s=self._clock.monotonic())
        self._jobs[name] = job
        if self._scheduler is not None:
            self._plan(self._scheduler, job, delay_s=seconds)

    def ring_at(self, due_ms: int | None) -> None:
        """Call `on_ring` at wall-clock `due_ms`, at once when that is past; the latest call holds, None = never."""
        self._due_ms = due_ms
        if self._scheduler is not None:
            self._plan_ring(self._scheduler)

    async def start(self) -> None:
        """Begin. Raises `RuntimeError` when it runs already."""
        if self._scheduler is not None:
            raise RuntimeError("the alarm runs already")
        self._scheduler = self._build(overdue=())
        self._watch = asyncio.create_task(self._watching(), name="alarm-watch")

    async def stop(self) -> None:
        """Begin nothing more and wait for what runs; nothing is cancelled half way."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            scheduler.shutdown(wait=False)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        while running := [job.task for job in self._jobs.values() if job.task is not None]:
            await asyncio.wait(running)

    async def check(self) -> None:
        """Build the scheduler anew, and run what is overdue at once, when a job is later than three periods."""
        if self._scheduler is None:
            return
        now_s = self._clock.monotonic()
        overdue = [job for job in self._jobs.values() if _is_lost(job, now_s)]
        if not overdue:
            return
        self.rebuilds += 1
        _log.warning("alarm_rebuilt", jobs=[job.name for job in overdue])
        self._scheduler.shutdown(wait=False)
        self._scheduler = self._build(overdue=overdue)

    def _build(self, *, overdue: list[_Job] | tuple[()]) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        scheduler.start()
        for job in self._jobs.values():
            if job.period_s is not None:
                self._plan(scheduler, job, delay_s=0 if job in overdue else job.period_s)
        self._plan_ring(scheduler)
        return scheduler

    def _plan(self, scheduler: AsyncIOScheduler, job: _Job, *, delay_s: float) -> None:
        scheduler.add_job(
            self._instant,
            "interval",
            args=[job],
            id=job.name,
            seconds=job.period_s,
            next_run_time=_in(delay_s),
            replace_existing=True,
        )

    def _plan_ring(self, scheduler: AsyncIOScheduler) -> None:
        if self._due_ms is None:
            if scheduler.get_job(RING) is not None:
                scheduler.remove_job(RING)
            return
        delay_s = min(max(self._due_ms - self._clock.now_ms(), 0), _HORIZON_MS) / 1000
        args = [self._jobs[RING]]
        scheduler.add_job(self._instant, "date", args=args, id=RING, run_date=_in(delay_s), replace_existing=True)

    async def _instant(self, job: _Job) -> None:
        """What APScheduler runs: start the job, or have it run once more when it is running."""
        if self._scheduler is None:
            return
        if job.name == RING and self._too_early():
            self._plan_ring(self._scheduler)
            return
        if job.task is not None:
            job.again = True
            return
        job.started_s = self._clock.monotonic()
        job.task = asyncio.create_task(self._run(job), name=f"alarm-{job.name}")

    def _too_early(self) -> bool:
        """Whether the ring is for later (it was beyond the horizon, or the clock stepped); else it is used up."""
        if self._due_ms is not None and self._due_ms > self._clock.now_ms():
            return True
        self._due_ms = None
        return False

    async def _run(self, job: _Job) -> None:
        try:
            while True:
                job.again = False
                await self._once(job)
                if not job.again or self._scheduler is None:
                    return
                job.started_s = self._clock.monotonic()
        finally:
            job.task = None

    async def _once(self, job: _Job) -> None:
        try:
            await job.work()
        except Exception:  # noqa: BLE001 - a job's error must not end the alarm; it is counted and seen in the log
            self.failures[job.name] += 1
            _log.exception("alarm_job_failed", job=job.name)

    async def _watching(self) -> None:
        while True:
            await self._clock.sleep(self._watch_s)
            await self.check()


def _in(seconds: float) -> datetime:
    """APScheduler's own clock, the system's: what we know as a delay must be told to it as a time."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def _is_lost(job: _Job, now_s: float) -> bool:
    return job.period_s is not None and job.task is None and now_s - job.started_s > LATE_PERIODS * job.period_s
