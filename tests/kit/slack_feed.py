"""How the loopback Slack delivers: envelopes over sockets, signed requests over HTTP, and again when unacknowledged.

Knows: one of N sockets gets each payload; an event that is not acknowledged within 3 s comes again at once, after a
minute and after five; clicks and commands come once. Must not know: what is delivered.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from tests.kit.slack_state import SIGNING_SECRET, Json, Time

ACK_S = 3.0
RETRIES_S = (0.0, 0.0, 60.0, 300.0)  # the first try, then at once, after a minute, after five
SOCKETS_MAX = 10
EVENT, INTERACTIVE, SLASH = "events_api", "interactive", "slash_commands"


@dataclass(slots=True, kw_only=True)
class Envelope:
    """One payload on its way, and what became of it."""

    id: str
    kind: str
    payload: Json
    attempts: int = 0
    sent_at: float = 0.0  # monotonic, of the newest attempt
    acked_at: float | None = None
    response: Json | None = None
    lost: bool = False
    heard: bool = False  # the newest attempt has reached a client
    status: int = 0  # of HTTP
    acked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ack_ms(self) -> float:
        """From the newest sending to the acknowledgement."""
        assert self.acked_at is not None
        return (self.acked_at - self.sent_at) * 1000


@dataclass(slots=True)
class Socket:
    """One connection. `deaf`: it is open and answers pings, and nothing is ever sent on it."""

    ws: web.WebSocketResponse
    request: web.Request
    number: int
    deaf: bool = False
    sent: int = 0


class Feed:
    """Delivers payloads. `url` set: over signed HTTP; else over the sockets that are open."""

    def __init__(self, clock: Time, seed: int = 1) -> None:
        self.sockets: list[Socket] = []
        self.log: list[Envelope] = []
        self.url = ""
        self.opened = 0
        self.paused = False  # nothing is sent, as while no socket is open
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[str, Envelope] = {}
        self._changed = asyncio.Event()

    # ------------------------------------------------------------------------------------- sending

    def send(self, kind: str, payload: Json) -> Envelope:
        """Begin to deliver a payload."""
        envelope = Envelope(id=f"env-{next(self._numbers)}", kind=kind, payload=payload)
        self.log.append(envelope)
        self._open[envelope.id] = envelope
        task = asyncio.get_running_loop().create_task(self._deliver(envelope))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return envelope

    @property
    def busy(self) -> int:
        """How many payloads are with a client that can hear, and not acknowledged."""
        return sum(each.heard and not each.acked.is_set() for each in self._open.values())

    def give_up(self) -> None:
        """Nobody will acknowledge what is unacknowledged now."""
        for each in self._open.values():
            each.heard = False

    async def _deliver(self, envelope: Envelope) -> None:
        for delay in RETRIES_S if envelope.kind == EVENT else RETRIES_S[:1]:
            if delay:
                await self._clock.sleep(delay)
            if await self._once(envelope):
                self._open.pop(envelope.id, None)
                return
        envelope.lost = True
        self._open.pop(envelope.id, None)
        self.counts["lost"] += 1

    async def _once(self, envelope: Envelope) -> bool:
        envelope.attempts += 1
        envelope.sent_at = time.monotonic()
        # With no socket open an event waits for the next attempt, as long as an acknowledgement would.
        if self.url:
            await self._post(envelope)
        else:
            envelope.heard = await self._push(envelope)
        await self._first(envelope.acked.wait(), self._clock.sleep(ACK_S))
        envelope.heard = False
        return envelope.acked.is_set()

    async def _first(self, *waits: object) -> None:
        tasks = [asyncio.ensure_future(each) for each in waits]  # type: ignore[call-overload]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _push(self, envelope: Envelope) -> bool:
        living = [each for each in self.sockets if not each.ws.closed]
        if not living or self.paused:
            return False
        socket = self._random.choice(living)
        socket.sent += 1
        if socket.deaf:
            return False
        frame: Json = {
            "type": envelope.kind,
            "envelope_id": envelope.id,
            "payload": envelope.payload,
            "accepts_response_payload": envelope.kind != EVENT,
        }
        if envelope.kind == EVENT:
            frame |= {
                "retry_attempt": envelope.attempts - 1,
                "retry_reason": "timeout" if envelope.attempts > 1 else "",
            }
        try:
            await socket.ws.send_str(json.dumps(frame))
        except (ConnectionError, RuntimeError):
            return False
        return True

    # ------------------------------------------------------------------------------------- signed HTTP

    async def _post(self, envelope: Envelope) -> None:
        headers: dict[str, str] = {}
        if envelope.attempts > 1:
            headers |= {"X-Slack-Retry-Num": str(envelope.attempts - 1), "X-Slack-Retry-Reason": "http_timeout"}
        body, content_type = encode(envelope.kind, envelope.payload)
        try:
            status, answer = await self.post(body, content_type, headers)
        except (aiohttp.ClientError, TimeoutError):
            return
        envelope.status = status
        if 200 <= status < 300:
            self._ack(envelope, answer)

    async def post(
        self, body: bytes, content_type: str, headers: Mapping[str, str] = {}, *, stamp: str | None = None
    ) -> tuple[int, Json | None]:
        """Send a signed request; `stamp` is the timestamp if not now. Returns status and JSON body."""
        stamp = stamp if stamp is not None else str(self._clock.now_ms() // 1000)
        signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": sign(stamp, body)} | dict(headers)
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(self.url, data=body, headers=signed | {"Content-Type": content_type}) as response,
        ):
            text = await response.text()
            try:
                answer = json.loads(text)
            except ValueError:
                answer = {"text": text} if text else None
            return response.status, answer

    # ------------------------------------------------------------------------------------- sockets

    async def serve(self, request: web.Request, hello: Json) -> web.WebSocketResponse:
        """A connection, until it ends."""
        ws = web.WebSocketResponse(timeout=0.5)
        await ws.prepare(request)
        self.opened += 1
        socket = Socket(ws=ws, request=request, number=self.opened)
        self.sockets.append(socket)
        self._change()
        try:
            await ws.send_str(json.dumps(hello))
            async for message in ws:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._heard(json.loads(message.data))
        except ConnectionError:
            pass
        finally:
            self.sockets.remove(socket)
            if not self.sockets:
                self.give_up()
            self._change()
        return ws

    def _heard(self, frame: Json) -> None:
        envelope = self._open.get(frame.get("envelope_id", ""))
        if envelope is None:
            self.counts["late_acks"] += 1
            return
        self._ack(envelope, frame.get("payload"))

    def _ack(self, envelope: Envelope, response: Json | None) -> None:
        envelope.acked_at = time.monotonic()
        envelope.response = response
        envelope.acked.set()
        self._change()

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every client to come again on a new connection."""
        for socket in list(self.sockets):
            await socket.ws.send_str(json.dumps({"type": "disconnect", "reason": reason}))

    def cut(self, *numbers: int) -> None:
        """Break connections without a word; all of them when none is named."""
        self.give_up()
        for socket in list(self.sockets):
            if not numbers or socket.number in numbers:
                transport = socket.request.transport
                if transport is not None:
                    transport.abort()

    def deafen(self, *, deaf: bool = True) -> None:
        """Every connection that is open now stays open and hears nothing any more."""
        for socket in self.sockets:
            socket.deaf = deaf

    async def until(self, check: Callable[[], bool]) -> None:
        """Return when `check()` holds; asked again whenever a socket or an acknowledgement comes or goes."""
        while not check():
            await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def stop(self) -> None:
        """End every delivery and every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self.sockets):
            await socket.ws.close()


def encode(kind: str, payload: Json) -> tuple[bytes, str]:
    """The body of a signed request: JSON for events, a form for clicks and commands."""
    if kind == EVENT:
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == SLASH else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def sign(stamp: str, body: bytes, secret: str = SIGNING_SECRET) -> str:
    """Slack's signature of a request."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
