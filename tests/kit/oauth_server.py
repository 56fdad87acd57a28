"""A tool server that wants a login, over loopback: the mcp package's own auth and tool server, and a sign-in form.

Knows: how it is served, and the faults that a network and a bad day bring. Must not know: what is tested.
Whoever signs in says so by name in the form; the tools answer with that name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.kit.oauth_provider import CANARY, Provider

OWN_SECRET = f"{CANARY}-own-client-secret"  # of the client that the program itself may be


class ToolHouse:
    """One tool server with its authorization server. `start` it, then `url` is where its tools are."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.calls: list[tuple[str, str]] = []  # tool, who
        self.failing: list[int] = []  # statuses that the next requests to the token endpoint get instead
        self.retry_after = ""  # what it says with them
        self.lost = 0  # so many answers of the token endpoint are lost on the way
        self.gate: asyncio.Event | None = None  # what the token endpoint has done is not told before it
        self.names_people = True
        self.own_secret = OWN_SECRET  # that it accepts of the program itself
        self.port = 0
        self._server: _Quiet | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def origin(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where its tools are."""
        return f"{self.origin}/mcp"

    async def start(self) -> None:
        """Listen; on the same port as before when it was stopped."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        self.port = bound.getsockname()[1]
        config = uvicorn.Config(
            self._app(), log_level="critical", ws="none", lifespan="on", timeout_graceful_shutdown=1
        )
        self._server = _Quiet(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[bound]), name="tool-house")
        while not self._server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop listening; what it knows stays."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None

    # ---------------------------------------------------------------------------------------- the app

    def _app(self) -> ASGIApp:
        inner = self._tools().streamable_http_app()

        @contextlib.asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            async with inner.router.lifespan_context(inner):
                yield

        return Starlette(
            routes=[
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/userinfo", self._userinfo),
                Mount("/", app=_Faulty(self, inner)),
            ],
            lifespan=lifespan,
        )

    def _tools(self) -> MCPServer[Any]:
        auth = AuthSettings(
            issuer_url=AnyHttpUrl(self.origin),
            resource_server_url=AnyHttpUrl(self.url),
            client_registration_options=ClientRegistrationOptions(enabled=True),
            revocation_options=RevocationOptions(enabled=True),
            required_scopes=[],
            validate_token_resource=False,
        )
        server: MCPServer[Any] = MCPServer(
            "tool-house", log_level="CRITICAL", auth_server_provider=self.provider, auth=auth
        )

        @server.tool(annotations=ToolAnnotations(read_only_hint=True))
        def open_issues() -> str:
            """The open issues of whoever is signed in."""
            who = self._who()
            self.calls.append(("open_issues", who))
            return f"{who} has 3 open issues: login page, dark mode, export."

        return server

    @staticmethod
    def _who() -> str:
        token = get_access_token()
        return (token.subject if token is not None else None) or "nobody"

    async def _login(self, request: Request) -> Response:
        asked = request.query_params.get("request", "")
        if self.provider.asked(asked) is None:
            return HTMLResponse("<p>This sign-in is over.</p>", 400)
        if request.method == "GET":
            return HTMLResponse('<form method="post"><input name="person"><button>Sign in</button></form>')
        form = await request.form()
        person = str(form.get("person", ""))
        goto = self.provider.signed_in(asked, person) if person else self.provider.declined(asked)
        return RedirectResponse(goto, 303)

    async def _userinfo(self, request: Request) -> Response:
        token = await self.provider.load_access_token(request.headers.get("authorization", "").removeprefix("Bearer "))
        if token is None:
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse({"sub": token.subject, "email": token.subject})


class _Faulty:
    """The real app, with what goes wrong on the way."""

    def __init__(self, house: ToolHouse, inner: ASGIApp) -> None:
        self._house = house
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or path not in ("/token", "/.well-known/oauth-authorization-server"):
            await self._inner(scope, receive, send)
        elif path == "/token":
            await self._token(scope, receive, send)
        else:
            await self._metadata(scope, receive, send)

    async def _token(self, scope: Scope, receive: Receive, send: Send) -> None:
        house = self._house
        house.provider.counts["token_requests"] += 1
        if house.failing:
            headers = {"Retry-After": house.retry_after} if house.retry_after else None
            await JSONResponse({"error": "busy"}, house.failing.pop(0), headers)(scope, receive, send)
            return
        request = Request(scope, receive)
        sent = await request.body()
        form = await request.form()
        if form.get("grant_type") == "client_credentials":
            await self._own(dict(form), scope, receive, send)
            return
        answer, body = await _whole(self._inner, scope, sent)
        if house.gate is not None:
            await house.gate.wait()
        if house.lost:
            house.lost -= 1
            await JSONResponse({"error": "gateway"}, 504)(scope, receive, send)
            return
        await Response(body, answer["status"], dict(_plain(answer)))(scope, receive, send)

    async def _own(self, form: dict[str, Any], scope: Scope, receive: Receive, send: Send) -> None:
        if form.get("client_secret") != self._house.own_secret:
            await JSONResponse({"error": "invalid_client"}, 401)(scope, receive, send)
            return
        token = self._house.provider.own(str(form["client_id"]))
        await JSONResponse(token.model_dump(exclude_none=True))(scope, receive, send)

    async def _metadata(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer, body = await _whole(self._inner, scope, b"")
        metadata = json.loads(body)
        if self._house.names_people:
            metadata["userinfo_endpoint"] = f"{self._house.origin}/userinfo"
        await JSONResponse(metadata, answer["status"])(scope, receive, send)


async def _whole(app: ASGIApp, scope: Scope, sent: bytes) -> tuple[Message, bytes]:
    """The whole answer of an app: its head and its body."""
    heads: list[Message] = []
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": sent, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            heads.append(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return heads[0], b"".join(parts)


def _plain(head: Message) -> Iterator[tuple[str, str]]:
    for name, value in head["headers"]:
        if name.lower() != b"content-length":
            yield name.decode(), value.decode()


class _Quiet(uvicorn.Server):
    """A server inside a test: signals stay the test's own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@contextlib.asynccontextmanager
async def tool_house() -> AsyncIterator[ToolHouse]:
    """A running tool server."""
    house = ToolHouse()
    await house.start()
    try:
        yield house
    finally:
        await house.stop()


async def _run(port: int) -> None:
    house = ToolHouse()
    house.port = port
    await house.start()
    print(f"ready {house.url}", flush=True)  # noqa: T201  (its output is the point)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1])))
