"""What the Discord tests share: a loopback Discord, and the house on it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer

BEATING = "keep-alive-handler"  # discord.py's name for a thread that beats for a socket


@pytest.fixture(autouse=True)
def _no_heartbeat_outlives_its_socket() -> Iterator[None]:
    """A thread beats on for a connection that is gone, and fails when its loop is."""
    yield
    left = [each for each in threading.enumerate() if each.name.startswith(BEATING)]
    for each in left:
        each.join(1)
    assert not [each.name for each in left if each.is_alive()]


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
