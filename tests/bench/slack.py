"""Slack: how fast events are taken, from the socket to the commit to the acknowledgement, by the real program.

Knows: the program as a child process with its own database on a real disk, the loopback Slack in this one, which works
on the same cores. Somebody writes in threads of fifty channels: the bot has to look whether that is for it, and to
remember that it did; in the last flow a tenth of it is for the bot, which answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.bench.report import Gate, Report, Rows, Setup
from tests.kit.process import Bot
from tests.kit.slack_feed import EVENT, Envelope
from tests.kit.slack_people import MENTION
from tests.kit.slack_server import SlackServer
from tests.kit.slack_state import BOT_USER, Kind
from tests.kit.slack_world import ALICE

CHANNELS = 50
OUTSTANDING = 64
PER_SECOND = 100
FOR_THE_BOT = 10  # every so manieth, in the last flow


async def run(setup: Setup) -> Report:
    """As many as it takes; then a hundred a second."""
    setup.say("as many events as it takes")
    async with running(setup.folder / "flood") as server:
        rate = await _flood(server, 600 if setup.quick else 3_000)
    setup.say("a hundred events a second")
    count = 300 if setup.quick else 3_000
    async with running(setup.folder / "steady") as server:
        steady = await _steady(server, count, answered=False)
    setup.say("a hundred events a second, a tenth of them answered")
    async with running(setup.folder / "talking") as server:
        talking = await _steady(server, count, answered=True)
    return Report(
        name="slack",
        tables=(
            Rows(
                title="From the socket to committed and acknowledged",
                columns=("", "events/s", "ack p50 ms", "ack p99 ms", "longest ms"),
                rows=(
                    (f"{OUTSTANDING} outstanding", rate, "", "", ""),
                    (f"{PER_SECOND} a second", PER_SECOND, *steady),
                    (f"{PER_SECOND} a second, a tenth answered", PER_SECOND, *talking),
                ),
            ),
        ),
        gates=(
            Gate(name="events taken", figure=rate, limit=300, ambition=1_000, unit="/s", at_least=True),
            Gate(name="acknowledged at 100/s, p99", figure=steady[1], limit=50, ambition=20, unit="ms"),
        ),
    )


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[SlackServer]:
    """A bot in its own process on a loopback Slack with many channels."""
    folder.mkdir()
    async with SlackServer() as server, aiohttp.ClientSession() as http:
        for n in range(CHANNELS):
            server.slack.add_channel(f"C1BENCH{n}", f"bench-{n}", Kind.PUBLIC, {ALICE, BOT_USER})
        environment = server.environment
        bot = Bot(http, folder / "data", environment)
        await bot.start()
        try:
            warm = [send(server, n) for n in range(100)]
            await asyncio.gather(*(each.acked.wait() for each in warm))
            yield server
        finally:
            await bot.kill()


def send(server: SlackServer, n: int, *, mention: bool = False) -> Envelope:
    """Somebody writes."""
    channel = server.slack.channels[f"C1BENCH{n % CHANNELS}"]
    ts = server.slack.ts()
    text = f"{MENTION if mention else ''} message {n}"
    event = {
        "type": "message", "user": ALICE, "channel": channel.id, "channel_type": "channel", "ts": ts,
        "thread_ts": "1764000001.000100", "text": text, "client_msg_id": f"c-{ts}",
    }  # fmt: skip
    return server.feed.send(EVENT, server.people.callback(event, channel))


async def _flood(server: SlackServer, count: int) -> float:
    room = asyncio.Semaphore(OUTSTANDING)

    async def one(n: int) -> None:
        async with room:
            await send(server, n).acked.wait()

    begun = time.perf_counter()
    await asyncio.gather(*(one(n) for n in range(count)))
    return count / (time.perf_counter() - begun)


async def _steady(server: SlackServer, count: int, *, answered: bool) -> tuple[float, float, float]:
    sent = []
    begun = time.perf_counter()
    for n in range(count):
        sent.append(send(server, n, mention=answered and n % FOR_THE_BOT == 0))
        await asyncio.sleep(max(0.0, begun + (n + 1) / PER_SECOND - time.perf_counter()))
    await asyncio.gather(*(each.acked.wait() for each in sent))
    waits = sorted(each.ack_ms for each in sent)
    return waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1]
