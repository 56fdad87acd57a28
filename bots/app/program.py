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
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version

import structlog
from aiohttp import web

from bots.app.chores import Chores
from bots.app.data import begin, codes_of, keys_of, locked
from bots.control import Control, Progress
from bots.exporting import files_of
from bots.local import ids
from bots.metrics import registry
from bots.served import PLATFORMS, Given, Local, Served, about_of, check_platforms, provers_of
from bots.signing import LOOK_S, Signing, servers_of
from bots.web import landing
from bots.web.guard import GuardPolicy
from bots.web.server import WebServer
from core.domain import links
from core.domain.codes import CodeKeys, reveal
from core.domain.effects import EraseKind
from core.domain.keys import PersonKey
from core.domain.rules.suggesting import suggestions
from core.drivers.alarm import Alarm
from core.drivers.claude import ClaudeModel
from core.drivers.clock import SystemClock
from core.drivers.mcp_tools import McpTools
from core.drivers.offline import OfflineModel
from core.engine.handover import File
from core.engine.loop import Engine
from core.engine.ports import Clock, Platform
from core.settings import Settings
from storage import SqliteStore, open_store
from storage.credentials import SqliteCredentials
from storage.exporting import kept
from storage.forget import resolve
from storage.memory import SqliteMemory
from storage.room import Room
from storage.suggesting import lines_of
from storage.vault import SealedVault

DRAIN_S = 20.0  # turns may finish for this long (DESIGN section 8); an orchestrator kills after 30 s
_BOOT_BYTES = 8
_RING_S = 5.0  # the safety net under the ring at the earliest due time; reads the wall clock anew
_HOUSEKEEPING_S = 10.0  # a slice is some milliseconds; a million source keys are walked through in 90 minutes

log = structlog.get_logger("rejoinder")


