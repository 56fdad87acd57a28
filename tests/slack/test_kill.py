"""kill -9 of the real program in the middle of answers on Slack: one message each, whole, and the same one.

Knows: the program as an operator runs it, a loopback Slack and a Messages API that live on. Six conversations stop at
six offsets of their streams; one death for all of them. The long form: seventeen deaths, twelve conversations each.
"""

from __future__ import annotations

import asyncio
import html
import random
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.crash.test_kill import drafted
from tests.kit.claude_script import make_text
from tests.kit.process import Bot, Claude, until
from tests.kit.slack_people import MENTION
from tests.kit.slack_server import SlackServer
from tests.kit.slack_state import StreamState
from tests.kit.slack_world import ALICE, DM, GENERAL

SHORT = (1, 60, 200, 400)  # of about 450 characters
LONG = (3_000, 7_000)  # of about 9,000
WORDS, MANY_WORDS = 60, 1_200
SHORT_CHARS = 450
DEATHS, TOGETHER, SEED = 17, 12, 20261124


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One conversation, killed and finished: the messages (ts, text) at the death and in the end."""

    before: list[tuple[str, str]]
    after: list[tuple[str, str]]
    whole: str


def question(offset: int) -> str:
    """What is asked; the directive makes the server fall silent after so many characters."""
    return f"Question {offset} [[fault=silence after={offset} words={words_of(offset)}]]"


def words_of(offset: int) -> int:
    """How long the answer is."""
    return MANY_WORDS if offset > SHORT_CHARS else WORDS


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ended]:
    """Play it all, once."""
    return asyncio.run(play(tmp_path_factory.mktemp("killed"), (*SHORT, *LONG)))


async def play(folder: Path, offsets: Sequence[int]) -> dict[int, Ended]:
    """Ask, kill the program in mid-answer, start it again, and wait for the answers."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SlackServer())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        claude = Claude(http)
        stack.push_async_callback(claude.end)
        await claude.start({"default": {"words": WORDS}})
        environment = {
            **server.environment,
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": claude.url,
        }
        bot = Bot(http, folder / "data", environment)
        stack.push_async_callback(bot.kill)
        await bot.start()
        roots = {}
        for n, offset in enumerate(offsets):
            channel = DM if n % 3 == 1 else GENERAL
            mention = "" if channel == DM else f"{MENTION} "
            roots[offset] = (channel, server.people.say(ALICE, channel, mention + question(offset)))
        await until(lambda: shown(server, roots))
        await until(lambda: drafted(bot.database, tuple(roots)))  # what is shown is saved within half a second
        before = {offset: ours(server, *roots[offset]) for offset in roots}
        await bot.kill()
        await bot.start()
        await until(lambda: finished(server, roots))
        assert await bot.stop() == 0
        assert server.slack.violations == []
        return {
            offset: Ended(
                before=before[offset],
                after=ours(server, *roots[offset]),
                whole=make_text(question(offset), words_of(offset)),
            )
            for offset in roots
        }


def ours(server: SlackServer, channel: str, root: str) -> list[tuple[str, str]]:
    """The bot's messages in a thread, without the offer to continue an earlier conversation."""
    thread = server.slack.channels[channel].thread(root)
    return [(each.ts, html.unescape(each.shown)) for each in thread if each.ours and "Continue “" not in each.shown]


async def shown(server: SlackServer, roots: dict[int, tuple[str, str]]) -> bool | None:
    """Whether every answer stands as far as the model has spoken."""
    for offset, place in roots.items():
        if sum(len(text) for _, text in ours(server, *place)) < offset:
            return None
    return True


async def finished(server: SlackServer, roots: dict[int, tuple[str, str]]) -> bool | None:
    """Whether every answer is whole and nothing is being written."""
    messages = list(server.slack.bots_messages())
    if any(each.stream is not None and each.stream.state is StreamState.LIVE for each in messages):
        return None
    for offset, place in roots.items():
        text = " ".join(shown for _, shown in ours(server, *place))
        if not same(text, make_text(question(offset), words_of(offset))):
            return None
    return True


def same(shown: str, text: str) -> bool:
    """Whether a reader reads the text, whatever white space is between two messages."""
    return re.sub(r"\s+", " ", shown).strip() == re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("offset", [*SHORT, *LONG])
def test_the_same_message_is_complete_after_a_kill(offset: int, ended: dict[int, Ended]) -> None:
    """Kill the bot while it speaks: the message that was cut off is finished; nothing is lost, nothing said twice."""
    story = ended[offset]
    ((ts, cut),) = story.before
    assert story.whole.startswith(cut[:offset])
    assert story.after[0][0] == ts
    if offset in SHORT:
        assert [text for _, text in story.after] == [story.whole]
    assert same(" ".join(text for _, text in story.after), story.whole)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_two_hundred_offsets(tmp_path: Path) -> None:
    """Kill -9 at two hundred offsets of answers of up to 9,000 characters: 0 lost, 0 doubled."""
    chance = random.Random(SEED)
    for death in range(DEATHS):
        long = chance.sample(range(SHORT_CHARS + 1, 8_900), TOGETHER - 4)
        offsets = (*long, *chance.sample(range(1, 400), 4))
        for story in asyncio.run(play(tmp_path / str(death), offsets)).values():
            assert story.before[0][0] == story.after[0][0]
            assert same(" ".join(text for _, text in story.after), story.whole)
