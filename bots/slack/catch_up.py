"""What was said while we were away, read from Slack's history and handed over oldest first.

Knows: Slack brings unacknowledged events again for a while, not for a night; the history has roots, replies have to be
asked for thread by thread; reading is dear (50 calls a minute), so conversations that are alive come first and the
whole takes seconds, not minutes. What was heard live as well is sorted out by its source key. Threads are read a day
further back, which costs no more calls: what people changed there meanwhile is followed, and what they took back as far
as Slack leaves a sign of it (a tombstone, where there are replies).
A thread that Slack does not let us read, or that time did not suffice for, is a gap; where somebody talks with us, that
is said there. Must not know: what becomes of a message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from bots.slack import ids, render, wire
from bots.slack.adapter import SlackPlatform
from bots.slack.directory import Hint
from bots.slack.heard import Arrived, Deleted, Edited
from bots.slack.intake import Receiver
from bots.slack.payload import Payload, listed, text_at
from bots.slack.posts import PAGE, PAGES_MAX
from bots.slack.words import own
from bots.slack.words_in import mentioned
from core.domain.errors import NotSent, OutsideError
from core.domain.keys import Place
from core.engine.ports import Unreadable

Homes = Callable[[int], Awaitable[Sequence[Place]]]  # where conversations live that were used since (ms), latest first

HOMES_AGE_MS = 30 * 86_400_000  # a conversation that slept longer is not asked for
AGAIN_READS_MAX = 20  # so few places are looked at once more when the connections stand
PATIENCE_S = 20.0  # of waiting for Slack's permission to read on
THREADS_MAX = 100
CHANNELS_MAX = 60
MESSAGES_MAX = 1_000
GAPS_TOLD_MAX = 10
SHORT_AWAY_MS = 120_000  # Slack brings what happened in so short a time by itself
MARGIN_MS = 60_000
CHANGES_BACK_MS = 86_400_000  # so far back changes of older messages are looked for
_TYPES = "im,mpim,private_channel,public_channel"

log = structlog.get_logger("rejoinder.slack")


@dataclass(slots=True)
class Report:
    """What came of it."""

    taken: int = 0
    reads: int = 0  # places that were read
    gaps: list[Place] = field(default_factory=list)


class CatchUp:
    """Reads what was missed. `late`: hand it over as said while we were away."""

    def __init__(
        self, platform: SlackPlatform, receiver: Receiver, homes: Homes, language: str, *, late: bool = True
    ) -> None:
        self._platform = platform
        self._receiver = receiver
        self._homes = homes
        self._language = language
        self._late = late
        self._waited_s = 0.0
        self._report = Report()

    async def run(self, since_ms: int) -> Report:
        """Everything since then. Raises `StoreError` and `Closing`; what Slack refuses is a gap."""
        now_ms = self._platform.clock.now_ms()
        me = await self._platform.identity.get()
        homes = [each for each in await self._homes(now_ms - HOMES_AGE_MS) if each.workspace == me.team]
        since = ids.ts_of(since_ms - MARGIN_MS)
        threads = {(each.channel, each.thread): each for each in homes[:THREADS_MAX] if each.thread}
        found: dict[tuple[str, str], Payload] = {}
        for channel in await self._channels(homes):
            place = ids.place(me.team, channel)
            for message in await self._read(place, since, told=False):
                found[channel, text_at(message, "ts")] = message
                if float(text_at(message, "latest_reply") or 0) >= float(since):
                    thread = ids.place(me.team, channel, text_at(message, "ts"))
                    threads.setdefault((channel, thread.thread), thread)
        for place in list(threads.values())[:THREADS_MAX]:
            for message in await self._read_back(place, since, told=place in homes):
                found[place.channel, text_at(message, "ts")] = message
        in_order = sorted(found.items(), key=lambda item: float(item[0][1]))
        fresh = [(channel, each) for (channel, ts), each in in_order if float(ts) >= float(since)]
        for channel, message in fresh[-MESSAGES_MAX:]:
            await self._hand_over(channel, message)
        for (channel, _), message in in_order:
            if _changed_since(message, since):
                await self._follow(channel, message)
        if now_ms - since_ms > SHORT_AWAY_MS:
            await self._tell_gaps()
        log.info("caught up", messages=self._report.taken, gaps=len(self._report.gaps))
        return self._report

    # -------------------------------------------------------------------------------------- reading

    async def _channels(self, homes: Sequence[Place]) -> list[str]:
        """The conversations to look at, those that are alive first, direct ones next."""
        alive = list(dict.fromkeys(each.channel for each in homes))
        cursor = ""
        direct: list[str] = []
        others: list[str] = []
        for _ in range(5):
            answer = await self._platform.sender.attempt(
                "users.conversations", types=_TYPES, exclude_archived="1", limit="200", cursor=cursor
            )
            for each in listed(answer or {}, "channels"):
                channel = text_at(each, "id")
                if ids.is_id(channel):
                    (direct if ids.is_direct(channel) else others).append(channel)
            cursor = text_at(answer or {}, "response_metadata", "next_cursor")
            if not cursor:
                break
        return list(dict.fromkeys([*alive, *direct, *others]))[:CHANNELS_MAX]

    async def _read_back(self, thread: Place, since: str, *, told: bool) -> Sequence[Payload]:
        """What stands in a thread since then, and what may have been changed since then."""
        back = ids.ts_of(max(int(float(since) * 1000) - CHANGES_BACK_MS, 0))
        found = await self._read(thread, back, told=told)
        if len(found) < PAGE * PAGES_MAX:
            return found
        return (*found, *await self._read(thread, since, told=told))  # a busy day: what is new was not among it

    async def _read(self, place: Place, since: str, *, told: bool) -> Sequence[Payload]:
        """What stands there since; nothing where that cannot be had, which is a gap if somebody talks with us there."""
        clock = self._platform.clock
        self._report.reads += 1
        while True:
            try:
                found = await self._platform.posts.read(place, since)
            except NotSent as error:
                wait_s = 1.0 if error.retry_ms is None else max(0.5, (error.retry_ms - clock.now_ms()) / 1000)
                if self._waited_s + wait_s > PATIENCE_S:
                    break
                self._waited_s += wait_s
                await clock.sleep(wait_s)
            except OutsideError:
                break
            else:
                if not isinstance(found, Unreadable):
                    return found
                break
        if told:
            self._report.gaps.append(place)
        return ()

    # ----------------------------------------------------------------------------------- handing over

    async def _hand_over(self, channel: str, message: Payload) -> None:
        directory = self._platform.directory
        me = await self._platform.identity.get()
        if text_at(message, "bot_id") or text_at(message, "user") == me.user:
            return
        await directory.know([text_at(message, "user"), *mentioned(text_at(message, "text"))])
        audience = await directory.audience(Hint(channel=channel))
        heard = wire.message(message, channel, me, directory.names, audience, late=self._late)
        if isinstance(heard, Arrived):
            await self._receiver.arrived(heard)
            self._report.taken += 1

    async def _follow(self, channel: str, message: Payload) -> None:
        """A message that we may hold was changed or taken back."""
        directory = self._platform.directory
        await directory.know(mentioned(text_at(message, "text")))
        me = await self._platform.identity.get()
        heard = wire.changed_late(message, channel, me, directory.names)
        if isinstance(heard, Edited | Deleted):
            await self._receiver.changed(heard)

    async def _tell_gaps(self) -> None:
        for place in self._report.gaps[:GAPS_TOLD_MAX]:
            text = own(self._language, "gap")
            try:
                await self._platform.posts.post(place, f"gap:{place}", text, render.answer(text, ()))
            except OutsideError as error:
                log.info("a gap was not told", code=error.code)


def _changed_since(message: Payload, since: str) -> bool:
    """Whether it was edited since then, or is not there any more; since when, nothing says."""
    edited = text_at(message, "edited", "ts")
    if text_at(message, "subtype") == wire.TOMBSTONE:
        return True
    return ids.is_ts(edited) and float(edited) >= float(since)
