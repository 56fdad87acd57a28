"""Whom the bot answers, where, and who can read there: two people in one thread, strangers, private channels."""

from __future__ import annotations

import asyncio

import pytest

from core.domain.keys import Audience, Place
from storage.rows import SESSION
from tests.kit.discord_house import House
from tests.kit.discord_world import FORUM, PRIVATE_THREAD, SEND, VIEW, VOICE, Payload


async def quiet(house: House) -> None:
    """Let everything that will happen happen."""
    await asyncio.sleep(0.25)
    await house.discord.until(lambda: house.engine.idle)


async def audience(house: House) -> Audience:
    """Of the only session."""
    rows = await house.store.read(lambda conn: conn.execute(SESSION.select).fetchall())
    assert len(rows) == 1
    return SESSION.decode(rows[0]).audience


async def test_two_people_in_one_thread(house: House) -> None:
    """The opener needs no mention; another person needs one, once; two people talking to each other are left alone."""
    discord = house.discord
    house.script(["A"], ["B"], ["C"], ["D"])
    asked = discord.people.mention("alice", discord.people.channel("general"), "hi")
    await house.answered(asked["id"], "A")
    thread = discord.world.channels[asked["id"]]
    discord.people.say("bob", thread, "just thinking aloud")
    await quiet(house)
    assert discord.texts(thread) == ["A"]
    discord.people.mention("bob", thread, "what do you think?")
    await house.answered(thread, "A", "B")
    discord.people.say("bob", thread, "and now?")
    await house.answered(thread, "A", "B", "C")
    bobs = discord.people.say("bob", thread, "@alice did you see that?")
    discord.people.say("alice", thread, "yes!", reply_to=bobs["id"])
    await quiet(house)
    assert discord.texts(thread) == ["A", "B", "C"]
    discord.people.say("alice", thread, "so?")
    await house.answered(thread, "A", "B", "C", "D")


async def test_bots_webhooks_and_announcements_are_not_answered(house: House) -> None:
    """Two bots that answer each other would never stop."""
    discord = house.discord
    channel = discord.people.channel("general")
    other = discord.world.person("otherbot", bot=True)
    discord.messages.post(channel, other, {"content": f"<@{discord.world.bot.id}> hello"})
    hook = discord.messages._made(channel, discord.world.person("hook"), {"content": f"<@{discord.world.bot.id}> hi"})  # noqa: SLF001
    discord.gateway.tell("MESSAGE_CREATE", hook | {"webhook_id": "1"}, channel)
    pinned = discord.messages._made(channel, discord.world.person("alice"), {"content": ""})  # noqa: SLF001
    discord.gateway.tell("MESSAGE_CREATE", pinned | {"type": 6}, channel)
    await quiet(house)
    rows = await house.store.read(lambda conn: conn.execute("SELECT count(*) FROM source").fetchone())
    assert rows[0] == 0


async def test_a_busy_channel_leaves_no_trace(house: House) -> None:
    """What is not for the bot is not stored, not even by its id."""
    discord = house.discord
    for n in range(50):
        discord.people.say("alice", discord.people.channel("general"), f"chatter {n}")
    await quiet(house)
    rows = await house.store.read(lambda conn: conn.execute("SELECT count(*) FROM source").fetchone())
    assert rows[0] == 0


async def test_in_a_thread_of_people_the_talk_before_is_read_once(house: House) -> None:
    """Mentioned in a thread that people have filled, the bot knows what they said, as other people's words."""
    discord = house.discord
    thread = discord.people.thread("plans", discord.people.channel("general"), "bob")
    discord.people.say("bob", thread, "The launch is on Friday.")
    discord.people.say("carol", thread, "I bring cake.")
    model = house.script(["Friday, with cake."])
    discord.people.mention("alice", thread, "sum up")
    await house.answered(thread, "Friday, with cake.")
    assert "The launch is on Friday." in str(model.requests[0].messages)
    assert "carol" in str(model.requests[0].messages).lower()


async def test_a_thread_that_cannot_be_read_is_said(house: House) -> None:
    """Without the right to read history the answer says so."""
    discord = house.discord
    thread = discord.people.thread("plans", discord.people.channel("general"), "bob")
    discord.people.say("bob", thread, "The launch is on Friday.")
    guild = discord.people.guild("home")
    guild.everyone = guild.bot_rights = guild.everyone & ~(1 << 16)
    house.script(["Hello."])
    discord.people.mention("alice", thread, "sum up")
    await discord.until(lambda: any("could not read" in each or each == "Hello." for each in discord.texts(thread)))


async def test_a_reply_to_the_starter_in_the_channel_goes_to_the_thread(house: House) -> None:
    """Somebody replies in the channel to the message that has our thread: the answer comes in the thread."""
    discord = house.discord
    house.script(["A"], ["B"])
    channel = discord.people.channel("general")
    asked = discord.people.mention("alice", channel, "hi")
    await house.answered(asked["id"], "A")
    discord.people.say("alice", channel, "@bot and?", reply_to=asked["id"])
    await house.answered(asked["id"], "A", "B")
    assert discord.texts(channel) == []


