"""What was said while we were away and no replay tells: read from the history, oldest first, within bounds.

Knows: which rooms have something newer than we have, and how far back and how much is read. Must not know: what a
message means; whatever is found goes the way of every message, and what is known already is dropped there. Older than
`age_ms` is not looked for: somebody who asked yesterday has found another way, and is greeted by the return rules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

import structlog

from bots.discord import ids, wire
from bots.discord.directory import Directory
from bots.discord.fields import snowflake
from bots.discord.hearing import Hearing
from bots.discord.render import Body
from bots.discord.rooms import Room
from bots.discord.sender import PAGE, Sender
from core.domain.errors import BadInput, OutsideError, Refused, StoreError
from core.domain.keys import Place
from core.engine.ports import Clock

MARGIN_MS = 120_000  # what was said shortly before is read once more: our clock and Discord's differ, commits take time
ROOMS_MAX = 200  # of which most have one page: 4 s of our share of requests
UNLISTED_MAX = 200  # direct conversations and sleeping threads
ALWAYS_MAX = 20  # of the liveliest places, whatever Discord tells or has replayed: a second of our share, to be sure
LATELY_MS = 30 * 24 * 3_600_000
PAGES_MAX = 10  # of one room: a thousand messages

# Where conversations live that people have used since then (ms), the latest first.
Homes = Callable[[int], Awaitable[Sequence[Place]]]

log = structlog.get_logger("rejoinder.discord")


class CatchUp:
    """Reads what was missed. `age_ms`: CATCH_UP_AGE."""

    def __init__(
        self,
        directory: Directory,
        hearing: Hearing,
        homes: Homes,
        sender: Sender,
        clock: Clock,
        age_ms: Callable[[], int],
    ) -> None:
        self._directory = directory
        self._hearing = hearing
        self._homes = homes
        self._sender = sender
        self._clock = clock
        self._age_ms = age_ms

    async def run(self, since_ms: int, *, away: bool, replayed: bool = False) -> int:
        """Hear everything said since then; returns how many messages were looked at.

        `away`: the process was down, so several messages of one person are their choice (DESIGN section 4).
        `replayed`: Discord has told everything, as it says; then only the liveliest places are looked at.
        """
        now_ms = self._clock.now_ms()
        since_ms = max(since_ms - MARGIN_MS, now_ms - self._age_ms())
        count = 0
        for room, guild in (await self._which(since_ms, replayed=replayed)).items():
            try:
                count += await self._room(room, guild, since_ms, away=away)
            except (Refused, BadInput) as error:
                log.info("discord_not_caught_up", code=error.code, channel=room)
            except OutsideError as error:
                self._hearing.missed(since_ms)
                log.warning("discord_not_caught_up", code=error.code, channel=room)
        return count

    async def _which(self, since_ms: int, *, replayed: bool) -> dict[str, str]:
        """The rooms to read, with their servers."""
        lived_in = _channels(await self._lived_in())
        found = dict(lived_in[:ALWAYS_MAX])
        if replayed:
            return found
        rooms = list(self._rooms(ids.at_ms(since_ms)))
        if len(rooms) > ROOMS_MAX:
            log.warning("discord_catch_up_bounded", rooms=len(rooms), read=ROOMS_MAX)
        unlisted = [(room, guild) for room, guild in lived_in if not self._directory.knows(room)]
        return {**dict(rooms[:ROOMS_MAX]), **found, **dict(unlisted[:UNLISTED_MAX])}

    def _rooms(self, after: str) -> Iterator[tuple[str, str]]:
        """Rooms with something newer, the threads that we take part in first."""
        newer = [each for each in self._directory.all() if int(each.last_message or 0) > int(after)]
        newer.sort(key=self._weight)
        return ((each.id, each.guild) for each in newer)

    def _weight(self, room: Room) -> tuple[bool, bool, int]:
        return (not self._directory.joined(room.id), not room.is_thread, -int(room.last_message or 0))

    async def _lived_in(self) -> Sequence[Place]:
        """Where people have talked to us lately: also where Discord lists nothing (direct ones, threads that sleep)."""
        try:
            return await self._homes(self._clock.now_ms() - LATELY_MS)
        except StoreError as error:
            log.warning("discord_not_caught_up", code=error.code)
            return ()

    async def _room(self, channel: str, guild: str, since_ms: int, *, away: bool) -> int:
        newest = [each for each in await self._sender.page(channel) if wire.said_ms(each) > since_ms]
        if len(newest) < PAGE:
            return await self._hear(newest, guild, away=away)
        count, after = 0, ids.at_ms(since_ms)
        for _ in range(PAGES_MAX):
            page = await self._sender.page(channel, after=after)
            count += await self._hear(page, guild, away=away)
            if len(page) < PAGE:
                break
            after = snowflake(page[-1], "id")
        return count

    async def _hear(self, page: Sequence[Body], guild: str, *, away: bool) -> int:
        for message in page:
            try:
                told = {**message, "guild_id": guild} if guild else message
                await self._hearing.hear(told, caught_up=away)
            except BadInput as error:
                log.info("discord_unreadable", detail=error.detail)
        return len(page)


def _channels(places: Sequence[Place]) -> list[tuple[str, str]]:
    """The channels of places with their servers: those where conversations live, then those where they began."""
    servers = [("" if each.workspace == ids.DIRECT else each.workspace, each) for each in places]
    homes = {ids.channel_of(each): guild for guild, each in servers}
    return list((homes | {each.channel: guild for guild, each in servers if each.channel not in homes}).items())
