"""The long runs of parking and resuming: `make soak ARGS=tests/engine`. The figures go into tests/README.md."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.engine.test_due import due_in_a_minute
from tests.engine.test_resume import bring_all
from tests.engine.test_resume_guessing import guess_often
from tests.kit.world import World

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

SESSIONS = int(os.environ.get("SOAK_SESSIONS", "10000"))
GUESSES = int(os.environ.get("SOAK_GUESSES", "1000000"))
CODES, TIMES = 200, 500


def tell(what: str, begun_s: float) -> None:
    """Print the figure."""
    print(f"{what}, {time.monotonic() - begun_s:.0f} s")  # noqa: T201


async def test_ten_thousand_due_in_a_minute(world: World) -> None:
    """Somebody among ten thousand is reminded twice or not at all because the bot hung and was restarted."""
    begun_s = time.monotonic()
    await due_in_a_minute(world, SESSIONS)
    tell(f"{SESSIONS} sessions due: 0 missed, 0 doubled", begun_s)


async def test_a_million_guesses_hit_nothing(world: World) -> None:
    """A crowd that guesses day and night finds one conversation."""
    begun_s, seed = time.monotonic(), random.SystemRandom().getrandbits(32)
    await guess_often(world, GUESSES, seed)
    tell(f"{GUESSES} guesses: 0 hits, seed {seed}", begun_s)


@pytest.mark.parametrize("kind", ["owner", "strangers"])
async def test_five_hundred_at_once_have_one_winner(world: World, kind: str) -> None:
    """Two of five hundred get the same conversation."""
    begun_s = time.monotonic()
    await bring_all(world, CODES, TIMES, kind)
    tell(f"{CODES} codes x {TIMES} redeems ({kind}): one winner each", begun_s)
