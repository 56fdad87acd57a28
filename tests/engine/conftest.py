"""A running house for every test of the engine that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running house with an empty store."""
    world = await World.open(tmp_path / "rejoinder.db")
    yield world
    await world.close()
