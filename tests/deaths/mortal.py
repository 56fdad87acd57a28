"""The program that dies of its fuse and is started again, as a supervisor does it.

Knows: spots, lives, processes. Must not know: what is told meanwhile, what must stand in the end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from tests.crash.fuse import Spot
from tests.kit.process import Bot, EndedEarly

KILLED = -9


class Mortal:
    """The `n`-th life ends at `spots[n]`; whoever outlives its spots lives on."""

    def __init__(
        self, http: aiohttp.ClientSession, folder: Path, environment: Mapping[str, str], spots: Sequence[Spot] = ()
    ) -> None:
        self.deaths = 0
        self.alive = False  # it takes work
        self.wrong: list[str] = []
        self._http = http
        self._folder = folder
        self._environment = environment
        self._spots = list(spots)
        self._bot: Bot | None = None
        self._lives = 0
        self._watching: asyncio.Task[None] | None = None

    @property
    def bot(self) -> Bot:
        """The present life."""
        assert self._bot is not None
        return self._bot

    @property
    def passed(self) -> Counter[str]:
        """How often the first life has passed each point."""
        return Counter(self._log(1).read_text().split())

    async def start(self) -> None:
        """Start it, and again whenever it has died, until it lives; from then on it is watched."""
        while not await self._live():
            pass
        self._watching = asyncio.create_task(self._watch(), name="mortal")

    async def stop(self) -> int:
        """End it calmly; the exit code, which is `KILLED` when it has died of its fuse meanwhile."""
        if self._watching is not None:
            self._watching.cancel()
        code = await self.bot.stop()
        self.alive = False
        self.deaths += code == KILLED
        return code

    async def kill(self) -> None:
        """End it, whatever it does."""
        if self._watching is not None:
            self._watching.cancel()
        if self._bot is not None:
            await self._bot.kill()

    async def _watch(self) -> None:
        while True:
            await self._died()
            while not await self._live():
                pass

    async def _live(self) -> bool:
        """One start; whether it has outlived it."""
        self._lives += 1
        fuse = {"FUSE_LOG": str(self._log(self._lives))}
        if self._spots:
            spot = self._spots.pop(0)
            fuse |= {"FUSE_POINT": spot.point, "FUSE_HIT": str(spot.hit)}
        environment = dict(self._environment) | fuse
        self._bot = Bot(self._http, self._folder / "data", environment, program="tests.kit.fused")
        try:
            await self._bot.start()
        except EndedEarly:
            await self._died()
            return False
        self.alive = True
        return True

    async def _died(self) -> None:
        code = await self.bot.gone()
        self.alive = False
        self.deaths += 1
        if code != KILLED:
            self.wrong.append(f"it ended by itself with {code}:\n{self.bot.said[-2000:]}")

    def _log(self, life: int) -> Path:
        return self._folder / f"passed-{life}"
