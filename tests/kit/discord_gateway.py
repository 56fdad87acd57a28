"""The gateway of the loopback Discord: sessions that outlive their sockets, RESUME with replay, ops and close codes.

Knows: discord-api-docs, events/gateway. Must not know: REST, what a message means. A session keeps every event it was
sent, so a RESUME with any earlier sequence replays the rest; a close with 1000 or 1001 by the client ends it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import zlib
from copy import deepcopy
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

from tests.kit.discord_faults import Faults
from tests.kit.discord_messages import Messages, blanked
from tests.kit.discord_world import Channel, Guild, Payload, World

GUILDS, GUILD_MESSAGES, DIRECT_MESSAGES, MESSAGE_CONTENT = 1, 1 << 9, 1 << 12, 1 << 15
DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 3, 6, 7, 9, 10, 11
SENDS_PER_MIN, SEND_MAX_BYTES = 120, 4096


@dataclass(slots=True, kw_only=True)
class Session:
    """What a RESUME comes back to. `lost_at`: since when nobody is connected, monotonic seconds."""

    id: str
    intents: int
    shard: tuple[int, int]
    sent: list[tuple[int, str, Payload]] = field(default_factory=list)
    socket: Socket | None = None
    lost_at: float = 0.0

    @property
    def sequence(self) -> int:
        """Of the newest event."""
        return self.sent[-1][0] if self.sent else 0


class Socket:
    """One connection. What is told goes through a queue, so that order holds and nobody waits."""

    def __init__(self, response: web.WebSocketResponse, *, compress: bool) -> None:
        self.response = response
        self.session: Session | None = None
        self.closed_by_us = False
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()
        self._zlib = zlib.compressobj() if compress else None
        self.writer = asyncio.create_task(self._write())

    def send(self, op: int, data: object = None, *, seq: int | None = None, event: str | None = None) -> None:
        """Tell the client something."""
        self._queue.put_nowait(json.dumps({"op": op, "d": data, "s": seq, "t": event}))

    def close(self, code: int) -> None:
        """Close after what is queued."""
        self.closed_by_us = True
        self._queue.put_nowait(code)

    def reset(self) -> None:
        """Cut the connection without a word."""
        transport = self.response._req.transport if self.response._req else None  # noqa: SLF001
        if transport is not None:
            transport.abort()

    async def _write(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                if isinstance(item, int):
                    await self.response.close(code=item)
                    return
                if self._zlib is None:
                    await self.response.send_str(item)
                else:
                    packed = self._zlib.compress(item.encode()) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                    await self.response.send_bytes(packed)
            except (ConnectionError, RuntimeError):
                return


class Gateway:
    """All sessions. `url` is set by the server when it listens."""

    def __init__(self, world: World, messages: Messages, faults: Faults, token: str) -> None:
        self.url = ""
        self.packs = True  # compress, for whoever asks for it
        self.down = False  # refuse every connection
        self.heartbeat_ms = 41_250
        self.shards = 1
        self.identify_budget = 1000
        self.resume_window_s = 600.0
        self.identifies = 0
        self.resumes = 0
        self.refused_intents = 0  # closed with 4014
        self.closed_with: list[int | None] = []  # codes of the client's own closes
        self.sessions: dict[str, Session] = {}
        self.sockets: set[Socket] = set()
        self._world = world
        self._messages = messages
        self._faults = faults
        self._token = token

    # ------------------------------------------------------------------------------------- telling

    def tell(self, event: str, payload: Payload, channel: Channel | None = None, guild: Guild | None = None) -> None:
        """Send an event to every session that may have it."""
        guild_id = channel.guild_id if channel else guild.id if guild else ""
        if channel is not None and not self._world.rights(channel):
            return
        copies = self._faults.copies(event)
        for session in list(self.sessions.values()):
            if self._wants(session, event, guild_id):
                shown = self._shown(session, event, payload, channel)
                for _ in range(copies):
                    self._put(session, event, shown)

    def to_all(self, event: str, payload: Payload, guild_id: str = "") -> None:
        """Send an event that needs no intent (interactions; fuzz)."""
        for session in list(self.sessions.values()):
            if self._of_shard(session, guild_id):
                self._put(session, event, deepcopy(payload))

    def _put(self, session: Session, event: str, payload: Payload) -> None:
        seq = session.sequence + 1
        session.sent.append((seq, event, payload))
        if session.socket is not None:
            session.socket.send(DISPATCH, payload, seq=seq, event=event)

    def _wants(self, session: Session, event: str, guild_id: str) -> bool:
        if not self._of_shard(session, guild_id):
            return False
        if event.startswith("MESSAGE_"):
            return bool(session.intents & (GUILD_MESSAGES if guild_id else DIRECT_MESSAGES))
        return bool(session.intents & GUILDS)

    def _of_shard(self, session: Session, guild_id: str) -> bool:
        number, count = session.shard
        return number == ((int(guild_id) >> 22) % count if guild_id else 0)

    def _shown(self, session: Session, event: str, payload: Payload, channel: Channel | None) -> Payload:
        shown = deepcopy(payload)
        if channel is None or event not in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            return shown
        if channel.guild_id:
            author = self._world.people[payload["author"]["id"]]
            shown["guild_id"] = channel.guild_id
            shown["member"] = self._world.member(author, self._world.guilds[channel.guild_id])
        if session.intents & MESSAGE_CONTENT or self._messages.is_open(payload, channel):
            return shown
        return blanked(shown)

    # --------------------------------------------------------------------------- what can be done to it

    def reset_sockets(self) -> None:
        """Cut every connection; the sessions stay."""
        for each in list(self.sockets):
            each.reset()

    def accept(self, token: str) -> None:
        """From now on this is the bot's token; another is refused."""
        self._token = token

    def close_sockets(self, code: int) -> None:
        """Close every connection with a code of Discord's."""
        for each in list(self.sockets):
            each.close(code)

    def ask_reconnect(self) -> None:
        """Op 7."""
        for each in list(self.sockets):
            each.send(RECONNECT)

    def invalidate(self, *, resumable: bool) -> None:
        """Op 9; the session is gone unless it is resumable."""
        for each in list(self.sockets):
            if not resumable and each.session is not None:
                self.sessions.pop(each.session.id, None)
            each.send(INVALID, resumable)

    def ask_heartbeat(self) -> None:
        """Op 1."""
        for each in list(self.sockets):
            each.send(HEARTBEAT)

    def forget_sessions(self) -> None:
        """Every session has timed out: a RESUME gets op 9."""
        self.sessions.clear()

    # ------------------------------------------------------------------------------------- serving

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from HELLO to its end."""
        if self.down:
            return web.Response(status=503)
        response = web.WebSocketResponse(autoping=True, max_msg_size=0)
        await response.prepare(request)
        socket = Socket(response, compress=self.packs and request.query.get("compress") == "zlib-stream")
        self.sockets.add(socket)
        socket.send(HELLO, {"heartbeat_interval": self.heartbeat_ms})
        sends: list[float] = []
        try:
            async for message in response:
                if message.type is not WSMsgType.TEXT:
                    continue
                now = time.monotonic()
                sends = [each for each in sends if now - each < 60] + [now]
                self._heard(socket, message.data, len(sends))
        finally:
            self._lost(socket, response.close_code)
        return response

    def _lost(self, socket: Socket, code: int | None) -> None:
        socket.writer.cancel()
        self.sockets.discard(socket)
        self.closed_with.append(code)
        session = socket.session
        if session is not None and session.socket is socket:
            session.socket, session.lost_at = None, time.monotonic()
            if code in (WSCloseCode.OK, WSCloseCode.GOING_AWAY) and not socket.closed_by_us:
                self.sessions.pop(session.id, None)

    def _heard(self, socket: Socket, text: str, sends: int) -> None:
        if len(text.encode()) > SEND_MAX_BYTES or sends > SENDS_PER_MIN:
            return socket.close(4002 if sends <= SENDS_PER_MIN else 4008)
        try:
            frame = json.loads(text)
            op, data = frame["op"], frame.get("d")
        except (ValueError, KeyError, TypeError):
            return socket.close(4002)
        handlers = {IDENTIFY: self._identify, RESUME: self._resume}
        if op in handlers:
            return handlers[op](socket, data)
        if op == HEARTBEAT:
            return socket.send(ACK)
        if op != PRESENCE or socket.session is None:
            return socket.close(4003 if op == PRESENCE else 4001)
        return None

    def _identify(self, socket: Socket, data: Payload) -> None:
        if socket.session is not None:
            return socket.close(4005)
        if data.get("token") != self._token:
            return socket.close(4004)
        if data["intents"] & MESSAGE_CONTENT and not self._messages.content_allowed:
            self.refused_intents += 1
            return socket.close(4014)
        number, count = data.get("shard") or (0, 1)
        if not 0 <= number < count:
            return socket.close(4010)
        self.identifies += 1
        if self.identifies > self.identify_budget:
            return socket.close(4004)
        session = Session(id=secrets.token_hex(16), intents=data["intents"], shard=(number, count), socket=socket)
        self.sessions[session.id] = socket.session = session
        socket.session = session
        self._put(session, "READY", self._ready(session))
        for guild in self._world.bot_guilds():
            if self._of_shard(session, guild.id):
                self._put(session, "GUILD_CREATE", self._world.guild_payload(guild))
        return None

    def _ready(self, session: Session) -> Payload:
        return {
            "v": 10,
            "user": self._world.bot.payload(),
            "guilds": [
                {"id": each.id, "unavailable": True}
                for each in self._world.bot_guilds()
                if self._of_shard(session, each.id)
            ],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": {"id": self._world.app_id, "flags": 0},
        }

    def _resume(self, socket: Socket, data: Payload) -> None:
        if data.get("token") != self._token:
            return socket.close(4004)
        session = self.sessions.get(str(data.get("session_id")))
        if session is None or (not session.socket and time.monotonic() - session.lost_at > self.resume_window_s):
            return socket.send(INVALID, data=False)
        if int(data.get("seq") or 0) > session.sequence:
            return socket.close(4007)
        self.resumes += 1
        if session.socket is not None and session.socket is not socket:
            session.socket.close(4005)
        session.socket, socket.session = socket, session
        for seq, event, payload in session.sent:
            if seq > int(data.get("seq") or 0):
                socket.send(DISPATCH, payload, seq=seq, event=event)
        self._put(session, "RESUMED", {"_trace": []})
        return None
