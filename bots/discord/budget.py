"""When we may IDENTIFY: the daily budget of session starts, and the brake on a crash loop.

Knows: 1,000 IDENTIFYs in 24 h, after which Discord resets the token; one in 5 s per concurrency slot (docs: gateway);
0, 1, 2, 4 ... 60 s by the unclean starts of the last 10 minutes (DESIGN section 4). Both are counted across restarts.
Must not know: the gateway. A RESUME costs nothing and is not braked.
"""

from __future__ import annotations

from bots.discord.memory import GatewayMemory, numbers
from core.codec import Json
from core.domain.errors import StoreError
from core.engine.ports import Clock

DAY_MS = 24 * 3_600_000
STARTS_A_DAY = 900  # Discord's 1,000 less what doctor, tests and people at a terminal use
APART_MS = 5_000
LOOP_MS = 10 * 60_000
BRAKE_MAX_MS = 60_000

STARTS, BOOTS = "discord:identifies", "discord:boots"


def pause_ms(starts: list[int], now_ms: int) -> int:
    """How long to wait before the next IDENTIFY, from the times of the earlier ones."""
    lately = [each for each in starts if now_ms - DAY_MS < each <= now_ms]
    if len(lately) >= STARTS_A_DAY:
        return lately[-STARTS_A_DAY] + DAY_MS - now_ms
    return max(0, lately[-1] + APART_MS - now_ms) if lately else 0


def brake_ms(boots: list[int], now_ms: int) -> int:
    """How long a start waits at the door, from the times of earlier starts that had no end."""
    unclean = sum(now_ms - LOOP_MS < each <= now_ms for each in boots)
    return 0 if unclean == 0 else min(BRAKE_MAX_MS, 1_000 << min(unclean - 1, 10))


class Budget:
    """The two counts. What cannot be remembered is not counted; that is no reason not to connect."""

    def __init__(self, memory: GatewayMemory, clock: Clock) -> None:
        self._memory = memory
        self._clock = clock

    async def begin(self) -> tuple[int, int | None]:
        """This process starts.

        Returns how many milliseconds it shall wait at the door before an IDENTIFY, and when the last start was that
        had no end (None: there is none): what was said since then may have reached nobody.
        """
        now_ms = self._clock.now_ms()
        boots = await self._read(BOOTS)
        await self._write(BOOTS, [*(each for each in boots if now_ms - LOOP_MS < each), now_ms])
        return brake_ms(boots, now_ms), boots[-1] if boots else None

    async def end(self) -> None:
        """This process ends as it should: its start does not count."""
        await self._write(BOOTS, [])

    async def identify(self) -> None:
        """Return when an IDENTIFY may be sent; it is counted."""
        starts = await self._read(STARTS)
        wait_ms = pause_ms(starts, self._clock.now_ms())
        if wait_ms > 0:
            await self._clock.sleep(wait_ms / 1000)
        now_ms = self._clock.now_ms()
        lately = [each for each in starts if now_ms - DAY_MS < each]
        await self._write(STARTS, [*lately[-STARTS_A_DAY:], now_ms])

    async def _read(self, key: str) -> list[int]:
        try:
            return numbers(await self._memory.get(key))
        except StoreError:
            return []

    async def _write(self, key: str, value: list[int]) -> None:
        plain: Json = list(value)
        try:
            await self._memory.put(key, plain)
        except StoreError:
            return
