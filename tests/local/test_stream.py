"""What happens is seen by whoever looks, and by nobody else, without a reload."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from bots.local.hub import QUEUE_MAX, SUBSCRIBERS_MAX, Crowded, Hub, Subscriber
from core.codec import Json
from tests.local.conftest import House


class Stream:
    """The events of one open page, read as they come."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines

    async def next(self) -> tuple[str, dict[str, object]]:
        """The next event: its name and its data."""
        fields: dict[str, str] = {}
        async for raw in self._lines:
            line = raw.decode().rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                return fields["event"], json.loads(fields["data"])
        raise EOFError

    async def comment(self) -> None:
        """The next comment."""
        async for raw in self._lines:
            if raw.startswith(b":"):
                return

    async def until(self, name: str, **wanted: object) -> dict[str, object]:
        """The next event of this name whose data has these fields."""
        async with asyncio.timeout(10):
            while True:
                event, data = await self.next()
                if event == name and all(data.get(key) == value for key, value in wanted.items()):
                    return data


@asynccontextmanager
async def looking(house: House, person: str) -> AsyncIterator[Stream]:
    """An open page of a person."""
    async with house.http.get(f"{house.server.url}/api/stream", params={"person": person}) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        stream = Stream(aiter(response.content))
        await stream.until("hello")
        yield stream


async def test_an_answer_is_followed(house: House) -> None:
    """The answer would appear only after a reload."""
    house.script("Hello, ", 1.0, "Alice.")
    async with looking(house, "alice") as stream:
        taken = await house.say("hi")
        mine = await stream.until("message", author="alice")
        assert (mine["id"], mine["thread"], mine["text"]) == (taken["message"], taken["thread"], "hi")
        await stream.until("threads", workspace="home")
        running = asyncio.create_task(house.world.settle())
        assert (await stream.until("message", state="streaming", text="Hello, "))["thread"] == taken["thread"]
        done = await stream.until("message", state="done", bot=True)
        assert done["text"] == "Hello, Alice."
        await running


async def test_others_see_what_is_theirs_to_see(house: House) -> None:
    """Bob would read Alice's direct message, or not see what is said in the channel."""
    async with looking(house, "bob") as stream:
        await house.say("secret")
        await house.say("/help", channel="general")
        await house.say("for all", channel="general")
        assert (await stream.until("message"))["text"] == "for all"


async def test_a_private_answer_reaches_all_pages_of_its_person(house: House) -> None:
    """A private answer would be seen in one window only."""
    async with looking(house, "alice") as stream:
        await house.say("/help", channel="general")
        echo = await stream.until("private")
        assert (echo["text"], echo["private"]) == ("/help", True)
        assert (await stream.until("private"))["author"] == "Rejoinder"


async def test_silence_is_kept_alive(house: House) -> None:
    """A proxy would close a stream on which nothing happens."""
    async with looking(house, "alice") as stream:
        async with asyncio.timeout(10):
            await stream.comment()
            await stream.comment()


async def test_a_stop_of_the_server_ends_the_streams(house: House) -> None:
    """An open page would hold up every restart."""
    async with looking(house, "alice") as stream:
        async with asyncio.timeout(1.5):
            await house.server.stop()
        with pytest.raises(EOFError):
            await stream.until("never")


async def collect(subscriber: Subscriber, hub: Hub) -> list[tuple[str, object]]:
    """Everything that waits for a subscriber, after which the hub is closed."""
    hub.close()
    found = []
    async for text in subscriber.events(1.0):
        fields = dict(line.partition(": ")[::2] for line in text.strip().splitlines())
        found.append((fields["event"], json.loads(fields["data"])))
    return found[1:]


def shown(n: int, person: str) -> dict[str, Json]:
    """The same for everybody."""
    return {"text": n, "person": person}


async def test_a_slow_page_gets_the_newest_text_only() -> None:
    """A page that fell behind would crawl through every step of an answer, or fill the memory."""
    hub = Hub()
    with hub.subscribed("alice") as subscriber:
        for n in range(1000):
            hub.tell("message", "m1", partial(shown, n))
        hub.tell("message", "m2", lambda _: {"text": "other"})
        assert await collect(subscriber, hub) == [
            ("message", {"text": 999, "person": "alice"}),
            ("message", {"text": "other"}),
        ]


async def test_a_page_that_is_too_far_behind_fetches_anew() -> None:
    """Events would be dropped without anybody noticing."""
    hub = Hub()
    with hub.subscribed("alice") as subscriber:
        for n in range(QUEUE_MAX + 50):
            hub.tell("message", f"m{n}", lambda _: {})
        assert await collect(subscriber, hub) == [("resync", {})]


async def test_pages_are_counted() -> None:
    """A runaway script would open streams until nothing is left."""
    hub = Hub()
    opened = [hub.subscribed("alice") for _ in range(SUBSCRIBERS_MAX)]
    for each in opened:
        each.__enter__()
    with pytest.raises(Crowded), hub.subscribed("alice"):
        pass
    for each in opened:
        each.__exit__(None, None, None)
    with hub.subscribed("alice") as subscriber:
        hub.tell("threads", "home", lambda person: None if person == "alice" else {})
        assert await collect(subscriber, hub) == []
