"""Server-sent events: what happens on the board, to everybody who looks, as they may see it.

Knows: subscribers and bounded queues. Must not know: what a message is, HTTP.
A slow reader costs nobody anything: an update of a message that it has not fetched yet takes the older
one's place, and beyond `QUEUE_MAX` waiting events the queue is emptied and the reader told to fetch anew
(`resync`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from bots.local.render import Shown

QUEUE_MAX = 256  # messages with news at once; more than any thread shows on a screen
SUBSCRIBERS_MAX = 256  # open pages; a browser holds six per host, a runaway script holds more


class Crowded(Exception):
    """More open streams than `SUBSCRIBERS_MAX`."""


class Subscriber:
    """One open stream of one person."""

    def __init__(self, person: str, numbers: Iterator[int]) -> None:
        self.person = person
        self._numbers = numbers
        self._waiting: dict[tuple[str, str], Shown] = {}
        self._news = asyncio.Event()
        self._closed = False

    def give(self, event: str, subject: str, data: Shown) -> None:
        """Queue an event; a newer one about the same subject replaces one that still waits, in its place."""
        if len(self._waiting) >= QUEUE_MAX and (event, subject) not in self._waiting:
            self._waiting.clear()
            self._waiting["resync", ""] = {}
        if ("resync", "") not in self._waiting or event == "resync":
            self._waiting[event, subject] = data
        self._news.set()

    def close(self) -> None:
        """End the stream after what is queued."""
        self._closed = True
        self._news.set()

    async def events(self, beat_s: float) -> AsyncIterator[str]:
        """The stream's text, one event at a time; a comment after `beat_s` seconds of silence."""
        yield self._frame("hello", {})
        while True:
            while self._waiting:
                key = next(iter(self._waiting))
                yield self._frame(key[0], self._waiting.pop(key))
            if self._closed:
                return
            self._news.clear()
            try:
                async with asyncio.timeout(beat_s):
                    await self._news.wait()
            except TimeoutError:
                yield ": beat\n\n"

    def _frame(self, event: str, data: Shown) -> str:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return f"event: {event}\nid: {next(self._numbers)}\ndata: {text}\n\n"


class Hub:
    """All open streams."""

    def __init__(self) -> None:
        self._open: list[Subscriber] = []
        self._numbers = itertools.count(1)
        self._closed = False

    @contextmanager
    def subscribed(self, person: str) -> Iterator[Subscriber]:
        """A stream for `person`, open while in the block. Raises `Crowded`."""
        if self._closed or len(self._open) >= SUBSCRIBERS_MAX:
            raise Crowded
        subscriber = Subscriber(person, self._numbers)
        self._open.append(subscriber)
        try:
            yield subscriber
        finally:
            self._open.remove(subscriber)

    def tell(self, event: str, subject: str, shown: Callable[[str], Shown | None]) -> None:
        """Give an event to everybody for whom `shown(person)` is something."""
        for subscriber in self._open:
            data = shown(subscriber.person)
            if data is not None:
                subscriber.give(event, subject, data)

    def close(self) -> None:
        """End all streams; no new ones are opened."""
        self._closed = True
        for subscriber in self._open:
            subscriber.close()
