"""The alarm on the real APScheduler, with small intervals: what must be done is done, once, and to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from core.drivers.alarm import RING, Alarm
from core.drivers.clock import SystemClock
from tests.kit.clock import ManualClock, turn

PERIOD_S = 0.02


class Work:
    """Counts its calls; `gate` shut = it runs until the gate opens."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False
        self._changed = asyncio.Event()

    async def __call__(self) -> None:
        """Be one run of a job."""
        self.begun += 1
        self._change()
        await self.gate.wait()
        self.ended += 1
        self._change()
        if self.fails:
            raise ValueError("the job's own mistake")

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait for runs; a test that waits in vain is ended by the suite's time-out."""
        while not check():
            await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@pytest.fixture
async def ring() -> Work:
    """Give what the alarm rings."""
    return Work()


@pytest.fixture
async def alarm(ring: Work) -> AsyncIterator[Alarm]:
    """Give an alarm that is stopped in the end; its watch sleeps unless a test calls `check`."""
    made = Alarm(SystemClock(), ring, watch_s=3600)
    yield made
    await made.stop()


async def test_fixed_job_runs_again_and_again(alarm: Alarm) -> None:
    """Sessions are swept as long as the program runs."""
    sweep = Work()
    alarm.every(PERIOD_S, "sweep", sweep)
    await alarm.start()
    await sweep.until(lambda: sweep.ended >= 3)


async def test_ring_rings_once(alarm: Alarm, ring: Work) -> None:
    """A notice that is due now, or was due while the program was down, is not waited for and not doubled."""
    alarm.ring_at(SystemClock().now_ms() - 3_600_000)
    await alarm.start()
    await ring.until(lambda: ring.ended == 1)
    assert alarm.scheduler.get_job(RING) is None
    alarm.ring_at(SystemClock().now_ms() + 20)
    await ring.until(lambda: ring.ended == 2)


async def test_latest_ring_holds(alarm: Alarm, ring: Work) -> None:
    """When the earliest due time moves, only the new one rings."""
    await alarm.start()
    now_ms = SystemClock().now_ms()
    alarm.ring_at(now_ms + 3_600_000)
    alarm.ring_at(now_ms + 20)
    await ring.until(lambda: ring.ended == 1)
    alarm.ring_at(now_ms + 3_600_000)
    alarm.ring_at(None)
    assert alarm.scheduler.get_job(RING) is None


async def test_ring_far_away_is_not_early(ring: Work) -> None:
    """A conversation that is kept for a month is not warned after a day, when the far ring is planned anew."""
    clock = ManualClock()
    alarm = Alarm(clock, ring, watch_s=3600)
    await alarm.start()
    alarm.ring_at(clock.now_ms() + 30 * 86_400_000)
    planned = alarm.scheduler.get_job(RING)
    assert planned.next_run_time < datetime.now(UTC) + timedelta(days=2)
    await planned.func(*planned.args)
    await turn()
    assert ring.begun == 0
    assert alarm.scheduler.get_job(RING) is not None
    await clock.advance(30 * 86_400)
    await planned.func(*planned.args)
    await ring.until(lambda: ring.ended == 1)
    await alarm.stop()


async def test_ring_during_a_ring_is_not_lost(alarm: Alarm, ring: Work) -> None:
    """A notice that falls due while others are being sent is sent too (APScheduler alone drops it)."""
    ring.gate.clear()
    await alarm.start()
    alarm.ring_at(0)
    await ring.until(lambda: ring.begun == 1)
    other = Work()
    alarm.every(PERIOD_S, "other", other)
    alarm.ring_at(0)
    await other.until(lambda: other.ended >= 2)  # the second ring has come by now, during the first
    assert ring.begun == 1
    ring.gate.set()
    await ring.until(lambda: ring.ended == 2)


