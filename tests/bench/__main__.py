"""`python -m tests.bench [names...] [--json FILE] [--quick]`: runs, prints, and exits with 0 whatever the gates say.

Knows: which benchmarks there are, and their order. Must not know: how anything is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from rich.console import Console

from tests.bench import (
    crowd,
    discord,
    exchange,
    heartbeat,
    idle,
    logins,
    program,
    recall,
    restart,
    slack,
    streams,
    tasks,
    token,
    tools,
    turns,
)
from tests.bench.report import Bench, Report, Setup, show, show_gates, write

BENCHES: dict[str, Bench] = {
    "exchange": exchange.run,
    "crowd": crowd.run,
    "turns": turns.run,
    "token": token.run,
    "streams": streams.run,
    "tasks": tasks.run,
    "idle": idle.run,
    "recall": recall.run,
    "restart": restart.run,
    "heartbeat": heartbeat.run,
    "program": program.run,
    "discord": discord.run,
    "tools": tools.run,
    "slack": slack.run,
    "logins": logins.run,
}
_WIDTH = 118  # where no terminal says how wide it is


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure, and print a table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all when none is named")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller sizes: a first impression")
    parser.add_argument("--folder", type=Path, help="where databases are made (a real disk); a temporary one if not")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in BENCHES]:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # the tables are the output
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    reports = _run(given.names or list(BENCHES), console, quick=given.quick, folder=given.folder)
    show_gates(console, [gate for report in reports for gate in report.gates])
    if given.json:
        write(given.json, _machine(quick=given.quick), reports)
    return 0


def _run(names: Sequence[str], console: Console, *, quick: bool, folder: Path | None) -> list[Report]:
    reports = []
    top = Path(tempfile.mkdtemp(prefix="rejoinder-bench-", dir=folder))
    try:
        for name in names:
            here = top / name
            here.mkdir()
            gc.collect()
            start = time.perf_counter()
            with console.status(name) as status:
                setup = Setup(folder=here, quick=quick, say=status.update)
                report = asyncio.run(BENCHES[name](setup))
            show(console, report)
            console.print(f"  {time.perf_counter() - start:.0f} s", style="dim")
            shutil.rmtree(here)
            reports.append(report)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return reports


def _machine(*, quick: bool) -> dict[str, str]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "cores": str(os.cpu_count()),
        "load": " ".join(f"{each:.2f}" for each in os.getloadavg()),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "quick": str(quick),
    }


if __name__ == "__main__":
    sys.exit(main())
