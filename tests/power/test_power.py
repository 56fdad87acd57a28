"""Power cuts: what was acknowledged is still there, and a setting that only looks safe is found out.

Knows: the store's own accept with the product's own pragmas. The control run differs in one pragma.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.domain.decide import decide
from core.domain.decision import Policy
from core.domain.errors import StoreError
from core.domain.events import Author, MessageReceived
from core.domain.keys import PersonKey, Place
from core.domain.stamp import Stamp
from storage.connection import open_for_reading
from storage.files import log_of
from storage.migrate import check, prepare
from storage.sqlite import SqliteStore
from tests.crash.still import Busy
from tests.power.ground import Powered
from tests.power.shim import pragmas_of_product

PEOPLE = 8
CUTS = int(os.environ.get("SOAK_CUTS", "10000"))
WRITES_MOST = 1200  # of a life: one to a hundred batches, and every third one ends in a fold
FOLD_EVERY = 4  # messages of one person between two folds of the log, so that cuts hit checkpoints too


@dataclass(slots=True)
class Losses:
    """What a run of cuts did."""

    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    syncs: int = 0
    damaged: int = 0
    halves: int = 0
    keys: set[str] = field(default_factory=set, repr=False)


def said(person: int, n: int) -> MessageReceived:
    """A message that nobody has sent before."""
    place = Place(platform="local", workspace="home", channel="general", thread=f"t{person}")
    author = Author(key=PersonKey(platform="local", workspace="home", user=f"p{person}"), name=f"p{person}")
    return MessageReceived(source_keys=(f"{person}:{n}",), author=author, place=place, text=f"word {n} " * 20, ref="")


async def one_life(path: Path, ground: Powered, losses: Losses, life: int) -> None:
    """Everybody talks at once until the power goes."""
    store = await ground.open(SqliteStore, path, Busy(), lambda _name: None)

    async def talk(person: int) -> None:
        n = life * 1_000_000
        while not ground.disk.off:
            n += 1
            event = said(person, n)
            stamp = Stamp(now_ms=1_764_000_000_000 + n, seed=f"{person:08x}{n:024x}")
            await store.accept(event, stamp, decide, policy=Policy(), boot="b")
            if not ground.disk.off:
                losses.keys.update(event.source_keys)
            if n % FOLD_EVERY == 0:
                await store.fold()

    await asyncio.gather(*(talk(person) for person in range(PEOPLE)))
    await store.close()
    ground.died()


def look(path: Path, losses: Losses) -> bool:
    """Start as the product does, and count what is missing; False when it cannot be started."""
    try:
        prepare(path)
        check(path)
    except StoreError:
        return False
    with closing(open_for_reading(path)) as conn:
        there = {row[0] for row in conn.execute("SELECT key FROM source")}
        texts = conn.execute("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM waiting)").fetchone()[0]
    losses.lost += len(losses.keys - there)
    losses.halves += texts != len(there)
    losses.keys &= there
    return True


def run(template: Path, path: Path, pragmas: dict[str, str], cuts: int, seed: int) -> Losses:
    """So many cuts, one after the other on the same database; a damaged one is replaced by an empty one."""
    losses = Losses()
    chance = random.Random(seed)
    shutil.copyfile(template, path)
    for life in range(cuts):
        before = len(losses.keys)
        ground = Powered(pragmas, chance, cuts=1, writes_most=WRITES_MOST)
        asyncio.run(one_life(path, ground, losses, life))
        losses.cuts += 1
        losses.acknowledged += len(losses.keys) - before
        losses.syncs += ground.syncs
        if not look(path, losses):
            losses.damaged += 1
            losses.keys.clear()
            log_of(path).unlink(missing_ok=True)
            shutil.copyfile(template, path)
    return losses


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the database will be."""
    return tmp_path / "rejoinder.db"


def test_nothing_acknowledged_is_lost_when_the_power_goes(template: Path, database: Path) -> None:
    """Pull the plug at a random write: every message that was acknowledged is there, and the file is whole."""
    pragmas = pragmas_of_product(template)
    assert (pragmas["journal_mode"], pragmas["synchronous"]) == ("wal", "2")
    losses = run(template, database, pragmas, cuts=40, seed=1)
    assert losses.acknowledged > 1000
    assert (losses.lost, losses.damaged, losses.halves) == (0, 0, 0)


@pytest.mark.soak
def test_nothing_acknowledged_is_lost_by_many_cuts(template: Path, database: Path) -> None:
    """The same with cuts that were never made before."""
    seed = random.SystemRandom().getrandbits(32)
    losses = run(template, database, pragmas_of_product(template), cuts=CUTS, seed=seed)
    print(f"seed {seed}: {losses}")  # noqa: T201 -- the figure
    assert (losses.lost, losses.damaged, losses.halves) == (0, 0, 0)


@pytest.mark.parametrize(("synchronous", "damages"), [("1", False), ("0", True)], ids=["NORMAL", "OFF"])
def test_the_same_cuts_find_out_a_setting_that_is_not_safe(
    synchronous: str, *, damages: bool, template: Path, database: Path
) -> None:
    """Without this the harness could be blind: NORMAL must lose what it acknowledged, OFF must damage the file."""
    pragmas = pragmas_of_product(template) | {"synchronous": synchronous}
    losses = run(template, database, pragmas, cuts=20, seed=1)
    assert losses.lost > 0
    assert bool(losses.damaged) == damages