async def test_blocked_loop_loses_nothing(alarm: Alarm, ring: Work) -> None:
    """After the machine was stuck for a while, what fell due meanwhile is done once, not dropped as too late."""
    sweep = Work()
    alarm.every(PERIOD_S, "sweep", sweep)
    await alarm.start()
    await sweep.until(lambda: sweep.ended >= 1)
    alarm.ring_at(SystemClock().now_ms() + 10)
    before = sweep.begun
    time.sleep(1.2)  # noqa: ASYNC251 - the point: beyond APScheduler's usual grace of one second
    await ring.until(lambda: ring.ended == 1)
    await sweep.until(lambda: sweep.ended > before)
    assert sweep.begun <= before + 3, "sixty missed sweeps are one sweep"


async def test_backward_clock_step_is_noticed(ring: Work) -> None:
    """After the clock was set back by an hour nobody waits that hour for a notice."""
    clock = ManualClock()
    alarm = Alarm(clock, ring, watch_s=600)
    sweep = Work()
    alarm.every(600, "sweep", sweep)
    await alarm.start()
    # What a step does to APScheduler: the next run is hours away for it.
    alarm.scheduler.modify_job("sweep", next_run_time=datetime.now(UTC) + timedelta(hours=9))
    await clock.advance(1_800)
    assert alarm.rebuilds == 0
    with capture_logs() as logs:
        await clock.advance(600)
    assert alarm.rebuilds == 1
    assert [line["event"] for line in logs] == ["alarm_rebuilt"]
    await sweep.until(lambda: sweep.ended == 1)
    await clock.advance(600)
    assert alarm.rebuilds == 1
    await alarm.stop()


async def test_rebuild_leaves_what_runs(ring: Work) -> None:
    """A job that is at work when the scheduler is built anew is neither ended nor started twice."""
    clock = ManualClock()
    alarm = Alarm(clock, ring, watch_s=3600)
    slow, lost = Work(), Work()
    slow.gate.clear()
    alarm.every(PERIOD_S, "slow", slow)
    alarm.every(600, "lost", lost)
    alarm.ring_at(clock.now_ms() + 3_600_000)
    await alarm.start()
    await slow.until(lambda: slow.begun == 1)
    await clock.advance(1)
    await alarm.check()
    assert alarm.rebuilds == 0, "a job that takes long is not a job that is lost"
    await clock.advance(1_800)
    await alarm.check()
    await lost.until(lambda: lost.ended == 1)
    assert alarm.rebuilds == 1
    assert alarm.scheduler.get_job(RING) is not None
    assert (slow.begun, slow.ended) == (1, 0)
    slow.gate.set()
    await slow.until(lambda: slow.ended >= 2)
    await alarm.stop()


async def test_error_is_counted_and_the_job_goes_on(alarm: Alarm) -> None:
    """A job that fails once is in the log and works the next time."""
    sweep = Work()
    sweep.fails = True
    alarm.every(PERIOD_S, "sweep", sweep)
    with capture_logs() as logs:
        await alarm.start()
        await sweep.until(lambda: sweep.ended >= 2)
    assert alarm.failures["sweep"] >= 1
    assert {(line["event"], line["job"], line["log_level"]) for line in logs} == {
        ("alarm_job_failed", "sweep", "error")
    }


async def test_stop_waits_for_what_runs(alarm: Alarm, ring: Work) -> None:
    """Shutting down leaves no half-written sweep, and begins nothing new."""
    ring.gate.clear()
    await alarm.start()
    alarm.ring_at(0)
    await ring.until(lambda: ring.begun == 1)
    stopping = asyncio.create_task(alarm.stop())
    await turn(100)
    assert not stopping.done()
    ring.gate.set()
    await stopping
    assert (ring.begun, ring.ended) == (1, 1)
    with pytest.raises(RuntimeError):
        _ = alarm.scheduler


async def test_names_are_unique_and_it_starts_once(alarm: Alarm) -> None:
    """A wiring mistake is seen at start-up."""
    alarm.every(1, "sweep", Work())
    for name, seconds in (("sweep", 1.0), (RING, 1.0), ("other", 0.0)):
        with pytest.raises(ValueError, match=name):
            alarm.every(seconds, name, Work())
    await alarm.start()
    with pytest.raises(RuntimeError):
        await alarm.start()