async def test_where_no_threads_are_the_channel_serves(house: House) -> None:
    """In a voice channel's chat the answers stand in the channel, as replies, and it is one conversation."""
    discord = house.discord
    model = house.script(["A"], ["B"])
    channel = discord.people.channel("lounge", kind=VOICE)
    one = discord.people.mention("alice", channel, "hi")
    ours = await house.answered(channel, "A")
    assert ours[0]["message_reference"]["message_id"] == one["id"]
    discord.people.say("alice", channel, "and?", reply_to=ours[0]["id"])
    await house.answered(channel, "A", "B")
    assert "hi" in str(model.requests[1].messages)


async def test_a_forum_post_is_a_thread(house: House) -> None:
    """A mention in a forum post is answered in the post."""
    discord = house.discord
    house.script(["A"])
    post = discord.people.thread("help", discord.people.channel("forum", kind=FORUM), "alice")
    discord.people.mention("alice", post, "hi")
    await house.answered(post, "A")


async def test_a_mention_of_our_role_is_a_mention(house: House) -> None:
    """People choose @Rejoinder the role as easily as @Rejoinder the bot; another role is not for us."""
    discord = house.discord
    house.script(["A"])
    guild = discord.people.guild("home")
    message: Payload = {}
    for role in (discord.world.snowflake(), guild.bot_role):
        message = discord.messages._made(  # noqa: SLF001
            discord.people.channel("general"), discord.world.person("alice"), {"content": f"<@&{role}> hi"}
        )
        message["mention_roles"] = [role]
        discord.messages.keep(discord.people.channel("general"), message)
        discord.gateway.tell("MESSAGE_CREATE", message, discord.people.channel("general"))
    await house.answered(message["id"], "A")
    assert [each.id for each in discord.world.channels.values() if each.is_thread] == [message["id"]]


@pytest.mark.parametrize(
    ("private", "kind", "wanted"),
    [(False, 11, Audience.PUBLIC), (True, 11, Audience.PRIVATE), (False, PRIVATE_THREAD, Audience.PRIVATE)],
)
async def test_who_can_read_is_known(house: House, *, private: bool, kind: int, wanted: Audience) -> None:
    """A private history never lands in a public place unseen: for that we must know which is which."""
    discord = house.discord
    thread = discord.people.thread("t", discord.people.channel("room", private=private), "alice", kind=kind)
    house.script(["A"])
    discord.people.mention("alice", thread, "hi")
    await house.answered(thread, "A")
    assert await audience(house) is wanted
    place = Place(platform="discord", workspace=thread.guild_id, channel=thread.parent_id, thread=thread.id)
    assert await house.served.platform.audience(place) is wanted


async def test_the_audience_is_looked_at_now(house: House) -> None:
    """A channel that was just made private is private now; and after a cold RESUME, when nothing is known."""
    discord = house.discord
    channel = discord.people.channel("general")
    place = Place(platform="discord", workspace=channel.guild_id, channel=channel.id)
    assert await house.served.platform.audience(place) is Audience.PUBLIC
    guild = discord.people.guild("home")
    channel.overwrites = [
        {"id": guild.id, "type": 0, "allow": "0", "deny": str(VIEW)},
        {"id": guild.bot_role, "type": 0, "allow": str(VIEW | SEND), "deny": "0"},
    ]
    discord.gateway.tell("CHANNEL_UPDATE", discord.world.channel_payload(channel), channel)
    await quiet(house)
    assert await house.served.platform.audience(place) is Audience.PRIVATE
    await house.stop()
    await house.start()
    assert discord.gateway.identifies == 1
    assert await house.served.platform.audience(place) is Audience.PRIVATE


async def test_files_are_read_from_discords_own_host_and_no_larger_than_allowed(house: House) -> None:
    """A picture reaches the model; a file from elsewhere or too large does not, and the answer says so."""
    discord = house.discord
    model = house.script(["Nice."])
    dm = discord.people.dm("alice")
    discord.people.say("alice", dm, "look", files=[("cat.png", "image/png", b"\x89PNG fake")])
    await house.answered(dm, "Nice.")
    assert "image" in str(model.requests[0].messages)
    stored: Payload = discord.world.history(dm.id)[0]
    stored["attachments"][0]["url"] = "http://elsewhere.example/cat.png"
    file = stored["attachments"][0]["id"]
    with pytest.raises(Exception, match="file_host"):
        await house.served.platform.fetch_file(f"{dm.id}/{stored['id']}/{file}", 1_000)
    stored["attachments"][0]["size"] = 2_000
    with pytest.raises(Exception, match="too_large"):
        await house.served.platform.fetch_file(f"{dm.id}/{stored['id']}/{file}", 1_000)
