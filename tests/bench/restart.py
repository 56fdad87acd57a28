"""kill -9 under load, then: how long until every interrupted turn is known, with a million sessions there?

Knows: three kinds of process. The victim answers 200 people and writes without a pause until it is killed at a
random moment; the finder is a fresh interpreter that opens what is left and asks for what was interrupted, and dies
without closing, so that the next finder has the same log before it. `python -m tests.bench.restart` is either.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from storage import open_store
from tests.bench import million
from tests.bench.house import House, Talker
from tests.bench.measure import median, until
from tests.bench.report import Gate, Report, Rows, Setup

INTERRUPTED = 200
_MIB = 1024 * 1024
_READY = "everybody is being answered"


async def run(setup: Setup) -> Report:
    """Kill a few times, and find after each."""
    path = setup.folder / "million.db"
    setup.say("making 1,000,000 sessions")
    await asyncio.to_thread(million.make, path, 1_000_000)
    rows: list[tuple[str, float, float, float, int]] = []
    for at in range(1 if setup.quick else 4):
        setup.say(f"kill {at + 1}")
        await asyncio.to_thread(_kill, path, 1.0 + random.random() * 2)
        log_mib = path.with_name(path.name + "-wal").stat().st_size / _MIB
        found = [await asyncio.to_thread(_find, path) for _ in range(4 if setup.quick else 6)]
        opened, queried = (median([each[name] for each in found]) for name in ("open_ms", "query_ms"))
        rows.append((f"kill {at + 1}", log_mib, opened, queried, int(found[0]["turns"])))
    return Report(
        name="restart",
        tables=(
            Rows(
                title="After kill -9 with 1 M sessions and finished effects (medians of fresh processes, warm pages)",
                columns=("", "log MiB", "open ms", "find ms", "effects found"),
                rows=tuple(rows),
            ),
        ),
        gates=(
            Gate(
                name="open and find interrupted at 1 M after kill -9",
                figure=max(opened + queried for _, _, opened, queried, _ in rows),
                limit=60,
                ambition=25,
                unit="ms",
            ),
            Gate(
                name="log after kill -9 under load",
                figure=max(log_mib for _, log_mib, *_ in rows),
                limit=64,
                ambition=64,
                unit="MiB",
            ),
        ),
        notes=(
            "The figure is the worst kill. Imports are not in it (see `program`); the size of the log is its file's.",
        ),
    )


def _kill(path: Path, after_s: float) -> None:
    victim = subprocess.Popen([sys.executable, "-m", __name__, "victim", path], stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    with victim.stdout:
        for line in victim.stdout:
            if line.strip() == _READY:
                break
        time.sleep(after_s)
        victim.kill()
    victim.wait()


def _find(path: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", __name__, "finder", path], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _victim(path: Path) -> None:
    """Answer for ever, and write as fast as the disk takes it."""
    endless = Talker(["word "] * 1_000_000, pace_s=1.0)
    house = await House.open(path, endless, null=True, boot=f"victim-{os.getpid()}")
    for at in range(INTERRUPTED):
        await house.say(f"p{os.getpid()}-{at}", "Tell me a story without an end")
    await until(lambda: endless.talking >= INTERRUPTED)
    print(_READY, flush=True)  # noqa: T201 -- the parent waits for it
    await asyncio.gather(*(_write(house, at) for at in range(64)))


async def _write(house: House, at: int) -> None:
    """Messages that join the queue of a running answer, one after the other."""
    for n in range(1_000_000):
        await house.say(f"p{os.getpid()}-{at}", "And then, what did it say? " * 40, key=f"{os.getpid()}:{at}:{n}")


async def _finder(path: Path) -> None:
    start = time.perf_counter()
    store = await open_store(path)
    opened = time.perf_counter()
    orphans = await store.orphans("a new boot")
    done = time.perf_counter()
    figures = {"open_ms": (opened - start) * 1000, "query_ms": (done - opened) * 1000, "turns": len(orphans)}
    print(json.dumps(figures), flush=True)  # noqa: T201
    os._exit(0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run({"victim": _victim, "finder": _finder}[sys.argv[1]](Path(sys.argv[2])))
