"""Signed requests on the product's own web server: what is Slack's works, every abuse is refused without a 5xx."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from bots.web.guard import GuardPolicy
from bots.web.server import WebServer
from tests.kit.slack_feed import EVENT, encode, sign
from tests.kit.slack_state import Message
from tests.kit.slack_world import ALICE, DM, GENERAL, SlackWorld


@dataclass(slots=True)
class Served:
    """A house in HTTP mode, and where it listens."""

    world: SlackWorld
    url: str

    def event(self, text: str = "hello") -> bytes:
        """The body of an event: Alice writes to the bot."""
        ts = self.world.server.slack.ts()
        self.world.server.slack.channels[DM].messages[ts] = Message(channel=DM, ts=ts, user=ALICE, text=text)
        event = {"type": "message", "user": ALICE, "channel": DM, "channel_type": "im", "text": text, "ts": ts}
        return encode(EVENT, self.world.people.callback(event, self.world.server.slack.channels[DM]))[0]

    async def post(self, body: bytes, headers: dict[str, str], *, chunked: bool = False) -> int:
        """Send a request as it is; its status."""

        async def stream() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 65_536):
                yield body[at : at + 65_536]

        async with aiohttp.ClientSession() as session:
            try:
                async with session.post(
                    self.url,
                    data=stream() if chunked else io.BytesIO(body),
                    headers={"Content-Type": "application/json"} | headers,
                ) as answer:
                    return answer.status
            except aiohttp.ClientConnectionError:  # refused before the body was read
                return 413

    def signed(self, body: bytes, *, age_s: int = 0) -> dict[str, str]:
        """The headers of a request of Slack's."""
        stamp = str(self.world.clock.now_ms() // 1000 - age_s)
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": sign(stamp, body)}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A running house with its web server."""
    world = await SlackWorld.open(tmp_path, http=True)

    async def ready() -> str:
        return ""

    server = WebServer(
        "127.0.0.1",
        0,
        list(world.slack.routes()),
        guard_policy=GuardPolicy(public_url="https://bot.example.com"),
        ready=ready,
        registry=CollectorRegistry(),
    )
    await server.start()
    url = f"{server.url}/slack/events"
    world.server.feed.url = url
    yield Served(world, url)
    world.server.feed.url = ""
    await world.stop()
    await server.stop()
    await world.close()
    assert world.server.slack.violations == []


async def test_events_are_taken_over_http(served: Served) -> None:
    """A direct message that comes as a signed request is answered."""
    world = served.world
    root = world.people.say(ALICE, DM, "hello")
    await world.settle()
    assert world.answers(root, DM) == ["Hello."]
    assert world.server.feed.sockets == []


async def test_clicks_and_commands_are_taken_over_http(served: Served) -> None:
    """A slash command is answered in the response itself."""
    envelope = served.world.people.command(ALICE, GENERAL, "/rejoinder", "help")
    await served.world.settle()
    assert envelope.status == 200
    assert envelope.response is not None
    assert envelope.response["response_type"] == "ephemeral"


async def test_slack_can_verify_the_address(served: Served) -> None:
    """The challenge with which Slack checks the address is answered."""
    body = json.dumps({"type": "url_verification", "challenge": "abc", "token": "x"}).encode()
    async with aiohttp.ClientSession() as session:
        headers = served.signed(body) | {"Content-Type": "application/json"}
        async with session.post(served.url, data=body, headers=headers) as answer:
            assert (answer.status, "abc" in await answer.text()) == (200, True)


async def test_a_wrong_signature_is_refused(served: Served) -> None:
    """Somebody else's request is not taken for Slack's."""
    body = served.event()
    headers = served.signed(body)
    assert await served.post(body, headers | {"X-Slack-Signature": "v0=" + "0" * 64}) == 401
    assert await served.post(body + b" ", headers) == 401
    assert await served.post(body, headers | {"X-Slack-Signature": "v0=\u00e9"}) == 401
    assert await served.post(body, {}) == 401
    await nothing_happened(served)


@pytest.mark.parametrize("age_s", [301, 86_400, -301])
async def test_another_time_is_refused(served: Served, age_s: int) -> None:
    """A request that somebody has kept, or made for later, is refused."""
    body = served.event()
    assert await served.post(body, served.signed(body, age_s=age_s)) == 401
    await nothing_happened(served)


@pytest.mark.parametrize("stamp", ["", "yesterday", "1e9", "\u0661\u0662\u0663", "-5", "1" * 400, "NaN"])
async def test_a_time_that_is_none_is_refused(served: Served, stamp: str) -> None:
    """A timestamp that is no number is refused, not an error of ours."""
    body = served.event()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": sign(stamp, body)}
    assert await served.post(body, headers) == 401
    await nothing_happened(served)


async def test_a_replay_is_refused(served: Served) -> None:
    """The same request does not work twice."""
    body = served.event()
    headers = served.signed(body)
    assert await served.post(body, headers) == 200
    assert await served.post(body, headers) == 409
    await served.world.settle()
    assert len(list(served.world.server.slack.bots_messages())) == 1


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
async def test_ten_megabytes_are_refused(served: Served, *, chunked: bool) -> None:
    """A huge body is refused before it fills the memory, even with a right signature."""
    body = b'{"type": "event_callback", "pad": "' + b"x" * 10_000_000 + b'"}'
    assert await served.post(body, served.signed(body), chunked=chunked) == 413
    await nothing_happened(served)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe\x00", b"[]", b'"text"', b"null", b"payload=%7B", b'{"type": {"a": 1}}'],
)
async def test_signed_nonsense_is_no_error(served: Served, body: bytes) -> None:
    """What is signed and cannot be understood is acknowledged and forgotten."""
    assert await served.post(body, served.signed(body)) == 200
    await nothing_happened(served)


async def test_only_slacks_paths_are_served_in_public(served: Served) -> None:
    """Under the public name there is nothing but what Slack and sign-in need."""
    root = served.url.removesuffix("/slack/events")
    async with aiohttp.ClientSession(headers={"Host": "bot.example.com"}) as session:
        for path in ("/", "/metrics", "/api/threads", "/slack/other"):
            async with session.get(root + path) as answer:
                assert answer.status == 404, path


async def test_while_stopping_slack_is_asked_to_come_again(served: Served) -> None:
    """What comes while the program stops is not acknowledged, so that Slack brings it to the next start."""
    await served.world.slack.disconnect()
    body = served.event()
    assert await served.post(body, served.signed(body)) == 503
    await asyncio.sleep(0)


async def nothing_happened(served: Served) -> None:
    """Nothing was stored and nothing was said."""
    await served.world.settle()
    assert await served.world.sessions() == []
    assert list(served.world.server.slack.bots_messages()) == []
