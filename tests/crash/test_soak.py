"""The real program, killed for as long as you like: `make soak`, or `SOAK_KILLS=200 make soak ARGS='-k kills'`.

The figures that a run prints go into tests/README.md.
"""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from storage.migrate import check
from tests.crash.checker import look
from tests.crash.conftest import NewFile, deadly
from tests.crash.journeys import JOURNEYS
from tests.crash.load import SCRIPT, Load, read_claude
from tests.crash.sweep import sweep
from tests.crash.test_kill import WORDS, died_at, question, went_on
from tests.kit.claude_script import make_text
from tests.kit.process import Bot, Claude

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

KILLS = int(os.environ.get("SOAK_KILLS", "2000"))
PEOPLE = 12
OFFSETS = 200
AT_ONCE = 20  # conversations that one kill cuts off


async def test_thousands_of_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    """Several people talk while the bot is killed at random: each message is answered once, whole and in order."""
    seed = random.SystemRandom().getrandbits(32)
    async with aiohttp.ClientSession() as http:
        claude = Claude(http)
        try:
            await claude.start(SCRIPT)
            bot = Bot(http, tmp_path / "data", {"ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": claude.url})
            try:
                await bot.start()
                load = Load(bot, random.Random(seed))
                await load.run(PEOPLE, KILLS)
                assert await bot.stop() == 0, bot.said
            finally:
                await bot.kill()
        finally:
            await claude.end()
    check(bot.database)
    with closing(sqlite3.connect(bot.database)) as conn:
        wrong = look(conn, load.spoken, read_claude)
        turns = dict(conn.execute("SELECT state, count(*) FROM turn GROUP BY state").fetchall())
    print(  # noqa: T201 -- the figure
        f"seed {seed}: {load.kills} kills, {len(load.spoken)} messages of {PEOPLE} people, turns {turns}, "
        f"{load.pressed} buttons pressed, {len(wrong)} wrong"
    )
    assert not wrong, "\n".join(wrong[:10])


@pytest.mark.parametrize("journey", JOURNEYS)
@deadly
async def test_no_death_at_any_passage_loses_or_doubles_anything(journey: str, new_file: NewFile) -> None:
    """The sweep of test_sweep.py, at every single passage of every point."""
    result = await sweep(new_file, JOURNEYS[journey].acts, JOURNEYS[journey].house, every=True)
    print(f"{journey}: {result.stories} stories, {result.deaths} deaths, {len(result.wrong)} wrong")  # noqa: T201
    assert not result.wrong, "\n".join([f"{len(result.wrong)} of {result.stories} stories", *result.wrong[:5]])


async def test_two_hundred_offsets_of_a_stream_are_gone_on_from(tmp_path: Path) -> None:
    """Wherever an answer is cut off, the same message is finished, and the model goes on from what was saved."""
    offsets = range(1, 1 + 2 * OFFSETS, 2)
    ended = await died_at(tmp_path, [tuple(offsets[n : n + AT_ONCE]) for n in range(0, OFFSETS, AT_ONCE)])
    for case, story in ended.items():
        (whole,) = [each for each in story.after if each["bot"]]
        assert whole["text"] == make_text(question(case), WORDS)
        assert whole["id"] in {each["id"] for each in story.before}
        assert len(went_on(case, story)) == case
    print(f"{len(ended)} offsets, {OFFSETS // AT_ONCE} kills, 0 wrong")  # noqa: T201 -- the figure
