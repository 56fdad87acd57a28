"""kill -9 of the real program in the middle of answers, over the real client and a real socket.

Knows: the program as an operator runs it, its JSON API, and what the Messages API was asked.
Four conversations stop at four offsets of their streams, a fifth has been spoken to its end when the process dies
before it can write that down: the test holds the database's write lock meanwhile. One death for all five.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from core.domain.prompt_words import CONTINUE_PREFIX
from tests.kit.claude_script import make_text, text_of
from tests.kit.process import Bot, Claude, until

OFFSETS = (1, 60, 200, 400)  # of about 450 characters
WORDS = 60
SPOKEN = "spoken to its end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One conversation, killed and finished."""

    before: list[dict[str, object]]  # the thread when the process died
    after: list[dict[str, object]]  # and when it was finished
    saved: str  # the draft on the disk
    requests: list[list[dict[str, object]]]  # the messages of every call for it


def question(case: int | str) -> str:
    """What is asked; the directive makes the server fall silent after so many characters."""
    return f"Question {case} [[fault=silence after={case}]]" if isinstance(case, int) else f"Question {case}"


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[int | str, Ended]:
    """Play it all, once."""
    return asyncio.run(died_at(tmp_path_factory.mktemp("killed"), [OFFSETS], SPOKEN))


async def died_at(folder: Path, deaths: Sequence[tuple[int, ...]], *spoken: str) -> dict[int | str, Ended]:
    """Ask questions that stop at the offsets of a death, kill the program, start it again, wait for all answers.

    `spoken`: questions that are answered to their end before the first death, while nothing can be written down.
    """
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        claude = Claude(http)
        stack.push_async_callback(claude.end)
        await claude.start({"default": {"words": WORDS}, "rules": [{"when": SPOKEN, "delay_ms": 20, "words": WORDS}]})
        bot = Bot(http, folder / "data", {"ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": claude.url})
        stack.push_async_callback(bot.kill)
        await bot.start()
        ended: dict[int | str, Ended] = {}
        for offsets in deaths:
            ended |= await _die(bot, claude, offsets, spoken)
            spoken = ()
        return ended


async def _die(bot: Bot, claude: Claude, offsets: tuple[int, ...], spoken: tuple[str, ...]) -> dict[int | str, Ended]:
    threads: dict[int | str, str] = {}
    for cases in (offsets, spoken):
        for case in cases:
            threads[case] = await bot.say("alice", question(case), key=f"{case}")
        await until(lambda: drafted(bot.database, (*offsets, *(1 for case in spoken if case in threads))))
    with closing(sqlite3.connect(bot.database, isolation_level=None)) as locked:
        locked.execute("BEGIN IMMEDIATE")
        await until(lambda: all_sent(claude, spoken))
        before = {case: await bot.thread(threads[case], "alice") for case in threads}
        await bot.kill()
        saved = drafts(locked)
    await bot.start()
    after = {case: await until(partial(done, bot, threads[case])) for case in threads}
    calls = [messages for call in await claude.calls() if (messages := messages_of(call))]
    return {
        case: Ended(
            before=before[case],
            after=after[case],
            saved=max((text for text in saved if make_text(question(case), WORDS).startswith(text)), key=len),
            requests=[messages for messages in calls if text_of(messages[0]["content"]) == question(case)],
        )
        for case in threads
    }


def drafts(conn: sqlite3.Connection) -> list[str]:
    """What of the running calls is on the disk."""
    texts: dict[str, str] = {}
    for effect_id, text in conn.execute("SELECT effect_id, text FROM draft ORDER BY effect_id, n"):
        texts[effect_id] = texts.get(effect_id, "") + text
    return list(texts.values())


async def drafted(database: Path, least: tuple[int, ...]) -> bool | None:
    """Whether the drafts on the disk have at least these lengths."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
        lengths = sorted(map(len, drafts(conn)))
    enough = len(lengths) == len(least) and all(have >= want for have, want in zip(lengths, sorted(least), strict=True))
    return enough or None


async def all_sent(claude: Claude, cases: tuple[str, ...]) -> bool | None:
    """Whether these answers were sent to their end."""
    finished = [str(messages_of(call)) for call in await claude.calls() if call["finished"]]
    return all(any(question(case) in messages for messages in finished) for case in cases) or None


async def done(bot: Bot, thread: str) -> list[dict[str, object]] | None:
    """The thread when nothing is being written in it any more."""
    messages = await bot.thread(thread, "alice")
    return messages if [each["state"] for each in messages if each["bot"]] == ["done"] else None


def messages_of(call: dict[str, object]) -> list[dict[str, object]]:
    """The messages that the Messages API was given."""
    body = call["body"]
    messages = body.get("messages") if isinstance(body, dict) else None
    return messages if isinstance(messages, list) else []


@pytest.mark.parametrize("case", [*OFFSETS, SPOKEN])
def test_the_same_message_is_complete_after_a_kill(case: int | str, ended: dict[int | str, Ended]) -> None:
    """Kill the bot while it speaks: the message that was cut off is finished, and there is no second one."""
    story = ended[case]
    (cut,) = [each for each in story.before if each["bot"]]
    (whole,) = [each for each in story.after if each["bot"]]
    assert (cut["state"], whole["state"]) == ("streaming", "done")
    assert whole["id"] == cut["id"]
    assert whole["text"] == make_text(question(case), WORDS)
    assert str(whole["text"]).startswith(str(cut["text"]))


@pytest.mark.parametrize("case", [*OFFSETS, SPOKEN])
def test_the_model_goes_on_from_what_was_saved(case: int | str, ended: dict[int | str, Ended]) -> None:
    """What was said already is neither paid for nor read twice."""
    said = went_on(case, ended[case])
    assert said == ended[case].saved
    if isinstance(case, int):
        assert len(said) == case


def went_on(case: int | str, story: Ended) -> str:
    """What the model was told that it had said, when it was asked to go on."""
    first, second = story.requests
    assert [each["role"] for each in first] == ["user"]
    assert [each["role"] for each in second] == ["user", "assistant", "user"]
    assert text_of(second[2]["content"]).startswith(CONTINUE_PREFIX)
    said = text_of(second[1]["content"])
    assert make_text(question(case), WORDS).startswith(said)
    return said
