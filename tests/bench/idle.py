"""Timers of a million sessions: looking when nothing is due, finding what is, moving one.

Knows: the same calls on a database of a million sessions and on one of a thousand, in turn.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from core.domain.entities import Session
from storage.apply import apply
from storage.claims import Starting
from storage.rows import SESSION
from storage.sqlite import SqliteStore
from tests.bench import million
from tests.bench.exchanges import NOW_MS
from tests.bench.measure import median
from tests.bench.report import Gate, Report, Rows, Setup

SIZES = (1_000, 1_000_000)
_DUE = 500  # as many as one look takes
_TOUCHES = 128
_STARTING = Starting(boot="bench", now_ms=NOW_MS, room={})
Ask = Callable[[SqliteStore, int], Awaitable[None]]


async def run(setup: Setup) -> Report:
    """Measure the two databases in turn."""
    stores = {}
    start = time.perf_counter()
    for size in SIZES:
        setup.say(f"making {size:,} sessions")
        path = setup.folder / f"{size}.db"
        await asyncio.to_thread(million.make, path, size)
        stores[size] = await SqliteStore.open(path)
    made_s = time.perf_counter() - start
    asks: dict[str, tuple[Ask, int, int]] = {  # how, how often in a round, divided by
        "look, nothing due": (_look, 200, 1),
        "when is the next due": (_next, 200, 1),
        f"find {_DUE} of many due": (_find, 10, 1),
        f"touch, {_TOUCHES} at once, each": (_touch, 4, _TOUCHES),
        "one touch alone": (_touch_one, 20, 1),
        "all due, without the index": (_scan, 1, 1),
    }
    times: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(4 if setup.quick else 9):
        for name, (ask, often, share) in asks.items():
            for size in random.sample(SIZES, len(SIZES)):
                for _ in range(often):
                    begun = time.perf_counter()
                    await ask(stores[size], size)
                    times[name, size].append((time.perf_counter() - begun) * 1000 / share)
    for store in stores.values():
        await store.close()
    rows = tuple((name, *(f"{median(times[name, size]):.3f}" for size in SIZES)) for name in asks)
    return Report(
        name="idle",
        tables=(
            Rows(
                title="Timers (median, ms; the hop to the thread and back is in it)",
                columns=("", *(f"{size:,} sessions" for size in SIZES)),
                rows=rows,
            ),
        ),
        gates=(
            Gate(
                name="empty sweep at 1 M sessions",
                figure=median(times["look, nothing due", 1_000_000]),
                limit=0.2,
                ambition=0.08,
                unit="ms",
            ),
        ),
        notes=(f"Both databases were made in {made_s:.0f} s; the larger has 1 M sessions and bindings.",),
    )


async def _look(store: SqliteStore, size: int) -> None:
    assert not await store.due_sessions(NOW_MS, 2 * NOW_MS, _DUE)


async def _next(store: SqliteStore, size: int) -> None:
    assert await store.next_due_ms() is not None


async def _find(store: SqliteStore, size: int) -> None:
    """The first half of all timers has rung; no touch has moved one of them."""
    now_ms = NOW_MS + size // 2 * million.SPACING_MS
    assert len(await store.due_sessions(now_ms, 2 * NOW_MS, _DUE)) == _DUE


async def _scan(store: SqliteStore, size: int) -> None:
    await store.read(partial(million.scan, now_ms=NOW_MS))


async def _touch(store: SqliteStore, size: int) -> None:
    await asyncio.gather(*(_touch_one(store, size) for _ in range(_TOUCHES)))


async def _touch_one(store: SqliteStore, size: int) -> None:
    """A person acts: the session is read, and its timer moves."""
    at = random.randrange(size // 2, size) + 1

    def unit(conn: sqlite3.Connection) -> None:
        row = conn.execute(f"{SESSION.select} WHERE id = ?", (million.session_id(at),)).fetchone()
        known: Session = SESSION.decode(row)
        due_ms = (known.due_ms or 0) + 1_800_000
        apply(conn, (replace(known, last_human_ms=NOW_MS, due_ms=due_ms),), _STARTING, None)

    await store.submit(unit)
