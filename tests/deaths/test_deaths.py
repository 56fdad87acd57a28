"""SIGKILL at every named point of the whole program, on Slack and on Discord: nothing lost, nothing said twice.

Knows: which points there are, and which passings are chosen. Must not know: what is told (see `stories`). The figures
that a long run prints go into tests/README.md.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.engine.points import POINTS
from storage.migrate import check
from tests.crash.fuse import Spot
from tests.deaths.stage import staged
from tests.deaths.stories import STORIES

NAMES = ("slack", "discord")
AT_ONCE = int(os.environ.get("SOAK_AT_ONCE", "3"))  # a story mostly waits
WANTED = os.environ.get("SOAK_STORIES", " ".join(STORIES)).split()
LONGEST_S = 60.0 * float(os.environ.get("SOAK_MINUTES", "inf"))  # after it no story begins
SAMPLE = (
    ("task", "accept.after_commit", 6),
    ("task", "platform.after_call", 2),
    ("tool", "tool.after_call", 2),
    ("login", "login.exchanged", 1),
    ("login", "refresh.saved", 1),
    ("task", "outcome.before_accept", 4),
)


async def told(name: str, story: str, folder: Path, spots: Sequence[Spot] = ()) -> tuple[list[str], int, Counter[str]]:
    """Tell a story: what was wrong, the deaths, and how often its first life passed each point."""
    folder.mkdir()
    one = STORIES[story]
    async with staged(name, folder, one.script, one.settings, spots, tools=one.tools) as stage:
        try:
            wrong = [*await one.tell(stage), *stage.mortal.wrong]
        except AssertionError as error:
            wrong = [str(error), stage.mortal.bot.said[-1500:]]
        mortal = stage.mortal
        passed = mortal.passed
    check(mortal.bot.database)
    return [f"{name} {story} {' '.join(map(str, spots))}: {each}" for each in wrong], mortal.deaths, passed


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Counter[str]]:
    """How often each story passes each point when nothing happens."""

    async def one(name: str, story: str) -> Counter[str]:
        wrong, deaths, passed = await told(name, story, tmp_path_factory.mktemp("calm") / "story")
        assert (wrong, deaths) == ([], 0)
        return passed

    async def all_of_them() -> dict[tuple[str, str], Counter[str]]:
        keys = list(itertools.product(NAMES, STORIES))
        gate = asyncio.Semaphore(AT_ONCE)

        async def gated(key: tuple[str, str]) -> Counter[str]:
            async with gate:
                return await one(*key)

        return dict(zip(keys, await asyncio.gather(*map(gated, keys)), strict=True))

    return asyncio.run(all_of_them())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_the_stories_pass_every_point(name: str, calm: dict[tuple[str, str], Counter[str]]) -> None:
    """A point that is new in the code is never died at."""
    passed = set[str]().union(*(calm[name, story] for story in STORIES))
    assert sorted(passed) == sorted(POINTS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
async def test_deaths_at_some_points(name: str, tmp_path: Path) -> None:
    """The process dies where messages are doubled, calls repeated and logins lost."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(n: int, story: str, spot: Spot) -> tuple[list[str], int]:
        async with gate:
            return (await told(name, story, tmp_path / str(n), [spot]))[:2]

    spots = [(n, story, Spot(point=point, hit=hit)) for n, (story, point, hit) in enumerate(SAMPLE)]
    ended = await asyncio.gather(*(one(*each) for each in spots))
    assert "\n".join(each for wrong, _ in ended for each in wrong) == ""
    assert [deaths for _, deaths in ended] == [1] * len(SAMPLE)


def chosen(passed: Counter[str]) -> Iterator[list[Spot]]:
    """The first, second, middle and last passing of every point, once, and again at the first one of the next life."""
    for point, times in sorted(passed.items()):
        for hit in sorted({1, min(2, times), (times + 1) // 2, times}):
            yield [Spot(point=point, hit=hit)]
            yield [Spot(point=point, hit=hit), Spot(point=point, hit=1)]


def by_turns(spots: Sequence[tuple[str, list[Spot]]]) -> list[tuple[str, list[Spot]]]:
    """In an order in which every point comes once before any comes a second time: a part of a sweep has them all."""
    turns = Counter[str]()
    numbered = []
    for story, at in spots:
        turns[at[0].point] += 1
        numbered.append((turns[at[0].point], story, at))
    return [(story, at) for _, story, at in sorted(numbered, key=lambda each: each[0])]


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", NAMES)
def test_deaths_at_every_point(name: str, tmp_path: Path, calm: dict[tuple[str, str], Counter[str]]) -> None:
    """The process dies at every point, once and twice in a row."""
    asyncio.run(sweep(name, tmp_path, {story: calm[name, story] for story in WANTED}))


async def sweep(name: str, folder: Path, calm: dict[str, Counter[str]]) -> None:
    """Every chosen spot of every story, some at once. Raises `AssertionError` with everything that was wrong."""
    spots = [(story, each) for story, passed in calm.items() for each in chosen(passed)]
    seed = random.SystemRandom().getrandbits(32)
    random.Random(seed).shuffle(spots)
    spots = by_turns(spots)
    gate, wrong, counted, points = asyncio.Semaphore(AT_ONCE), list[str](), Counter[str](), set[str]()
    end = asyncio.get_running_loop().time() + LONGEST_S

    async def one(n: int, story: str, at: list[Spot]) -> None:
        async with gate:
            if asyncio.get_running_loop().time() > end:
                return
            found, deaths, _ = await told(name, story, folder / f"{n}", at)
            if not found:
                shutil.rmtree(folder / f"{n}")
        for each in found:
            print(each, flush=True)  # noqa: T201 -- a sweep takes long
        wrong.extend(found)
        counted.update(stories=1, deaths=deaths, missed=not deaths)
        points.update([at[0].point] if deaths else [])

    await asyncio.gather(*(one(n, *each) for n, each in enumerate(spots)))
    print(  # noqa: T201 -- the figure
        f"{name}, seed {seed}: {counted['stories']} of {len(spots)} stories, {counted['deaths']} deaths "
        f"at {len(points)} points, "
        f"{counted['missed']} times a point was not reached, {len(wrong)} wrong"
    )
    assert not wrong, "\n".join(wrong[:10])
