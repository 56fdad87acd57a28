"""Every message of a person is accounted for: received = answered + queued + refused, at any moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bots.metrics import registry
from core.domain.decide import decide
from core.domain.decision import Decision, Policy, View
from core.domain.entities import Message, Role, Waiting
from core.domain.errors import Closing, StoreFull
from core.domain.events import Event, MessageReceived
from core.domain.stamp import Stamp
from core.engine.books import BOOKS
from tests.engine.test_forgetting import forget
from tests.engine.test_turns import script
from tests.kit.world import World


async def books(world: World) -> dict[str, int]:
    """The figures, as an operator reads them; raises when they do not agree with one another or with the store."""
    shown = registry(world.engine.counts, {"model": "scripted"})
    names = {name: f"rejoinder_{name}{'' if name == 'queued' else '_total'}" for name in BOOKS}
    found = {name: int(shown.get_sample_value(shows) or 0) for name, shows in names.items()}
    assert found["received"] == found["answered"] + found["queued"] + found["refused"], found
    assert found["queued"] == await world.store.queued()
    return found


async def test_answered_and_queued(world: World) -> None:
    """A message that waits for its turn is not gone, and it is counted once when its turn comes."""
    gate = asyncio.Event()
    script(world, ["First", gate, "."], ["Second."])
    await world.say("alice", "one")
    await world.run(1.0)
    await world.say("alice", "two")
    await world.say("alice", "two", key="alice:two")
    assert await books(world) == {"received": 2, "answered": 1, "queued": 1, "refused": 0}
    gate.set()
    await world.settle()
    assert await books(world) == {"received": 2, "answered": 2, "queued": 0, "refused": 0}


async def test_what_nobody_wants_answered_any_more(world: World) -> None:
    """What the person ignores after a downtime is refused by choice, not lost."""
    for text in ("one", "two", "three"):
        await world.say_later("alice", text)
    await world.engine.caught_up("local")
    await world.settle()
    assert await books(world) == {"received": 3, "answered": 0, "queued": 3, "refused": 0}
    await world.press("alice", "Only the last")
    await world.settle()
    assert await books(world) == {"received": 3, "answered": 1, "queued": 0, "refused": 2}


async def test_the_queue_outlives_the_process(world: World) -> None:
    """After a restart what waits is still on the books."""
    for text in ("one", "two"):
        await world.say_later("alice", text)
    again = await world.reborn()
    assert await books(again) == {"received": 2, "answered": 0, "queued": 2, "refused": 0}
    await again.engine.caught_up("local")
    await again.settle()
    await again.press("alice", "Answer all")
    await again.settle()
    assert await books(again) == {"received": 2, "answered": 2, "queued": 0, "refused": 0}


async def test_forgotten_while_it_waits(world: World) -> None:
    """Who forgets a conversation takes what waited in it off the queue."""
    await world.say("alice", "begin")
    await world.settle()
    for text in ("one", "two"):
        await world.say_later("alice", text)
    assert (await books(world))["queued"] == 2
    await forget(world)
    assert await books(world) == {"received": 3, "answered": 1, "queued": 0, "refused": 2}


async def test_nobody_can_pay(tmp_path: Path) -> None:
    """A message over the budget is refused with a word, and counts as refused."""
    world = await World.open(tmp_path / "rejoinder.db", policy=Policy(budget_person_day=1))
    await world.say("alice", "one")
    await world.settle()
    assert await books(world) == {"received": 1, "answered": 0, "queued": 0, "refused": 1}
    await world.close()


async def test_no_room_and_no_time(world: World) -> None:
    """A full disk and a process that stops turn people away, and that is counted, too."""
    await world.store.submit(lambda conn: conn.execute("PRAGMA max_page_count=1").fetchone())  # as many as there are
    with pytest.raises(StoreFull):
        await world.say_later("alice", "word " * 100_000)
    assert (await books(world))["refused"] == 1
    world.store.room.floor_bytes = 1 << 62
    with pytest.raises(StoreFull, match="are free where the database is"):
        await world.say_later("alice", "too late")
    world.store.room.floor_bytes = 0
    await world.store.submit(lambda conn: conn.execute("PRAGMA max_page_count=1000000").fetchone())
    await world.engine.drain(0.0)
    with pytest.raises(Closing):
        await world.say("bob", "too late")
    assert (await books(world))["refused"] == 3


def _loses(view: View, event: Event, stamp: Stamp) -> Decision:
    """A rule that is broken: what should wait is put nowhere."""
    found = decide(view, event, stamp)
    if isinstance(event, MessageReceived):
        return replace(found, changes=tuple(each for each in found.changes if not isinstance(each, Waiting)))
    return found


def _forgets(view: View, event: Event, stamp: Stamp) -> Decision:
    """Another one: what has waited is taken off the queue and asked of nobody."""
    found = decide(view, event, stamp)
    if not isinstance(event, MessageReceived):
        rows = (each for each in found.changes if not (isinstance(each, Message) and each.role is Role.USER))
        return replace(found, changes=tuple(rows))
    return found


@pytest.mark.parametrize("rule", [_loses, _forgets])
async def test_a_rule_that_loses_a_message_is_found_out(tmp_path: Path, rule: object) -> None:
    """Planted faults: the sum must not come out even when a message was dropped in silence."""
    world = await World.open(tmp_path / "rejoinder.db", rule=rule)  # type: ignore[arg-type]
    gate = asyncio.Event()
    script(world, ["First", gate, "."], ["Second."])
    await world.say("alice", "one")
    await world.run(1.0)
    await world.say("alice", "two")
    gate.set()
    await world.run(5.0)
    with pytest.raises(AssertionError):
        await books(world)
    await world.close()
