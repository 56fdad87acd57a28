"""The whole product on a Discord with seven routes: no optional endpoint may stop an answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bots.discord.rest import Rest
from core.drivers.clock import SystemClock
from tests.kit.discord_bare import ROUTES, BareGateway, Resumes, bare
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer

CODE = re.compile(r"/resume ([0-9A-Z-]{19})")


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    """Seven routes."""
    async with bare() as server:
        server.people.channel("general")
        yield server


async def talk(house: House) -> str:
    """Alice and the bot have talked in a thread; its id."""
    house.script(["One."])
    discord = house.discord
    thread = discord.people.mention("alice", discord.people.channel("general"), "first")["id"]
    await house.answered(thread, "One.")
    return str(thread)


async def test_a_mention_opens_a_thread_and_it_goes_on_there(house: House) -> None:
    """Nobody tells of servers, channels and rights: a mention is answered in a thread, the thread needs none."""
    discord = house.discord
    thread = await talk(house)
    model = house.script(["Two."])
    discord.people.say("alice", discord.world.channels[thread], "second")
    await house.answered(thread, "One.", "Two.")
    assert "first" in str(model.requests[0].messages)


async def test_without_a_route_to_threads_the_channel_serves(house: House) -> None:
    """Threads are not even known there: the person is answered in the channel."""
    discord = house.discord
    discord.rest.keep_only([each for each in ROUTES if not each.endswith("/threads")])
    house.script(["One."])
    channel = discord.people.channel("general")
    discord.people.mention("alice", channel, "first")
    await house.answered(channel, "One.")


async def test_a_direct_message_is_answered(house: House) -> None:
    """A direct conversation works."""
    house.script(["Just us."])
    dm = house.discord.people.dm("alice")
    house.discord.people.say("alice", dm, "psst")
    await house.answered(dm, "Just us.")


async def test_a_notice_and_its_buttons_work(house: House) -> None:
    """Warned, parked, brought back by the button, and told everything privately."""
    discord = house.discord
    thread = await talk(house)
    await house.pass_time(minutes=61)
    notice = await discord.until(lambda: [each for each in discord.ours(thread) if "parked" in each["content"]])
    await discord.acknowledged(discord.people.press("alice", notice[0], "Resume"))
    await discord.until(lambda: "Back: everything kept." in discord.texts(thread))
    assert (await discord.told(discord.people.slash("alice", discord.world.channels[thread], "why"))).ephemeral


async def test_a_code_is_redeemed_in_another_channel(house: House) -> None:
    """`/resume CODE` in a channel brings the conversation to a thread there."""
    discord = house.discord
    thread = await talk(house)
    await house.pass_time(minutes=61)
    notice = await discord.until(lambda: [each for each in discord.ours(thread) if "parked" in each["content"]])
    found = CODE.search(notice[0]["content"])
    assert found
    other = discord.people.channel("other")
    await discord.told(discord.people.slash("alice", other, "resume", code=found[1]))
    starter = (await discord.until(lambda: discord.ours(other)))[0]
    there = await discord.until(lambda: discord.world.channels.get(starter["id"]))
    model = house.script(["Still here."])
    discord.people.say("alice", there, "and now?")
    await discord.until(lambda: "Still here." in discord.texts(there))
    assert "first" in str(model.requests[0].messages)


@pytest.mark.parametrize("resuming", list(Resumes))
async def test_a_restart_finds_what_was_said_meanwhile(house: House, resuming: Resumes) -> None:
    """Whatever a RESUME gets, the conversation goes on in its thread, and what was missed is answered."""
    discord = house.discord
    assert isinstance(discord.gateway, BareGateway)
    discord.gateway.resuming = resuming
    thread = await talk(house)
    dm = discord.people.dm("bob")
    house.script(["Hi Bob."])
    discord.people.say("bob", dm, "hello")
    await house.answered(dm, "Hi Bob.")
    await house.stop()
    discord.people.say("alice", discord.world.channels[thread], "second")
    discord.people.say("bob", dm, "still there?")
    house.clock.advance(6_000)  # Discord allows one IDENTIFY in 5 s
    model = house.script(["Two."], ["Two."])
    await house.start()
    await house.answered(thread, "One.", "Two.")
    await house.answered(dm, "Hi Bob.", "Two.")
    assert "first" in str([each.messages for each in model.requests])
    house.script(["Three."])
    discord.people.say("alice", discord.world.channels[thread], "third")
    await house.answered(thread, "One.", "Two.", "Three.")


async def test_ids_that_tell_no_time_are_ids_all_the_same(tmp_path: Path) -> None:
    """A stand-in that counts from one: its messages are not taken for old ones."""
    async with bare() as discord:
        numbers = iter(range(1_001, 10_000))
        assert isinstance(discord.gateway, BareGateway)
        discord.gateway.resuming = Resumes.REFUSAL
        discord.world.snowflake = lambda: str(next(numbers))  # type: ignore[method-assign]
        house = House(tmp_path / "rejoinder.db", discord)
        await house.start()
        thread = await talk(house)
        await house.stop()
        discord.people.say("alice", discord.world.channels[thread], "second")
        house.clock.advance(6_000)
        house.script(["Two."])
        await house.start()
        await house.answered(thread, "One.", "Two.")
        await house.pass_time(minutes=61)
        await discord.until(lambda: any("parked" in each for each in discord.texts(thread)))
        await house.stop()


async def test_an_address_without_the_apis_version(discord: DiscordServer) -> None:
    """Only a host is given: the first request of all finds the API below it, also an effect of an earlier process."""
    channel, rest = discord.people.channel("general"), Rest(discord.token, SystemClock(), api=discord.api_url[:-8])
    assert urlsplit(rest.api).path == ""
    await asyncio.gather(*(rest.call("POST", f"/channels/{channel.id}/messages", {"content": "hi"}) for _ in range(2)))
    await rest.close()
    assert discord.texts(channel) == ["hi", "hi"]
