"""kill -9 of the real program in each step of a task, over the real client and a real socket.

Knows: the program as an operator runs it, its JSON API, and what the Messages API was asked. Each of three steps falls
silent in the middle of its result; the program is killed there, started again, and goes on by itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.crash.test_kill import drafted, messages_of
from tests.kit.claude_script import read
from tests.kit.planner import ANSWER, chain, name_of
from tests.kit.process import Bot, Claude, until

TITLES = ("one", "two", "three")
AFTER = {"one": 30, "two": 60, "three": 90}  # characters of a result when the process dies


def result_of(title: str) -> str:
    """The whole result of a step, with no word twice."""
    return f"{title}: " + " ".join(f"word{n}" for n in range(1, 31)) + "."


SCRIPT: dict[str, object] = {
    "rules": [
        {"when": "[Plan]", "text": chain(*TITLES)},
        *(
            {"when": f"Your step is {n}, ", "text": result_of(title), "fault": "silence", "after": AFTER[title]}
            for n, title in enumerate(TITLES, start=1)
        ),
        {"when": "[Results]", "text": "The answer."},
    ]
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How it ended."""

    thread: list[dict[str, object]]
    results: list[str]
    calls: Counter[str]
    partial: dict[str, str]  # what a continuation quoted, by step


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Play it, once."""
    return asyncio.run(died_in_every_step(tmp_path_factory.mktemp("killed")))


async def died_in_every_step(folder: Path) -> Told:
    """One task, three deaths, no click."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        claude = Claude(http)
        stack.push_async_callback(claude.end)
        await claude.start(SCRIPT)
        bot = Bot(http, folder / "data", {"ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": claude.url})
        stack.push_async_callback(bot.kill)
        await bot.start()
        thread = await bot.say("alice", "/task compare three vendors", key="k1")
        for title in TITLES:
            await until(partial(drafted, bot.database, (AFTER[title],)))
            await bot.kill()
            await bot.start()
        messages = await until(partial(answered, bot, thread))
        calls: Counter[str] = Counter()
        quoted: dict[str, str] = {}
        for call in await claude.calls():
            question, said, continues = read(messages_of(call))
            name = ANSWER if "[Results]" in question else name_of(question)
            calls[name] += 1
            if continues:
                quoted[name] = said
        return Told(thread=messages, results=results(bot.database), calls=calls, partial=quoted)


async def answered(bot: Bot, thread: str) -> list[dict[str, object]] | None:
    """The thread when the task is over, and its card says so."""
    messages = await bot.thread(thread, "alice")
    over = any("Done." in str(each["text"]) for each in messages if each["bot"])
    return messages if over and [each["state"] for each in messages if each["bot"]] == ["done", "done"] else None


def results(database: Path) -> list[str]:
    """The results of the steps, as they are stored."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
        return [row[0] for row in conn.execute("SELECT result FROM step ORDER BY n")]


def test_the_results_are_whole(told: Told) -> None:
    """A step that was interrupted has half a result, or words twice."""
    assert told.results == [result_of(each) for each in TITLES]


def test_no_finished_step_is_paid_for_again(told: Told) -> None:
    """Three deploys in the middle of a task cost three tasks."""
    assert told.calls == {"plan": 1, "one": 2, "two": 2, "three": 2, "answer": 1}


def test_an_interrupted_step_goes_on_from_what_was_saved(told: Told) -> None:
    """What a step had worked out when the process died is worked out again."""
    assert told.partial == {each: result_of(each)[: AFTER[each]] for each in TITLES}


def test_there_is_one_card_and_one_answer(told: Told) -> None:
    """Every start posts another card, or the answer comes twice."""
    card, answer = [each for each in told.thread if each["bot"]]
    assert str(card["text"]).startswith("**compare three vendors**")
    assert (answer["text"], card["buttons"]) == ("The answer.", [])
