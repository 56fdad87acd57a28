"""Without the Message Content intent: what still works, and that people are told how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.discord.connection import CONTENTLESS
from storage import open_store
from storage.memory import SqliteMemory
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Channel
from tests.kit.world import KEYS


@pytest.fixture
async def house(discord: DiscordServer, tmp_path: Path) -> AsyncIterator[House]:
    """The product where the developer portal's switch is off."""
    discord.messages.content_allowed = False
    path = tmp_path / "rejoinder.db"
    store = await open_store(path, code_keys=KEYS)
    await SqliteMemory(store).put(CONTENTLESS, discord.world.app_id)  # known from an earlier start
    await store.close()
    house = House(path, discord)
    await house.start()
    yield house
    await house.stop()


async def talk(house: House) -> Channel:
    """Alice and the bot have talked in a thread."""
    house.script(["One."])
    discord = house.discord
    thread = discord.people.mention("alice", discord.people.channel("general"), "first")["id"]
    await house.answered(thread, "One.")
    return discord.world.channels[thread]


async def test_mentions_direct_messages_and_replies_work(house: House) -> None:
    """What mentions the bot carries its words; so do direct messages and replies to it."""
    discord = house.discord
    thread = await talk(house)
    model = house.script(["Two."], ["Three."], ["Four."])
    discord.people.mention("alice", thread, "second")
    await house.answered(thread, "One.", "Two.")
    discord.people.say("alice", thread, "third", reply_to=discord.ours(thread)[-1]["id"])
    await house.answered(thread, "One.", "Two.", "Three.")
    dm = discord.people.dm("alice")
    discord.people.say("alice", dm, "fourth")
    await house.answered(dm, "Four.")
    assert [each in str(model.requests) for each in ("second", "third", "fourth")] == [True] * 3


async def test_a_blank_message_gets_one_hint(house: House) -> None:
    """Who writes without a mention is told once how to be heard, also after a restart; nothing reaches the model."""
    discord = house.discord
    thread = await talk(house)
    discord.people.say("alice", thread, "can you hear me?")
    await discord.until(lambda: len(discord.texts(thread)) == 2)
    assert "Mention me" in discord.texts(thread)[1]
    discord.people.say("alice", thread, "hello?")
    await house.stop()
    await house.start()
    discord.people.say("alice", thread, "still?")
    await asyncio.sleep(0.3)
    assert len(discord.texts(thread)) == 2


async def test_continue_from_here_reads_my_own_message(house: House) -> None:
    """The message menu hands over what the gateway kept blank."""
    discord = house.discord
    thread = await talk(house)
    said = discord.people.say("alice", thread, "what about Lumen?")
    model = house.script(["Lumen is fine."])
    await discord.acknowledged(discord.people.menu("alice", thread, "Continue from here", said))
    await discord.until(lambda: "Lumen is fine." in discord.texts(thread))
    assert "what about Lumen?" in str(model.requests[0].messages)


async def test_ask_needs_no_intent(house: House) -> None:
    """`/ask` in the thread is a message like any other."""
    thread = await talk(house)
    house.script(["Two."])
    await house.discord.acknowledged(house.discord.people.slash("alice", thread, "ask", text="second"))
    await house.answered(thread, "One.", "Two.")


async def test_the_switch_is_taken_away_while_it_runs(discord: DiscordServer, tmp_path: Path) -> None:
    """4014: Discord closes the connection because the intent was taken away; the bot goes on without it."""
    discord.messages.content_allowed = True
    house = House(tmp_path / "taken.db", discord)
    await house.start()
    thread = await talk(house)
    discord.messages.content_allowed = False
    house.clock.advance(6_000)
    discord.gateway.forget_sessions()
    discord.gateway.close_sockets(4014)
    house.script(["Two."])
    await discord.until(lambda: bool(discord.gateway.sessions))
    discord.people.mention("alice", thread, "second")
    await house.answered(thread, "One.", "Two.")
    await house.stop()


async def test_the_switch_was_never_on(discord: DiscordServer, tmp_path: Path) -> None:
    """Discord's no costs one session start, once; the next process asks for no more than it may."""
    discord.messages.content_allowed = False
    house = House(tmp_path / "never.db", discord)
    await house.start()
    await talk(house)
    assert discord.gateway.refused_intents == 1
    await house.stop()
    discord.gateway.forget_sessions()
    house.clock.advance(6_000)
    await house.start()
    assert discord.gateway.refused_intents == 1
    await house.stop()


async def test_the_switch_is_put_on(house: House) -> None:
    """The operator switches it on in the portal: the next start reads everything."""
    discord = house.discord
    thread = await talk(house)
    await house.stop()
    discord.messages.content_allowed = True
    discord.gateway.forget_sessions()
    house.clock.advance(6_000)
    house.script(["Two."])
    await house.start()
    discord.people.say("alice", thread, "second")
    await house.answered(thread, "One.", "Two.")
