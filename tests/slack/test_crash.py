"""Deaths at every named point and at any moment of a story on Slack: nothing is lost, nothing is said twice.

Knows: a story in three threads, what must stand in the end, and the fuse. The bot dies, comes back on the same data,
and Slack brings again what was not acknowledged. Must not know: how the adapter keeps its promise.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.domain.errors import StoreError
from core.engine.points import POINTS
from tests.crash.fuse import Died, Fuse, Spot
from tests.crash.talker import Talker, text_for
from tests.kit.slack_world import ALICE, BOB, GENERAL, SlackWorld

# What this story does not pass, the whole program passes and dies at in tests/deaths.
ELSEWHERE = ("erase.", "summary.", "tool.", "refresh.", "login.", "proof.")  # points that this story does not pass
HERE = [each for each in POINTS if not each.startswith(ELSEWHERE)]
STEP_S = 0.25
STORY_S = 12.0
# A death between making a coroutine and awaiting it leaves the coroutine, and a task its exception.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MANY = [pytest.mark.soak, pytest.mark.timeout(0)]


@pytest.fixture(autouse=True)
def remains() -> Iterator[None]:
    """What the dead have left is collected in the test that killed them."""
    logger = logging.getLogger("asyncio")
    before, logger.disabled = logger.disabled, True
    yield
    gc.collect()
    logger.disabled = before


class Story:
    """One story with deaths. `when`: seconds of the clock at which the process dies anyway."""

    def __init__(self, folder: Path, spot: Spot | None, when: float | None = None) -> None:
        self.deaths = 0
        self._folder = folder
        self._spot = spot
        self._when = when
        self._world: SlackWorld
        self._talker: Talker
        self._fuse: Fuse

    async def play(self) -> None:
        """Tell it, and check what stands."""
        self._world = world = await SlackWorld.open(self._folder, start=False)
        self._talker = Talker(world.clock)
        world.model = self._talker
        try:
            await self._live(self._spot)
            first = world.ask("one")
            second = world.people.say(BOB, "D0BOB", "two")
            await self._pass(4.0)
            world.people.say(ALICE, GENERAL, "three", first)
            await self._pass(STORY_S)
            await self._until_done()
            await world.clock.leap(31 * 60)
            for _ in range(3):  # as the alarm does, every five seconds
                await self._step(self._ring)
            await self._until_done()
            self._check(first, second)
        finally:
            self._fuse.disarm()
            if self._fuse.dead:
                await world.crash()
            await world.close()

    def _check(self, first: str, second: str) -> None:
        world = self._world
        shown = [each.replace("&lt;", "<").replace("&gt;", ">") for each in world.answers(first)]
        notices = [each for each in shown if "park this conversation" in each]
        answers = [each for each in shown if each not in notices]
        assert sorted(answers) == sorted([text_for("one"), text_for("three")])
        assert len(notices) == 1
        others = [each.replace("&lt;", "<").replace("&gt;", ">") for each in world.answers(second, "D0BOB")]
        assert Counter(others)[text_for("two")] == 1
        assert len(others) <= 2
        assert world.streaming() == []
        assert self._talker.wrong == []
        assert world.server.slack.violations == []

    async def _ring(self) -> None:
        await self._world.engine.ring()

    # ----------------------------------------------------------------------------------------- lives

    async def _live(self, spot: Spot | None) -> None:
        """Start; a start may end in a death as well."""
        while True:
            self._fuse = Fuse(spot, listener=self._talker.on_point)
            self._world.point = self._fuse.point
            with suppress(Died, StoreError):
                await self._world.start()
            if not self._fuse.dead:
                return
            await self._bury()
            spot = None

    async def _bury(self) -> None:
        self.deaths += 1
        self._fuse.kill()
        await self._world.crash()

    async def _step(self, doing: object = None) -> None:
        """Let a moment pass; if the process has died in it, start it again."""
        world = self._world
        if self._when is not None and world.clock.monotonic() >= self._when:
            self._when = None
            self._fuse.kill()
        with suppress(Died, StoreError):
            if callable(doing):
                await doing()
            await world.clock.advance(STEP_S)
            await world.calm()
        if self._fuse.dead:
            await self._bury()
            await self._live(None)

    async def _pass(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            await self._step()

    async def _until_done(self) -> None:
        for _ in range(4_000):
            await self._step()
            with suppress(Died, StoreError):
                if (
                    self._world.engine.idle
                    and await self._world.store.next_effect_ms(self._world.clock.now_ms()) is None
                ):
                    unacked = [
                        each for each in self._world.server.feed.log if not each.acked.is_set() and not each.lost
                    ]
                    if not unacked:
                        return
        raise AssertionError("it does not come to rest")


@pytest.mark.parametrize("point", HERE)
async def test_a_death_at_a_named_point(tmp_path: Path, point: str) -> None:
    """The process dies at this point, once: every question is answered once, and the notice is there once."""
    story = Story(tmp_path, Spot(point=point, hit=3 if point.startswith(("accept", "platform")) else 1))
    await story.play()
    assert story.deaths == 1


@pytest.mark.parametrize("when", [1.5, 2.75, 4.25, 6.0])
async def test_a_death_at_a_moment(tmp_path: Path, when: float) -> None:
    """The process dies in mid-stream, at four moments."""
    story = Story(tmp_path, None, when)
    await story.play()
    assert story.deaths == 1


@pytest.mark.parametrize("point", [pytest.param(each, marks=MANY) for each in HERE])
async def test_deaths_at_every_passing_of_a_point(tmp_path: Path, point: str) -> None:
    """The process dies at the first, second ... fortieth passing of this point."""
    for hit in range(1, 41):
        folder = tmp_path / f"{hit}"
        folder.mkdir()
        story = Story(folder, Spot(point=point, hit=hit))
        await story.play()
        if not story.deaths:
            return


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_deaths_at_two_hundred_moments(tmp_path: Path) -> None:
    """The process dies at two hundred moments of the story."""
    chance = random.Random(3)
    for n in range(200):
        folder = tmp_path / f"{n}"
        folder.mkdir()
        await Story(folder, None, chance.uniform(0.1, STORY_S)).play()
        await asyncio.sleep(0)
