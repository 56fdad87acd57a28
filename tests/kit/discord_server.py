"""A loopback Discord: REST, gateway and CDN over real sockets, for an unmodified discord.py (facts/discord.md 11).

Knows: how its parts fit together. Must not know: the program under test.
In a test's own loop: `async with DiscordServer() as discord: ... discord.people.mention("alice", channel, "hi")`.
As a process that outlives the bot: `python -m tests.kit.discord_server --port 0` prints its address; `POST /control`
`{"do": "say", "with": {...}}` does what `tests.kit.discord_control` offers.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web

from tests.kit.discord_control import Control
from tests.kit.discord_faults import Faults
from tests.kit.discord_gateway import Gateway
from tests.kit.discord_interactions import Interaction, Interactions
from tests.kit.discord_messages import Messages
from tests.kit.discord_oracle import OpenApi
from tests.kit.discord_people import People
from tests.kit.discord_rest import API, Rest
from tests.kit.discord_world import Channel, Guild, Payload, Timepiece, World
from tests.kit.platform_signin import SignIn

T = TypeVar("T")

TOKEN = "loopback-discord-token"
PATIENCE_S = 15.0
_POLL_S = 0.005


class DiscordServer:
    """Start with `async with`. `oracle` is None where Discord's OpenAPI document is not there."""

    def __init__(self, *, port: int = 0, fast: bool = True, gateway: type[Gateway] = Gateway) -> None:
        self.token = TOKEN
        self.time = Timepiece()
        self.world = World(self.time)
        self.faults = Faults()
        self.oracle = OpenApi.load()
        self.messages = Messages(self.world, self._tell)
        self.gateway = gateway(self.world, self.messages, self.faults, TOKEN)
        self.interactions = Interactions(self.messages)
        self.rest = Rest(
            self.world,
            self.messages,
            self.interactions,
            self.gateway,
            self.faults,
            token=TOKEN,
            oracle=self.oracle,
        )
        if fast:
            self.rest.limits.speed_up()
        self.people = People(self.world, self.messages, self.interactions, self.gateway)
        self.sign_in = SignIn(lambda: self.world.app_id, lambda name: self.world.person(name).id)
        self._port = port
        self._runner: web.AppRunner | None = None

    def _tell(self, event: str, payload: Payload, channel: Channel | Guild) -> None:
        assert isinstance(channel, Channel)
        self.gateway.tell(event, payload, channel)

    # ------------------------------------------------------------------------------------- serving

    @property
    def api_url(self) -> str:
        """What goes into DISCORD_API_URL."""
        return f"http://127.0.0.1:{self._port}{API}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that lead a program here."""
        return {
            "DISCORD_TOKEN": self.token,
            "DISCORD_API_URL": self.api_url,
            "DISCORD_GATEWAY_URL": self.gateway_url,
        }

    @property
    def host(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def gateway_url(self) -> str:
        """What goes into DISCORD_GATEWAY_URL."""
        return f"ws://127.0.0.1:{self._port}/gateway/"

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=64_000_000)
        for path in ("/gateway", "/gateway/"):
            app.router.add_get(path, self.gateway.serve)
        app.router.add_get("/cdn/attachments/{id}/{name}", self._file)
        app.router.add_post("/control", Control(self).serve)
        app.router.add_route("*", "/oauth2/authorize", self.sign_in.page)
        app.router.add_post(API + "/oauth2/token", self.sign_in.discord_token)
        app.router.add_route("*", API + "/{path:.*}", self._api)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = int(self._runner.addresses[0][1])
        self.gateway.url = self.gateway_url
        self.messages.cdn = f"http://127.0.0.1:{self._port}/cdn"

    async def stop(self) -> None:
        """Stop listening and cut what is open; a later `start` takes the same port."""
        self.gateway.reset_sockets()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _api(self, request: web.Request) -> web.StreamResponse:
        """People's tokens tell who they are and nothing else; the rest is the bot's."""
        if request.headers.get("Authorization", "").startswith("Bearer ") and request.match_info["path"] == "users/@me":
            return await self.sign_in.discord_user(request)
        return await self.rest.serve(request)

    async def _file(self, request: web.Request) -> web.Response:
        data = self.world.files.get(request.match_info["id"])
        return web.Response(status=404) if data is None else web.Response(body=data)

    # ----------------------------------------------------------------------------------- observing

    async def until(self, look: Callable[[], T | None], *, patience_s: float = PATIENCE_S) -> T:
        """Return what `look` gives once it is true."""
        loop = asyncio.get_running_loop()
        end = loop.time() + patience_s
        while True:
            found = look()
            if found:
                return found
            if loop.time() > end:
                raise AssertionError(f"never came true; the last requests: {self.rest.log[-12:]}")
            await asyncio.sleep(_POLL_S)

    def ours(self, channel: Channel | str) -> list[Payload]:
        """The bot's messages in a channel, oldest first, without thread starters."""
        channel_id = channel if isinstance(channel, str) else channel.id
        history = self.world.history(channel_id)
        return [each for each in history if each["author"]["id"] == self.world.bot.id and each["type"] in (0, 19)]

    def texts(self, channel: Channel | str) -> list[str]:
        """What the bot says in a channel."""
        return [each["content"] for each in self.ours(channel)]

    async def told(self, one: Interaction) -> Interaction:
        """An interaction after its person has something to read, or it was dismissed."""
        await asyncio.wait_for(one.told.wait(), PATIENCE_S)
        return one

    async def acknowledged(self, one: Interaction) -> Interaction:
        """An interaction after its first answer."""
        await asyncio.wait_for(one.done.wait(), PATIENCE_S)
        return one

    async def connected(self) -> None:
        """The bot is listening."""
        await self.until(lambda: any(each.socket for each in self.gateway.sessions.values()))


async def _run(port: int) -> None:
    server = DiscordServer(port=port)
    await server.start()
    print(f"ready {server.api_url} {server.gateway_url}", flush=True)  # noqa: T201  (its output is the point)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_run(parser.parse_args().port))
