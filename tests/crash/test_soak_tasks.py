"""Tasks of twenty steps in the real program, killed again and again: `make soak`, or `SOAK_TASKS=20 make soak`.

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
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, closing
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from storage.migrate import check
from tests.crash.test_kill import messages_of
from tests.kit.claude_script import read
from tests.kit.planner import PLAN, chain, name_of
from tests.kit.process import Bot, Claude, until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

TASKS = int(os.environ.get("SOAK_TASKS", "200"))
AT_ONCE = 10
STEPS = 20
TITLES = tuple(f"s{n}" for n in range(1, STEPS + 1))
PATIENCE = 200  # looks
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


async def test_tasks_of_twenty_steps_outlive_every_kill(tmp_path: Path) -> None:
    """Somebody's task is lost, paid for twice, or answered twice, because the machine was restarted too often."""
    seed = random.SystemRandom().getrandbits(32)
    chance, kills, wrong = random.Random(seed), Counter[str](), list[str]()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        claude = Claude(http)
        stack.push_async_callback(claude.end)
        await claude.start(SCRIPT)
        bot = Bot(http, tmp_path / "data", {"ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": claude.url})
        stack.push_async_callback(bot.kill)
        await bot.start()
        for first in range(0, TASKS, AT_ONCE):
            threads = {n: await bot.say(f"p{n}", f"/task goal {n}", key="k") for n in range(first, first + AT_ONCE)}
            while await over(bot.database) < first + AT_ONCE:
                await die(bot, claude, chance, kills)
            for n, thread in threads.items():
                texts = await until(partial(answered, bot, thread, f"p{n}"))
                wrong += [] if len(texts) == 1 else [f"goal {n} was answered {texts}"]
        calls = await claude.calls()
        assert await bot.stop() == 0, bot.said
    check(bot.database)
    counted, again = counted_calls(calls)
    wrong += again + results(bot.database)
    print(  # noqa: T201 -- the figure
        f"seed {seed}: {TASKS} tasks of {STEPS} steps, {kills['kills']} kills, {kills['twice']} of them in a recovery, "
        f"{counted} step calls, {len(again)} re-runs of finished steps, {len(wrong)} wrong"
    )
    assert not wrong, "\n".join(wrong[:10])


async def die(bot: Bot, claude: Claude, chance: random.Random, kills: Counter[str]) -> None:
    """Kill it at some moment of the next steps; now and then again as soon as it is up.

    Not before it has asked for something: ten deaths in a row without a word are a pause, and rightly so.
    """
    asked, waited = len(await claude.calls()), 0
    while len(await claude.calls()) == asked and waited < PATIENCE:
        await asyncio.sleep(0.05)
        waited += 1
    await asyncio.sleep(chance.uniform(0.2, 2.0))
    await bot.kill()
    await bot.start()
    kills["kills"] += 1
    if chance.random() < TWICE:
        await asyncio.sleep(chance.uniform(0.0, 0.05))
        await bot.kill()
        await bot.start()
        kills["kills"] += 1
        kills["twice"] += 1


async def over(database: Path) -> int:
    """How many tasks are over."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
        stuck = conn.execute("SELECT state, reason FROM task WHERE state IN ('paused', 'failed')").fetchall()
        assert not stuck, stuck
        return int(conn.execute("SELECT count(*) FROM task WHERE state = 'done'").fetchone()[0])


async def answered(bot: Bot, thread: str, person: str) -> list[str] | None:
    """The answers in a thread, when its card says that the task is over."""
    messages = [each for each in await bot.thread(thread, person) if each["bot"]]
    ended = any("Done." in str(each["text"]) for each in messages) and all(each["state"] == "done" for each in messages)
    return [str(each["text"]) for each in messages if not str(each["text"]).startswith("**")] if ended else None


def counted_calls(calls: list[dict[str, object]]) -> tuple[int, list[str]]:
    """How many calls there were for steps, and those for steps whose result was recorded already."""
    reached: defaultdict[str, int] = defaultdict(int)
    again, counted = [], 0
    for call in calls:
        question, _, _ = read(messages_of(call))
        name, goal = name_of(question), _GOAL.search(question)
        if goal is None or name == PLAN or not name.startswith("s"):
            continue
        counted += 1
        n = int(name[1:])
        if n < reached[goal[1]]:
            again.append(f"{goal[1]}: step {n} after step {reached[goal[1]]}")
        reached[goal[1]] = max(n, reached[goal[1]])
    return counted, again


def results(database: Path) -> list[str]:
    """Results that are not whole."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
        found = conn.execute("SELECT n, result FROM step").fetchall()
    missing = [] if len(found) == TASKS * STEPS else [f"{len(found)} steps"]
    return missing + [json.dumps([n, text]) for n, text in found if text != result_of(n)]
