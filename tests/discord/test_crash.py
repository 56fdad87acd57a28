"""Deaths at every named point of a story on Discord: nothing is lost, nothing is said twice, nobody is asked twice.

Knows: a story in a thread and in a direct conversation, what must stand in the end, and the fuse. Time is real here:
the sweep over all points runs for minutes (soak), two of them run always.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.domain.errors import StoreError
from core.engine.points import POINTS
from tests.crash.fuse import Died, Fuse, Spot
from tests.crash.talker import Talker, text_for
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer

# What this story does not pass, the whole program passes and dies at in tests/deaths.
HERE = [each for each in POINTS if not each.startswith(("erase.", "summary.", "tool.", "refresh.", "login.", "proof."))]
# A death between making a coroutine and awaiting it leaves the coroutine, and a task its exception.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def remains() -> Iterator[None]:
    """What the dead have left is collected in the test that killed them."""
    logger = logging.getLogger("asyncio")
    before, logger.disabled = logger.disabled, True
    yield
    gc.collect()
    logger.disabled = before


class Story:
    """One story with deaths: the first at `spot`, and once more in the next life if `twice`."""

    def __init__(self, folder: Path, discord: DiscordServer, spot: Spot, *, twice: bool = False) -> None:
        self.deaths = 0
        self._discord = discord
        self._spots = [spot, spot] if twice else [spot]
        self._house = House(folder / "rejoinder.db", discord)
        self._house.model = self._talker = Talker(self._house.clock)
        self._fuse = Fuse()

    async def play(self) -> None:
        """Tell it, and check what stands."""
        try:
            await self._told()
        finally:
            self._fuse.disarm()
            await (self._house.crash() if self._fuse.dead else self._house.stop())

    async def _told(self) -> None:
        discord = self._discord
        await self._live()
        first = discord.people.mention("alice", discord.people.channel("general"), "one")["id"]
        dm = discord.people.dm("bob")
        discord.people.say("bob", dm, "two")
        await self._until(lambda: text_for("one") in discord.texts(first))
        discord.people.say("alice", discord.world.channels[first], "three")
        await self._until(lambda: len(discord.texts(first)) > 1 and text_for("two") in discord.texts(dm))
        await self._until(lambda: text_for("three") in discord.texts(first))
        await asyncio.sleep(0.2)
        assert Counter(discord.texts(first)) == Counter([text_for("one"), text_for("three")])
        assert discord.texts(dm) == [text_for("two")]
        assert self._talker.wrong == []

    async def _until(self, look: object) -> None:
        assert callable(look)
        for _ in range(3_000):
            if self._fuse.dead:
                self.deaths += 1
                await self._bury()
                await self._live()
            if look():
                return
            await asyncio.sleep(0.01)
        raise AssertionError([self._discord.texts(each) for each in self._discord.world.channels])

    async def _live(self) -> None:
        """Start; a start may end in a death as well."""
        while True:
            self._fuse = Fuse(self._spots.pop(0) if self._spots else None, listener=self._talker.on_point)
            self._house.point = self._fuse.point
            with suppress(Died, StoreError):
                await self._house.start()
            if not self._fuse.dead:
                return
            self.deaths += 1
            await self._bury()

    async def _bury(self) -> None:
        self._fuse.kill()
        with suppress(Died, StoreError):
            await self._house.crash()


@pytest.mark.parametrize("spot", [Spot(point="platform.after_call", hit=1), Spot(point="outcome.before_accept", hit=2)])
async def test_a_death_here(discord: DiscordServer, tmp_path: Path, spot: Spot) -> None:
    """Posted and not noted; done and not struck off: the two places where messages are doubled."""
    story = Story(tmp_path, discord, spot)
    await story.play()
    assert story.deaths == 1


@pytest.mark.soak
@pytest.mark.parametrize("hit", range(1, 9))
@pytest.mark.parametrize("point", HERE)
async def test_a_death_at_every_point(discord: DiscordServer, tmp_path: Path, point: str, hit: int) -> None:
    """Once, and twice in a row."""
    for twice in (False, True):
        folder = tmp_path / str(twice)
        folder.mkdir()
        async with DiscordServer() as server:
            server.people.channel("general")
            await Story(folder, server, Spot(point=point, hit=hit), twice=twice).play()
