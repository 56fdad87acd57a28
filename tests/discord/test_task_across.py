"""A task begun in Slack stops at a step, is moved by code to Discord, and is resumed there at that step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bots.slack.boots import FILE
from tests.discord.test_across import SETTINGS, InSlack
from tests.kit.claude_script import read
from tests.kit.claude_server import ClaudeServer
from tests.kit.discord_program import Installation, installed
from tests.kit.discord_server import DiscordServer
from tests.kit.planner import chain, name_of
from tests.kit.slack_server import SlackServer

SCRIPT = {
    "rules": [
        {"when": "[Plan]", "text": chain("one", "two", "three")},
        {"when": "Your step is 2, ", "fault": "early_end", "after": 0, "times": 3},
        *({"when": f"Your step is {n}, ", "text": f"Result {n}."} for n in (1, 2, 3)),
        {"when": "[Results]", "text": "All three are compared."},
    ]
}


async def test_a_task_is_resumed_on_the_other_platform(discord: DiscordServer, tmp_path: Path) -> None:
    """A task that waits for its person stays behind when they go on elsewhere, or begins anew there."""
    async with SlackServer() as slack:
        tokens = slack.environment
        async with installed(tmp_path, discord, **SETTINGS, **tokens) as (bot, claude):
            claude.script.load(SCRIPT)
            await moved(discord, bot, claude, InSlack(slack))
        assert slack.slack.violations == []


async def moved(discord: DiscordServer, bot: Installation, claude: ClaudeServer, there: InSlack) -> None:
    """The journey; the program is killed while the task waits, and again after the move."""

    async def killed() -> None:
        await bot.kill()
        (bot.program.data_dir / FILE).unlink(missing_ok=True)  # see `test_across`
        await bot.start()

    await bot.start()
    await there.say("/task compare three vendors")
    await there.says("Paused at step 2 of 3.")
    await there.says("waits for you at step 2 of 3.")  # the notice of the quiet thread
    code = await there.code()
    await killed()

    channel = discord.people.channel("other")
    asked = await discord.told(discord.people.slash("ally", channel, "resume", code=code))
    assert asked.ephemeral
    starter = (await discord.until(lambda: discord.ours(channel)))[0]
    await there.press("Allow")
    thread = await discord.until(lambda: discord.world.channels.get(starter["id"]))
    await discord.until(lambda: any("Paused at step 2 of 3." in each for each in discord.texts(thread)) or None)
    await there.says("This went along to")
    await killed()

    card = next(each for each in discord.ours(thread) if "Paused at step 2" in str(each))
    discord.people.press("ally", card, "Resume at step 2")
    await discord.until(lambda: "All three are compared." in discord.texts(thread) or None)
    await discord.until(lambda: any("Done." in each for each in discord.texts(thread)) or None)
    calls = Counter(name_of(read(call.body["messages"])[0]) for call in claude.log if "messages" in call.body)  # type: ignore[arg-type]
    assert (calls["plan"], calls["one"], calls["two"], calls["three"]) == (1, 1, 4, 1)
