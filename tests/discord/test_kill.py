"""kill -9 of the real program on Discord: half answers are finished in place, nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.kit.claude_script import Behaviour, make_text
from tests.kit.claude_server import ClaudeServer
from tests.kit.discord_program import Installation, installed
from tests.kit.discord_server import DiscordServer


async def killed_at(
    discord: DiscordServer, claude: ClaudeServer, bot: Installation, offset: int, question: str, *, delay_ms: int = 25
) -> None:
    """Ask, kill when the model has said `offset` characters, start again, and look at what stands."""
    text = make_text(question, 60)
    claude.script.load({"default": {"delay_ms": delay_ms}})
    calls = len(claude.log)
    asked = discord.people.mention("alice", discord.people.channel("general"), question)
    if offset < 0:
        await discord.until(lambda: any(asked["id"] in each.path for each in discord.rest.log))
    else:
        await discord.until(lambda: len(claude.log) > calls and len(claude.log[calls].sent) >= min(offset, len(text)))
    await bot.kill()
    await bot.start()
    await discord.until(lambda: discord.texts(asked["id"]) == [text], patience_s=30)
    await asyncio.sleep(0.3)
    assert discord.texts(asked["id"]) == [text]


async def test_killed_at_four_offsets(discord: DiscordServer, tmp_path: Path) -> None:
    """Four answers stand still before the first word, early, in the middle and late; one death for all of them."""
    async with installed(tmp_path, discord) as (bot, claude):
        await bot.start()
        offsets = (0, 60, 200, 400)
        claude.script.load({"rules": [{"when": "Question 0", "fault": "hang"}]})
        asked = {}
        for offset in offsets:
            question = f"Question {offset} [[fault=silence after={offset}]]" if offset else "Question 0"
            message = discord.people.mention("alice", discord.people.channel("general"), question)
            asked[offset] = (message["id"], make_text(question, 60))
        await discord.until(lambda: sorted(len(each.sent) for each in claude.log) == list(offsets))
        await discord.until(lambda: all(len(discord.texts(each)) == 1 for each, _ in asked.values()))
        await asyncio.sleep(0.8)  # a draft's tick
        before = {offset: discord.ours(thread)[0]["id"] for offset, (thread, _) in asked.items()}
        await bot.kill()
        await bot.start()
        for offset, (thread, text) in asked.items():
            await discord.until(lambda: discord.texts(thread) == [text], patience_s=30)  # noqa: B023
            assert discord.ours(thread)[0]["id"] == before[offset]
        continued = [each for each in claude.log if "[Continue]" in str(each.body)]
        assert len(continued) == 3
        assert discord.gateway.identifies == 1
        assert await bot.stop() == 0


@pytest.mark.soak
async def test_killed_at_two_hundred_offsets(discord: DiscordServer, tmp_path: Path) -> None:
    """The same at 200 offsets, chosen by chance, the thread's opening included."""
    chance = random.Random(5)
    async with installed(tmp_path, discord) as (bot, claude):
        await bot.start()
        for n in range(200):
            offset = chance.choice([-1, 0, *range(10, 480, 10), 10_000])
            await killed_at(discord, claude, bot, offset, f"question {n}", delay_ms=chance.choice([0, 5, 25]))


async def test_a_message_and_a_press_while_it_was_down(discord: DiscordServer, tmp_path: Path) -> None:
    """Killed, and started again within two seconds: what was said and pressed meanwhile is answered in time."""
    async with installed(tmp_path, discord) as (bot, claude):
        await bot.start()
        claude.push(Behaviour(text="One."))
        asked = discord.people.mention("alice", discord.people.channel("general"), "first")
        await discord.until(lambda: discord.texts(asked["id"]) == ["One."])
        await asyncio.sleep(0.7)
        await bot.kill()
        claude.push(Behaviour(text="Two."))
        discord.people.say("alice", discord.world.channels[asked["id"]], "second")
        pressed = discord.people.slash("alice", discord.world.channels[asked["id"]], "why")
        await bot.start()
        await discord.until(lambda: discord.texts(asked["id"]) == ["One.", "Two."])
        await discord.acknowledged(pressed)
        assert pressed.ephemeral


async def test_sigterm_ends_calmly_and_the_next_start_goes_on(discord: DiscordServer, tmp_path: Path) -> None:
    """A deploy in the middle of an answer: exit code 0 in time, and the session at Discord is kept."""
    async with installed(tmp_path, discord) as (bot, claude):
        await bot.start()
        text = make_text("go", 60)
        claude.script.load({"default": {"delay_ms": 10}})
        asked = discord.people.mention("alice", discord.people.channel("general"), "go")
        await discord.until(lambda: claude.log and len(claude.log[0].sent) > 50)
        assert await bot.stop() == 0
        await discord.until(lambda: discord.texts(asked["id"]) == [text])
        assert discord.gateway.closed_with[-1] == 4000
        await bot.start()
        assert (discord.gateway.identifies, discord.gateway.resumes) == (1, 1)
