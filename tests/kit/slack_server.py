"""A strict Slack on loopback: Web API, Socket Mode, signed requests, files; for the real SDK over real sockets.

Knows: HTTP and how it breaks; what Slack is stands in slack_state, slack_methods, slack_streams, slack_people. Must not
know: the program under test.
In a test's own loop: `async with SlackServer(clock) as server: ... server.url, server.people.say(...)`.
As a process: `python -m tests.kit.slack_server --port 0` prints its port; `POST /_do` `{"do": "say", "args": [...]}`
lets people act or sets faults, `GET /_state` tells what stands, `POST /_clock` moves its clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict
from types import TracebackType
from typing import Self

from aiohttp import web

from core.drivers.clock import SystemClock
from tests.kit import slack_methods
from tests.kit.platform_signin import SignIn
from tests.kit.slack_faults import Call, Fault, Faults, Wrong
from tests.kit.slack_feed import Feed
from tests.kit.slack_people import People
from tests.kit.slack_rules import METHODS, check_args
from tests.kit.slack_state import APP_TOKEN, BOT_TOKEN, BOT_USER, Json, SlackError, Time, Workspace

CLIENT_ID = "4242.4242"  # of the app, at Sign in with Slack
_PAGE = "<html><body>upstream unavailable</body></html>"
_ECHOED = ("chat.postMessage", "chat.stopStream")  # Slack tells the bot of its own messages, too
_JSON_ARGS = ("blocks", "metadata", "view", "chunks", "files")
_DONE_FIRST = (Wrong.LOST, Wrong.LOST_5XX, Wrong.GARBAGE, Wrong.SLOW)


class SlackServer:
    """Start with `async with`. `calls` has every call in its order of arrival."""

    def __init__(self, clock: Time | None = None, *, port: int = 0) -> None:
        self.clock: Time = clock or SystemClock()
        self.slack = Workspace(self.clock)
        self.feed = Feed(self.clock)
        self.people = People(self.slack, self.feed)
        self.faults = Faults()
        self.sign_in = SignIn(lambda: CLIENT_ID, lambda name: f"U0{name.upper()}")
        self.calls: list[Call] = []
        self.inflight = 0
        self.upload_host = ""  # another one than ours
        self.refuse_sockets = ""  # the code that apps.connections.open is answered with
        self._tickets: set[str] = set()
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """What goes into SLACK_API_URL."""
        return f"http://127.0.0.1:{self._port}/api/"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that lead a program here, by Socket Mode."""
        return {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_URL": self.url}

    @property
    def host(self) -> str:
        """Where its files are."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def quiet(self) -> bool:
        """Whether no call is being answered and nothing that was delivered waits for its acknowledgement."""
        return not self.inflight and not self.feed.busy

    def called(self, method: str) -> list[Call]:
        """The calls of one method."""
        return [call for call in self.calls if call.method == method]

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/api/openid.connect.token", self.sign_in.slack_token)
        app.router.add_get("/api/openid.connect.userInfo", self.sign_in.slack_user)
        app.router.add_route("*", "/openid/connect/authorize", self.sign_in.page)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/ws", self._ws)
        app.router.add_get("/files-pri/{key}/{name}", self._file)
        app.router.add_post("/upload/{file}", self._upload)
        app.router.add_post("/_do", self._do)
        app.router.add_get("/_state", self._state)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Drop everything that is open."""
        await self.feed.stop()
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

    # -------------------------------------------------------------------------------------- the API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.inflight += 1
        try:
            args, content_type = await _read(request)
            return await self._answer(request, method, args, content_type)
        finally:
            self.inflight -= 1

    def _closed(self, method: str, args: Json) -> float:
        """Seconds for which the method takes nothing, 0 when it does."""
        now_ms = self.clock.now_ms()
        left = self.faults.closed_for(_window(method, args), now_ms)
        if left > 0:
            self._note(method, args, "ratelimited", early=True)
            return left
        over = self.faults.over_tier(method, now_ms)
        if over:
            self.faults.close(_window(method, args), now_ms, over)
            self._note(method, args, "ratelimited")
        return over

    async def _answer(self, request: web.Request, method: str, args: Json, content_type: str) -> web.StreamResponse:
        if method not in METHODS:
            return self._refused(method, args, SlackError("unknown_method"))
        if closed := self._closed(method, args):
            return _too_many(closed)
        fault = self.faults.next(method)
        if fault is not None and fault.wrong not in _DONE_FIRST:
            return self._spoil(request, method, args, fault)
        try:
            self._allow(request, method, args, content_type)
            answer = self._perform(method, args)
        except SlackError as error:
            return self._refused(method, args, error)
        self._note(method, args, "ok" if fault is None else fault.wrong.value)
        if fault is not None and fault.wrong is not Wrong.SLOW:
            return self._lose(request, fault)
        if fault is not None:
            await self.clock.sleep(fault.seconds)
        headers = {"x-oauth-scopes": ",".join(sorted(self.slack.scopes))}
        return web.json_response({"ok": True, **answer}, headers=headers)

    def _allow(self, request: web.Request, method: str, args: Json, content_type: str) -> None:
        """Token, scopes, arguments."""
        rule = METHODS[method]
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            raise SlackError("not_authed")
        if token not in (BOT_TOKEN, APP_TOKEN):
            raise SlackError("invalid_auth")
        if (token == APP_TOKEN) is not rule.app_token:
            raise SlackError("not_allowed_token_type")
        if self.slack.revoked:
            raise SlackError(self.slack.revoked)
        if rule.scopes and not self.slack.scopes.intersection(rule.scopes):
            provided = ",".join(sorted(self.slack.scopes))
            raise SlackError("missing_scope", needed=rule.scopes[0], provided=provided)
        check_args(method, rule, args, content_type)

    def _perform(self, method: str, args: Json) -> Json:
        if method == "apps.connections.open":
            if self.refuse_sockets:
                raise SlackError(self.refuse_sockets)
            ticket = f"ticket-{self.slack.number()}"
            self._tickets.add(ticket)
            return {"url": f"ws://127.0.0.1:{self._port}/ws?ticket={ticket}"}
        answer = slack_methods.METHODS[method](self.slack, args)
        if method == "files.getUploadURLExternal":
            answer["upload_url"] = (self.upload_host or self.host) + answer["upload_url"]
        if method == "files.completeUploadExternal":
            for message in self.slack.land():
                self.people.announce(message)
        if method in _ECHOED:
            self.people.announce(self.slack.channels[answer["channel"]].messages[answer["ts"]])
        return answer

    def _refused(self, method: str, args: Json, error: SlackError) -> web.Response:
        self._note(method, args, error.code)
        if "kind" not in error.more and error.code in (
            "invalid_arguments",
            "unknown_method",
            "invalid_blocks",
            "invalid_blocks_format",
        ):
            self.slack.violations.append(f"{method}: {error.code} {error.more.get('detail', '')}".strip())
        return web.json_response({"ok": False, "error": error.code, **error.more})

    def _spoil(self, request: web.Request, method: str, args: Json, fault: Fault) -> web.StreamResponse:
        """Fail without having done anything."""
        self._note(method, args, fault.wrong.value if fault.wrong is not Wrong.ERROR else fault.code)
        match fault.wrong:
            case Wrong.RATE:
                self.faults.close(_window(method, args), self.clock.now_ms(), fault.seconds)
                return _too_many(fault.seconds)
            case Wrong.ERROR:
                return web.json_response({"ok": False, "error": fault.code})
            case Wrong.HTML_5XX:
                return web.Response(status=503, text=_PAGE, content_type="text/html")
            case Wrong.JSON_5XX:
                return web.json_response({"ok": False, "error": "internal_error"}, status=500)
            case _:
                return _cut(request)

    def _lose(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Fail after having done it."""
        match fault.wrong:
            case Wrong.LOST_5XX:
                return web.Response(status=502, text=_PAGE, content_type="text/html")
            case Wrong.GARBAGE:
                return web.Response(text='{"ok": tru', content_type="application/json")
            case _:
                return _cut(request)

    def _note(self, method: str, args: Json, outcome: str, *, early: bool = False) -> None:
        self.calls.append(Call(method=method, args=args, at_ms=self.clock.now_ms(), outcome=outcome, early=early))

    # ------------------------------------------------------------------------------ sockets and files

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=408)
        self._tickets.remove(ticket)
        hello = {"type": "hello", "num_connections": len(self.feed.sockets) + 1, "debug_info": {}}
        return await self.feed.serve(request, hello)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file_id = request.match_info["key"].rpartition("-")[2]
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            raise web.HTTPFound("/login")
        shown, data = self.slack.files[file_id]
        return web.Response(body=data, content_type=shown["mimetype"])

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        file_id, data = request.match_info["file"], await request.read()
        wanted = self.slack.uploads.get(file_id)
        if wanted is None or file_id in self.slack.files:  # an address takes bytes once
            return web.Response(status=404)
        if len(data) != wanted["length"]:
            return web.Response(status=400)
        fault = self.faults.next("upload")
        if fault is not None and fault.wrong not in _DONE_FIRST:
            return self._spoil(request, "upload", {}, fault)
        self._note("upload", {}, "ok" if fault is None else fault.wrong.value)
        shown = {"id": file_id, "name": wanted["filename"], "size": len(data), "user": BOT_USER}
        self.slack.files[file_id] = (shown, data)
        if fault is not None and fault.wrong is not Wrong.SLOW:
            return self._lose(request, fault)
        if fault is not None:
            await self.clock.sleep(fault.seconds)
        return web.Response(text=f"OK - {len(data)}")

    # --------------------------------------------------------------------------- as its own process

    async def _do(self, request: web.Request) -> web.Response:
        """Let people act: `{"do": name, "args": [...]}`; messages are named by `[channel, ts]`."""
        order = await request.json()
        name, args = order["do"], order.get("args", [])
        match name:
            case "fault":
                self.faults.add(args[0], args[1], **order.get("more", {}))
            case "cut":
                self.feed.cut()
            case "disconnect":
                await self.feed.disconnect()
            case "press":
                message = self.slack.channels[args[1]].messages[args[2]]
                self.people.press(args[0], message, args[3])
            case "say":
                return web.json_response({"ts": self.people.say(*args)})
            case _:
                getattr(self.people, name)(*args)
        return web.json_response({})

    async def _state(self, _: web.Request) -> web.Response:
        channels = {
            channel.id: [
                {"ts": each.ts, "thread": each.thread, "user": each.user, "ours": each.ours, "shown": each.shown}
                | {"streaming": each.stream is not None and each.stream.state.value == "live"}
                for each in sorted(channel.messages.values(), key=lambda each: each.ts)
            ]
            for channel in self.slack.channels.values()
        }
        state = {
            "channels": channels,
            "calls": [asdict(call) for call in self.calls],
            "violations": self.slack.violations,
            "sockets": len(self.feed.sockets),
            "unacked": self.feed.busy,
        }
        return web.json_response(state)


async def _read(request: web.Request) -> tuple[Json, str]:
    """Arguments of a call in any of the encodings that Slack reads."""
    if request.method == "GET":
        return dict(request.query), "query"
    if request.content_type == "application/json":
        return await request.json(), request.content_type
    form = {name: str(value) for name, value in (await request.post()).items()}
    form |= dict(request.query)
    return {name: json.loads(value) if name in _JSON_ARGS else value for name, value in form.items()}, "form"


def _window(method: str, args: Json) -> str:
    """What a 429 closes: a method; of posts, a channel's (facts/slack.md 5)."""
    return f"{method} {args.get('channel', '')}" if method == "chat.postMessage" else method


def _too_many(seconds: float) -> web.Response:
    return web.json_response(
        {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(max(1, round(seconds + 0.49)))}
    )


def _cut(request: web.Request) -> web.Response:
    """End the connection without an answer."""
    transport = request.transport
    if transport is not None:
        transport.abort()
    return web.Response()


async def _run(port: int) -> None:
    async with SlackServer(port=port) as server:
        print(server.port, flush=True)  # noqa: T201  (the caller reads it)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_run(parser.parse_args().port))
