"""Whatever is sent, the answer is clear, nothing is lost and nothing falls over."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import string
from collections import Counter

import aiohttp
import pytest
from yarl import URL

from tests.local.conftest import House

QUICK = 4_000
SOAK = 100_000
AT_ONCE = 25
SENSIBLE = 0.6  # share of requests that go where their body may be understood

WORDS = ["", "hi", "/help", "/new", "/", "@rejoinder x", "a\u202eb", "\x00", "😀" * 50, "x" * 2_000, "x" * 200_000]
NAMES = ["alice", "bob", "", " ", "a" * 65, "al\u202eice", "rejoinder", "\x00", "é", "../x", "dm"]
CHANNELS = ["dm", "general", "private-x", "dm:bob", "#x", "", "a/b", "x" * 70]
PATHS = ["/api/messages", "/api/actions", "/api/time", "/api/threads", "/api/about", "/", "/login", "/metrics"]
PATHS += ["/api/threads/{thread}", "/api/threads/nowhere", "/api/threads/%00", "/api/threads/%ff%fe", "/static/app.css"]
PATHS += ["/static/%2e%2e%2fadapter.py", "/api//messages", "/api/messages/", "/%", "/api/threads/..", "/healthz"]
METHODS = ["GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]
HEADERS = [
    {},
    {},
    {},
    {"Host": "evil.example"},
    {"Origin": "null"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=latin-1"},
    {"Content-Type": ""},
    {"X-Forwarded-For": "1.2.3.4"},
    {"Authorization": "Bearer ÿ"},
    {"Cookie": "rejoinder_chat=x; ="},
    {"If-None-Match": '"x", W/"y", *'},
    {"Accept-Encoding": "gzip"},
]


class Fuzz:
    """Requests drawn from a seed; what makes sense most of the time, and what does not."""

    def __init__(self, seed: int, threads: list[str], messages: list[str]) -> None:
        self.random = random.Random(seed)
        self.threads = threads
        self.messages = messages

    def value(self, depth: int = 0) -> object:
        """Any JSON value."""
        draw = self.random
        kinds: list[object] = [None, True, -1, 2**70, 1.5, draw.choice(WORDS), draw.choice(NAMES)]
        if depth < 3:
            kinds += [[self.value(depth + 1)], {draw.choice(string.ascii_letters): self.value(depth + 1)}]
        return draw.choice(kinds)

    def fields(self) -> dict[str, object]:
        """A body that is nearly right."""
        draw = self.random
        kinds: list[dict[str, object]] = [
            {"person": draw.choice(NAMES), "channel": draw.choice(CHANNELS), "text": draw.choice(WORDS)},
            {"person": "alice", "channel": "dm", "text": "hi", "key": draw.choice(["k1", "k2", "", "k" * 300])},
            {"person": "alice", "channel": "dm", "text": "hi", "thread": draw.choice([*self.threads, "x", "\ud800"])},
            {"person": "bob", "channel": "general", "text": "hi", "workspace": draw.choice(["home", "away", "x"])},
            {"person": "alice", "channel": "dm", "text": "", "files": [self.file()]},
            {"person": draw.choice(NAMES), "message": draw.choice([*self.messages, "x"]), "button": self.button()},
            {"by": draw.choice(["30m", "24h", "1y", 5])},
        ]
        body = draw.choice(kinds)
        for _ in range(draw.choice([0, 0, 0, 1, 2])):
            body[draw.choice([*body, "x"])] = self.value()
        return body

    def file(self) -> dict[str, object]:
        """A file that is nearly right."""
        draw = self.random
        data = draw.choice(["aGVsbG8=", "", "!", "aGVsbG8", "YQ==" * 1000])
        return {
            "name": draw.choice(["a.txt", "\x00", "x" * 300]),
            "media_type": draw.choice(["text/plain", "x", "a/b/c"]),
            "data": data,
        }

    def button(self) -> str:
        """A button that may be one of ours."""
        return self.random.choice(["rj1:stop:T:0", "rj1:all:C:1", "rj1::x:1", "rj1:a:b:" + "9" * 80, "", "x" * 300])

    def body(self) -> bytes:
        """The bytes that are sent."""
        draw = self.random
        raw = json.dumps(self.fields()).encode()
        if draw.random() < 0.15:
            at = draw.randrange(len(raw))
            raw = raw[:at] + draw.randbytes(draw.randrange(3)) + raw[at + draw.randrange(4) :]
        return raw

    def path(self) -> str:
        """Where it is sent to."""
        draw = self.random
        path = draw.choice(PATHS).replace("{thread}", draw.choice(self.threads))
        return (
            path if draw.random() < 0.5 else f"{path}?person={draw.choice(['alice', 'bob', '%00', '%ff', '', 'a%0ab'])}"
        )


async def send(house: House, fuzz: Fuzz) -> tuple[int, str]:
    """Send one request; give its status and what is wrong with its answer."""
    draw = fuzz.random
    method, path, headers = draw.choice(METHODS), fuzz.path(), draw.choice(HEADERS)
    if draw.random() < SENSIBLE:
        method, path, headers = "POST", draw.choice(["/api/messages", "/api/messages", "/api/actions", "/api/time"]), {}
    data = io.BytesIO(fuzz.body()) if method in {"POST", "PUT", "PATCH"} else None
    url = URL(house.server.url + path, encoded=True)
    all_headers = ({"Content-Type": "application/json"} if data else {}) | headers
    async with house.http.request(method, url, data=data, headers=all_headers, allow_redirects=False) as response:
        raw = await response.read()
        told = f"{method} {path} {headers} -> {response.status} {raw[:200]!r}"
        if response.status >= 500:
            return response.status, told
        if response.status >= 400 and method != "HEAD":
            error = json.loads(raw)["error"]
            if not error["code"] or not error["message"]:
                return response.status, told
        return response.status, ""


async def storm(house: House, count: int, seed: int) -> Counter[int]:
    """Send `count` requests, some at once, with an answer being written all the while."""
    before = await house.say("this must not be lost", key="first")
    await house.world.settle()
    mine = await house.messages(before["thread"])
    fuzz = Fuzz(seed, [str(before["thread"])], [str(each["id"]) for each in mine])
    statuses: Counter[int] = Counter()
    for _ in range(count // AT_ONCE):
        for status, wrong in await asyncio.gather(*(send(house, fuzz) for _ in range(AT_ONCE))):
            assert wrong == "", f"seed {seed}"
            statuses[status] += 1
        await house.world.clock.advance(0.05)
    assert await house.messages(before["thread"]) != []
    assert (await house.texts(before["thread"]))[:2] == ["this must not be lost", "Hello."]
    after = await house.say("still here?", person="dave")
    await house.world.settle()
    assert await house.texts(after["thread"], "dave") == ["still here?", "Hello."]
    assert await house.world.store.board.untaken() == ()
    return statuses


async def test_a_storm_of_nonsense(house: House) -> None:
    """Somebody's broken script would bring the chat down for everybody."""
    statuses = await storm(house, QUICK, seed=20_260_301)
    assert statuses[202] > 100, "the storm is not only refused"
    assert statuses[400] > 1_000
    assert {200, 403, 404, 405, 413, 415} <= set(statuses)


@pytest.mark.soak
async def test_a_long_storm_of_nonsense(house: House) -> None:
    """A rare combination would bring the chat down. Seed: `$SEED`, else drawn and told."""
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    statuses = await storm(house, SOAK, seed)
    print(f"seed {seed}: {dict(sorted(statuses.items()))}")  # noqa: T201 - the figure is the point of a soak


async def test_bytes_that_are_not_http(house: House) -> None:
    """A port scan would leave a trace in the log, or stop the server."""
    draw = random.Random(7)
    for raw in [
        b"\x16\x03\x01",
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/messages HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ] + [draw.randbytes(draw.randrange(1, 400)) + b"\r\n\r\n" for _ in range(60)]:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
        writer.write(raw)
        writer.write_eof()
        await reader.read()
        writer.close()
    async with aiohttp.ClientSession() as http, http.get(house.server.url + "/healthz") as response:
        assert response.status == 200
