"""Tool servers over real sockets and pipes: quick, dead, hung, false and far too talkative ones."""

from __future__ import annotations

import asyncio
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from core.codec import Json
from core.domain.errors import Ambiguous, NotSent, OutsideError, Refused
from core.domain.tooling import Auth, ToolKind
from core.drivers.clock import SystemClock
from core.drivers.mcp_tools import McpTools
from core.engine.tool_ports import Bearer, ToolAnswer, Unauthorized
from core.tool_settings import ToolServer
from tests.kit.clock import ManualClock
from tests.kit.tools import ToolProcess, connected, counted, free_port, http, piped


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolProcess]:
    """A tool server over HTTP; whoever kills it starts it again."""
    process = ToolProcess(tmp_path_factory.mktemp("tools") / "calls")
    process.wait()
    yield process
    process.kill()


@pytest.fixture(params=["http", "pipes"])
async def tools(request: pytest.FixtureRequest, server: ToolProcess, tmp_path: Path) -> AsyncIterator[McpTools]:
    """The driver, connected to such a server on either way."""
    settings = http(server.url, seconds=2.0) if request.param == "http" else piped(tmp_path / "calls", seconds=2.0)
    tools = await connected(kit=settings)
    yield tools
    await tools.close()
    if request.param == "http":
        server.again()


def text(answer: ToolAnswer) -> str:
    """The first text of a result."""
    return str(json.loads(answer.content)[0]["text"])


async def failed(tools: McpTools, tool: str, **arguments: object) -> OutsideError:
    """The error of a call that fails."""
    with pytest.raises(OutsideError) as caught:
        await tools.call("kit", tool, arguments, None)
    return caught.value


async def test_calls_one_after_another_and_side_by_side(tools: McpTools) -> None:
    """A conversation's calls each get their own result, on a connection that stays open."""
    for word in ("abc", "xyz"):
        answer = await tools.call("kit", "look_up", {"word": word}, None)
        assert text(answer) == f"{word} means {word[::-1]}."
    words = [f"w{n}" for n in range(12)]
    many = await asyncio.gather(*(tools.call("kit", "look_up", {"word": word}, None) for word in words))
    assert [text(each) for each in many] == [f"{word} means {word[::-1]}." for word in words]


async def test_a_server_that_dies_in_a_call_is_an_error_and_no_cancellation(
    tools: McpTools, server: ToolProcess
) -> None:
    """A dead tool server looked like the end of the bot: here the caller lives on, and the next call works."""
    error = await failed(tools, "die")
    assert isinstance(error, Ambiguous)
    assert error.code == "tool_cut"
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    server.again()
    assert text(await tools.call("kit", "look_up", {"word": "abc"}, None)) == "abc means cba."


async def test_a_hung_server_is_left_after_its_time(tools: McpTools) -> None:
    """A call without an answer ends after the time of the settings, and the next one works."""
    error = await failed(tools, "slow", seconds=60)
    assert (type(error), error.code) == (Ambiguous, "tool_timeout")
    assert text(await tools.call("kit", "look_up", {"word": "abc"}, None)) == "abc means cba."


async def test_fifty_megabytes_are_not_read(tools: McpTools) -> None:
    """A result that would fill the memory is refused while it is read; other calls go on."""
    tracemalloc.start()
    both = await asyncio.gather(
        failed(tools, "huge", megabytes=50), tools.call("kit", "look_up", {"word": "abc"}, None)
    )
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 25_000_000
    assert (type(both[0]), both[0].code) == (Ambiguous, "tool_too_large")
    assert text(both[1]) == "abc means cba."


async def test_a_long_result_is_shortened_and_says_so(tools: McpTools) -> None:
    """A hundred thousand characters would be paid for with every further call: the model gets the beginning."""
    answer = await tools.call("kit", "long_text", {"chars": 100_000}, None)
    assert len(answer.content) < 31_000
    assert "70,000 characters, was left out" in text(answer)


