"""Every event of the gateway, to whom it concerns; none of them can take the connection down.

Knows: names of events, and when an event is finished (only then its sequence number counts as safe). Must not know:
what a message or an interaction leads to. Whatever cannot be read is logged and dropped: Discord may add what it likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import structlog

from bots.discord import fields, ids, wire_acts
from bots.discord.acting import Acting
from bots.discord.connection import Connection
from bots.discord.directory import Directory
from bots.discord.fields import Raw
from bots.discord.following import Following
from bots.discord.hearing import Hearing
from bots.discord.progress import Progress
from core.domain.errors import BadInput, RejoinderError
from core.engine.ports import Clock

GUILDS_S = 5.0  # the servers of a READY come within so long, or later by themselves

log = structlog.get_logger("rejoinder.discord")


class Inbox:
    """`told` is the connection's listener. `arrived` is set once every shard is there, by READY or by RESUMED."""

    def __init__(
        self, directory: Directory, hearing: Hearing, acting: Acting, following: Following, clock: Clock
    ) -> None:
        self.arrived = asyncio.Event()
        self.on_fresh: Callable[[int], None] = lambda _shard: None  # a shard began anew: what it missed is in no replay
        self.live_from_ms = 0  # what is replayed from before was said while we were away
        self._directory = directory
        self._hearing = hearing
        self._acting = acting
        self._following = following
        self._clock = clock
        self._connection: Connection | None = None
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._here: set[int] = set()
        self._awaited: dict[int, set[str]] = {}

    def listen_to(self, connection: Connection) -> None:
        """Whose events these are."""
        self._connection = connection

    def close(self) -> None:
        """Take nothing more in: what comes now is left for the next process."""
        self._closed = True

    async def settle(self) -> None:
        """Return when every event that has come is finished."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def abandon(self) -> None:
        """End what is under way, for tests."""
        self._closed = True
        await _end(self._tasks)

    # -------------------------------------------------------------------------------------- events

    def told(self, shard: int, sequence: int, event: str, data: Raw) -> None:
        """One event. Never raises."""
        progress = self._connection.progress[shard] if self._connection else None
        if progress is not None:
            progress.begin(sequence)
        taken = not self._closed
        try:
            work = self._handle(shard, event, data) if taken else None
        except BadInput as error:
            log.info("discord_unreadable", kind=event, detail=error.detail)
            work = None
        except Exception:  # the adapter's listener: one event that breaks something must not break the connection
            log.exception("discord_event_failed", kind=event)
            work = None
        if work is None:
            if progress is not None:
                progress.end(sequence, taken=taken)
            return
        task = asyncio.create_task(self._finish(work, shard, progress, sequence), name=f"discord:{event}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(
        self, work: Coroutine[object, object, bool], shard: int, progress: Progress | None, sequence: int
    ) -> None:
        taken = True
        try:
            if self._connection is not None:
                await self._connection.remembered(shard)
            taken = await work
        except BadInput as error:
            log.info("discord_unreadable", detail=error.detail)
        except RejoinderError as error:
            log.warning("discord_event_failed", code=error.code)
        except Exception:  # the adapter's listener, as above
            log.exception("discord_event_failed")
        if progress is not None:
            progress.end(sequence, taken=taken)

    def _handle(self, shard: int, event: str, data: Raw) -> Coroutine[object, object, bool] | None:
        """What is quick is done at once; what waits for something is returned."""
        raw = fields.mapping(data)
        match event:
            case "MESSAGE_CREATE":
                return self._heard(raw)
            case "INTERACTION_CREATE":
                return self._acted(raw)
            case "MESSAGE_UPDATE" | "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK":
                return self._following.follow(event, raw)
            case "READY":
                self._ready(shard, raw)
            case "RESUMED":
                self._arrive(shard)
            case "GUILD_CREATE" | "GUILD_DELETE":
                self._guild(shard, event, raw)
            case _:
                return self._room(event, raw)
        return None

    def _heard(self, raw: Raw) -> Coroutine[object, object, bool]:
        old = ids.made_ms(fields.required(raw, "id")) < self.live_from_ms
        return self._hearing.hear(raw, caught_up=old and not self.arrived.is_set())

    async def _acted(self, raw: Raw) -> bool:
        act = wire_acts.act(raw, self._directory.me)
        if act is not None:
            await self._acting.act(act)
        return True

    def _room(self, event: str, raw: Raw) -> Coroutine[object, object, bool] | None:
        match event:
            case "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "THREAD_CREATE" | "THREAD_UPDATE":
                self._directory.learn(raw)
            case "CHANNEL_DELETE" | "THREAD_DELETE":
                return self._following.gone(fields.required(raw, "id"))
            case "THREAD_LIST_SYNC":
                self._directory.sync_threads(raw)
            case "THREAD_MEMBERS_UPDATE":
                self._directory.members(raw)
            case "GUILD_MEMBER_UPDATE":
                self._directory.member(raw)
            case "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE" | "GUILD_ROLE_DELETE":
                self._directory.role(event, raw)
            case _:
                pass
        return None

    # ------------------------------------------------------------------------------------- arriving

    def _ready(self, shard: int, raw: Raw) -> None:
        self._here.discard(shard)
        self._awaited[shard] = {fields.required(each, "id") for each in fields.items(raw, "guilds")}
        self._check(shard)
        task = asyncio.create_task(self._wait_no_longer(shard))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait_no_longer(self, shard: int) -> None:
        """A server that is down does not come; the others are served."""
        for _ in range(int(GUILDS_S * 10)):
            if shard not in self._awaited:
                return
            await self._clock.sleep(0.1)
        if self._awaited.pop(shard, None):
            self._fresh(shard)

    def _guild(self, shard: int, event: str, raw: Raw) -> None:
        guild = fields.required(raw, "id")
        gone = event == "GUILD_DELETE" and not fields.switch(raw, "unavailable")
        if event == "GUILD_CREATE" and not fields.switch(raw, "unavailable"):
            self._directory.gather(raw)
        elif gone:
            self._directory.drop_server(guild)
        if shard in self._awaited:
            self._awaited[shard].discard(guild)
            self._check(shard)

    def _check(self, shard: int) -> None:
        if not self._awaited.get(shard, {shard}):
            del self._awaited[shard]
            self._fresh(shard)

    def _fresh(self, shard: int) -> None:
        self._arrive(shard)
        self.on_fresh(shard)

    def _arrive(self, shard: int) -> None:
        self._here.add(shard)
        if self._connection is not None and len(self._here) >= self._connection.shards:
            self.arrived.set()


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    for task in tuple(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