class App:
    """The program. `start`, then `stop`; `url` and `model` are known once it is started."""

    def __init__(self, settings: Settings) -> None:
        check_platforms(settings)
        self._settings = settings
        self._running = AsyncExitStack()
        self._served: dict[str, Served] = {}
        self._engine: Engine | None = None
        self._room: Room | None = None
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
        self._running.enter_context(locked(settings))
        begun = await asyncio.to_thread(begin, settings)
        keys = keys_of(settings)
        codes, seal = codes_of(keys), SealedVault(keys)
        store = await open_store(settings.database, code_keys=codes)
        self._running.push_async_callback(store.close)
        await store.bind_key(keys)
        self._room = store.room
        clock = SystemClock(await store.board.time_offset_ms())
        model = chosen_model(settings, clock)
        self._running.push_async_callback(model.close)
        self.model = model.name
        platforms: dict[str, Platform] = {}
        alarm = Alarm(clock, self._ring)
        provers = provers_of(settings, clock)
        signing = Signing(servers_of(settings), SqliteCredentials(store), seal, clock, provers=provers)
        self._running.push_async_callback(signing.close)
        memory = SqliteMemory(store)
        tools = McpTools(settings.tools, clock, memory=memory, vault=signing.vault) if settings.tools else None
        if tools is not None:
            self._running.push_async_callback(tools.close)
            await tools.recall()
        engine = Engine(
            store=store,
            model=model,
            platforms=platforms,
            clock=clock,
            policy=settings.to_policy(),
            boot=secrets.token_hex(_BOOT_BYTES),
            code_keys=codes,
            ring_at=alarm.ring_at,
            tools=tools,
            vault=signing.vault,
            refreshing=signing.refreshing,
        )
        if settings.local_chat_on:
            self._served[ids.PLATFORM] = Local(
                store.board, clock, engine, about_of(settings, model.name), self._given(store, codes, clock)
            )
        for name in settings.platforms:
            self._served[name] = PLATFORMS[name](settings, clock, self._given(store, codes, clock))
        platforms |= {name: served.platform for name, served in self._served.items()}
        self._engine = engine
        self._running.push_async_callback(engine.close)
        await engine.start()
        alarm.every(LOOK_S, "logins", partial(signing.look, engine))
        pages = signing.routes(engine.accept, self._base, settings.language, secure=self._base().startswith("https:"))
        await self._listen(engine, pages)
        if tools is not None:
            tools.start()
        await self._upkeep(alarm, store, clock)
        chores = Chores(settings, store, seal, clock)
        forgetting = partial(self._forget, store, clock, chores)
        door = Control(settings.data_dir, {**chores.commands, "forget": forgetting})
        self._running.push_async_callback(door.stop)
        await door.start()
        self._refusing = ""
        if begun:
            log.info("a new and empty history begins", database=str(settings.database))
        warming = asyncio.create_task(model.warm(), name="warm")
        self._running.callback(warming.cancel)

    def _given(self, store: SqliteStore, codes: CodeKeys, clock: Clock) -> Given:
        async def exported(identity: str) -> tuple[File, ...]:
            found = await store.read(partial(kept, identity=identity))
            return await asyncio.to_thread(files_of, found)

        return Given(
            reveal=lambda text: links.reveal(self._base(), reveal(codes, text)),
            export=exported,
            homes=store.homes,
            time_travel=not self._settings.platforms,  # the clock of real people is not ours to move
            memory=SqliteMemory(store),
            suggests=Suggesting(store, clock, self._settings.language),
        )

    async def _upkeep(self, alarm: Alarm, store: SqliteStore, clock: SystemClock) -> None:
        """Ring sessions; delete what has had its time, one slice after the other.

        After the platforms: what was said while we were away comes before what nobody has said.
        """

        async def sweep() -> None:
            await store.sweep(clock.now_ms())

        alarm.every(_RING_S, "sweep", self._ring)
        alarm.every(_HOUSEKEEPING_S, "housekeeping", sweep)
        await alarm.start()
        self._running.push_async_callback(alarm.stop)

    def _base(self) -> str:
        """The address under which browsers find us."""
        return self._settings.public_url or self.url

    async def _listen(self, engine: Engine, pages: Sequence[web.RouteDef]) -> None:
        """Serve what waits on our own board, then the page, then connect outwards."""
        for served in self._served.values():
            self._running.push_async_callback(served.close)
        local = self._served.get(ids.PLATFORM)
        if local is not None:
            # Before the page: what was said before the stop comes before what is said now.
            await local.connect(engine)
            await engine.caught_up(ids.PLATFORM)
        server = self._server(engine, pages)
        self._running.push_async_callback(server.stop)
        await server.start()
        self.url = server.url
        for name, served in self._served.items():
            if served is not local:
                await served.connect(engine)
                await engine.caught_up(name)

    def _server(self, engine: Engine, pages: Sequence[web.RouteDef]) -> WebServer:
        settings = self._settings
        token = settings.local_chat_token.get_secret_value() if settings.local_chat_token else ""
        routes = [each for served in self._served.values() for each in served.routes()]
        return WebServer(
            settings.http_host,
            settings.http_port,
            [*landing.routes(settings.language), *pages, *routes],
            guard_policy=GuardPolicy(token=token, public_url=settings.public_url or ""),
            ready=self._ready,
            registry=registry(engine.counts, {"version": version("rejoinder"), "model": self.model}),
            closing=[served.end_streams for served in self._served.values()],
        )

    async def _forget(self, store: SqliteStore, clock: Clock, chores: Chores, name: str, progress: Progress) -> str:
        """The operator forgets somebody: what runs for them ends, and no platform keeps their words in memory."""
        found = await store.read(partial(resolve, name=name))
        doomed = await store.doomed(EraseKind(found[0]), found[1]) if found else None
        if doomed is not None and self._engine is not None:
            self._engine.quiet(doomed.sessions)
        told = await chores.forget(name, progress)
        if self._engine is not None:
            await self._engine.recount()
        for served in self._served.values():
            await served.platform.forgotten(doomed.places if doomed else (), clock.now_ms())
        return told

    async def _ready(self) -> str:
        short = self._room.shortage() if self._room is not None else ""
        return self._refusing or short or " ".join(filter(None, (each.trouble() for each in self._served.values())))

    async def _ring(self) -> None:
        if self._engine is not None:
            await self._engine.ring()


class Suggesting:
    """A person's own conversations, while they type: a pure read that enters no lane."""

    def __init__(self, store: SqliteStore, clock: Clock, language: str) -> None:
        self._store = store
        self._clock = clock
        self._language = language

    async def suggest(self, person: PersonKey, text: str) -> list[tuple[str, str]]:
        """(label, session id) of what fits; raises `StoreError`."""
        lines = await self._store.read(partial(lines_of, account=person))
        return list(suggestions(lines, text, language=self._language, now_ms=self._clock.now_ms()))


def chosen_model(settings: Settings, clock: Clock) -> ClaudeModel | OfflineModel:
    """Claude when there is a key, else the demo model, which says that it is one."""
    if settings.anthropic_api_key is None:
        return OfflineModel(clock)
    return ClaudeModel(
        settings.anthropic_api_key,
        settings.anthropic_base_url or "",
        clock,
        models=(settings.model, settings.summary_model),
    )
