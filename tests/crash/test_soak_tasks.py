"""Tasks of twenty steps in the real program, killed again and again: `make soak`, or `SOAK_TASKS=20 make soak`.

On the web chat, on Slack and on Discord; twenty people at once.

Knows: what the Messages API was asked, in order: a step of a chain is asked for only when the one before is recorded,
so a call for an earlier one after it is a re-run. The figures that a run prints go into tests/README.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from bots.slack.boots import FILE as BOOTS
from storage.migrate import check
from tests.crash.offices import Office, office
from tests.crash.test_kill import messages_of
from tests.kit.claude_script import read
from tests.kit.planner import PLAN, chain, name_of
from tests.kit.process import Bot, Claude, until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

TASKS = int(os.environ.get("SOAK_TASKS", "200"))
AT_ONCE = min(TASKS, 20)
STEPS = 20
TITLES = tuple(f"s{n}" for n in range(1, STEPS + 1))
PATIENCE = 200  # looks
IDLE_MOST = 3
TWICE = 0.3  # of the deaths: once more while the first is being recovered from
_GOAL = re.compile(r"<goal>\n(.*?)\n</goal>", re.DOTALL)


def result_of(n: int) -> str:
    """The whole result of a step, with no word twice."""
    return f"step {n}: " + " ".join(f"word{at}" for at in range(1, 9)) + "."


SCRIPT: dict[str, object] = {
    "rules": [
        {"when": "[Plan]", "text": chain(*TITLES), "times": 0},
        *(
            {"when": f"Your step is {n}, ", "text": result_of(n), "times": 0, "delay_ms": 60}
            for n in range(1, STEPS + 1)
        ),
        {"when": "[Results]", "text": "The answer, in some words that take a while.", "times": 0, "delay_ms": 60},
    ]
}


@pytest.mark.parametrize("name", ["local", "slack", "discord"])
async def test_tasks_of_twenty_steps_outlive_every_kill(tmp_path: Path, name: str) -> None:
    """Somebody's task is lost, paid for twice, or answered twice, because the machine was restarted too often."""
    seed = random.SystemRandom().getrandbits(32)
    chance, kills, wrong = random.Random(seed), Kills(), list[str]()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        claude = Claude(http)
        stack.push_async_callback(claude.end)
        await claude.start(SCRIPT)
        place = await stack.enter_async_context(office(name))
        environment = {"ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": claude.url} | dict(place.environment)
        bot = Bot(http, tmp_path / "data", environment)
        stack.push_async_callback(bot.kill)
        await bot.start()
        for first in range(0, TASKS, AT_ONCE):
            last = min(first + AT_ONCE, TASKS)
            threads = {n: await place.begin(bot, n) for n in range(first, last)}
            while await over(bot.database) < last:
                await die(bot, claude, chance, kills)
            for n, thread in threads.items():
                texts = await until(partial(answered, place, bot, n, thread))
                wrong += [] if len(texts) == 1 else [f"goal {n} was answered {texts}"]
        calls = await claude.calls()
        assert await bot.stop() == 0, bot.said
        wrong += place.problems
    check(bot.database)
    counted = counted_calls(calls, kills.at)
    wrong += counted.again + results(bot.database)
    print(  # noqa: T201 -- the figure
        f"{name}, seed {seed}: {TASKS} tasks of {STEPS} steps, {len(kills.at)} kills, {kills.twice} of them in a "
        f"recovery, {counted.calls} step calls, {counted.cut} steps cut off in {len(counted.where)} of {STEPS} places, "
        f"{len(counted.again)} re-runs too many, {len(wrong)} wrong"
    )
    assert not wrong, "\n".join(wrong[:10])


@dataclass(slots=True)
class Kills:
    """When the program was killed: the number of calls to the Messages API before each kill."""

    at: list[int] = field(default_factory=list)
    twice: int = 0  # of them while the one before was being recovered from
    steps: int = 0  # recorded until the newest one
    idle: int = 0  # the newest ones, since which none was recorded


