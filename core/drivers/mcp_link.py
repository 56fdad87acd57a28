"""One connection to a tool server, and calls over it. The only file that talks to the `mcp` package's client.

Knows: a connection lives in a task of its own and every call in another, because a server that dies in the middle of
a call reaches the caller as a cancellation (facts/model.md 6): here that is only the end of a task, and becomes an
error. Must not know: which call may be repeated, lists, settings.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import TypeVar

import mcp_types as types
from mcp.client._transport import Transport
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import SecretStr, ValidationError

from core.domain.errors import Ambiguous, NotSent, OutsideError, Refused
from core.drivers import mcp_http, mcp_stdio, mcp_wire
from core.drivers.mcp_http import Notes
from core.drivers.mcp_names import Listed
from core.engine.tool_ports import ToolAnswer, Unauthorized
from core.tool_settings import ToolServer

T = TypeVar("T")

PAGES_MAX = 20  # of a list
CONNECT_S = 15.0  # until a server has said who it is
_CLOSE_S = 2.5
_BUSY = (429, 503)
_CONNECTION_CLOSED = -32000
_PARSE_ERROR = -32700
_REQUEST_TIMEOUT = -32001
_INTERNAL_ERROR = -32603


class Gone(Exception):
    """The session that the connection was for is not known to the server any more: nothing was done."""


@dataclass(slots=True)
class Link:
    """An open connection. `busy`: how many calls run over it."""

    notes: Notes
    client: Client
    host: asyncio.Task[None]
    closing: asyncio.Event
    busy: int = 0

    @property
    def alive(self) -> bool:
        """Whether it can be used."""
        return not (self.host.done() or self.notes.ended or self.closing.is_set())

    async def close(self) -> None:
        """End it; a server that does not let go is left."""
        self.closing.set()
        await asyncio.wait({self.host}, timeout=_CLOSE_S)
        self.host.cancel()
        await asyncio.gather(self.host, return_exceptions=True)

    def drop(self) -> None:
        """End it at once, without a farewell."""
        self.closing.set()
        self.host.cancel()

    async def call(self, tool: str, arguments: Mapping[str, object], limit: timedelta) -> ToolAnswer:
        """Make one call. Raises `Gone`, or what `Tools.call` raises."""
        self.notes.clear()
        try:
            result = await self._over(lambda: self.client.call_tool(tool, dict(arguments)), limit)
        except MCPError as error:
            return _refused(error, self.notes)
        except ValidationError as error:
            raise Ambiguous(code="tool_garbage", detail="the result is no result") from error
        except RuntimeError as error:  # a result that does not keep to the tool's own schema
            raise Ambiguous(code="tool_garbage", detail=type(error).__name__) from error
        return mcp_wire.answer(result)

    async def tools(self, limit: timedelta) -> tuple[Listed, ...]:
        """The list of its tools. Raises as `call`."""
        found: list[Listed] = []
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            self.notes.clear()
            try:
                page = await self._over(lambda cursor=cursor: self.client.list_tools(cursor=cursor), limit)  # type: ignore[misc]
            except MCPError as error:
                _refused(error, self.notes)
                raise Refused(code="tool_error", detail=f"its tools cannot be listed ({error.error.code})") from error
            except ValidationError as error:
                raise Refused(code="tool_garbage", detail="its list of tools is none") from error
            found.extend(mcp_wire.listed(each) for each in page.tools)
            cursor = page.next_cursor
            if not cursor:
                break
        return tuple(found)

    async def _over(self, ask: Callable[[], Awaitable[T]], limit: timedelta) -> T:
        """Await `ask()` in a task of its own, as long as the connection lives and the time lasts."""

        async def asking() -> T:
            return await ask()

        work = asyncio.create_task(asking())
        try:
            await asyncio.wait({work, self.host}, timeout=limit.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                if self.host.done():
                    raise _broken(self.notes)
                raise Ambiguous(code="tool_timeout", detail=f"no answer within {limit.total_seconds():g} s")
            if work.cancelled():
                raise _broken(self.notes)
            return work.result()
        finally:
            work.cancel()


async def connect(server: ToolServer, bearer: SecretStr | None, now_ms: Callable[[], int]) -> Link:
    """Open a connection. Raises what `Tools.call` raises; nothing can have happened then."""
    notes = Notes(now_ms=now_ms, bearer=bearer)
    ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
    closing = asyncio.Event()
    host = asyncio.create_task(_host(server, notes, ready, closing), name="mcp-link")
    host.add_done_callback(_heard)
    try:
        limit_s = min(CONNECT_S, server.timeout.total_seconds())
        await asyncio.wait((ready, host), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    except BaseException:
        host.cancel()
        raise
    if ready.done():
        return Link(notes=notes, client=ready.result(), host=host, closing=closing)
    error = _not_connected(host, notes, "the process has ended" if server.command else "it does not speak MCP there")
    host.cancel()
    raise error


def _heard(host: asyncio.Task[None]) -> None:
    """How a connection ended is told by the call that it broke; here it is only not left unheard."""
    if not host.cancelled():
        host.exception()


async def _host(server: ToolServer, notes: Notes, ready: asyncio.Future[Client], closing: asyncio.Event) -> None:
    """Hold the connection open. What ends it is told by the task's end."""
    info = types.Implementation(name="rejoinder", version=version("rejoinder"))
    async with _transport(server, notes) as transport, Client(transport, client_info=info, cache=None) as client:
        ready.set_result(client)
        await closing.wait()