async def test_what_the_server_says_no_to_is_a_result(tools: McpTools) -> None:
    """A tool that fails, or is called wrongly, tells the model so; nothing of ours fails."""
    for tool, arguments in (("fail", {"why": "x"}), ("look_up", {"wrong": 1}), ("nobody", {})):
        answer = await tools.call("kit", tool, arguments, None)
        assert answer.is_error


async def test_kinds_follow_hints_but_not_lies(tools: McpTools) -> None:
    """A tool that says it only reads, and is called delete, is asked for; one that says nothing is, too."""
    kinds = {each.tool: each.kind for each in await tools.offered()}
    assert kinds["look_up"] is ToolKind.READ
    assert kinds["set_title"] is ToolKind.IDEMPOTENT
    assert kinds["wipe_everything"] is ToolKind.DESTRUCTIVE
    assert kinds["create_note"] is kinds["unmarked"] is kinds["delete_all_notes"] is ToolKind.WRITE


async def test_the_process_ends_with_us(tmp_path: Path) -> None:
    """A tool server that we have started is not left behind."""
    tools = await connected(kit=piped(tmp_path / "calls"))
    assert text(await tools.call("kit", "look_up", {"word": "abc"}, None)) == "abc means cba."
    await tools.close()
    left = [each for each in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in _read(each)]
    assert not left
    assert counted(tmp_path / "calls") == {"look_up": 1}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_a_server_that_is_away_comes_back(server: ToolProcess) -> None:
    """Nobody listens: nothing was done, and that is certain; once it listens again the same driver works."""
    tools = await connected(kit=http(server.url))
    server.kill()
    error = await failed(tools, "create_note", text="x")
    assert (type(error), error.code) == (NotSent, "tool_unreachable")
    server.again()
    assert text(await tools.call("kit", "look_up", {"word": "abc"}, None)) == "abc means cba."
    await tools.close()


async def test_a_command_that_cannot_be_run_is_told() -> None:
    """A slip in the settings is an error of that server, not of the start."""
    tools = McpTools({"kit": ToolServer(command=("no-such-program-here",))}, SystemClock())
    error = await failed(tools, "look_up")
    assert (type(error), error.code) == (Refused, "tool_unreachable")
    await tools.close()


class Memory:
    """A memory that outlives a driver."""

    def __init__(self) -> None:
        self.kept: dict[str, Json] = {}

    async def get(self, key: str) -> Json:
        """What was put."""
        return self.kept.get(key)

    async def put(self, key: str, value: Json) -> None:
        """Keep it."""
        self.kept[key] = value


async def test_lists_are_remembered(server: ToolProcess) -> None:
    """After a restart the tools of a server are known before it is asked, so no conversation loses them."""
    memory = Memory()
    tools = McpTools({"kit": http(server.url)}, SystemClock(), memory=memory)
    first = await tools.look("kit", None)
    await tools.close()
    again = McpTools({"kit": http(f"http://127.0.0.1:{free_port()}/mcp")}, SystemClock(), memory=memory)
    await again.recall()
    assert await again.offered() == first
    await again.close()


async def test_only_what_is_allowed_is_offered(server: ToolProcess) -> None:
    """An operator lets the bot use two tools, and decides what one of them does."""
    settings = ToolServer(url=server.url, allow=("look_up", "create_note"), effects={"create_note": ToolKind.READ})
    tools = await connected(kit=settings)
    assert {each.tool: each.kind for each in await tools.offered()} == {
        "look_up": ToolKind.READ, "create_note": ToolKind.READ,
    }  # fmt: skip
    await tools.close()


# ------------------------------------------------------------------------- servers that are no servers


