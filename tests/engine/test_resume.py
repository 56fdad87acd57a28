"""Going on with a conversation, here or elsewhere, through the whole house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.entities import Phase
from tests.engine.resuming import (
    AWAY,
    HERE,
    carried,
    links,
    noticed,
    offered,
    press,
    resume,
    said,
    session,
    talk,
)
from tests.kit.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running house with an empty store."""
    world = await World.open(tmp_path / "rejoinder.db")
    yield world
    await world.close()


async def test_the_owner_goes_on_in_another_thread_with_the_code(world: World) -> None:
    """The code of the notice, typed in another thread of the same workspace, brings the conversation there."""
    code = await noticed(world)
    accepted = await resume(world, "alice", code, thread="t2")
    print(said(accepted))
    print(await world.answers("t2"))
    print(await world.answers("t1"))
    moved = await session(world)
    assert moved.home.thread == "t2"
    assert moved.phase is Phase.ACTIVE
    await talk(world, "What is my app called?", thread="t2")
    print(await world.answers("t2"))


async def test_claim(world: World) -> None:
    """X."""
    code = await noticed(world)
    accepted = await resume(world, "alice", code, thread=AWAY)
    print(said(accepted), offered(accepted))
    print(await world.answers(HERE))
    pressed = await press(world, "alice", "Allow")
    print(said(pressed))
    print(await world.answers(HERE))
    print(await world.answers(AWAY))
    print(await links(world))
    undone = await press(world, "alice", "That wasn't me")
    print(said(undone))
    print(await world.answers(HERE))
    print(await world.answers(AWAY))
    print(await session(world))


async def test_carry(world: World) -> None:
    """X."""
    await talk(world, "My app is called Lumen.")
    code = await carried(world)
    accepted = await resume(world, "alice", code, thread=AWAY)
    print(said(accepted), offered(accepted))
    print(await world.answers(HERE))
    print(await world.answers(AWAY))
