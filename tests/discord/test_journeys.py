"""What people live through on Discord: talking, streaming, stopping, crashing, leaving and coming back."""

from __future__ import annotations

import asyncio

from tests.kit.discord_house import House


async def test_a_mention_is_answered_in_a_thread_of_its_own(house: House) -> None:
    """Somebody mentions the bot in a channel: one thread opens, and the answer stands there."""
    house.script(["Hello, ", "Alice."])
    discord = house.discord
    channel = discord.people.channel("general")
    asked = discord.people.mention("alice", channel, "hi there")
    await house.answered(asked["id"], "Hello, Alice.")
    thread = discord.world.channels[asked["id"]]
    assert (thread.name, thread.owner_id, thread.auto_archive) == ("hi there", discord.world.bot.id, 4320)
    assert discord.texts(channel) == []


async def test_in_the_thread_no_mention_is_needed(house: House) -> None:
    """The conversation goes on without calling the bot each time, and nothing is asked twice."""
    model = house.script(["One."], ["Two."])
    discord = house.discord
    asked = discord.people.mention("alice", discord.people.channel("general"), "first")
    await house.answered(asked["id"], "One.")
    thread = discord.world.channels[asked["id"]]
    said = discord.people.say("alice", thread, "second")
    ours = await house.answered(thread, "One.", "Two.")
    assert ours[1]["message_reference"]["message_id"] == said["id"]
    assert "first" in str(model.requests[1].messages)


async def test_a_direct_message_is_answered_there(house: House) -> None:
    """A direct conversation needs no thread and no mention."""
    house.script(["Just us."])
    dm = house.discord.people.dm("alice")
    house.discord.people.say("alice", dm, "psst")
    await house.answered(dm, "Just us.")


async def test_stop_keeps_what_was_said(house: House) -> None:
    """The Stop button under a growing answer ends it at once, and only its asker may press it."""
    gate = asyncio.Event()
    house.script(["So far ", gate])
    discord = house.discord
    asked = discord.people.mention("alice", discord.people.channel("general"), "go")
    message = (await house.answered(asked["id"], "So far"))[0]
    other = await discord.told(discord.people.press("bob", message, "Stop"))
    assert "Only" in other.text
    assert other.ephemeral
    await discord.told(discord.people.press("alice", message, "Stop"))
    await house.answered(asked["id"], "So far \n\n_Stopped. What was said so far is kept._")


async def test_a_crash_in_mid_answer_is_finished_in_the_same_message(house: House) -> None:
    """Killed while it speaks: after the restart the very message is complete, and there is one."""
    gate = asyncio.Event()
    house.script(["Once upon a time ", gate])
    discord = house.discord
    asked = discord.people.mention("alice", discord.people.channel("general"), "story")
    before = await house.answered(asked["id"], "Once upon a time")
    await asyncio.sleep(0.6)  # a tick of the draft
    await house.crash()
    house.script(["there was a bot."])
    await house.start()
    after = await house.answered(asked["id"], "Once upon a time there was a bot.")
    assert after[0]["id"] == before[0]["id"]
    assert discord.gateway.identifies == 1
