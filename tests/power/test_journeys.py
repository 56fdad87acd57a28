"""The journeys of tests/crash with power cuts instead of deaths: the same stories, the same checker."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash.checker import check
from tests.crash.conftest import deadly
from tests.crash.journeys import JOURNEYS, Journey
from tests.crash.stage import Stage
from tests.power.ground import Powered
from tests.power.shim import pragmas_of_product

pytestmark = deadly

STORIES = 6  # of a journey
TIMES = int(os.environ.get("SOAK_TIMES", "100"))  # each journey, in the soak
WRITES_MOST = 150  # a calm journey takes 100 to 500


async def play(path: Path, journey: Journey, pragmas: dict[str, str], seed: int) -> int:
    """Play one story in which the power goes twice; how often it did. Raises `AssertionError`."""
    chance = random.Random(seed)
    ground = Powered(pragmas, chance, cuts=2, writes_most=WRITES_MOST)
    stage = Stage(path, house=replace(journey.house, ground=ground))
    ground.on_cut = stage.die
    try:
        await stage.play(journey.acts)
        await check(stage)
    finally:
        await stage.end()
        ground.end()
    return stage.deaths


@pytest.mark.parametrize("journey", JOURNEYS)
async def test_no_power_cut_loses_or_doubles_anything(journey: str, template: Path, tmp_path: Path) -> None:
    """Pull the plug, twice, at a random write: every message is answered once, whole and in order, after the start."""
    pragmas = pragmas_of_product(template)
    deaths = 0
    for seed in range(STORIES):
        path = Path(shutil.copyfile(template, tmp_path / f"{seed}.db"))
        deaths += await play(path, JOURNEYS[journey], pragmas, seed)
    assert deaths >= STORIES // 2


async def test_the_journeys_find_out_a_setting_that_is_not_safe(template: Path, tmp_path: Path) -> None:
    """Without this the cuts could be harmless ones: at synchronous=NORMAL some story must end badly."""
    pragmas = pragmas_of_product(template) | {"synchronous": "1"}
    wrong = ""
    for seed in range(STORIES):
        path = Path(shutil.copyfile(template, tmp_path / f"{seed}.db"))
        try:
            await play(path, JOURNEYS["a_second_message_while_answering"], pragmas, seed)
        except AssertionError as error:
            wrong += f"{error}\n"
    assert "stands 0 times (acknowledged: True)" in wrong, wrong


@pytest.mark.soak
async def test_no_power_cut_of_many_loses_or_doubles_anything(template: Path, tmp_path: Path) -> None:
    """The same many times as often, with cuts that were never made before."""
    first = random.SystemRandom().getrandbits(32)
    pragmas = pragmas_of_product(template)
    cuts = 0
    for seed in range(first, first + TIMES):
        for journey in JOURNEYS.values():
            cuts += await play(Path(shutil.copyfile(template, tmp_path / "rejoinder.db")), journey, pragmas, seed)
    print(f"{cuts} power cuts in {TIMES * len(JOURNEYS)} journeys from seed {first}")  # noqa: T201 -- the figure