async def die(bot: Bot, claude: Claude, chance: random.Random, kills: Kills) -> None:
    """Kill it at some moment of the next steps; now and then again as soon as it is up.

    Not before it has asked for something, and not too often before a step is done, which takes long on a machine with
    others on it: ten deaths in a row without a word are a pause, and rightly so.
    """
    asked, waited = await claude.count(), 0
    while waited < PATIENCE and (
        await claude.count() == asked or (kills.idle > IDLE_MOST and recorded(bot.database) == kills.steps)
    ):
        await asyncio.sleep(0.05)
        waited += 1
    await asyncio.sleep(chance.uniform(0.2, 2.0))
    await killed(bot, claude, kills)
    if chance.random() < TWICE:
        await asyncio.sleep(chance.uniform(0.0, 0.05))
        await killed(bot, claude, kills)
        kills.twice += 1


def recorded(database: Path) -> int:
    """How many steps have a result."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
        return int(conn.execute("SELECT count(*) FROM step WHERE result <> ''").fetchone()[0])


async def killed(bot: Bot, claude: Claude, kills: Kills) -> None:
    """Kill it, and start it again."""
    await bot.kill()
    kills.at.append(await claude.count())
    steps = recorded(bot.database)
    kills.idle = kills.idle + 1 if steps == kills.steps else 0
    kills.steps = steps
    another_day(bot.database.parent / BOOTS)
    await bot.start()


def another_day(boots: Path) -> None:
    """Six crashes in a minute are a crash loop, and Slack's door is braked for that; here they are six bad days.

    When Slack was last heard stays: who does not know it reads six hours of every thread.
    """
    if boots.exists():
        boots.write_text(json.dumps(json.loads(boots.read_text()) | {"unclean_ms": []}))


async def over(database: Path) -> int:
    """How many tasks are over."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
        stuck = conn.execute("SELECT state, reason FROM task WHERE state IN ('paused', 'failed')").fetchall()
        assert not stuck, stuck
        return int(conn.execute("SELECT count(*) FROM task WHERE state = 'done'").fetchone()[0])


async def answered(place: Office, bot: Bot, n: int, thread: str) -> list[str] | None:
    """The answers in a thread, when its card says that the task is over."""
    texts = await place.texts(bot, n, thread)
    if texts is None or not any("Done." in each for each in texts):
        return None
    return [each for each in texts if not each.lstrip("*").startswith(f"goal {n}")] or None


@dataclass(slots=True)
class Counted:
    """What the Messages API was asked."""

    calls: int = 0  # for steps
    cut: int = 0  # of them for a step that had been asked for before: it was worked on when the program died
    where: set[int] = field(default_factory=set)  # the numbers of those steps
    again: list[str] = field(default_factory=list)  # what was recorded already, or asked for twice by one process


def counted_calls(calls: list[dict[str, object]], kills: list[int]) -> Counted:
    """Count the calls for steps; `kills`: how many calls there were before each kill."""
    reached: defaultdict[str, int] = defaultdict(int)
    found, seen = Counted(), set[tuple[int, str, int]]()
    for at, call in enumerate(calls):
        question, _, _ = read(messages_of(call))
        name, goal = name_of(question), _GOAL.search(question)
        if goal is None or name == PLAN or not name.startswith("s"):
            continue
        found.calls += 1
        n, life = int(name[1:]), bisect_right(kills, at)
        if n < reached[goal[1]]:
            found.again.append(f"{goal[1]}: step {n} after step {reached[goal[1]]}")
        elif (life, goal[1], n) in seen:
            found.again.append(f"{goal[1]}: step {n} twice by one process")
        elif n == reached[goal[1]]:
            found.cut += 1
            found.where.add(n)
        seen.add((life, goal[1], n))
        reached[goal[1]] = max(n, reached[goal[1]])
    return found


def results(database: Path) -> list[str]:
    """Results that are not whole."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
        found = conn.execute("SELECT n, result FROM step").fetchall()
    missing = [] if len(found) == TASKS * STEPS else [f"{len(found)} steps"]
    return missing + [json.dumps([n, text]) for n, text in found if text != result_of(n)]
