"""What people change afterwards: the bot's memory follows, and a deleted thread loses nothing."""

from __future__ import annotations

import asyncio

from tests.kit.discord_house import House
from tests.kit.discord_world import Channel


async def stored(house: House) -> list[str]:
    """Every stored message of people, in order."""
    rows = await house.store.read(
        lambda conn: conn.execute("SELECT text FROM message WHERE role = 'user' ORDER BY id").fetchall()
    )
    return [row[0] for row in rows]


async def talk(house: House) -> Channel:
    """Alice has said two things."""
    house.script(["One."], ["Two."], ["Three."])
    discord = house.discord
    thread = discord.people.mention("alice", discord.people.channel("general"), "my pin is 1234")["id"]
    await house.answered(thread, "One.")
    discord.people.say("alice", discord.world.channels[thread], "and 5678")
    await house.answered(thread, "One.", "Two.")
    return discord.world.channels[thread]


async def test_an_edit_is_followed(house: House) -> None:
    """Somebody corrects what they wrote, in the channel and in the thread: the model gets the corrected words."""
    thread = await talk(house)
    discord = house.discord
    discord.people.edit(discord.people.channel("general"), thread.id, "@bot my pin is secret")
    second = next(each for each in discord.world.history(thread.id) if each["content"] == "and 5678")
    discord.people.edit(thread, second["id"], "and nothing")
    for _ in range(100):
        if await stored(house) == ["my pin is secret", "and nothing"]:
            break
        await asyncio.sleep(0.02)
    assert await stored(house) == ["my pin is secret", "and nothing"]


async def test_a_deletion_is_followed(house: House) -> None:
    """What somebody deletes is gone from our memory, too, also when a moderator deletes in bulk."""
    thread = await talk(house)
    discord = house.discord
    discord.people.delete(discord.people.channel("general"), thread.id)
    second = next(each for each in discord.world.history(thread.id) if each["content"] == "and 5678")
    gone = {"ids": [second["id"]], "channel_id": thread.id, "guild_id": thread.guild_id}
    discord.gateway.tell("MESSAGE_DELETE_BULK", gone, thread)
    for _ in range(100):
        if not any("1234" in each or "5678" in each for each in await stored(house)):
            break
        await asyncio.sleep(0.02)
    assert not any("1234" in each or "5678" in each for each in await stored(house))


async def test_a_deleted_thread_loses_no_conversation(house: House) -> None:
    """A moderator deletes the thread: its person is told in private, and goes on there with everything."""
    thread = await talk(house)
    discord = house.discord
    discord.people.delete_channel(thread)
    dm = discord.people.dm("alice")
    told = await discord.until(lambda: discord.texts(dm))
    assert "/resume" in told[0]
    asked = await discord.told(discord.people.slash("alice", dm, "resume"))
    if asked.buttons:
        assert asked.answer is not None
        await discord.acknowledged(discord.people.press("alice", asked.answer, asked.buttons[0]["options"][0]["label"]))
    model = house.script(["Three."])
    discord.people.say("alice", dm, "go on")
    await discord.until(lambda: "Three." in discord.texts(dm))
    assert "1234" in str(model.requests[0].messages)


async def test_an_unfurled_link_is_no_edit(house: House) -> None:
    """Discord tells of a preview as of an edit; nothing is written for it."""
    thread = await talk(house)
    discord = house.discord
    message = discord.world.history(discord.people.channel("general").id)[0]
    discord.gateway.tell("MESSAGE_UPDATE", message | {"content": "", "edited_timestamp": None}, thread)
    await asyncio.sleep(0.2)
    assert (await stored(house))[0] == "my pin is 1234"
