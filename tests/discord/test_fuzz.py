"""Whatever comes over the gateway: no exception that nobody expected, and the connection stays up."""

from __future__ import annotations

import asyncio
import random
from copy import deepcopy
from typing import Any

import pytest
from structlog.testing import capture_logs

from bots.discord.gateway import EVENTS
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Payload

STRANGE: list[Any] = [
    None, True, False, 0, -1, 1 << 70, 1.5, "", "x" * 5000, "\x00", "\ud800", "9" * 30, [], [None], [[]], {},
    {"id": None}, "<@1> @everyone", ["1", 2], {"a": {"b": []}},
]  # fmt: skip


def samples(discord: DiscordServer) -> list[tuple[str, Payload]]:
    """One well-formed payload of every kind."""
    world, people = discord.world, discord.people
    channel = people.channel("general")
    said = people.say("alice", channel, "@bot hello", files=[("a.png", "image/png", b"x")])
    reply = people.say("bob", channel, "@bot and me", reply_to=said["id"])
    thread = people.thread("t", channel, "alice")
    guild = people.guild("home")
    found = [
        ("MESSAGE_CREATE", said | {"guild_id": guild.id}),
        ("MESSAGE_CREATE", reply | {"guild_id": guild.id}),
        ("MESSAGE_CREATE", people.say("alice", people.dm("alice"), "hi")),
        ("MESSAGE_UPDATE", said | {"guild_id": guild.id, "edited_timestamp": world.time.stamp()}),
        ("MESSAGE_DELETE", {"id": said["id"], "channel_id": channel.id, "guild_id": guild.id}),
        ("MESSAGE_DELETE_BULK", {"ids": [said["id"]], "channel_id": channel.id, "guild_id": guild.id}),
        ("GUILD_CREATE", world.guild_payload(guild)),
        ("GUILD_UPDATE", world.guild_object(guild)),
        ("GUILD_DELETE", {"id": world.snowflake(), "unavailable": True}),
        ("GUILD_MEMBER_UPDATE", world.member(world.bot, guild) | {"user": world.bot.payload(), "guild_id": guild.id}),
        ("GUILD_ROLE_UPDATE", {"guild_id": guild.id, "role": world.roles(guild)[0]}),
        ("GUILD_ROLE_DELETE", {"guild_id": guild.id, "role_id": world.snowflake()}),
        ("CHANNEL_CREATE", world.channel_payload(channel)),
        ("CHANNEL_DELETE", world.channel_payload(channel) | {"id": world.snowflake()}),
        ("THREAD_CREATE", world.channel_payload(thread)),
        ("THREAD_LIST_SYNC", {"guild_id": guild.id, "threads": [world.channel_payload(thread)], "members": []}),
        (
            "THREAD_MEMBERS_UPDATE",
            {"id": thread.id, "guild_id": guild.id, "added_members": [{"user_id": world.bot.id}]},
        ),
        ("THREAD_DELETE", {"id": world.snowflake(), "guild_id": guild.id, "parent_id": channel.id, "type": 11}),
    ]
    seen: list[Payload] = []
    told = discord.gateway.to_all
    discord.gateway.to_all = lambda event, payload, guild_id="": seen.append(payload)  # type: ignore[method-assign]
    form = people.slash("alice", channel, "resume", code="x")
    form.modal = {"custom_id": "rj1:code:typed:0"}
    people.complete("alice", channel, "resume", "code", "lu")
    people.menu("alice", channel, "Continue from here", said)
    people.press_id("alice", said, "rj1:stop:01ARZ3NDEKTSV4RRFFQ69G5FAV:0")
    people.press_id("alice", said, "rj1:menu:x:0", values=["rj1:end:01ARZ3NDEKTSV4RRFFQ69G5FAV:0"])
    people.submit("alice", form, code="ABCD")
    discord.gateway.to_all = told  # type: ignore[method-assign]
    return found + [("INTERACTION_CREATE", each) for each in seen]


def spoiled(payload: Payload, chance: random.Random) -> Any:  # noqa: ANN401  (anything at all)
    """The payload with something in it changed, somewhere."""
    if chance.random() < 0.03:
        return chance.choice(STRANGE)
    whole = deepcopy(payload)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        here: Any = whole
        while True:
            inner = [key for key, value in here.items() if isinstance(value, dict) and value]
            if inner and chance.random() < 0.5:
                here = here[chance.choice(inner)]
                continue
            break
        if not here:
            continue
        key = chance.choice(list(here))
        if chance.random() < 0.3:
            del here[key]
        else:
            here[key] = chance.choice(STRANGE)
    return whole


async def storm(house: House, count: int, seed: int) -> None:
    """So many spoiled events; then the bot still answers, over the same connection."""
    discord, chance = house.discord, random.Random(seed)
    real = samples(discord)
    await asyncio.sleep(0.3)
    with capture_logs() as logs:
        for n in range(count):
            event, payload = chance.choice(real)
            name = event if chance.random() < 0.95 else chance.choice([*EVENTS[2:], "SOMETHING_NEW"])
            discord.gateway.to_all(name, spoiled(payload, chance))
            if n % 50 == 49:
                await asyncio.sleep(0.02)
        # Spoiled rights are rights: what is true is told once more before somebody asks.
        discord.gateway.to_all("GUILD_CREATE", discord.world.guild_payload(discord.people.guild("home")))
        house.script(["Still here."])
        asked = discord.people.mention("zoe", discord.people.channel("general"), "are you there?")
        await discord.until(lambda: discord.texts(asked["id"]), patience_s=60)
        await discord.until(lambda: not house.served._inbox._tasks, patience_s=120)  # noqa: SLF001
    assert [each for each in logs if each.get("exc_info")] == []
    assert discord.gateway.identifies == 1
    assert discord.gateway.resumes == 0


async def test_a_thousand_spoiled_events(house: House) -> None:
    """Discord sends something that no document knows: nothing breaks."""
    await storm(house, 1_000, seed=1)


@pytest.mark.soak
async def test_a_hundred_thousand_spoiled_events(house: House) -> None:
    """The same, a hundred times as much."""
    for seed in range(10, 110):
        await storm(house, 1_000, seed=seed)
