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
from tests.crash.stage import SOUND, Faulty, Stage

Spots = Mapping[int, Spot]  # number of the life -> where it ends


@dataclass(slots=True)
class Sweep:
    """What a sweep did and found. `wrong` has one line for each story that ended badly, with how to play it again."""

    stories: int = 0
    deaths: int = 0
    never_reached: int = 0
    wrong: list[str] = field(default_factory=list)


async def play(path: Path, acts: tuple[Act, ...], spots: Spots, faulty: Faulty = SOUND) -> Stage:
    """Play one story and check its end. Raises `AssertionError`; the stage is closed on every path."""
    stage = Stage(path, spots, faulty=faulty)
    try:
        await stage.play(acts)
        await check(stage)
    finally:
        await stage.end()
    return stage


async def sweep(
    new_file: Callable[[], Path],
    acts: tuple[Act, ...],
    faulty: Faulty = SOUND,
    *,
    every: bool = False,
    one_is_enough: bool = False,
) -> Sweep:
    """Play `acts` with every death; `every`: at every passage, and with every second death.

    `one_is_enough`: stop when one story has ended badly.
    """
    result = Sweep()
    calm = await play(new_file(), acts, {}, faulty)
    second = 0
    for life, spot in _spots(calm, range(len(calm.lives)), every=every):
        if one_is_enough and result.wrong:
            break
        once = await _one(result, new_file(), acts, {life: spot}, faulty)
        if once is None:
            continue
        again = list(_spots(once, [life + 1], every=every)) if life + 1 < len(once.lives) else []
        chosen = again if every else again[second % len(again) :][:1] if again else []
        second += 1
        for next_life, next_spot in chosen:
            await _one(result, new_file(), acts, {life: spot, next_life: next_spot}, faulty)
    return result


async def _one(result: Sweep, path: Path, acts: tuple[Act, ...], spots: Spots, faulty: Faulty) -> Stage | None:
    result.stories += 1
    try:
        stage = await play(path, acts, spots, faulty)
    except AssertionError as error:
        where = ", ".join(f"life {life} at {spot}" for life, spot in spots.items())
        result.wrong.append(f"{where}: {error}")
        return None
    result.deaths += stage.deaths
    result.never_reached += sum(not (life < len(stage.lives) and stage.lives[life].dead) for life in spots)
    return stage


def _spots(stage: Stage, lives: range | list[int], *, every: bool) -> Iterator[tuple[int, Spot]]:
    for life in lives:
        for point, count in stage.lives[life].passed.items():
            hits = range(1, count + 1) if every else sorted({1, min(2, count), count})
            for hit in hits:
                yield life, Spot(point=point, hit=hit)
