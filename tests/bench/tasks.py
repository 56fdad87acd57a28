"""How long people wait for the first words of an answer while others' tasks run: 100 tasks beside 100 chats.

Knows: rounds of chats alone and beside tasks, in turn on the same machine. Every chat is a person who writes one
message; all write within two seconds. Must not know: how the performers are shared out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

from core.domain.events import Author, CommandIssued
from core.domain.keys import PersonKey, Place
from core.domain.prompt_words import PLAN_PREFIX, STEP_PREFIX
from tests.bench.house import House, Talker
from tests.bench.measure import median, percentile, until
from tests.bench.report import Gate, Report, Rows, Setup

CHATS = 100
TASKS = 100
STEPS = 20
_SPREAD_S = 2.0
_STEP_PIECES = 40  # of 0.1 s
_PLAN = json.dumps(
    {"steps": [{"title": f"s{n}", "instruction": "Do it.", "tools": [], "depends_on": []} for n in range(STEPS)]}
)


class _Worker(Talker):
    """Plans, works on steps for some seconds each, and answers people."""

    def pieces_for(self, question: str) -> Sequence[str]:
        """See `Talker`."""
        if question.startswith(PLAN_PREFIX):
            return (_PLAN,)
        if question.startswith(STEP_PREFIX):
            return tuple(self.pieces) * (_STEP_PIECES // len(self.pieces))
        return self.pieces


async def run(setup: Setup) -> Report:
    """Measure alone, then beside tasks, and once more alone."""
    rounds = 1 if setup.quick else 3
    model = _Worker(pace_s=0.1)
    alone: list[float] = []
    beside: list[float] = []
    for at in range(rounds):
        house = await House.open(setup.folder / f"tasks{at}.db", model, null=True)
        alone += await _chats(house, f"a{at}")
        for n in range(TASKS):
            await house.engine.accept(_task(f"worker{n}", f"t{at}.{n}"))
        await until(lambda: model.talking > TASKS // 2)
        beside += await _chats(house, f"b{at}")
        await house.close()
    times = median(beside) / median(alone)
    return Report(
        name="tasks",
        tables=(
            Rows(
                title="From a message to the first words of its answer (ms), the model's own 100 among them",
                columns=("", "median", "p95"),
                rows=(
                    (f"{CHATS} chats", median(alone), percentile(alone, 0.95)),
                    (f"{CHATS} chats beside {TASKS} tasks", median(beside), percentile(beside, 0.95)),
                ),
            ),
        ),
        gates=(Gate(name="first words beside tasks, times alone", figure=times, limit=2, ambition=1.2, unit="x"),),
    )


async def _chats(house: House, mark: str) -> list[float]:
    """Milliseconds for each of the chats."""

    async def chat(n: int) -> float:
        await asyncio.sleep(_SPREAD_S * n / CHATS)
        start = time.perf_counter()
        thread = await house.turn(f"{mark}.{n}", "What is it about?")
        return (house.null.finishes.first_s[thread] - start) * 1000

    return list(await asyncio.gather(*(chat(n) for n in range(CHATS))))


def _task(person: str, key: str) -> CommandIssued:
    return CommandIssued(
        source_keys=(f"null:task:{key}",),
        author=Author(key=PersonKey(platform="null", workspace="w", user=person), name=person),
        place=Place(platform="null", workspace="w", channel="c", thread=key),
        name="task",
        rest="compare everything",
    )
