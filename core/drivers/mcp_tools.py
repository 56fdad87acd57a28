"""All tool servers of the settings behind the `Tools` port.

Knows: which connections are kept open and for whom, when a list is fetched, and that nothing of this ever stops a
start: a server that is away has the tools that it had last, or none. A connection serves one call at a time over HTTP,
so that a call that breaks it breaks no other one; a process serves all its calls.
Must not know: MCP itself, which is imported when it is first needed (`mcp_link`); who may call what.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

import structlog
from pydantic import SecretStr

from core.codec import Json
from core.domain.errors import NotSent, OutsideError, Refused
from core.domain.tooling import Auth
from core.drivers.mcp_names import Listed, offered
from core.engine.ports import Clock
from core.engine.tool_ports import Bearer, Tool, ToolAnswer, Vault
from core.tool_settings import ToolServer

if TYPE_CHECKING:
    from core.drivers.mcp_link import Link

REFRESH_S = 10 * 60.0  # a list is looked at anew this often
RETRY_S = (1.0, 5.0, 15.0, 60.0)  # after a server that was not there; the last one again and again
FIRST_LIST_S = 5.0  # a first question waits this long for lists that nobody has seen yet
LIST_TIMEOUT = timedelta(seconds=20)
IDLE_LINKS_MAX = 4  # open connections that nobody uses, of one server
_OWN = ""  # whose connection it is, where everybody shares one

log = structlog.get_logger(__name__)


class Memory(Protocol):
    """Where lists survive a restart."""

    async def get(self, key: str) -> Json:
        """What was put last; None when there is nothing."""
        ...

    async def put(self, key: str, value: Json) -> None:
        """Remember."""
        ...


@dataclass(slots=True)
class _Server:
    """A server as it is known now. `known` None: its list was never seen."""

    name: str
    settings: ToolServer
    known: tuple[Tool, ...] | None = None
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    idle: dict[str, list[Link]] = field(default_factory=dict)
    shared: Link | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class McpTools:
    """Implements `core.engine.tool_ports.Tools`. `recall`, `start`, then `close`."""

    def __init__(
        self,
        servers: Mapping[str, ToolServer],
        clock: Clock,
        *,
        memory: Memory | None = None,
        vault: Vault | None = None,
    ) -> None:
        self._servers = {name: _Server(name=name, settings=each) for name, each in servers.items()}
        self._clock = clock
        self._memory = memory
        self._vault = vault
        self._tasks: list[asyncio.Task[None]] = []
        self._mcp: ModuleType | None = None

    @property
    def servers(self) -> Mapping[str, Auth]:
        """See `Tools.servers`."""
        return {name: each.settings.auth for name, each in self._servers.items()}

    async def recall(self) -> None:
        """Take the lists that are remembered from the last run."""
        for each in self._servers.values():
            await self._recall(each)
            if each.settings.auth is Auth.OAUTH:
                each.tried.set()  # its list is fetched when somebody has signed in there

    def start(self) -> None:
        """Begin to fetch the present lists; nothing waits for them."""
        for each in self._servers.values():
            self._tasks.append(asyncio.create_task(self._refresh(each), name=f"tools-{each.name}"))

    async def close(self) -> None:
        """End every connection and every process of ours."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        links = [link for each in self._servers.values() for link in _links(each)]
        await asyncio.gather(*(link.close() for link in links), return_exceptions=True)

    async def offered(self) -> tuple[Tool, ...]:
        """See `Tools.offered`."""
        unseen = [each.tried.wait() for each in self._servers.values() if each.known is None]
        if unseen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LIST_S):
                    await asyncio.gather(*unseen)
        return tuple(tool for each in self._servers.values() for tool in each.known or ())

    async def look(self, server: str, bearer: Bearer | None) -> tuple[Tool, ...]:
        """See `Tools.look`."""
        found = self._server(server)
        async with self._link(found, bearer) as link:
            listed = await link.tools(LIST_TIMEOUT)
        await self._learn(found, listed)
        return found.known or ()

    async def call(self, server: str, tool: str, arguments: Mapping[str, object], bearer: Bearer | None) -> ToolAnswer:
        """See `Tools.call`."""
        found = self._server(server)
        gone = (await self._loaded()).Gone
        for _ in range(2):
            async with self._link(found, bearer) as link:
                try:
                    return await link.call(tool, arguments, found.settings.timeout)
                except gone:
                    link.closing.set()  # the server has forgotten this session: a new connection has a new one
        raise NotSent(code="tool_unreachable", detail="the server forgets its sessions at once")

    def _server(self, name: str) -> _Server:
        try:
            return self._servers[name]
        except KeyError:
            raise Refused(code="tool_not_allowed", detail=name) from None

    # ------------------------------------------------------------------------------------ connections

    def _link(self, server: _Server, bearer: Bearer | None) -> _Borrowed:
        return _Borrowed(self, server, bearer)

    async def borrow(self, server: _Server, bearer: Bearer | None) -> Link:
        """An open connection for one call."""
        if server.settings.command:
            return await self._process(server)
        idle = server.idle.setdefault(_owner(bearer), [])
        while idle:
            link = idle.pop()
            if link.alive:
                link.notes.bearer = _token(server, bearer)
                return link
        opened: Link = await (await self._loaded()).connect(server.settings, _token(server, bearer), self._clock.now_ms)
        return opened

    def give_back(self, server: _Server, link: Link, bearer: Bearer | None, *, whole: bool) -> None:
        """The call is over; a connection that it has left whole is kept for the next one."""
        if server.settings.command:
            if not link.alive:
                link.drop()
            return
        idle = server.idle.setdefault(_owner(bearer), [])
        if whole and link.alive and len(idle) < IDLE_LINKS_MAX:
            idle.append(link)
        else:
            link.drop()

    async def _process(self, server: _Server) -> Link:
        async with server.opening:
            link = server.shared
            if link is None or not link.alive:
                link = server.shared = await (await self._loaded()).connect(server.settings, None, self._clock.now_ms)
            return link

    async def _loaded(self) -> ModuleType:
        if self._mcp is None:
            self._mcp = await asyncio.to_thread(_load)
        return self._mcp

    # ------------------------------------------------------------------------------------------ lists

    async def _refresh(self, server: _Server) -> None:
        """Fetch the list now and then; tell the log once when it cannot be had, and once when it can again."""
        failed = 0
        while True:
            try:
                await self._look_alone(server)
            except OutsideError as error:
                if not failed:
                    log.warning("tool server", server=server.name, code=error.code, detail=error.detail)
                pause_s = RETRY_S[min(failed, len(RETRY_S) - 1)]
                failed += 1
            else:
                if failed:
                    log.info("tool server is back", server=server.name)
                failed, pause_s = 0, REFRESH_S
            server.tried.set()
            await self._clock.sleep(pause_s)

    async def _look_alone(self, server: _Server) -> None:
        """Fetch the list where no person's login is needed for it."""
        match server.settings.auth:
            case Auth.OAUTH:
                return
            case Auth.CLIENT_CREDENTIALS:
                bearer = await self._vault.bearer(_OWN, server.name) if self._vault is not None else None
                if bearer is not None:
                    await self.look(server.name, bearer)
            case Auth.NONE | Auth.TOKEN:
                await self.look(server.name, None)

    async def _learn(self, server: _Server, listed: tuple[Listed, ...]) -> None:
        settings = server.settings
        tools = offered(server.name, listed, settings.allow, settings.effects)
        changed, server.known = tools != server.known, tools
        if changed and self._memory is not None:
            plain: list[Json] = [_plain(each) for each in listed]
            await self._memory.put(f"tools:{server.name}", plain)

    async def _recall(self, server: _Server) -> None:
        kept = await self._memory.get(f"tools:{server.name}") if self._memory is not None else None
        if isinstance(kept, list):
            listed = [_listed(each) for each in kept if isinstance(each, dict)]
            server.known = offered(server.name, listed, server.settings.allow, server.settings.effects)


