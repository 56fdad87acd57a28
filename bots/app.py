"""The only place that wires objects together: settings in, a running program out, in the one right order.

Knows: who needs whom, and the order of start and stop. Must not know: rules, payloads, SQL, the command line.

Start: the lock, the store (migrates), the engine (recovers what an earlier boot had begun), what the web chat was
told and the engine has not, the web server, the other platforms, the control socket; what is slow to import comes
last, when everybody is served already. Stop is the same backwards, after the drain: intake ends, turns finish
while the page still follows them, the rest is left for the next start. Whatever fails half way through a start,
what was started before it is stopped again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Protocol

import structlog
from aiohttp import web

from bots.control import Control
from bots.local import ids, page
from bots.local.adapter import LocalPlatform
from bots.local.api import LocalApi
from bots.local.chat import LocalChat
from bots.local.render import About, Command
from bots.metrics import registry
from bots.web.guard import GuardPolicy
from bots.web.server import WebServer
from core.configure import Problem, SettingsWrong
from core.domain.errors import Closing, StoreFull
from core.domain.rules.commands import COMMANDS
from core.domain.words import say
from core.drivers.alarm import Alarm
from core.drivers.claude import ClaudeModel
from core.drivers.clock import SystemClock
from core.drivers.offline import OfflineModel
from core.engine.loop import Engine
from core.engine.ports import Clock, Intake, Platform
from core.settings import Settings, environment_name
from storage import SqliteStore, open_store

DRAIN_S = 20.0  # turns may finish for this long (DESIGN section 8); an orchestrator kills after 30 s
_BOOT_BYTES = 8
_HOUSEKEEPING_S = 10.0  # a slice is some milliseconds; a million source keys are walked through in 90 minutes

log = structlog.get_logger("rejoinder")


class Served(Protocol):
    """A platform as the wiring sees it: its port, its routes, its coming and going.

    `connect` catches up on what was said meanwhile and then listens; it acknowledges only what `intake` accepted.
    `close` is called after the engine's last post.
    """

    @property
    def platform(self) -> Platform:
        """The port."""
        ...

    def routes(self) -> Sequence[web.RouteDef]:
        """What the platform needs of the web server; nothing for one that connects outwards."""
        ...

    def end_streams(self) -> None:
        """End the responses that would never end by themselves, so that the web server can stop."""
        ...

    async def connect(self, intake: Intake) -> None:
        """Begin to listen. Raises `Refused` when the token is not accepted."""
        ...

    async def disconnect(self) -> None:
        """Take nothing more in; posting and editing still work."""
        ...

    async def close(self) -> None:
        """End everything."""
        ...


# The one place where a platform joins: its name in `Settings.platforms`, and what makes it (see README.md).
PLATFORMS: Mapping[str, Callable[[Settings, Clock], Served]] = {}


def check_platforms(settings: Settings) -> None:
    """Refuse a token for which there is no adapter. Raises `SettingsWrong`."""
    tokens = {"slack": "slack_bot_token", "discord": "discord_token"}
    missing = [name for name in settings.platforms if name not in PLATFORMS]
    if missing:
        raise SettingsWrong(
            Problem(
                name=environment_name(tokens[name]),
                what=f"is set, but this release cannot connect to {name.capitalize()} yet",
                fix="take it out and use the built-in web chat",
            )
            for name in missing
        )


class App:
    """The program. `start`, then `stop`; `url` and `model` are known once it is started."""

    def __init__(self, settings: Settings) -> None:
        check_platforms(settings)
        self._settings = settings
        self._running = AsyncExitStack()
        self._served: dict[str, Served] = {}
        self._engine: Engine | None = None
        self._refusing = "starting"  # why /readyz says no; "" = it says yes
        self.url = ""
        self.model = ""

    async def start(self) -> None:
        """Start everything. Raises `StoreError`, `CannotListen` or `Refused`; then nothing runs."""
        try:
            await self._start()
        except BaseException:
            await self._running.aclose()
            raise

    async def stop(self, seconds: float = DRAIN_S) -> None:
        """Take nothing more in, let turns finish for up to `seconds`, leave the rest for the next start."""
        self._refusing = "stopping"
        await asyncio.gather(*(served.disconnect() for served in self._served.values()))
        if self._engine is not None:
            await self._engine.drain(seconds)
        await self._running.aclose()

    async def _start(self) -> None:
        settings = self._settings
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = await open_store(settings.database)
        self._running.push_async_callback(store.close)
        clock = SystemClock(await store.board.time_offset_ms())
        model = _model(settings, clock)
        self._running.push_async_callback(model.close)
        self.model = model.name
        platforms: dict[str, Platform] = {}
        engine = Engine(
            store=store,
            model=model,
            platforms=platforms,
            clock=clock,
            policy=settings.to_policy(),
            boot=secrets.token_hex(_BOOT_BYTES),
        )
        if settings.local_chat_on:
            self._served[ids.PLATFORM] = _Local(store, clock, engine, _about(model, settings), settings)
        for name in settings.platforms:
            self._served[name] = PLATFORMS[name](settings, clock)
        platforms |= {name: served.platform for name, served in self._served.items()}
        await engine.start()
        self._engine = engine
        self._running.push_async_callback(engine.close)
        await self._upkeep(store, clock)
        await self._listen(engine)
        await self._door(store)
        self._refusing = ""
        warming = asyncio.create_task(model.warm(), name="warm")
        self._running.callback(warming.cancel)

    async def _upkeep(self, store: SqliteStore, clock: SystemClock) -> None:
        """Delete what has had its time, one slice after the other."""

        async def sweep() -> None:
            await store.sweep(clock.now_ms())

        alarm = Alarm(clock, sweep)  # nothing rings yet: no rule of this release gives a session a due time
        alarm.every(_HOUSEKEEPING_S, "housekeeping", sweep)
        await alarm.start()
        self._running.push_async_callback(alarm.stop)

    async def _listen(self, engine: Engine) -> None:
        """Serve what waits on our own board, then the page, then connect outwards."""
        for served in self._served.values():
            self._running.push_async_callback(served.close)
        local = self._served.get(ids.PLATFORM)
        if local is not None:
            # Before the page: what was said before the stop comes before what is said now.
            await local.connect(engine)
            await engine.caught_up(ids.PLATFORM)
        server = self._server(engine)
        self._running.push_async_callback(server.stop)
        await server.start()
        self.url = server.url
        for name, served in self._served.items():
            if served is not local:
                await served.connect(engine)
                await engine.caught_up(name)

    def _server(self, engine: Engine) -> WebServer:
        settings = self._settings
        token = settings.local_chat_token
        return WebServer(
            settings.http_host,
            settings.http_port,
            [route for served in self._served.values() for route in served.routes()],
            guard_policy=GuardPolicy(
                token=token.get_secret_value() if token else "", public_url=settings.public_url or ""
            ),
            ready=self._ready,
            registry=registry(engine.counts, {"version": version("rejoinder"), "model": self.model}),
            closing=[served.end_streams for served in self._served.values()],
        )

    async def _ready(self) -> str:
        return self._refusing

    async def _door(self, store: SqliteStore) -> None:
        del store
        control = Control(self._settings.data_dir, {})
        await control.start()
        self._running.push_async_callback(control.stop)


def _model(settings: Settings, clock: Clock) -> ClaudeModel | OfflineModel:
    """Claude when there is a key, else the demo model, which says that it is one."""
    if settings.anthropic_api_key is None:
        return OfflineModel(clock)
    return ClaudeModel(
        settings.anthropic_api_key,
        settings.anthropic_base_url or "",
        clock,
        models=(settings.model, settings.summary_model),
    )


def _about(model: ClaudeModel | OfflineModel, settings: Settings) -> About:
    return About(
        model=model.name if isinstance(model, OfflineModel) else settings.model,
        offline=isinstance(model, OfflineModel),
        version=version("rejoinder"),
        commands=tuple(Command(name=name, help=say(settings.language, f"command.{name}")) for name in COMMANDS),
    )


class _Local:
    """The built-in web chat as a `Served`: its board is our own store, its way in is our own web server."""

    def __init__(
        self, store: SqliteStore, clock: SystemClock, intake: Intake, about: About, settings: Settings
    ) -> None:
        self.platform = LocalPlatform(store.board, clock)
        self._clock = clock
        chat = LocalChat(self.platform, intake)
        travel = not settings.platforms  # the clock of real people is not ours to move
        self._api = LocalApi(chat, store.board, about, on_time=self._on_time, time_travel=travel)

    def routes(self) -> Sequence[web.RouteDef]:
        """The page and its API."""
        return [*self._api.routes(), *page.routes()]

    async def connect(self, intake: Intake) -> None:
        """Hand over what people said and the engine has not taken."""
        try:
            await self.platform.catch_up(intake)
        except (StoreFull, Closing) as error:
            log.warning("what waits on the board is left for the next start", code=error.code)

    async def disconnect(self) -> None:
        """Nothing to do: requests are refused by the engine, and the page still follows what is answered."""

    def end_streams(self) -> None:
        """End the pages' streams, so that the web server does not wait for them."""
        self.platform.close()

    async def close(self) -> None:
        """Nothing is left open."""

    async def _on_time(self, offset_ms: int) -> None:
        self._clock.advance(max(0, offset_ms - self._clock.offset_ms))
