"""A strict Messages API on loopback, for the real SDK over a real socket.

Knows: HTTP, server-sent events, how a connection breaks. Must not know: the program under test.
In a test's own loop: `async with ClaudeServer(script) as server: ... server.url, server.log`.
As a process that outlives the bot: `python -m tests.kit.claude_server --port 0 --script file.json` prints its
port; `POST /_script` replaces the script, `POST /_push` appends to its queue, `GET /_log` gives the log,
`GET /_count` its length.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.kit.claude_answer import SENTINEL_S, Answer, Call, close, request_id, whole
from tests.kit.claude_rules import Refusal, check_body, check_headers
from tests.kit.claude_script import Behaviour, Fault, Script

_REFUSALS = {
    Fault.OVERLOADED: Refusal(529, "overloaded_error", "Overloaded"),
    Fault.RATE_LIMIT: Refusal(429, "rate_limit_error", "This request would exceed your rate limit"),
    Fault.SPEND_LIMIT: Refusal(429, "rate_limit_error", "Monthly threshold", "enforced_spend_limit_reached"),
    Fault.OWN_SPEND_LIMIT: Refusal(400, "invalid_request_error", "You have reached your specified API usage limits."),
    Fault.SERVER_ERROR: Refusal(500, "api_error", "Internal server error"),
    Fault.AUTH: Refusal(401, "authentication_error", "invalid x-api-key"),
    Fault.PERMISSION: Refusal(403, "permission_error", "Your API key does not have permission"),
    Fault.BILLING: Refusal(402, "billing_error", "There is an issue with your billing"),
    Fault.UNKNOWN_MODEL: Refusal(404, "not_found_error", "model: unknown"),
    Fault.TOO_LARGE: Refusal(413, "request_too_large", "Request exceeds the maximum size"),
    Fault.TOO_LONG: Refusal(400, "invalid_request_error", "prompt is too long: 1000001 tokens > 1000000 maximum"),
    Fault.BOUND_THINKING: Refusal(
        400, "invalid_request_error", "messages.1: thinking block is bound to a different conversation"
    ),
}


class ClaudeServer:
    """Start with `async with`, or `start` and `stop`. `log` has every request in its order of arrival."""

    def __init__(self, script: Mapping[str, object] | None = None, *, port: int = 0) -> None:
        self.script = Script(script)
        self.log: list[Call] = []
        self.models = True  # whether GET /v1/models/{id} knows every model
        self.echo_headers = False  # an evil server: every refusal repeats the key
        self._changed = asyncio.Event()
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """What goes into ANTHROPIC_BASE_URL."""
        return f"http://127.0.0.1:{self._port}"

    def push(self, *behaviours: Behaviour) -> None:
        """Append to the script's queue."""
        self.script.push(*behaviours)

    async def until(self, check: Callable[[], bool]) -> None:
        """Return when `check()` holds; it is asked again whenever a request comes or goes."""
        while not check():
            await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_get("/v1/models/{id}", self._model)
        app.router.add_post("/_script", self._control)
        app.router.add_post("/_push", self._control)
        app.router.add_get("/_log", self._get_log)
        app.router.add_get("/_count", self._get_count)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and drop what is open; a later `start` takes the same port."""
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

    async def _control(self, request: web.Request) -> web.Response:
        plain = await request.json()
        if request.path == "/_script":
            self.script.load(plain)
        else:
            self.script.push(*(Behaviour.model_validate(entry) for entry in plain))
        return web.json_response({})

    async def _get_log(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(call) for call in self.log])

    async def _get_count(self, _: web.Request) -> web.Response:
        return web.json_response(len(self.log))

    async def _model(self, request: web.Request) -> web.Response:
        call = self._note(request, {})
        try:
            check_headers(request.headers)
        except Refusal as refusal:
            return self._refuse(call, refusal, {})
        if not self.models:
            return self._refuse(call, Refusal(404, "not_found_error", f"model: {request.match_info['id']}"), {})
        call.status = 200
        return web.json_response(
            {
                "id": request.match_info["id"],
                "type": "model",
                "display_name": request.match_info["id"],
                "created_at": "2026-09-28T00:00:00Z",
            }
        )

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        plain = await request.json()
        call = self._note(request, plain if isinstance(plain, dict) else {})
        behaviour = Behaviour()
        try:
            check_headers(request.headers)
            body = check_body(plain)
            messages = body["messages"]
            behaviour, text = self.script.meet(messages if isinstance(messages, list) else [])
            call.fault = behaviour.fault
            if refusal := _REFUSALS.get(behaviour.fault):
                raise refusal
        except Refusal as refusal:
            return self._refuse(call, refusal, {"retry-after": behaviour.retry_after})
        try:
            return await self._answer(request, call, behaviour, text)
        except (ConnectionError, asyncio.CancelledError):
            call.gone = not call.finished
            raise
        finally:
            self._change()

    async def _answer(self, request: web.Request, call: Call, behaviour: Behaviour, text: str) -> web.StreamResponse:
        if behaviour.fault is Fault.HANG:
            call.failing = True
            self._change()
            await asyncio.sleep(SENTINEL_S)
        if behaviour.fault is Fault.DROP:
            close(request, reset=False)
            return web.Response()
        if behaviour.fault in (Fault.UNAVAILABLE, Fault.NOT_A_STREAM):
            call.status = 503 if behaviour.fault is Fault.UNAVAILABLE else 200
            return web.Response(status=call.status, text="<html>busy</html>", content_type="text/html")
        if not call.body.get("stream"):
            call.status, call.sent, call.finished = 200, text, True
            return web.json_response(whole(call, behaviour, text))
        call.status = 200
        return await Answer(request, call, behaviour, self._change).write(text)

    def _note(self, request: web.Request, body: dict[str, object]) -> Call:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(path=request.path, headers=headers, body=body)
        self.log.append(call)
        self._change()
        return call

    def _refuse(self, call: Call, refusal: Refusal, headers: Mapping[str, str]) -> web.Response:
        call.status = refusal.status
        message = f"{call.headers['authorization']} {refusal.message}" if self.echo_headers else refusal.message
        error: dict[str, object] = {"type": refusal.kind, "message": message}
        if refusal.code:
            error["details"] = {"error_code": refusal.code}
        return web.json_response(
            {"type": "error", "error": error, "request_id": request_id(call)},
            status=refusal.status,
            headers={"request-id": request_id(call), **{name: said for name, said in headers.items() if said}},
        )


async def _serve(port: int, script: Mapping[str, object]) -> None:
    async with ClaudeServer(script, port=port) as server:
        print(server.port, flush=True)  # noqa: T201 - the caller reads it
        await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path)
    wanted = parser.parse_args()
    asyncio.run(_serve(wanted.port, json.loads(wanted.script.read_text()) if wanted.script else {}))


if __name__ == "__main__":
    main()
