"""Deleted by age: announced, then real; never by a clock that steps, never without a day in which one could read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.decision import Policy
from core.domain.entities import Phase
from core.engine.ports import Post
from tests.engine.resuming import HOUR, MINUTE, everywhere, said, sessions
from tests.kit.world import World

DAY = 24 * HOUR
DAY_MS = 24 * 3_600_000
CANARY = "zanzibar-canary"
POLICY = Policy(retention_ms=30 * DAY_MS)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A house that deletes after 30 days."""
    world = await World.open(tmp_path / "rejoinder.db", policy=POLICY)
    yield world
    await world.close()


async def pass_days(world: World, days: float, step: float = 1.0) -> None:
    """Let days pass, ringing once in a while, as the sweep does."""
    for _ in range(round(days / step)):
        await world.clock.leap(step * DAY)
        await world.engine.ring()
        await world.settle()


async def talked(world: World, thread: str = "t1") -> None:
    """Alice has said something and was answered."""
    await world.say("alice", f"About {CANARY}", thread=thread, key=f"k-{thread}")
    await world.settle()
    await world.clock.leap(31 * MINUTE)
    await world.engine.ring()
    await world.settle()


async def cards(world: World, thread: str = "t1") -> list[Post]:
    """Our cards in a thread."""
    return [post for post in await world.posts(thread) if post.card]


async def test_it_is_announced_and_then_real(world: World) -> None:
    """Words disappear without a word, or are kept although the operator promised otherwise."""
    await talked(world)
    await pass_days(world, 26.5, 0.5)
    assert ["parked" in post.text for post in await cards(world)] == [True]
    await pass_days(world, 1, 0.5)
    told = (await cards(world))[-1]
    assert "deleted for good at 24 Dec, 16:31 UTC at the earliest" in told.text
    assert [each.label for each in told.buttons] == ["Keep"]
    await pass_days(world, 2, 0.5)
    assert len(await sessions(world)) == 1
    await pass_days(world, 1, 0.5)
    assert await sessions(world) == []
    assert await everywhere(world, CANARY) == []


@pytest.mark.parametrize("how", ["message", "keep", "end"])
async def test_any_act_of_a_person_takes_it_back(world: World, how: str) -> None:
    """Somebody says no and it is deleted all the same."""
    await talked(world)
    await pass_days(world, 28)
    if how == "message":
        await world.say("alice", "I am here", key="k2")
    elif how == "keep":
        assert said(await world.press("alice", "Keep")) == "Kept. Nothing was deleted."
    else:
        await world.press("alice", "End")
    await world.settle()
    assert any(post.text == "Kept. It stays for at least 30 days more." for post in await cards(world))
    assert not any(each.label == "Keep" for post in await cards(world) for each in post.buttons)
    await pass_days(world, 25)
    assert len(await sessions(world)) == 1
    await pass_days(world, 10)
    assert await sessions(world) == []


async def test_a_day_of_running_is_needed(world: World) -> None:
    """A bot that was off for weeks deletes in the minute in which it starts."""
    await talked(world)
    await pass_days(world, 27)
    assert len(await cards(world)) == 2
    again = await _started_later(world, 20 * DAY)
    await again.engine.ring()
    await again.settle()
    assert len(await sessions(again)) == 1
    await pass_days(again, 0.9, 0.1)
    assert len(await sessions(again)) == 1
    await pass_days(again, 0.3, 0.1)
    assert await sessions(again) == []


async def test_the_announcement_comes_after_a_long_sleep_and_then_waits(world: World) -> None:
    """A conversation that came of age while the bot was off is deleted unannounced."""
    await talked(world)
    again = await _started_later(world, 90 * DAY)
    await again.engine.ring()
    await again.settle()
    await again.engine.ring()
    await again.settle()
    assert "deleted for good" in (await cards(again))[-1].text
    await pass_days(again, 2.9, 0.1)
    assert len(await sessions(again)) == 1
    await pass_days(again, 0.3, 0.1)
    assert await sessions(again) == []


@pytest.mark.parametrize("step_ms", [400 * DAY_MS, -400 * DAY_MS])
async def test_a_stepped_clock_deletes_nothing_early(world: World, step_ms: int) -> None:
    """A wrong clock, which nobody has seen, takes everybody's conversations."""
    await talked(world)
    await pass_days(world, 27.5, 0.5)
    assert "deleted for good" in (await cards(world))[-1].text
    world.clock.step_wall(step_ms)
    for _ in range(8):
        await world.clock.leap(HOUR)
        await world.engine.ring()
        await world.settle()
    assert len(await sessions(world)) == 1
    world.clock.step_wall(-step_ms)
    await world.engine.ring()
    await world.settle()
    assert len(await sessions(world)) == 1


async def test_what_was_stored_before_the_setting_is_found(tmp_path: Path) -> None:
    """Retention is switched on, and the oldest conversations are kept for ever."""
    world = await World.open(tmp_path / "other.db")
    await talked(world)
    await pass_days(world, 40)
    assert (await sessions(world))[0].phase is Phase.EXPIRED
    again = await world.reborn(policy=POLICY)
    await again.engine.ring()
    await again.settle()
    assert "deleted for good" in (await cards(again))[-1].text
    calm = await again.reborn(policy=Policy())
    await pass_days(calm, 10)
    assert (await cards(calm))[-1].text == "Kept. Nothing is deleted by age any more."
    assert len(await sessions(calm)) == 1
    await world.close()


async def test_without_the_setting_nothing_is_deleted(tmp_path: Path) -> None:
    """A conversation disappears although nobody asked for that."""
    world = await World.open(tmp_path / "other.db")
    await talked(world)
    await pass_days(world, 400, 10)
    assert len(await sessions(world)) == 1
    assert len(await world.posts()) == 3
    await world.close()


async def _started_later(world: World, off_s: float) -> World:
    """The same house after the machine was off: the wall clock went on, no time of running passed."""
    await world.drop()
    world.clock.step_wall(round(off_s * 1000))
    return await world.reborn()
