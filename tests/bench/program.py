"""The program itself: how soon it is ready without a key, and what it holds while nobody speaks.

Knows: `python -m bots run` as a newcomer starts it, with an empty environment and a new data directory.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.bench.measure import median, memory_mib
from tests.bench.report import Cell, Gate, Report, Rows, Setup

_READY = re.compile(r"ready: (http://\S+)")
_SDKS = ("anthropic", "slack_bolt", "slack_sdk", "discord", "mcp", "authlib")
_TICKS_S = os.sysconf("SC_CLK_TCK")


async def run(setup: Setup) -> Report:
    """Start it a few times, new and again."""
    return await asyncio.to_thread(_measure, setup)


def _measure(setup: Setup) -> Report:
    rounds = [
        _start(setup.folder / f"data{at // 2}", 1.0 if setup.quick else 3.0) for at in range(2 if setup.quick else 6)
    ]
    new, again = rounds[::2], rounds[1::2]
    early = _imported_early()
    columns = ("", "ready s", "idle RSS MiB", "idle cores")
    rows: list[tuple[Cell, ...]] = [
        (name, *(median([each[at] for each in which]) for at in range(3)))
        for name, which in (("new data directory", new), ("started again", again))
    ]
    return Report(
        name="program",
        tables=(Rows(title="python -m bots run, no key, no platform", columns=columns, rows=tuple(rows)),),
        gates=(
            Gate(
                name="ready without a key", figure=median([each[0] for each in rounds]), limit=2, ambition=0.5, unit="s"
            ),
            Gate(
                name="idle RSS without a key",
                figure=median([each[1] for each in rounds]),
                limit=90,
                ambition=60,
                unit="MiB",
            ),
        ),
        notes=(
            "Ready: from the start of the interpreter to an answer of /readyz.",
            f"SDKs imported although nobody needs them yet: {', '.join(early) or 'none'}.",
        ),
    )


def _start(data: Path, idle_s: float) -> tuple[float, float, float]:
    """Seconds until it is ready; MiB and share of a core after `idle_s`."""
    env = {
        "PATH": os.environ.get("PATH", ""),
        "REJOINDER_DATA_DIR": str(data),
        "REJOINDER_HTTP_PORT": "0",
    }
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "bots", "run"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        try:
            url = next(found.group(1) for line in child.stdout if (found := _READY.search(line)))
            with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:  # noqa: S310 -- our own child
                answer.read()
            ready_s = time.perf_counter() - start
            cpu_s = _cpu_s(child.pid)
            time.sleep(idle_s)
            figures = (ready_s, memory_mib(child.pid), (_cpu_s(child.pid) - cpu_s) / idle_s)
        finally:
            child.terminate()
            child.wait(30)
    return figures


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def _imported_early() -> list[str]:
    code = f"import bots.cli, sys; print(*[each for each in {_SDKS!r} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()
