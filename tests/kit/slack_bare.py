"""The least that can pass for a Slack: seven methods, sockets or signed requests, and no opinion about anything.

Knows: what somebody writes who needs a Slack in an afternoon. No streams, no agent sessions, no modals, no metadata, no
scopes; what it does not know it refuses, with `unknown_method` or with a bare 404. `slack_server` is the strict one.
Must not know: the product.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

from tests.kit.process import until
from tests.kit.slack_feed import encode, sign

Json = dict[str, Any]
TEAM, BOT, USER, CHANNEL, DIRECT = "T1", "U1BOT", "U1ADA", "C1TALK", "D1ADA"


class BareSlack:
    """Runs between `start` and `stop`.

    `html`: what is not known is a 404 page. `half`: streams can be started, and that is all. `hook`: where events are
    posted, signed; without it they go over sockets.
    """

    def __init__(self, *, html: bool = False, half: bool = False) -> None:
        self.url = ""
        self.hook = ""
        self.messages: dict[tuple[str, str], Json] = {}
        self.acks: dict[str, Json] = {}
        self.refused: set[str] = set()
        self._html = html
        self._half = half
        self._sockets: list[web.WebSocketResponse] = []
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        app = web.Application()
        app.add_routes([web.route("*", "/api/{method}", self._api), web.get("/link", self._link)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/api/"

    async def stop(self) -> None:
        """Listen no more."""
        for each in self._sockets:
            await each.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # -------------------------------------------------------------------------------------- methods

    async def _api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        given: Json = dict(request.query)
        if request.can_read_body:
            given |= await request.json() if "json" in request.content_type else dict(await request.post())
        known = getattr(self, "_" + method.replace(".", "_"), None)
        if known is None or (method == "chat.startStream" and not self._half):
            self.refused.add(method)
            if self._html:
                return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")
            return web.json_response({"ok": False, "error": "unknown_method"})
        return web.json_response({"ok": True} | known(given))

    def _auth_test(self, given: Json) -> Json:
        del given
        return {"team_id": TEAM, "user_id": BOT, "team": "Bare", "user": "rejoinder"}

    def _apps_connections_open(self, given: Json) -> Json:
        del given
        return {"url": self.url.replace("http", "ws").replace("/api/", "/link")}

    def _users_info(self, given: Json) -> Json:
        return {"user": {"id": given["user"], "name": "ada"}}

    def _chat_postMessage(self, given: Json) -> Json:  # noqa: N802  (Slack's spelling)
        ts = self._put(given["channel"], BOT, given)
        return {"channel": given["channel"], "ts": ts}

    def _chat_startStream(self, given: Json) -> Json:  # noqa: N802
        ts = self._put(given["channel"], BOT, given | {"text": ""})
        return {"channel": given["channel"], "ts": ts}

    def _chat_update(self, given: Json) -> Json:
        self.messages[given["channel"], given["ts"]].update(_kept(given))
        return {"channel": given["channel"], "ts": given["ts"]}

    def _conversations_history(self, given: Json) -> Json:
        return {"messages": [each for each in self._in(given["channel"]) if "thread_ts" not in each]}

    def _conversations_replies(self, given: Json) -> Json:
        root = given["ts"]
        return {
            "messages": [each for each in self._in(given["channel"]) if root in (each["ts"], each.get("thread_ts"))]
        }

    def _in(self, channel: str) -> list[Json]:
        return [each for (where, _), each in sorted(self.messages.items()) if where == channel]

    def _put(self, channel: str, user: str, given: Json) -> str:
        ts = f"17640000{next(self._numbers):02d}.000100"
        self.messages[channel, ts] = {"type": "message", "ts": ts, "user": user, **_kept(given)}
        return ts

    # -------------------------------------------------------------------------------------- sockets

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        await socket.send_json({"type": "hello"})
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                ack = json.loads(frame.data)
                self.acks[ack["envelope_id"]] = ack.get("payload") or {}
        return socket

    async def _send(self, kind: str, payload: Json) -> str:
        envelope = f"e{next(self._numbers)}"
        if self.hook:
            await self._post(envelope, kind, payload)
            return envelope
        socket = await until(self._living)
        await socket.send_json({"envelope_id": envelope, "type": kind, "payload": payload})
        return envelope

    async def _post(self, envelope: str, kind: str, payload: Json) -> None:
        body, content_type = encode(kind, payload)
        stamp = str(int(time.time()))
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": sign(stamp, body)}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.hook, data=body, headers=headers | {"Content-Type": content_type}) as answer,
        ):
            answer.raise_for_status()
            text = await answer.text()
        self.acks[envelope] = json.loads(text) if text else {}

    async def _living(self) -> web.WebSocketResponse | None:
        return next((each for each in reversed(self._sockets) if not each.closed), None)

    # --------------------------------------------------------------------------------------- people

    async def say(self, text: str, *, channel: str = CHANNEL, thread: str = "") -> str:
        """Ada writes; the ts of what she wrote."""
        given: Json = {"text": text} | ({"thread_ts": thread} if thread else {})
        ts = self._put(channel, USER, given)
        event = {**self.messages[channel, ts], "channel": channel}
        await self._send("events_api", {"type": "event_callback", "event": event, "event_id": f"Ev{ts}"})
        return ts

    async def press(self, message: Json, label: str, channel: str = CHANNEL) -> str:
        """Ada presses a button; the envelope's id."""
        elements = [each for block in message.get("blocks", ()) for each in block.get("elements", ())]
        button = next(each for each in elements if each.get("text", {}).get("text") == label)
        action = {"type": "button", "action_id": button["action_id"], "value": button["value"], "action_ts": "1.1"}
        payload = {
            "type": "block_actions",
            "user": {"id": USER},
            "channel": {"id": channel},
            "message": message,
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": channel},
            "actions": [action],
            "trigger_id": f"t{next(self._numbers)}",
        }
        return await self._send("interactive", payload)

    async def command(self, command: str, text: str, channel: str = CHANNEL) -> str:
        """Ada types a slash command; the envelope's id."""
        payload = {"command": command, "text": text, "user_id": USER, "channel_id": channel}
        return await self._send("slash_commands", payload | {"trigger_id": f"t{next(self._numbers)}"})

    def ours(self, thread: str = "", channel: str = CHANNEL) -> list[Json]:
        """The bot's messages in a thread, else everywhere in the channel."""
        found = [each for each in self._in(channel) if each["user"] == BOT]
        return [each for each in found if not thread or thread in (each.get("thread_ts"), each["ts"])]


def shown(message: Json) -> str:
    """What a reader reads."""
    texts = [each["text"] for each in message.get("blocks", ()) if each["type"] == "markdown"]
    return str([*texts, message.get("text", "")][0])


def _kept(given: Json) -> Json:
    return {name: given[name] for name in ("text", "blocks", "thread_ts") if given.get(name)}
