"""The clocks: the machine's, and the one that tests move by hand."""

from __future__ import annotations

import asyncio
import time

import pytest

from core.drivers.clock import SystemClock
from tests.kit.clock import ManualClock


async def test_let_time_pass_moves_the_wall_clock_only() -> None:
    """`Let time pass` makes a conversation idle; it hurries no running answer."""
    clock = SystemClock(offset_ms=1_000)
    steady = clock.monotonic()
    clock.advance(3_600_000)
    ahead_ms = clock.now_ms() - time.time_ns() // 1_000_000
    assert 3_600_900 <= ahead_ms <= 3_601_000
    assert clock.offset_ms == 3_601_000
    assert clock.monotonic() - steady < 60
    await clock.sleep(0)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


async def test_sleepers_wake_in_order() -> None:
    """A test that advances an hour sees everything of that hour, in its order, each at its own time."""
    clock = ManualClock(now_ms=0)
    seen: list[tuple[str, int]] = []

    async def wake(name: str, *delays: float) -> None:
        for delay in delays:
            await clock.sleep(delay)
            seen.append((name, clock.now_ms()))

    tasks = [asyncio.create_task(wake("a", 2, 2)), asyncio.create_task(wake("b", 3)), asyncio.create_task(wake("c", 9))]
    await clock.advance(5)
    assert seen == [("a", 2_000), ("b", 3_000), ("a", 4_000)]
    assert (clock.sleeping, clock.monotonic(), clock.now_ms()) == (1, 5.0, 5_000)
    tasks[2].cancel()
    clock.step_wall(-60_000)
    await clock.advance(60)
    assert (len(seen), clock.sleeping, clock.now_ms()) == (3, 0, 5_000)
