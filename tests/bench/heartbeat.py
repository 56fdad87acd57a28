"""Does one conversation of 10,000 messages keep everybody else waiting?

Knows: a heartbeat on the event loop every 2 ms, while that conversation takes one turn after the other, while a new
one does, and while nobody speaks. Its lateness is what any other person would feel. On a machine with more to do than
cores it is late while nobody speaks, too; so the processor time that this process used meanwhile is measured beside it:
no more of the lateness than that can be our own doing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import defaultdict

from storage.rows import MESSAGE, SEQ_BITS
from tests.bench.exchanges import INSERT_MESSAGE, said, session
from tests.bench.house import House, Talker
from tests.bench.measure import median, percentile
from tests.bench.report import Gate, Report, Rows, Setup

MESSAGES = 10_000
_BEAT_S = 0.002


async def run(setup: Setup) -> Report:
    """Three phases in turn."""
    house = await House.open(setup.folder / "heartbeat.db", Talker())
    threads = {name: await house.turn(name.split()[0], "Begin") for name in ("long conversation", "new conversation")}
    await house.settle()
    await house.store.submit(_lengthen)
    late: dict[str, list[list[float]]] = defaultdict(list)
    own: dict[str, list[list[float]]] = defaultdict(list)
    taken: dict[str, list[float]] = defaultdict(list)
    names = ("nobody speaks", *threads)
    for _ in range(3 if setup.quick else 12):
        for name in names:
            late[name].append([])
            own[name].append([])
            beating = asyncio.create_task(_beat(late[name][-1], own[name][-1]))
            await _phase(house, name, threads.get(name), taken[name], 1.0)
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
    await house.close()
    rows = tuple(
        (
            name,
            median([percentile(each, 0.5) for each in late[name]]),
            median([percentile(each, 0.99) for each in late[name]]),
            median([percentile(each, 0.99) for each in own[name]]),
            median([max(each) for each in late[name]]),
            f"{median(taken[name]):.1f}" if taken[name] else "",
        )
        for name in names
    )
    return Report(
        name="heartbeat",
        tables=(
            Rows(
                title=f"Lateness of a beat each {_BEAT_S * 1000:.0f} ms (ms, medians of seconds), and turns beside it",
                columns=("", "p50", "p99", "ours, p99", "worst", "turn ms"),
                rows=rows,
            ),
        ),
        notes=("ours: the lateness, but no more than the processor time that this process used meanwhile.",),
        gates=(
            Gate(
                name=f"heartbeat p99 while a conversation of {MESSAGES:,} messages takes turns",
                figure=median([percentile(each, 0.99) for each in late["long conversation"]]),
                limit=5,
                ambition=1,
                unit="ms",
            ),
        ),
    )


def _lengthen(conn: sqlite3.Connection) -> None:
    """Put 10,000 messages into the first session of the database."""
    num, seq, owner = conn.execute("SELECT num, next_seq, id FROM session ORDER BY num LIMIT 1").fetchone()
    of = session(0)
    rows = [(num << SEQ_BITS | at, *MESSAGE.encode(said(of, at))) for at in range(seq, seq + MESSAGES)]
    conn.executemany(INSERT_MESSAGE, rows)
    tokens = sum(said(of, at).tokens for at in (1, 2)) * MESSAGES // 2
    conn.execute(
        "UPDATE session SET next_seq = next_seq + ?, tokens = tokens + ? WHERE id = ?", (MESSAGES, tokens, owner)
    )


async def _beat(late: list[float], own: list[float]) -> None:
    """`own`: at most so much of the lateness is ours, for we used no more of a processor since the beat before."""
    while True:
        due, used = time.perf_counter() + _BEAT_S, time.process_time()
        await asyncio.sleep(_BEAT_S)
        late_ms = (time.perf_counter() - due) * 1000
        late.append(late_ms)
        own.append(min(late_ms, (time.process_time() - used) * 1000))


async def _phase(house: House, name: str, thread: str | None, taken: list[float], seconds: float) -> None:
    """Take turns in the thread for `seconds`, or let the time pass."""
    end = time.perf_counter() + seconds
    if thread is None:
        await asyncio.sleep(seconds)
        return
    while time.perf_counter() < end:
        start = time.perf_counter()
        await house.turn(name.split(maxsplit=1)[0], f"And at {time.monotonic_ns()}?", thread=thread)
        taken.append((time.perf_counter() - start) * 1000)
