"""What the Discord tests share: a loopback Discord, and the house on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    """A loopback Discord without rate limits; what passes over it fits Discord's own document."""
    async with DiscordServer() as server:
        server.people.channel("general")
        yield server
        assert "\n".join(server.oracle.problems if server.oracle else []) == ""


@pytest.fixture
async def house(discord: DiscordServer, tmp_path: Path) -> AsyncIterator[House]:
    """The running product on it."""
    house = House(tmp_path / "rejoinder.db", discord)
    await house.start()
    yield house
    await house.stop()