@asynccontextmanager
async def _transport(server: ToolServer, notes: Notes) -> AsyncIterator[Transport]:
    async with AsyncExitStack() as stack:
        if server.url:
            http = await stack.enter_async_context(mcp_http.client_of(server.url, notes))
            yield streamable_http_client(server.url, http_client=http, max_sse_event_size=mcp_http.CAP_BYTES)
        else:
            env = {name: value.get_secret_value() for name, value in server.env.items()}
            yield mcp_stdio.stdio((*server.command, *server.args), env, notes.end)


def _refused(error: MCPError, notes: Notes) -> ToolAnswer:
    """What an error of the protocol means: the server's own no is a result, the rest is raised."""
    if notes.status == 401:  # noqa: PLR2004
        raise Unauthorized(code="tool_denied", detail="401") from error
    if notes.status == 403:  # noqa: PLR2004
        raise Refused(code="tool_denied", detail="403") from error
    if notes.status in _BUSY:
        raise NotSent(code="tool_busy", detail=str(notes.status), retry_ms=notes.retry_ms) from error
    if notes.status == 404:  # noqa: PLR2004
        raise Gone from error
    code = error.error.code
    if notes.too_large or code == mcp_stdio.TOO_LARGE:
        raise Ambiguous(code="tool_too_large") from error
    if code == _PARSE_ERROR or (code == _INTERNAL_ERROR and notes.status == 200):  # noqa: PLR2004
        raise Ambiguous(code="tool_garbage", detail=str(code)) from error
    if code == _REQUEST_TIMEOUT:
        raise Ambiguous(code="tool_timeout") from error
    if code == _CONNECTION_CLOSED or notes.status >= 500:  # noqa: PLR2004
        raise _broken(notes) from error
    return mcp_wire.refusal(error.error.message)


def _broken(notes: Notes) -> OutsideError:
    """The connection is gone: whether something can have happened."""
    if notes.too_large:
        return Ambiguous(code="tool_too_large")
    if notes.unreachable and not notes.sent:
        return NotSent(code="tool_unreachable")
    return Ambiguous(code="tool_cut")


def _not_connected(host: asyncio.Task[None], notes: Notes, otherwise: str) -> OutsideError:
    """Why there is no connection; nothing of a call was sent."""
    if not host.done():
        return NotSent(code="tool_unreachable", detail="no answer in time")
    with contextlib.suppress(asyncio.CancelledError):
        if isinstance(error := host.exception(), OSError):
            return Refused(code="tool_unreachable", detail=f"cannot be run: {error.strerror or type(error).__name__}")
    if notes.status == 401:  # noqa: PLR2004
        return Unauthorized(code="tool_denied", detail="401")
    if notes.status == 403:  # noqa: PLR2004
        return Refused(code="tool_denied", detail="403")
    if notes.status in _BUSY:
        return NotSent(code="tool_busy", detail=str(notes.status), retry_ms=notes.retry_ms)
    return NotSent(code="tool_unreachable", detail="" if notes.unreachable else otherwise)
