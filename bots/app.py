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
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import structlog
from aiohttp import web

from bots.control import Command, Control, Progress
from bots.exporting import files_of
from bots.local import ids
from bots.metrics import registry
from bots.served import PLATFORMS, Given, Local, Served, about_of, check_platforms
from bots.signing import LOOK_S, Signing, servers_of
from bots.web import landing
from bots.web.guard import GuardPolicy
from bots.web.server import WebServer
from core.codec import Json
from core.domain import links
from core.domain.codes import CodeKeys, reveal
from core.domain.effects import EraseKind
from core.domain.errors import BadInput, StoreDamaged, StoreError, StoreLocked
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
from storage.backup import Contents, backup, may_replace, verify
from storage.credentials import SqliteCredentials
from storage.exporting import kept
from storage.faults import KEY_NAME, RESTORE_HINT
from storage.forget import forget, resolve
from storage.lock import DataLock
from storage.memory import SqliteMemory
from storage.migrate import inspect, prepare
from storage.reading import SessionDetail, SessionLine, counts, detail, export, open_reading, sessions
from storage.restore import restore
from storage.room import Room
from storage.sealing import Keys, load_keys
from storage.suggesting import lines_of
from storage.vault import SealedVault, change_key

__all__ = ["App", "Reading", "SessionDetail", "SessionLine", "alone", "migrated", "reading", "restored"]

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
        signing = Signing(servers_of(settings), SqliteCredentials(store), seal, clock)
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
        return self._refusing or (self._room.shortage() if self._room is not None else "")

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


# ------------------------------------------------------------------------------- for the command line


@contextmanager
def locked(settings: Settings) -> Iterator[DataLock]:
    """Be the only process on the data directory, and on the database's folder if that is another one.

    Gives the lock of the database's folder. Raises `StoreLocked`, which names the holder, or `StoreError`.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    now_ms = SystemClock().now_ms()
    with DataLock.acquire(settings.data_dir, now_ms=now_ms) as lock:
        if settings.database.parent.resolve() == settings.data_dir.resolve():
            yield lock
            return
        with DataLock.acquire(settings.database.parent, now_ms=now_ms) as other:
            yield other


def keys_of(settings: Settings) -> Keys:
    secret = settings.secret_key
    return load_keys(settings.data_dir, None if secret is None else secret.get_secret_value())


def begin(settings: Settings) -> bool:
    """Make the database of a first start, before its key: a key without a database tells that one was lost.

    Returns whether it was a first start. Raises `StoreDamaged` for a lost one, for an empty history never begins in
    silence; otherwise as `prepare`.
    """
    if lost := lost_database(settings):
        raise StoreDamaged(code="store_lost", detail=lost)
    if settings.database.exists():
        return False
    prepare(settings.database)
    return True


def lost_database(settings: Settings) -> str:
    """What to do when a database was here and is gone; "" when all is well."""
    key = settings.data_dir / KEY_NAME
    if settings.database.exists() or settings.secret_key is not None or not key.exists():
        return ""
    return (
        f"{settings.database} is gone, but {key} shows that there was one: bring it back, or a backup with "
        f"`rejoinder restore FILE`; to begin with an empty history, put {KEY_NAME} elsewhere first"
    )


def codes_of(keys: Keys) -> CodeKeys:
    """The keys of resume codes: of the oldest root key, so that a code that stands in a thread outlives a new one."""
    oldest = keys.oldest
    return CodeKeys(derive=oldest.derive("resume code"), lookup=oldest.derive("resume code lookup"))


class Chores:
    """What an operator asks for and only the holder of the lock may do: the running program, or a command alone.

    Each takes its argument and a callback for how far it is; it returns a sentence, or raises `RejoinderError` or
    `OSError`.
    """

    def __init__(self, settings: Settings, store: SqliteStore, seal: SealedVault, clock: Clock) -> None:
        self.commands: Mapping[str, Command] = {
            "forget": self.forget,
            "backup": self.backup,
            "rotate-keys": self.rotate_keys,
        }
        self._settings = settings
        self._store = store
        self._seal = seal
        self._clock = clock

    async def forget(self, name: str, progress: Progress) -> str:
        """Delete a session or an owner for good."""
        del progress
        done = await forget(self._store, name, now_ms=self._clock.now_ms())
        what = f"{done.kind} {done.key}: {done.rows} rows deleted"
        if done.hits:
            detail = f"{what}, but a scan still finds {done.hits} traces in the files; stop the bot and forget again"
            raise StoreError(code="forget_unproven", detail=detail)
        return f"Forgot {what}; a scan for {done.needles} of their texts and ids finds nothing in the files."

    async def backup(self, target: str, progress: Progress) -> str:
        """Write a sealed backup to the file `target`, and open it again to be sure."""
        path, loop = Path(target), asyncio.get_running_loop()

        def on_loop(done: int, total: int) -> None:
            loop.call_soon_threadsafe(progress, done, 2 * total)

        def verifying(done: int, total: int) -> None:
            loop.call_soon_threadsafe(progress, total + done, 2 * total)

        def work() -> Contents:
            may_replace(path)
            now_ms = self._clock.now_ms()
            made = backup(self._settings.database, path, self._seal.keys, now_ms=now_ms, progress=on_loop)
            verify(path, self._seal.keys, self._settings.database.parent, progress=verifying)
            return made

        made = await asyncio.to_thread(work)
        where = "the setting REJOINDER_SECRET_KEY" if self._settings.secret_key else self._settings.data_dir / KEY_NAME
        return f"Backup {path}: {_inside(made)}, verified. It opens only with {where}: keep a copy of that elsewhere."

    async def rotate_keys(self, argument: str, progress: Progress) -> str:
        """Seal every login with the newest key; with a key file, put a new one in front first."""
        del argument
        folder = self._settings.data_dir if self._settings.secret_key is None else None
        done = await change_key(self._store, self._seal, folder, progress)
        where = KEY_NAME if folder else "REJOINDER_SECRET_KEY"
        newest = (
            f"Key {self._seal.keys.key_id.hex()} is the newest in {where}; {done.sealed} logins were sealed with it."
        )
        lost = f" {done.lost} opened with none of the keys: those people sign in anew." if done.lost else ""
        return f"{newest}{lost} Older keys stay there: backups and resume codes that were made with them need them."


def _inside(contents: Contents) -> str:
    rows = contents.counts
    return f"{rows.get('session', 0)} sessions, {rows.get('message', 0)} messages, {contents.size_bytes:,} bytes"


async def alone(settings: Settings, command: str, argument: str, progress: Progress) -> str:
    """Do a chore without a running program. Raises `StoreLocked` when there is one."""
    _must_exist(settings)
    with locked(settings):
        keys = keys_of(settings)
        store = await open_store(settings.database)
        try:
            await store.bind_key(keys)
            clock = SystemClock(await store.board.time_offset_ms())
            chores = Chores(settings, store, SealedVault(keys), clock)
            return await chores.commands[command](argument, progress)
        finally:
            await store.close()


def restored(settings: Settings, source: Path, progress: Progress, *, only_verify: bool) -> str:
    """Put a backup in the place of the database, or only open and check it."""
    key = settings.data_dir / KEY_NAME
    if settings.secret_key is None and not key.exists():
        detail = f"{key} is missing: bring the key that the backup was sealed with there, or set REJOINDER_SECRET_KEY"
        raise StoreError(code="key_missing", detail=detail)
    if only_verify:
        return f"{source} is whole: {_inside(verify(source, keys_of(settings), settings.data_dir, progress=progress))}."
    with locked(settings) as lock:
        done = restore(source, settings.database, keys_of(settings), lock, progress=progress)
    kept = f" The damaged database is kept as {done.set_aside}." if done.set_aside else ""
    stay = f" What was forgotten since ({done.tombstones}) stays forgotten." if done.tombstones else ""
    return f"Restored {_inside(done.contents)}.{stay}{kept}"


def migrated(settings: Settings) -> str:
    """Bring the database to this release's schema."""
    _must_exist(settings)
    with locked(settings):
        before = inspect(settings.database)
        prepare(settings.database)
        after = inspect(settings.database)
    return f"{settings.database} had schema {before} and has schema {after}, the newest this release knows."