@asynccontextmanager
async def serving(handler: object) -> AsyncIterator[str]:
    """Any HTTP server."""
    app = web.Application()
    app.router.add_route("*", "/mcp", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # noqa: SLF001
    yield f"http://127.0.0.1:{port}/mcp"
    await runner.cleanup()


def rpc(answer: object) -> object:
    """A server that speaks MCP's old handshake, and answers every call with `answer`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return web.Response(status=405)
        body = await request.json()
        method, own_id = body.get("method"), body.get("id")
        if method == "initialize":
            result: object = {
                "protocolVersion": body["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "x", "version": "1"},
            }
        elif own_id is None:
            return web.Response(status=202)
        elif method == "tools/call":
            if isinstance(answer, web.Response | bytes | str | int):
                return _raw(answer)
            result = answer
        else:
            return web.json_response({"jsonrpc": "2.0", "id": own_id, "error": {"code": -32601, "message": "no"}})
        return web.json_response({"jsonrpc": "2.0", "id": own_id, "result": result})

    return handle


def _raw(answer: object) -> web.Response:
    if isinstance(answer, web.Response):
        return answer
    if isinstance(answer, int):
        return web.Response(status=answer)
    body = answer if isinstance(answer, bytes) else str(answer).encode()
    return web.Response(body=body, content_type="application/json")


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ("{", Ambiguous, "tool_garbage"),
        (b"\xff\xfe\x00", Ambiguous, "tool_garbage"),
        ({"content": "words"}, Ambiguous, "tool_garbage"),
        ({"nothing": 1}, Ambiguous, "tool_garbage"),
        (401, Unauthorized, "tool_denied"),
        (403, Refused, "tool_denied"),
        (429, NotSent, "tool_busy"),
        (503, NotSent, "tool_busy"),
        (500, Ambiguous, "tool_cut"),
        (502, Ambiguous, "tool_cut"),
    ],
)
async def test_garbage_and_refusals(answer: object, kind: type[OutsideError], code: str) -> None:
    """Whatever stands behind the address: a call ends in one of our errors, each with the truth about what happened."""
    async with serving(rpc(answer)) as url:
        tools = McpTools({"kit": ToolServer(url=url, timeout=timedelta(seconds=3))}, SystemClock())
        error = await failed(tools, "any")
        assert (type(error), error.code) == (kind, code)
        await tools.close()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("said", "wait_ms"), [("7", 7_000), ("0", 0), ("", None), ("soon", None), ("-1", None)])
async def test_a_busy_server_says_when(status: int, said: str, wait_ms: int | None) -> None:
    """A server that asks to be left alone for a while is asked again at once."""
    busy = web.Response(status=status, headers={"Retry-After": said} if said else None)
    async with serving(rpc(busy)) as url:
        clock = ManualClock()
        tools = McpTools({"kit": ToolServer(url=url, timeout=timedelta(seconds=3))}, clock)
        error = await failed(tools, "any")
        assert isinstance(error, NotSent)
        assert error.retry_ms == (None if wait_ms is None else clock.now_ms() + wait_ms)
        await tools.close()


async def test_a_page_instead_of_a_server() -> None:
    """An address with a web page behind it is a server that is not there."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>Hello</html>", content_type="text/html")

    async with serving(page) as url:
        tools = McpTools({"kit": ToolServer(url=url)}, SystemClock())
        assert (await failed(tools, "any")).code == "tool_unreachable"
        await tools.close()


async def test_a_socket_that_says_nothing() -> None:
    """A server that takes the connection and is silent is left after the time to connect."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/mcp"
        tools = McpTools({"kit": ToolServer(url=url, timeout=timedelta(seconds=0.5))}, SystemClock())
        assert (await failed(tools, "any")).code == "tool_unreachable"
        await tools.close()


async def test_a_bearer_goes_with_the_call_and_nowhere_else() -> None:
    """Each person's own login is sent with their calls, also on a connection that was open before."""
    seen: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        return await rpc({"content": [{"type": "text", "text": "ok"}]})(request)  # type: ignore[operator,no-any-return]

    async with serving(handle) as url:
        tools = McpTools({"kit": ToolServer(url=url, auth=Auth.OAUTH)}, SystemClock())
        for name in ("ann", "bob", "ann"):
            bearer = Bearer(token=SecretStr(f"token-of-{name}"), credential_id=name, version=1)
            seen.clear()
            await tools.call("kit", "any", {}, bearer)
            assert set(seen) == {f"Bearer token-of-{name}"}
        await tools.close()