class _Borrowed:
    """A connection for the time of one call."""

    def __init__(self, tools: McpTools, server: _Server, bearer: Bearer | None) -> None:
        self._tools = tools
        self._server = server
        self._bearer = bearer
        self._link: Link | None = None

    async def __aenter__(self) -> Link:
        self._link = await self._tools.borrow(self._server, self._bearer)
        return self._link

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._link is not None:
            self._tools.give_back(self._server, self._link, self._bearer, whole=error is None)


def _links(server: _Server) -> list[Link]:
    shared = [server.shared] if server.shared is not None else []
    return [*shared, *(link for idle in server.idle.values() for link in idle)]


def _owner(bearer: Bearer | None) -> str:
    return _OWN if bearer is None else bearer.credential_id


def _token(server: _Server, bearer: Bearer | None) -> SecretStr | None:
    return server.settings.token if bearer is None else bearer.token


def _plain(listed: Listed) -> dict[str, Json]:
    return {
        "name": listed.name,
        "description": listed.description,
        "schema": cast("Json", listed.schema),  # it came as JSON
        "reads_only": listed.reads_only,
        "destroys": listed.destroys,
        "idempotent": listed.idempotent,
    }


def _listed(plain: Mapping[str, Json]) -> Listed:
    schema = plain.get("schema")
    hints = {name: plain.get(name) for name in ("reads_only", "destroys", "idempotent")}
    return Listed(
        name=str(plain.get("name", "")),
        description=str(plain.get("description", "")),
        schema=schema if isinstance(schema, dict) else {},
        **{name: hint if isinstance(hint, bool) else None for name, hint in hints.items()},
    )


def _load() -> ModuleType:
    from core.drivers import mcp_link  # noqa: PLC0415 - see the head of the file

    return mcp_link