@contextmanager
def reading(settings: Settings) -> Iterator[Reading]:
    """One read-only look at the database, beside a running program or without one. Raises `StoreError`."""
    _must_exist(settings)
    with open_reading(settings.database) as conn:
        yield Reading(conn)


def holder(settings: Settings) -> str:
    """Who runs on the data directory, as a sentence; "" when nobody does."""
    try:
        with locked(settings):
            return ""
    except StoreLocked as error:
        return error.detail


def key_told(settings: Settings) -> str:
    """Where the key that seals comes from, and its id; makes none. Raises `StoreError` when it cannot be used."""
    if settings.secret_key is None and not (settings.data_dir / KEY_NAME).exists():
        return "no key file yet; the first start makes it"
    origin = KEY_NAME if settings.secret_key is None else "REJOINDER_SECRET_KEY"
    return f"{origin}, id {keys_of(settings).key_id.hex()}; keep a copy elsewhere, backups open only with it"


def examined(settings: Settings) -> str:
    """Look at every page of the database; what it holds, as a sentence. Raises `StoreError`."""
    _must_exist(settings)
    schema = inspect(settings.database)
    with open_reading(settings.database) as conn:
        found = [str(row[0]) for row in conn.execute("PRAGMA quick_check(1)").fetchall()]
        if found != ["ok"]:
            raise StoreDamaged(code="store_damaged", detail=f"{found[0]}; {RESTORE_HINT}")
        rows = counts(conn)
    size_bytes = settings.database.stat().st_size
    return f"schema {schema}, {rows['session']} sessions, {rows['message']} messages, {size_bytes:,} bytes"


def _must_exist(settings: Settings) -> None:
    if not settings.database.exists():
        ways = "`rejoinder run` makes it, `rejoinder restore FILE` brings one back"
        raise StoreError(code="store_missing", detail=f"there is no database {settings.database} yet; {ways}")


class Reading:
    """What the reading commands ask for."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    def sessions(self, owner: str, limit: int) -> tuple[SessionLine, ...]:
        """The newest sessions, of one owner if given."""
        return sessions(self._conn, owner=owner, limit=limit)

    def session(self, session_id: str) -> SessionDetail:
        """One session with its history. Raises `BadInput`."""
        try:
            return detail(self._conn, session_id)
        except KeyError:
            raise BadInput(code="unknown_session", detail=f"there is no session {session_id}") from None

    def export(self, name: str) -> dict[str, Json]:
        """Everything of a session or an owner. Raises `BadInput`."""
        return export(self._conn, name)
