"""How fast events are taken: from the socket to the commit to the acknowledgement, by the real program.

Knows: the program as a child process, the loopback Slack in this one. Run with `pytest -m bench -s tests/slack`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.kit.process import Bot
from tests.kit.slack_feed import EVENT, Envelope
from tests.kit.slack_server import SlackServer
from tests.kit.slack_state import APP_TOKEN, BOT_TOKEN, BOT_USER, Kind
from tests.kit.slack_world import ALICE

pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]
CHANNELS = 50
OUTSTANDING = 64


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[SlackServer]:
    """A bot in its own process on a loopback Slack with many channels."""
    async with SlackServer() as server, aiohttp.ClientSession() as http:
        for n in range(CHANNELS):
            server.slack.add_channel(f"C1BENCH{n}", f"bench-{n}", Kind.PUBLIC, {ALICE, BOT_USER})
        environment = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_URL": server.url}
        bot = Bot(http, folder / "data", environment)
        await bot.start()
        try:
            warm = [send(server, n) for n in range(100)]
            await asyncio.gather(*(each.acked.wait() for each in warm))
            yield server
        finally:
            await bot.kill()


def send(server: SlackServer, n: int) -> Envelope:
    """Somebody writes in a thread; the bot has to look whether that is for it, and to remember that it did."""
    channel = server.slack.channels[f"C1BENCH{n % CHANNELS}"]
    ts = server.slack.ts()
    event = {
        "type": "message", "user": ALICE, "channel": channel.id, "channel_type": "channel", "ts": ts,
        "thread_ts": "1764000001.000100", "text": f"message {n}", "client_msg_id": f"c-{ts}",
    }  # fmt: skip
    return server.feed.send(EVENT, server.people.callback(event, channel))


async def test_events_per_second(tmp_path: Path) -> None:
    """At least three hundred events a second are committed and acknowledged."""
    count = 3_000
    async with running(tmp_path) as server:
        room = asyncio.Semaphore(OUTSTANDING)

        async def one(n: int) -> None:
            async with room:
                await send(server, n).acked.wait()

        begun = time.perf_counter()
        await asyncio.gather(*(one(n) for n in range(count)))
        rate = count / (time.perf_counter() - begun)
    print(f"\n{rate:,.0f} events/s, committed and acknowledged")  # noqa: T201  (the output is the point)
    assert rate >= 300


async def test_acknowledgements_at_a_hundred_a_second(tmp_path: Path) -> None:
    """At a hundred events a second, 99 of 100 are acknowledged within 50 ms."""
    count = 1_500
    async with running(tmp_path) as server:
        sent = []
        begun = time.perf_counter()
        for n in range(count):
            sent.append(send(server, n))
            await asyncio.sleep(max(0.0, begun + (n + 1) / 100 - time.perf_counter()))
        await asyncio.gather(*(each.acked.wait() for each in sent))
        waits = sorted(each.ack_ms for each in sent)
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    print(f"\nacknowledged after {p50:.1f} ms (p50), {p99:.1f} ms (p99), {waits[-1]:.1f} ms (most)")  # noqa: T201
    assert p99 <= 50
