"""The gateway: discord.py's shards, heartbeats and reconnects, with every event handed on as it came.

Knows: where discord.py 2.7.1 can be held (pinned; each hold has a test), how a new process goes on with the session of
the one before (cold RESUME, facts/discord.md section 6). Must not know: what an event means. discord.py builds no
objects and keeps no cache here: its parsers are ours, one table for each socket, so an event that no one can parse
cannot take the connection down with it. No `discord.ui` view is ever made, so none of its traps is near.

The end. `close` shuts the sockets with 4000 itself: by that Discord keeps the session for the next process, while 1000
would end it, and which of the two discord.py sends is a race (trap 7).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.state import AutoShardedConnectionState
from discord.user import ClientUser

from bots.discord.budget import Budget
from bots.discord.fields import Raw, text
from bots.discord.memory import Saved

RESUMABLE = 4000
RESUME_S = 4.0  # Discord answers within 0.1 s; whoever does not know what a RESUME is never does
CLOSE_S = 2.0  # a dead connection answers no goodbye, and we have 25 s for everything
# fmt: off
EVENTS = (
    "READY", "RESUMED", "INTERACTION_CREATE",
    "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK",
    "GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_MEMBER_UPDATE",
    "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE",
    "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE",
    "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "THREAD_LIST_SYNC", "THREAD_MEMBERS_UPDATE",
)
# fmt: on

Told = Callable[[int, int, str, Raw], None]  # of a shard, by sequence: the event's name and data

log = structlog.get_logger("rejoinder.discord")

# What it has to say we say ourselves, in one line each; its tracebacks of lost connections grow with every try.
logging.getLogger("discord").setLevel(logging.CRITICAL)

# Voice is not ours; discord.py would say at every start that its libraries are missing.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


def intents(*, content: bool) -> discord.Intents:
    """The least that we can work with; `content` is the privileged one."""
    return discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=content)


def point_at(gateway: str) -> None:
    """Where every session begins that discord.py begins by itself."""
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)


class _State(AutoShardedConnectionState[Any]):
    """discord.py's state, which is told of every new socket before the first byte is read from it."""

    def _update_references(self, ws: DiscordWebSocket) -> None:
        super()._update_references(ws)
        client: Gateway = self._get_client()
        client.socket_opened(ws)


async def _received(ws: DiscordWebSocket, message: str | bytes) -> None:
    """A READY that does not tell where to go on means: here. Discord's own always tells, and comes packed."""
    if isinstance(message, str) and '"READY"' in message and '"resume_gateway_url"' not in message:
        frame = json.loads(message)
        frame["d"]["resume_gateway_url"] = str(ws.gateway)
        message = json.dumps(frame)
    await DiscordWebSocket.received_message(ws, message)


