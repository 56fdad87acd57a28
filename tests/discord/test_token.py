"""Discord takes the token away while the bot runs: it waits, asks slowly, and comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest

from core.domain.errors import Refused
from core.drivers.clock import SystemClock
from tests.kit.discord_house import House
from tests.kit.discord_program import installed
from tests.kit.discord_server import DiscordServer
from tests.kit.scripted import ScriptedModel

LONG_S = 45.0
BAD_TOKEN = 4004
LOOKS = 200


class Hasty(SystemClock):
    """Sleeps of a minute and more take a moment; `naps` has them, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.naps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """See `SystemClock`."""
        if seconds > LONG_S:
            self.naps.append(seconds)
            self.advance(round(seconds * 1000))
            seconds = 0.1
        await super().sleep(seconds)


@pytest.fixture
async def hasty(discord: DiscordServer, tmp_path: Path) -> AsyncIterator[tuple[House, Hasty]]:
    """The running product with such a clock."""
    house, clock = House(tmp_path / "rejoinder.db", discord), Hasty()
    house.clock, house.model = clock, ScriptedModel(clock)
    await house.start()
    yield house, clock
    await house.stop()


def take_away(discord: DiscordServer) -> None:
    """The token was reset in the developer portal."""
    discord.rest.accept("another")
    discord.gateway.accept("another")
    discord.gateway.forget_sessions()
    discord.gateway.close_sockets(BAD_TOKEN)


def give_back(discord: DiscordServer) -> None:
    """It counts again."""
    discord.rest.accept(discord.token)
    discord.gateway.accept(discord.token)


async def test_a_token_that_is_taken_away_is_waited_for(discord: DiscordServer, hasty: tuple[House, Hasty]) -> None:
    """4004 ends the adapter: nobody is heard until somebody restarts the bot, though the token works again."""
    house, clock = hasty
    house.script(["One."], ["Two."])
    thread = discord.people.mention("alice", discord.people.channel("general"), "first")["id"]
    await house.answered(thread, "One.")
    assert house.served.trouble() == ""
    take_away(discord)
    await discord.until(lambda: len(clock.naps) > 3)
    assert "DISCORD_TOKEN" in house.served.trouble()
    discord.people.say("alice", discord.world.channels[thread], "second")
    give_back(discord)
    await house.answered(thread, "One.", "Two.")
    assert house.served.trouble() == ""


async def test_a_token_that_is_gone_is_asked_for_more_and_more_seldom(
    discord: DiscordServer, hasty: tuple[House, Hasty]
) -> None:
    """10,000 refusals in ten minutes ban the address; one in a minute, and then one in a quarter of an hour, do not."""
    _, clock = hasty
    take_away(discord)
    before = len(discord.rest.log)
    await discord.until(lambda: len(clock.naps) > 5)
    assert clock.naps[:5] == [60.0, 120.0, 300.0, 900.0, 900.0]
    refused = [each for each in discord.rest.log[before:] if each.status == HTTPStatus.UNAUTHORIZED]
    assert len(refused) <= len(clock.naps) + 1


async def test_a_refusal_of_the_gateway_alone_is_not_the_end(
    discord: DiscordServer, hasty: tuple[House, Hasty]
) -> None:
    """Discord closes with 4004 on a bad day of its own: a minute later the bot listens again."""
    house, clock = hasty
    discord.gateway.close_sockets(BAD_TOKEN)
    await discord.until(lambda: bool(clock.naps))
    house.script(["One."])
    thread = discord.people.mention("alice", discord.people.channel("general"), "first")["id"]
    await house.answered(thread, "One.")


async def test_whoever_asks_whether_it_is_ready_is_told(discord: DiscordServer, tmp_path: Path) -> None:
    """The bot is deaf, and whatever watches it reads that all is well."""
    async with installed(tmp_path, discord) as (bot, _):
        process = await bot.start()
        status, told = await asyncio.to_thread(process.ask, "/readyz")
        assert status == HTTPStatus.OK
        take_away(discord)
        for _ in range(LOOKS):
            status, told = await asyncio.to_thread(process.ask, "/readyz")
            if status != HTTPStatus.OK:
                break
            await asyncio.sleep(0.05)
        assert status == HTTPStatus.SERVICE_UNAVAILABLE
        assert "DISCORD_TOKEN" in str(told)


async def test_a_start_that_somebody_watches_ends_with_a_refusal(discord: DiscordServer, tmp_path: Path) -> None:
    """A mistyped token is told at once, instead of a bot that waits in silence."""
    discord.gateway.accept("another")
    house = House(tmp_path / "rejoinder.db", discord)
    with pytest.raises(Refused, match="DISCORD_TOKEN"):
        await asyncio.wait_for(house.start(), 10.0)
    await house.stop()
