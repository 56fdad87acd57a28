"""Many sessions due at once, a loop that hangs, a restart in between, clocks that step: nothing missed or doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from core.domain.entities import Entity, Phase
from core.domain.rules.timeline import next_due
from tests.engine.resuming import HOUR, MINUTE, sessions
from tests.kit.clock import turn
from tests.kit.store import bound, given, message, session
from tests.kit.world import World, place_of

COUNT = 300
SPREAD_S = 60.0
DAY = 24 * HOUR


async def fill(world: World, count: int = COUNT) -> None:
    """So many conversations, each in a thread of its own, the last word of each in the same minute."""
    begun_ms = world.clock.now_ms()
    rows: list[Entity] = []
    for n in range(count):
        last_ms = begun_ms + round(n * SPREAD_S * 1000 / count)
        row = replace(
            session(f"s{n:04d}", user=f"p{n}", place=place_of(f"thread{n}")),
            created_ms=last_ms,
            last_human_ms=last_ms,
            exchanges=1,
            next_seq=3,
        )
        row = replace(row, due_ms=next_due(row, world.policy))
        rows += (*bound(row), message(1, "hello", session_id=row.id), message(2, session_id=row.id))
    await given(world.store, *rows)


async def notices(world: World, count: int = COUNT) -> Counter[int]:
    """How many threads have how many posts of ours."""
    return Counter([len(await world.answers(f"thread{n}")) for n in range(count)])


async def test_three_hundred_due_in_a_minute_with_a_hanging_loop_and_a_restart(world: World) -> None:
    """Somebody is reminded twice or not at all because the bot was busy or was restarted."""
    await due_in_a_minute(world, COUNT)


async def due_in_a_minute(world: World, count: int) -> None:
    """So many are due; the loop hangs for 30 s, the process dies in the middle; nothing is missed or doubled."""
    await fill(world, count)
    await world.clock.leap(30 * MINUTE + 10.0)
    ringing = asyncio.create_task(world.engine.ring())
    while not await warned(world):
        await turn()
    await world.clock.leap(30.0)  # the loop hangs; some notices stand, some do not
    await asyncio.gather(ringing)
    ringing = asyncio.create_task(world.engine.ring())
    await turn(200)  # some sessions were asked, some were not
    again = await world.reborn()
    await asyncio.gather(ringing, return_exceptions=True)
    assert 0 < Counter([each.phase for each in await sessions(again)])[Phase.ACTIVE] < count
    for _ in range(3):
        await again.clock.leap(20.0)
        await again.engine.ring()
        await again.settle(seconds=600.0, step=0.05)
    assert Counter([each.phase for each in await sessions(again)]) == {Phase.WARNED: count}
    assert await notices(again, count) == {1: count}
    await again.clock.leap(30 * MINUTE)
    await again.engine.ring()
    await again.settle(seconds=600.0, step=0.05)
    assert Counter([each.phase for each in await sessions(again)]) == {Phase.PARKED: count}
    assert await notices(again, count) == {1: count}


async def warned(world: World) -> int:
    """How many have their notice decided."""
    sql = "SELECT count(*) FROM session WHERE phase = 'warned'"
    return int(await world.store.read(lambda conn: conn.execute(sql).fetchone()[0]))


@pytest.mark.parametrize(
    ("step_s", "phase", "posts"),
    [(HOUR, Phase.PARKED, 1), (-HOUR, Phase.ACTIVE, 0), (DAY, Phase.EXPIRED, 0), (-DAY, Phase.ACTIVE, 0)],
    ids=["+1h", "-1h", "+1d", "-1d"],
)
async def test_a_stepped_clock_neither_loses_nor_doubles(world: World, step_s: float, phase: Phase, posts: int) -> None:
    """Somebody's clock is corrected, and everybody is reminded twice, for ever, or never again."""
    count = 20
    await fill(world, count)
    await world.clock.leap(29 * MINUTE)
    world.clock.step_wall(round(step_s * 1000))
    for _ in range(2):
        await world.engine.ring()
        await world.settle()
    assert Counter([each.phase for each in await sessions(world)]) == {phase: count}
    assert await notices(world, count) == {posts: count}
    for _ in range(140):  # on from there, a minute at a time
        await world.clock.leap(MINUTE)
        await world.engine.ring()
    await world.settle()
    left = Phase.EXPIRED if step_s == DAY else Phase.PARKED
    assert Counter([each.phase for each in await sessions(world)]) == {left: count}
    # After a day's step it was parked quietly, and the card comes with the return.
    assert await notices(world, count) == {0 if step_s == DAY else 1: count}


@pytest.mark.parametrize("step_s", [HOUR, -HOUR, DAY, -DAY])
async def test_a_clock_that_steps_and_is_put_right_reminds_once(world: World, step_s: float) -> None:
    """A wrong minute of the clock leaves a second notice behind, or a timer that never rings."""
    count = 20
    await fill(world, count)
    await world.clock.leap(10 * MINUTE)
    world.clock.step_wall(round(step_s * 1000))
    await world.engine.ring()
    await world.settle()
    await world.clock.leap(MINUTE)
    world.clock.step_wall(-round(step_s * 1000))
    for _ in range(130):
        await world.clock.leap(MINUTE)
        await world.engine.ring()
    await world.settle()
    phases = Counter([each.phase for each in await sessions(world)])
    assert phases == ({Phase.EXPIRED: count} if step_s == DAY else {Phase.PARKED: count})
    assert set(await notices(world, count)) <= {0, 1}
