"""Discord: how fast events of the gateway reach the store, and how fresh a growing answer looks under its rate limits.

Knows: the real adapter on a loopback Discord with Discord's own limits (5 edits in 5 s). A text grows by 90 characters
a second for 20 s, as in facts/discord.md section 5. `staleness`: how old what a reader sees is, against what the model
has said; `freeze`: the longest time in which nothing moved; `after`: from the model's last word to the whole text.
The loopback Discord runs in this process, so its own work counts against the first figure.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path

from core.domain.decision import Policy
from core.domain.events import Usage
from core.engine.ports import Finished, ModelRequest, Said
from tests.bench.report import Gate, Report, Rows, Setup
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import VOICE, Channel

RATE_CHARS, SECONDS, TICK_S = 90, 20.0, 0.1
LOOK_S = 0.02


class Speaker:
    """A model that speaks steadily, and notes when it has said how much."""

    name = "speaker"

    def __init__(self, seconds: float) -> None:
        self.said: dict[str, list[tuple[float, int]]] = {}
        self._seconds = seconds

    async def check(self) -> None:
        """Always ready."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Speak; the question's last word names the stream."""
        name = str(request.messages[-1]["content"]).split("stream-")[1][:1]
        noted = self.said[name] = []
        loop, text = asyncio.get_running_loop(), ""
        start = loop.time()
        while (passed := loop.time() - start) < self._seconds:
            more = "".join("x" if n % 10 else " " for n in range(len(text), round(passed * RATE_CHARS)))
            if more:
                text += more
                noted.append((loop.time(), len(text)))
                yield Said(text=more)
            await asyncio.sleep(TICK_S)
        blocks = json.dumps([{"type": "text", "text": text}])
        yield Finished(stop_reason="end_turn", blocks=blocks, model="speaker", usage=Usage())


async def run(setup: Setup) -> Report:
    """One and three streams in a channel; then a flood of messages."""
    seconds = 6.0 if setup.quick else SECONDS
    rows = []
    for count in (1, 3):
        setup.say(f"{count} growing at once")
        rows.append((f"{count} in a channel", *await _growing(setup.folder / f"grow{count}.db", count, seconds)))
    setup.say("a flood of messages")
    rate = await _flood(setup.folder / "flood.db", 500 if setup.quick else 3_000)
    return Report(
        name="discord",
        tables=(
            Rows(
                title="A text that grows by 90 characters a second",
                columns=("", "edits", "mean staleness s", "longest freeze s", "after s", "refused (429)"),
                rows=tuple(rows),
            ),
            Rows(title="Gateway into the store", columns=("", "events/s"), rows=(("direct messages", rate),)),
        ),
        gates=(
            Gate(name="staleness of one stream", figure=float(rows[0][2]), limit=0.9, ambition=0.7, unit="s"),
            Gate(name="longest freeze of one stream", figure=float(rows[0][3]), limit=2.0, ambition=1.3, unit="s"),
            Gate(name="staleness of three streams", figure=float(rows[1][2]), limit=2.5, ambition=1.86, unit="s"),
            Gate(name="longest freeze of three streams", figure=float(rows[1][3]), limit=5.0, ambition=3.8, unit="s"),
            Gate(name="gateway into the store", figure=rate, limit=300, ambition=1_000, unit="/s", at_least=True),
        ),
    )


async def _growing(path: Path, count: int, seconds: float) -> tuple[int, float, float, float, int]:
    async with DiscordServer(fast=False) as discord:
        channel = discord.people.channel("lounge", kind=VOICE)  # where no threads are, several share one channel
        house = House(path, discord)
        house.model = speaker = Speaker(seconds)
        await house.start()
        for n in range(count):
            discord.people.mention(f"person{n}", channel, f"go stream-{n}")
        seen = await _watched(discord, channel, count, seconds)
        await house.stop()
        edits = sum(each.method == "PATCH" for each in discord.rest.log)
        figures = [_figures(speaker.said[name], seen[name]) for name in seen]
        stale, freeze, after = (max(each[n] for each in figures) for n in range(3))
        return edits, stale, freeze, after, discord.rest.limits.refused


async def _watched(
    discord: DiscordServer, channel: Channel, count: int, seconds: float
) -> dict[str, list[tuple[float, int]]]:
    """When each answer was seen to have how many characters."""
    loop = asyncio.get_running_loop()
    seen: dict[str, list[tuple[float, int]]] = {str(n): [] for n in range(count)}
    asked = {each["id"]: str(n) for n, each in enumerate(discord.world.history(channel.id)[:count])}
    end = loop.time() + seconds + 12
    while loop.time() < end:
        for message in discord.ours(channel):
            noted = seen[asked[message["message_reference"]["message_id"]]]
            length = len(message["content"])
            if length > 1 and (not noted or noted[-1][1] != length):
                noted.append((loop.time(), length))
        await asyncio.sleep(LOOK_S)
    return seen


def _figures(said: list[tuple[float, int]], seen: list[tuple[float, int]]) -> tuple[float, float, float]:
    """Mean staleness and longest freeze while it grew, and how long after the model the whole text stood."""
    end, whole = said[-1]
    stale: list[float] = []
    at = seen[0][0]
    while at < end:
        shown = max((length for when, length in seen if when <= at), default=0)
        stale.append(at - max((when for when, length in said if length <= shown + 1), default=said[0][0]))
        at += LOOK_S
    changes = [said[0][0], *(when for when, _ in seen if when <= end), end]
    freeze = max(later - earlier for earlier, later in pairwise(changes))
    stood = next((when for when, length in seen if length >= whole - 2), seen[-1][0])
    return sum(stale) / len(stale), freeze, stood - end


async def _flood(path: Path, count: int) -> float:
    """Messages a second from the gateway's socket to the commit."""
    async with DiscordServer() as discord:
        house = House(path, discord, policy=Policy(debounce_ms=3_600_000))
        await house.start()
        places = [discord.people.dm(f"person{n}") for n in range(100)]
        loop = asyncio.get_running_loop()
        start = loop.time()
        for n in range(count):
            discord.people.say(f"person{n % 100}", places[n % 100], f"message {n}")
            if n % 100 == 99:
                await asyncio.sleep(0)

        async def stored() -> int:
            rows = await house.store.read(lambda conn: conn.execute("SELECT count(*) FROM source").fetchone())
            return int(rows[0])

        while await stored() < count:  # noqa: ASYNC110  (nobody tells us; we look)
            await asyncio.sleep(0.01)
        took = loop.time() - start
        await house.crash()
        return count / took
