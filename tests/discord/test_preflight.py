"""What `rejoinder doctor` says of Discord: the truth, and what to do."""

from __future__ import annotations

import pytest

from bots.discord.preflight import PERMISSIONS, examine
from core.drivers.clock import SystemClock
from tests.kit.discord_bare import bare
from tests.kit.discord_server import DiscordServer


@pytest.mark.parametrize("content", [True, False])
async def test_the_invitation_and_the_intent(discord: DiscordServer, *, content: bool) -> None:
    """An operator reads which link invites the bot, and whether it can read what does not mention it."""
    discord.messages.content_allowed = content
    said, fix = await examine(discord.token, SystemClock(), api=discord.api_url)
    assert fix == ""
    assert f"client_id={discord.world.app_id}&scope=bot+applications.commands&permissions={PERMISSIONS}" in said
    assert ("every message" in said) is content
    assert "1000 session starts" in said
    assert discord.gateway.identifies == 0


async def test_few_starts_are_a_problem(discord: DiscordServer) -> None:
    """Something restarts all the time: the operator reads so before Discord resets the token."""
    discord.gateway.identify_budget = 20
    said, fix = await examine(discord.token, SystemClock(), api=discord.api_url)
    assert "20 session starts" in said
    assert "restarts" in fix


async def test_a_wrong_token_and_no_discord(discord: DiscordServer) -> None:
    """Two different problems have two different remedies."""
    said, fix = await examine("wrong", SystemClock(), api=discord.api_url)
    assert "refuses the token" in said
    assert "DISCORD_TOKEN" in fix
    await discord.stop()
    said, fix = await examine(discord.token, SystemClock(), api=discord.api_url)
    assert "cannot be asked" in said
    assert "DISCORD_API_URL" in fix


async def test_where_little_is_told_nothing_is_made_up() -> None:
    """A stand-in tells neither intents nor starts: no alarm."""
    async with bare() as discord:
        said, fix = await examine(discord.token, SystemClock(), api=discord.api_url)
    assert fix == ""
    assert "is off" not in said
    assert "left today" not in said