class Gateway(discord.AutoShardedClient):
    """One connection for each shard. `saved`: sessions of the process before, by shard; `opened` hears of sockets.

    discord.py asks nothing by REST here: who we are and how many shards there are is given.
    """

    def __init__(
        self,
        told: Told,
        opened: Callable[[int], None],
        budget: Budget,
        *,
        shards: int,
        content: bool,
        saved: Mapping[int, Saved],
        fixed_gateway: str = "",
    ) -> None:
        super().__init__(
            shard_count=shards,
            intents=intents(content=content),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            shard_connect_timeout=None,  # the wait for our turn to IDENTIFY may be long
        )
        self.sockets: dict[int, DiscordWebSocket] = {}
        self._told = told
        self._opened = opened
        self._launched: set[int] = set()
        self._budget = budget
        self._saved = dict(saved)
        self._fixed_gateway = yarl.URL(fixed_gateway) if fixed_gateway else None
        self._unanswered: dict[DiscordWebSocket, asyncio.Task[None]] = {}  # sockets that asked to go on

    async def know(self, token: str, me: Raw) -> None:
        """Take the token, and who it belongs to, in place of a log-in."""
        user = {"id": text(me, "id"), "username": text(me, "username"), "discriminator": "0", "avatar": None}

        async def known(*_args: object, **_more: object) -> dict[str, str | None]:
            return user

        self.http.request = known  # type: ignore[method-assign]
        await self.http.static_login(token)
        self._connection.user = ClientUser(state=self._connection, data=user)  # type: ignore[arg-type]

    def _get_state(self, **options: Any) -> _State:  # noqa: ANN401  (discord.py's own signature)
        return _State(dispatch=self.dispatch, handlers=self._handlers, hooks=self._hooks, http=self.http, **options)

    # ------------------------------------------------------------------------------------- sockets

    def socket_opened(self, ws: DiscordWebSocket) -> None:
        """Take over the parsing, and go on with the session that there is instead of beginning a new one.

        That is the saved one on the first socket of a shard, and on a later one that of the socket before: discord.py
        forgets it when the connection breaks with an error that it knows from other systems than Linux.
        """
        shard = ws.shard_id or 0
        before = self.sockets.get(shard)
        self.sockets[shard] = ws
        if before is not None:
            _end_heartbeat(before)
        self._opened(shard)
        ws._discord_parsers = {name: partial(self._parsed, ws, name) for name in EVENTS}  # noqa: SLF001
        ws.received_message = partial(_received, ws)  # type: ignore[method-assign]
        saved = self._saved.pop(shard, None)
        if ws.session_id is None and before is not None and before.session_id is not None:
            ws.session_id, ws.sequence = before.session_id, before.sequence
            ws.identify = ws.resume  # type: ignore[method-assign]
        elif saved is not None and saved.shards == self.shard_count:
            ws.session_id, ws.sequence = saved.session, saved.sequence
            ws.identify = ws.resume  # type: ignore[method-assign]
        if ws.session_id is None:
            ws.resume = ws.identify  # type: ignore[method-assign]
        else:
            self._unanswered[ws] = asyncio.create_task(self._unless_answered(ws), name=f"discord-resume:{shard}")

    async def _unless_answered(self, ws: DiscordWebSocket) -> None:
        """A RESUME that nobody answers would be silence for ever: begin anew."""
        await asyncio.sleep(RESUME_S)
        self._unanswered.pop(ws, None)
        if not ws.socket.closed:
            log.warning("discord_resume_unanswered", shard=ws.shard_id)
            ws.session_id = ws.sequence = None
            await ws.close(code=RESUMABLE)

    def _parsed(self, ws: DiscordWebSocket, name: str, data: Raw) -> None:
        waiting = self._unanswered.pop(ws, None)
        if waiting is not None:
            waiting.cancel()
        if name == "READY" and self._fixed_gateway is not None:
            ws.gateway = self._fixed_gateway
        self._told(ws.shard_id or 0, ws.sequence or 0, name, data)

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard: where its saved session was, else where Discord says.

        When that fails, discord.py calls this once more, from within the failure, and so on without end; it ends here,
        and whoever runs this client tries anew.
        """
        if shard_id in self._launched:
            raise ConnectionError(f"shard {shard_id} could not connect")
        self._launched.add(shard_id)
        saved = self._saved.get(shard_id)
        where = self._fixed_gateway or (yarl.URL(saved.gateway) if saved else gateway)
        await super().launch_shard(where, shard_id, initial=initial)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for our turn; discord.py would sleep 5 s even when nobody identified lately (trap 12)."""
        del shard_id, initial
        await self._budget.identify()

    @property
    def open(self) -> bool:
        """Whether every shard has a socket that is open, as far as we can see."""
        return len(self.sockets) == self.shard_count and all(each.open for each in self.sockets.values())

    def session(self, shard: int, sequence: int, app: str, now_ms: int) -> Saved | None:
        """What the next process needs to go on from `sequence`."""
        ws = self.sockets.get(shard)
        if ws is None or not ws.session_id or self.shard_count is None:
            return None
        return Saved(
            session=ws.session_id,
            sequence=sequence,
            gateway=str(ws.gateway),
            app=app,
            shard=shard,
            shards=self.shard_count,
            at_ms=now_ms,
        )

    async def close(self) -> None:
        """End the connections so that their sessions can be gone on with."""
        for waiting in self._unanswered.values():
            waiting.cancel()
        self._unanswered.clear()
        sockets = [each.socket for each in self.sockets.values() if not each.socket.closed]
        closing = [asyncio.ensure_future(each.close(code=RESUMABLE)) for each in sockets]
        if closing:
            _, late = await asyncio.wait(closing, timeout=CLOSE_S)
            for each in late:
                each.cancel()
        await super().close()
        for ws in self.sockets.values():
            _end_heartbeat(ws)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """discord.py's own events are not used; what goes wrong in them is logged without its arguments."""
        del args, kwargs
        log.error("discord_event_failed", kind=event_method)


def _end_heartbeat(ws: DiscordWebSocket) -> None:
    """End the thread that beats for a socket: discord.py forgets it where connecting ends before its shard has it."""
    beating = ws._keep_alive  # noqa: SLF001
    if beating is not None:
        beating.stop()
