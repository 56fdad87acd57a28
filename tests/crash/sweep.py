"""One journey, died through at every point, once and twice in a row.

Knows: which deaths are worth dying: the first, second and last passage of every point in every life. The second death
comes while the first is being recovered from; which point it takes rotates, so that a sweep visits them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.acts import Act
from tests.crash.checker import check
from tests.crash.fuse import Spot
from tests.crash.life import House
from tests.crash.stage import Stage

Spots = Mapping[int, Spot]  # number of the life -> where it ends


@dataclass(slots=True)
class Sweep:
    """What a sweep did and found. `wrong` has one line for each story that ended badly, with how to play it again."""

    stories: int = 0
    deaths: int = 0
    never_reached: int = 0
    wrong: list[str] = field(default_factory=list)


async def play(path: Path, acts: tuple[Act, ...], spots: Spots, house: House | None = None) -> Stage:
    """Play one story and check its end. Raises `AssertionError`; the stage is closed on every path."""
    stage = Stage(path, spots, house=house or House())
    try:
        await stage.play(acts)
        await check(stage)
    finally:
        await stage.end()
    return stage


async def sweep(
    new_file: Callable[[], Path], acts: tuple[Act, ...], house: House | None = None, *, every: bool = False
) -> Sweep:
    """Play `acts` with every death worth dying, or at every single passage."""
    result = Sweep()
    calm = await play(new_file(), acts, {}, house)
    for n, (life, spot) in enumerate(_spots(calm, range(len(calm.lives)), every=every)):
        once = await _one(result, new_file(), acts, {life: spot}, house)
        if once is not None and life + 1 < len(once.lives):
            again = list(_spots(once, range(life + 1, life + 2), every=every))
            await _one(result, new_file(), acts, {life: spot} | dict(again[n % len(again) :][:1]), house)
    return result


async def _one(result: Sweep, path: Path, acts: tuple[Act, ...], spots: Spots, house: House | None) -> Stage | None:
    result.stories += 1
    try:
        stage = await play(path, acts, spots, house)
    except AssertionError as error:
        where = ", ".join(f"life {life} at {spot}" for life, spot in spots.items())
        result.wrong.append(f"{where}: {error}")
        return None
    result.deaths += stage.deaths
    result.never_reached += sum(not (life < len(stage.lives) and stage.lives[life].dead) for life in spots)
    return stage


def _spots(stage: Stage, lives: range, *, every: bool) -> Iterator[tuple[int, Spot]]:
    for life in lives:
        for point, count in stage.lives[life].passed.items():
            hits = range(1, count + 1) if every else sorted({1, min(2, count), count})
            for hit in hits:
                yield life, Spot(point=point, hit=hit)
