"""kill -9 of the real program between the calls that bring a file: it hangs in the thread once, whole.

Knows: the program as an operator runs it, a loopback Slack and a Messages API that live on. One conversation for each
call; the program dies when Slack has done what was asked and has not said so.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from tests.kit.process import Bot, Claude, until
from tests.kit.slack_faults import Wrong
from tests.kit.slack_people import MENTION
from tests.kit.slack_server import SlackServer
from tests.kit.slack_state import StreamState
from tests.kit.slack_world import ALICE, GENERAL
from tests.slack.test_attached import ANSWER, CALLS, FILE, reads

LATE_MS = 1_500  # Slack shows a file only after that


def standing(server: SlackServer, root: str) -> tuple[list[str], list[tuple[str, bytes]]]:
    """The bot's words and files in a thread."""
    server.slack.land()
    ours = [each for each in server.slack.channels[GENERAL].thread(root) if each.ours]
    files = [(each["name"], server.slack.files[each["id"]][1]) for message in ours for each in message.files]
    return [each.shown for each in ours if not each.files and "Continue “" not in each.shown], files


async def test_a_kill_between_the_calls_leaves_one_file(tmp_path: Path) -> None:
    """The machine loses power while a file is uploaded: it is missing afterwards, or there twice."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SlackServer())
        server.slack.share_after_ms = LATE_MS
        http = await stack.enter_async_context(aiohttp.ClientSession())
        claude = Claude(http)
        stack.push_async_callback(claude.end)
        await claude.start({"default": {"text": ANSWER, "chunk": 500}})
        environment = {
            **server.environment,
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": claude.url,
        }
        bot = Bot(http, tmp_path / "data", environment)
        stack.push_async_callback(bot.kill)
        await bot.start()
        roots = []
        for name in CALLS:
            before = sum(call.method == name for call in server.calls)
            server.faults.add(name, Wrong.SLOW, seconds=2.0)
            roots.append(root := server.people.say(ALICE, GENERAL, f"{MENTION} all cities, please ({name})"))

            async def called(name: str = name, before: int = before) -> bool | None:
                return sum(call.method == name for call in server.calls) > before or None

            async def answered(root: str = root) -> bool | None:
                return reads(standing(server, root)[0]) or None

            await until(called)
            await bot.kill()
            await bot.start()
            await until(answered)
        assert await bot.stop() == 0
        for root in roots:
            texts, files = standing(server, root)
            assert reads(texts)
            assert files == [FILE]
        live = [each for each in server.slack.bots_messages() if each.stream and each.stream.state is StreamState.LIVE]
        assert live == []
        assert server.slack.violations == []
