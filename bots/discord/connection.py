"""Being connected: log in, keep the shards up, go on with the sessions of the process before, save ours.

Knows: which end of a connection means another intent, and that every other one is tried again: soon, or slowly where
the token is not accepted, for whoever took it away may give it back. Only a start that somebody watches ends with it.
Must not know: what an event means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

import aiohttp
import discord
import structlog

from bots.discord import entrance, gateway, memory
from bots.discord.budget import Budget
from bots.discord.faults import Denied
from bots.discord.fields import Raw, number, required, snowflake
from bots.discord.gateway import Gateway
from bots.discord.memory import SESSION_KEPT_MS, GatewayMemory, Saved
from bots.discord.progress import Progress
from bots.discord.rest import Rest
from bots.discord.wire_rooms import CONTENT_FLAGS
from core.domain.errors import OutsideError, Refused, StoreError
from core.engine.ports import Clock

SAVE_FIRST_S = 1.0  # a disk that is slower than this is no reason to let people wait
SAVE_S = 0.5  # a crash makes Discord repeat so much; the inbox drops what it has
BEAT_S = 60.0  # how often the time of a quiet connection is saved
RETRY_MAX_S = 60.0
REFUSED_S = (60.0, 120.0, 300.0, 900.0)  # 10,000 refusals in 10 minutes ban the address, and a session start is dear
BAD_TOKEN = "discord_token"  # noqa: S105 -- the code of an error
BAD_TOKEN_CLOSE = 4004  # docs: gateway close event codes
SHARDS_MAX = 1_000
GATEWAY = "wss://gateway.discord.gg/"  # where Discord does not say
CONTENTLESS = "discord:no_content"

log = structlog.get_logger("rejoinder.discord")


class Connection:
    """`start`, then `close`. `on_login(me, app)` comes before any event; `told` gets every event."""

    def __init__(
        self,
        token: str,
        rest: Rest,
        clock: Clock,
        kept: GatewayMemory,
        *,
        told: gateway.Told,
        on_login: Callable[[str, str], None],
        gateway_url: str = "",
    ) -> None:
        self.content = True  # the message content intent is granted
        self._contentless = False  # Discord has said that it is not
        self.failure: Refused | None = None  # the token is not accepted at present
        self.patient = False  # nobody watches the start any more: who is refused waits
        self.app = ""
        self.progress: dict[int, Progress] = {}
        self.heard_all_until_ms: Callable[[], int] = clock.now_ms
        self._token = token
        self._rest = rest
        self._clock = clock
        self._kept = kept
        self._told = told
        self._on_login = on_login
        self._gateway_url = gateway_url
        self._budget = Budget(kept, clock)
        self._client: Gateway | None = None
        self._saved: dict[int, Saved] = {}
        self._written: dict[int, tuple[int, str, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unclean_ms: int | None = None  # when the process before began, if it died
        self.lost_ms: int | None = None  # since when something may have been said that no replay tells
        self._alive_ms = clock.now_ms()
        self._live: set[int] = set()
        self._fresh = False
        self._unsaved: dict[int, asyncio.Event] = {}  # shards that began anew, until that is saved
        self.ended = asyncio.Event()  # there will be no connection: `failure` says why
        self._refusals = 0  # in a row

    @property
    def alive_ms(self) -> int:
        """The last time at which every shard was seen to be connected."""
        return self._alive_ms

    @property
    def shards(self) -> int:
        """How many there are; 0 before the first connection."""
        return (self._client.shard_count or 0) if self._client else 0

    def latest_saved_ms(self) -> int | None:
        """Until when the process before had everything; None for a first start."""
        return min((each.at_ms for each in self._saved.values()), default=self._unclean_ms)

    async def start(self) -> None:
        """Begin to connect, in the background."""
        await self._load()
        brake_ms, self._unclean_ms = await self._budget.begin()
        for forever in (self._run(brake_ms), self._save_often()):
            self._tasks.add(asyncio.create_task(forever, name="discord-connection"))

    async def close(self) -> None:
        """Take nothing more in; the sessions stay for the next process."""
        self._look_alive()
        await self._save()
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # it is thrown away
                await client.close()
        if tasks:
            await self._budget.end()

    async def abandon(self) -> None:
        """Drop everything and save nothing, for tests."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await client.close()

    # -------------------------------------------------------------------------------- the long run

    async def _run(self, brake_ms: int) -> None:
        pause_s = 1.0
        while True:
            start = self._clock.monotonic()
            try:
                await self._once(brake_ms)
            except discord.PrivilegedIntentsRequired:
                log.warning("discord_no_content", hint="switch on the Message Content intent in the developer portal")
                await self._without_content()
                continue
            except Refused as error:
                if not isinstance(error, Denied) or error.status == HTTPStatus.UNAUTHORIZED:
                    self._fail(error)
                else:
                    log.warning("discord_not_let_in", code=error.code, detail=error.detail)
            except discord.ConnectionClosed as error:
                if error.code == BAD_TOKEN_CLOSE:
                    self._fail(error)
            except (OSError, aiohttp.ClientError, discord.DiscordException, OutsideError) as error:
                log.warning("discord_connection_lost", error=type(error).__name__, detail=str(error)[:200])
            except Exception:  # the gateway's listener: whatever it was, the next connection starts anew
                log.exception("discord_connection_failed")
            self._saved = self._sessions() or self._saved
            self._client, brake_ms = None, 0
            if self.failure is not None and not self.patient:
                break
            pause_s = 1.0 if self._clock.monotonic() - start > RETRY_MAX_S else min(pause_s * 2, RETRY_MAX_S)
            await self._clock.sleep(pause_s if self.failure is None else self._refused_pause_s())
        self.ended.set()

    def _fail(self, error: Exception) -> None:
        if isinstance(error, Refused) and error.code != BAD_TOKEN:
            self.failure = error
        else:
            detail = "Discord does not accept DISCORD_TOKEN; make a new one in the developer portal, under Bot"
            self.failure = Refused(code=BAD_TOKEN, detail=detail)
        log.error("discord_refused", code=self.failure.code, detail=self.failure.detail)

    def _refused_pause_s(self) -> float:
        pause_s = REFUSED_S[min(self._refusals, len(REFUSED_S) - 1)]
        self._refusals += 1
        return pause_s

    async def _once(self, brake_ms: int) -> None:
        """One client, from the log-in to its end."""
        me, about = await entrance.ourselves(self._rest), await entrance.application(self._rest)
        self.app = snowflake(about, "id") or required(me, "id")
        granted = bool(number(about, "flags") & CONTENT_FLAGS)
        self.content = not self._contentless and (granted or not await self._had_no_content())
        where, shards = await entrance.gateway(self._rest)
        gateway.point_at(self._gateway_url or where or GATEWAY)
        usable = {n: each for n, each in self._saved.items() if self._usable(each)}
        if brake_ms and not usable:
            log.warning("discord_braked", seconds=brake_ms / 1000)
            await self._clock.sleep(brake_ms / 1000)
        client = Gateway(
            self._told_numbered,
            self._opened,
            self._budget,
            shards=shards,
            content=self.content,
            saved=usable,
            fixed_gateway=self._gateway_url,
        )
        for shard, each in usable.items():
            self.progress.setdefault(shard, Progress(each.sequence))
        async with client:
            await client.know(self._token, me)
            self._on_login(required(me, "id"), self.app)
            self._client = client
            await client.connect()

    async def _without_content(self) -> None:
        """4014. It is remembered, because to ask costs a session start; whoever switches it on is seen by the flags."""
        self._contentless = True
        with suppress(StoreError):
            await self._kept.put(CONTENTLESS, self.app)

    async def _had_no_content(self) -> bool:
        with suppress(StoreError):
            return await self._kept.get(CONTENTLESS) == self.app
        return False

    def _usable(self, saved: Saved) -> bool:
        return saved.app == self.app and self._clock.now_ms() - saved.at_ms <= SESSION_KEPT_MS

    def _told_numbered(self, shard: int, sequence: int, event: str, data: Raw) -> None:
        if event == "READY" or shard not in self.progress:
            self.progress[shard] = Progress()
            self._saved.pop(shard, None)
            self._fresh = True
        if event in ("READY", "RESUMED"):
            self.failure, self._refusals = None, 0
            self._live.add(shard)
            if not self._fresh and len(self._live) >= self.shards:
                self.lost_ms = None
        self._told(shard, sequence, event, data)
        if event == "READY":
            written = self._unsaved[shard] = asyncio.Event()
            task = asyncio.create_task(self._save_first(shard, written), name="discord-save")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _save_first(self, shard: int, written: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(SAVE_FIRST_S):
                await self._save(shard)
        except TimeoutError:
            log.warning("discord_memory", code="slow")
        finally:
            written.set()
            if self._unsaved.get(shard) is written:
                del self._unsaved[shard]

    async def remembered(self, shard: int) -> None:
        """Return when a shard's new session is saved, or cannot be for now; nothing that it tells is taken before.

        A direct message to a process that dies young is found in no other way: by the replay of a saved session.
        """
        written = self._unsaved.get(shard)
        if written is not None:
            await written.wait()

    def _opened(self, shard: int) -> None:
        """A new socket: until it says RESUMED, everything since the last sign of life may be missing."""
        self._live.discard(shard)
        if self.lost_ms is None:
            self.lost_ms = self._alive_ms

    def gap_filled(self) -> None:
        """What no replay told was read from the history."""
        self._fresh, self.lost_ms = False, None

    def _sessions(self) -> dict[int, Saved]:
        """The sessions as another client could go on with them."""
        now_ms = self.heard_all_until_ms()
        client = self._client
        if client is None:
            return {}
        found = {n: client.session(n, each.safe, self.app, now_ms) for n, each in self.progress.items()}
        return {n: each for n, each in found.items() if each is not None}

    # ------------------------------------------------------------------------------------- memory

    async def _load(self) -> None:
        try:
            first = memory.saved(await self._kept.get(memory.session_key(0)))
            for shard in range(min(first.shards, SHARDS_MAX) if first else 0):
                found = memory.saved(await self._kept.get(memory.session_key(shard)))
                if found is not None:
                    self._saved[shard] = found
        except (StoreError, OutsideError) as error:
            log.warning("discord_memory", code=error.code)

    async def _save_often(self) -> None:
        while True:
            await self._clock.sleep(SAVE_S)
            self._look_alive()
            await self._save()

    def _look_alive(self) -> None:
        client = self._client
        if client is not None and client.open and len(self._live) >= self.shards:
            self._alive_ms = self._clock.now_ms()

    async def _save(self, only: int | None = None) -> None:
        """Save what has changed; what cannot be saved costs a repeat, no more."""
        for shard, found in self._sessions().items():
            if only not in (None, shard):
                continue
            what = (found.sequence, found.session, found.at_ms // round(BEAT_S * 1000))
            if self._written.get(shard) == what:
                continue
            try:
                await self._kept.put(memory.session_key(shard), found.plain())
            except StoreError as error:
                log.warning("discord_memory", code=error.code)
                return
            self._written[shard] = what
