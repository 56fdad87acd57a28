"""A death at every point of the very first start, when the database is made."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from storage.migrate import check, inspect, migrations, prepare
from tests.crash.acts import Say
from tests.crash.conftest import deadly
from tests.crash.fuse import Died, Fuse, Spot
from tests.crash.sweep import play

pytestmark = deadly


def die_preparing(path: Path, spot: Spot) -> None:
    """Prepare the database and die at `spot`."""
    with pytest.raises(Died):
        prepare(path, on_point=Fuse(spot).point)


def points(path: Path) -> list[Spot]:
    """Every point that a first start passes."""
    fuse = Fuse()
    prepare(path, on_point=fuse.point)
    return [Spot(point=point, hit=hit) for point, count in fuse.passed.items() for hit in range(1, count + 1)]


async def test_a_death_while_the_database_is_made_does_no_harm(tmp_path: Path) -> None:
    """Pull the plug during the very first start, twice: the third one works as if nothing had happened."""
    spots = points(tmp_path / "calm.db")
    assert len(spots) == 2 * len(migrations()) + 2
    for n, (first, second) in enumerate(itertools.product(spots, spots)):
        path = tmp_path / f"{n}.db"
        die_preparing(path, first)
        fuse = Fuse(second)
        try:
            prepare(path, on_point=fuse.point)
        except Died:
            prepare(path)
        assert inspect(path) == len(migrations())
        check(path)
        await play(path, (Say(text="one"),), {})


async def test_a_death_between_two_migrations_is_carried_on_from(tmp_path: Path) -> None:
    """Pull the plug in the middle of an upgrade: the next start finishes it, and no answer is lost."""
    steps = migrations()
    path = tmp_path / "old.db"
    prepare(path)
    await play(path, (Say(text="one"),), {})
    more = tuple(
        type(steps[0])(version=len(steps) + n, name=f"{n}", sql=f"CREATE TABLE extra{n} (x TEXT) STRICT;")
        for n in (1, 2)
    )
    for step in more:
        for when in ("before", "after"):
            fuse = Fuse(Spot(point=f"migrate.{when}_commit:{step.version}", hit=1))
            with pytest.raises(Died):
                prepare(path, steps=(*steps, *more), on_point=fuse.point)
            expected = step.version - (when == "before")
            assert inspect(path, newest=len(steps) + len(more)) == expected
    prepare(path, steps=(*steps, *more))
    assert inspect(path, newest=len(steps) + len(more)) == len(steps) + len(more)
