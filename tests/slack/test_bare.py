"""The real program on the least that can pass for a Slack: every story works without one optional method.

Knows: the program as an operator runs it, `slack_bare`, real time; a proxy stands in the environment that reaches
nothing. Must not know: the adapter.
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.kit.process import Bot, until
from tests.kit.slack_bare import BOT, CHANNEL, DIRECT, BareSlack, Json, shown
from tests.kit.slack_state import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET

_CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}")
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(params=["json", "html", "http", "half"])
def kind(request: pytest.FixtureRequest) -> str:
    """Two ways to say that a method is not known; signed requests instead of sockets; streams that only begin."""
    return str(request.param)


@pytest.fixture
async def slack(kind: str) -> AsyncIterator[BareSlack]:
    """A bare Slack."""
    slack = BareSlack(html=kind == "html", half=kind == "half")
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
async def bot(slack: BareSlack, kind: str, tmp_path: Path) -> AsyncIterator[Bot]:
    """The program with the demo model, which finds a conversation quiet after a second."""
    async with aiohttp.ClientSession() as http:
        bot = Bot(
            http,
            tmp_path / "data",
            {
                "SLACK_BOT_TOKEN": BOT_TOKEN,
                **({"SLACK_SIGNING_SECRET": SIGNING_SECRET} if kind == "http" else {"SLACK_APP_TOKEN": APP_TOKEN}),
                "SLACK_API_URL": slack.url,
                "HTTPS_PROXY": NOWHERE,
                "HTTP_PROXY": NOWHERE,
                "REJOINDER_IDLE_WARNING": "1s",
                "REJOINDER_IDLE_PARK": "1h",
            },
        )
        await bot.start()
        slack.hook = f"{bot.url}/slack/events" if kind == "http" else ""
        yield bot
        await bot.kill()


async def seen(slack: BareSlack, fits: Callable[[str], object], thread: str = "", channel: str = CHANNEL) -> Json:
    """The first message of the bot that reads like this, once it is there."""

    async def look() -> Json | None:
        return next((each for each in slack.ours(thread, channel) if fits(html.unescape(shown(each)))), None)

    return await until(look)


async def acked(slack: BareSlack, envelope: str) -> Json:
    """What the acknowledgement of an envelope carries."""

    async def look() -> Json | None:
        return slack.acks.get(envelope)

    return await until(look)


@pytest.mark.usefixtures("bot")
async def test_a_whole_day_on_a_bare_slack(slack: BareSlack) -> None:
    """Answers, a notice, its buttons, a code typed in the thread, a code brought elsewhere: each works."""
    root = await slack.say(f"<@{BOT}> my app is called Zephyr")
    await seen(slack, lambda text: "Zephyr" in text or len(text) > 20, root)
    notice = await seen(slack, _CODE.search, root)
    await slack.press(notice, "Resume")
    back = await seen(slack, lambda text: text.startswith("Back: everything kept"), root)
    assert back["ts"] == notice["ts"]
    await slack.say(f"<@{BOT}> hello again", thread=root)
    notice = await seen(slack, _CODE.search, root)
    found = _CODE.search(shown(notice))
    assert found is not None
    ack = await acked(slack, await slack.command("/resume", found[0]))
    assert "It goes on here" in ack["text"]
    other = await seen(slack, lambda text: text == "A conversation goes on here.")
    await slack.say("What is my app called?", thread=other["ts"])  # while the answer in the old thread still runs
    await seen(slack, lambda text: "Zephyr" in text, other["ts"])
    listed = await acked(slack, await slack.command("/rejoinder", "sessions"))
    assert "Zephyr" in str(listed["blocks"])
    assert "agents.sessions.setStatus" in slack.refused


@pytest.mark.parametrize("kind", ["json", "http"])
@pytest.mark.usefixtures("bot")
async def test_a_code_typed_in_the_thread(slack: BareSlack) -> None:
    """In a thread, where Slack has no slash commands, the code is typed; a wrong one is answered in private."""
    root = await slack.say("hello", channel=DIRECT)
    notice = await seen(slack, _CODE.search, root, DIRECT)
    found = _CODE.search(shown(notice))
    assert found is not None
    await slack.say("resume ABCD-EFGH-JKMN-PQR7", channel=DIRECT, thread=root)
    await seen(slack, lambda text: "does not work here" in text, root, DIRECT)
    await slack.say(f"resume {found[0]}", channel=DIRECT, thread=root)
    await seen(slack, lambda text: text.startswith("Back: everything kept"), root, DIRECT)


@pytest.mark.parametrize("kind", ["json", "half"])
async def test_an_answer_is_finished_after_a_kill(slack: BareSlack, bot: Bot) -> None:
    """Without streams and without metadata: the same message is finished, and the answer before it is left alone."""
    root = await slack.say(f"<@{BOT}> hello")
    first = await seen(slack, lambda text: len(text) > 20, root)
    before = shown(first)
    await slack.say("Tell me a long story", thread=root)
    story = await seen(slack, lambda text: text != before and len(text) > 200, root)
    await bot.kill()
    cut = shown(story)
    await bot.start()
    await seen(slack, lambda text: len(text) > len(cut) + 200 and text.startswith(cut[:150]), root)
    answers = [each for each in slack.ours(root) if not shown(each).startswith(("Quiet here", "Back: "))]
    assert [each["ts"] for each in answers] == [first["ts"], story["ts"]]
    assert shown(answers[0]) == before
