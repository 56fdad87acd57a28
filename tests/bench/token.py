"""How much later than the model's first token a person sees it, alone and among 128 streams.

Knows: the event stream that the page reads (`Hub`), up to the text that is handed to the socket.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

from tests.bench.house import House, Talker
from tests.bench.measure import median, percentile, until
from tests.bench.report import Gate, Report, Rows, Setup

_MARK = "measure:"  # a question that is measured; the answer's first piece is the question's own mark
_CROWD = 128


class _Echo(Talker):
    """Begins with the question, so that the reader knows whose first token it is."""

    def __init__(self) -> None:
        super().__init__([".." * 12] * 36_000, pace_s=0.1)
        self.said_s: dict[str, float] = {}
        self.on_first = self._first

    def pieces_for(self, question: str) -> Sequence[str]:
        """One piece to what is measured, so that it is no part of the load itself; else a long story."""
        return self.pieces[:1] if question.startswith(_MARK) else self.pieces

    def _first(self, question: str) -> None:
        self.said_s[question] = time.perf_counter()


async def run(setup: Setup) -> Report:
    """Measure alone, then with everybody else talking."""
    times = 20 if setup.quick else 60
    model = _Echo()
    house = await House.open(setup.folder / "token.db", model)
    alone = await _measure(house, model, times)
    opened = house.local.opened
    crowd = [asyncio.create_task(_talk(house, at)) for at in range(_CROWD)]
    await until(lambda: model.talking == _CROWD and house.local.opened == opened + _CROWD)
    among = await _measure(house, model, times)
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    await house.close()
    rows = tuple(
        (name, median(seen), percentile(seen, 0.95), median(whole), percentile(whole, 0.95))
        for name, (seen, whole) in (("alone", alone), (f"among {_CROWD} streams", among))
    )
    return Report(
        name="token",
        tables=(
            Rows(
                title="From the model's first token to the page, and from the message to the page (ms)",
                columns=("", "token, median", "token, p95", "message, median", "message, p95"),
                rows=rows,
            ),
        ),
        gates=(
            Gate(
                name="first visible token after the model's, p95 alone",
                figure=percentile(alone[0], 0.95),
                limit=20,
                ambition=5,
                unit="ms",
            ),
            Gate(
                name=f"the same among {_CROWD} streams, p95",
                figure=percentile(among[0], 0.95),
                limit=20,
                ambition=5,
                unit="ms",
            ),
        ),
        notes=("Message to page: everything that is ours, the model's own delay (100 ms) taken off.",),
    )


async def _talk(house: House, at: int) -> None:
    await asyncio.sleep(house.model.pace_s * at / _CROWD)  # so that not all pieces fall on the same moment
    await house.turn(f"crowd{at}", "Go on for long")


async def _measure(house: House, model: _Echo, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds from token to page and from message to page, for `times` questions one after the other."""
    seen, whole = [], []
    with house.local.hub.subscribed("watcher") as page:
        events = page.events(60)
        for _ in range(times):
            question = f"{_MARK}{time.perf_counter_ns()}"
            model.said_s.pop(question, None)
            start = time.perf_counter()
            thread = await house.say("watcher", question)
            async for frame in events:
                if _shows(frame, thread):
                    break
            now = time.perf_counter()
            seen.append((now - model.said_s[question]) * 1000)
            whole.append((now - start - model.pace_s) * 1000)
            await house.local.finishes.next(thread)
        await events.aclose()  # type: ignore[attr-defined]  # it is an async generator
    return seen, whole


def _shows(frame: str, thread: str) -> bool:
    """Whether the frame shows words of the bot in the thread."""
    data = next((line[6:] for line in frame.splitlines() if line.startswith("data: ")), "{}")
    shown = json.loads(data)
    return bool(shown.get("thread") == thread and shown.get("bot") and shown.get("text"))
