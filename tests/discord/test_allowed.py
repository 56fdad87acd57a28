"""Allow-lists on Discord: who comes from outside is told once, in private, and nothing of it stands in the channel."""

from __future__ import annotations

import asyncio
from pathlib import Path

from core.domain.decision import Policy
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer


async def test_a_channel_that_is_not_served(discord: DiscordServer, tmp_path: Path) -> None:
    """Two mentions and a command outside: one sentence in private, no thread, no message; inside it answers."""
    inside, outside = discord.people.channel("general"), discord.people.channel("other")
    house = House(tmp_path / "lists.db", discord, policy=Policy(debounce_ms=30, allow_channels=(inside.id,)))
    await house.start()
    for _ in range(2):
        discord.people.mention("alice", outside, "hi")
    dm = discord.people.dm("alice")
    await discord.until(lambda: discord.texts(dm))
    pressed = await discord.told(discord.people.slash("bob", outside, "resume", code="0000-0000-0000-0000"))
    assert pressed.ephemeral
    house.script(["Hello."])
    asked = discord.people.mention("alice", inside, "hi")
    await house.answered(asked["id"], "Hello.")
    await asyncio.sleep(0.2)
    assert len(discord.texts(dm)) == 1
    assert discord.texts(outside) == []
    assert [each.id for each in discord.world.channels.values() if each.is_thread] == [asked["id"]]
    await house.stop()
