"""The loopback Discord itself, spoken to by an unmodified discord.py: it can be believed in the other tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.kit.discord_faults import EventFault
from tests.kit.discord_server import DiscordServer


class Plain(discord.Client):
    """What a newcomer writes."""

    def __init__(self, *, content: bool = True) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=content)
        super().__init__(intents=intents, chunk_guilds_at_startup=False, guild_ready_timeout=0.05)
        self.heard: list[discord.Message] = []
        self.pressed: list[discord.Interaction] = []

    async def on_message(self, message: discord.Message) -> None:
        """Note it."""
        self.heard.append(message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Note it and answer."""
        self.pressed.append(interaction)
        await interaction.response.send_message("seen", ephemeral=True)


@asynccontextmanager
async def running(server: DiscordServer, *, content: bool = True) -> AsyncIterator[Plain]:
    """A client that is ready."""
    Route.BASE = server.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.gateway_url)
    async with Plain(content=content) as client:
        task = asyncio.create_task(client.start(server.token))
        await server.until(lambda: task.done() or client.is_ready())
        yield client
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    """A loopback Discord with a guild and a channel."""
    async with DiscordServer() as server:
        server.people.channel("general")
        yield server
        assert "\n".join(server.oracle.problems if server.oracle else []) == ""


async def test_a_message_comes_and_goes(server: DiscordServer) -> None:
    """The simplest bot in the world works on it."""
    channel = server.people.channel("general")
    async with running(server) as client:
        server.people.say("alice", channel, "hello")
        await server.until(lambda: client.heard)
        message = client.heard[0]
        assert (message.content, message.author.name) == ("hello", "alice")
        sent = await message.reply("hi", mention_author=False)
        await sent.edit(content="hi there")
        assert server.texts(channel) == ["hi there"]
        thread = await message.create_thread(name="talk")
        await thread.send("in here")
        assert server.texts(str(message.id)) == ["in here"]
        assert [each.content async for each in thread.history()][:1] == ["in here"]


async def test_the_same_nonce_is_one_message(server: DiscordServer) -> None:
    """A post that is repeated within minutes stands once; later it stands twice."""
    channel = server.people.channel("general")
    async with running(server) as client:
        there = client.get_partial_messageable(int(channel.id))
        one = await there.send("x", nonce="n1")
        two = await there.send("x", nonce="n1")
        assert one.id == two.id
        server.time.advance(600)
        await there.send("x", nonce="n1")
        assert server.texts(channel) == ["x", "x"]


async def test_a_button_is_answered_once(server: DiscordServer) -> None:
    """A press reaches the bot and its answer only the person; after 3 s it is too late."""
    channel = server.people.channel("general")
    async with running(server) as client:
        view = discord.ui.View()
        view.add_item(discord.ui.Button(label="Go", custom_id="go"))
        view.stop()
        await client.get_partial_messageable(int(channel.id)).send("press", view=view)
        pressed = server.people.press("alice", server.ours(channel)[0], "Go")
        assert (await server.told(pressed)).text == "seen"
        assert pressed.ephemeral
        assert server.texts(channel) == ["press"]
        with pytest.raises(discord.HTTPException) as twice:
            await client.http.request(
                Route("POST", f"/interactions/{pressed.id}/{pressed.token}/callback"), json={"type": 6}
            )
        assert twice.value.code == 40060


async def test_resume_replays_what_was_missed(server: DiscordServer) -> None:
    """A cut connection loses nothing and costs no IDENTIFY."""
    channel = server.people.channel("general")
    async with running(server) as client:
        server.faults.add_event(EventFault(event="MESSAGE_CREATE", copies=2))
        server.gateway.reset_sockets()
        server.people.say("alice", channel, "while away")
        await server.until(lambda: len(client.heard) == 2)
        server.gateway.ask_reconnect()
        server.people.say("alice", channel, "again")
        await server.until(lambda: len(client.heard) == 3)
    assert server.gateway.identifies == 1
    assert server.gateway.resumes == 2


async def test_without_the_intent_content_is_blank(server: DiscordServer) -> None:
    """Only mentions and direct messages carry their words."""
    channel = server.people.channel("general")
    async with running(server, content=False) as client:
        server.people.say("alice", channel, "secret")
        server.people.mention("alice", channel, "for you")
        server.people.say("alice", server.people.dm("alice"), "direct")
        await server.until(lambda: len(client.heard) == 3)
        assert [each.content for each in client.heard] == ["", f"<@{server.world.bot.id}> for you", "direct"]


async def test_an_intent_that_was_not_granted_closes_with_4014(server: DiscordServer) -> None:
    """The developer portal's switch is off, and the bot asks for content."""
    server.messages.content_allowed = False
    Route.BASE = server.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.gateway_url)
    async with Plain() as client:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await client.start(server.token)


async def test_rate_limits_are_told_and_enforced() -> None:
    """Six edits in a burst: the sixth waits, and none is refused to a client that reads the headers."""
    async with DiscordServer(fast=False) as server:
        server.rest.limits.rules.insert(0, ("PATCH", "", 5, 1.0))
        channel = server.people.channel("general")
        async with running(server) as client:
            message = await client.get_partial_messageable(int(channel.id)).send("0")
            start = asyncio.get_running_loop().time()
            for n in range(1, 6):
                await message.edit(content=str(n))
            assert asyncio.get_running_loop().time() - start > 0.5
        assert server.rest.limits.refused == 0
