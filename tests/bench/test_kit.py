"""The benchmarks' own tools: what they count and what they call reached. No time is looked at."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.bench.measure import percentile, ratio
from tests.bench.report import Gate, Report, text, write
from tests.bench.syncs import SyncCounter


def test_every_commit_in_wal_with_full_is_one_sync(tmp_path: Path) -> None:
    """The figure "syncs for an exchange" is what the disk was really asked for, folding the log included."""
    counter = SyncCounter()
    if not counter.works:
        pytest.skip("this Python has SQLite built in")
    with counter.counting():
        conn = sqlite3.connect(tmp_path / "counted.db", isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL").fetchone()
    conn.execute("PRAGMA synchronous=FULL")
    conn.execute("CREATE TABLE t (x)")
    before = counter.count
    for _ in range(10):
        conn.execute("INSERT INTO t VALUES (1)")
    assert counter.count - before == 10
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert counter.count - before == 12
    conn.close()
    other = sqlite3.connect(tmp_path / "not-counted.db", isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.close()
    assert counter.count - before == 12


def test_a_gate_is_reached_on_its_own_side_only() -> None:
    """Nobody reads "reached" where a figure is on the wrong side."""
    low = Gate(name="late", figure=19.0, limit=20, ambition=5)
    high = Gate(name="fast", figure=9.9, limit=10, ambition=15, at_least=True)
    assert low.reached
    assert not low.ambitious
    assert not high.reached


def test_the_verdicts_stand_in_the_json(tmp_path: Path) -> None:
    """A script finds figure, limit and verdict of every gate."""
    gate = Gate(name="late", figure=21.0, limit=20, ambition=5, unit="ms")
    write(tmp_path / "bench.json", {"cores": "2"}, [Report(name="one", tables=(), gates=(gate,))])
    read = json.loads((tmp_path / "bench.json").read_text())
    assert read["machine"] == {"cores": "2"}
    assert read["benches"][0]["gates"][0] == {
        "name": "late",
        "figure": 21.0,
        "limit": 20,
        "ambition": 5,
        "unit": "ms",
        "at_least": False,
        "reached": False,
    }


def test_figures_are_medians_of_rounds() -> None:
    """One disturbed round does not make a verdict."""
    assert ratio([1.0, 9.0, 2.0], [1.0, 1.0, 1.0]) == 2.0
    assert percentile(range(100), 0.99) == 99
    assert percentile([], 0.99) == 0
    assert text(0.01234, "ms") == "0.0123 ms"
    assert text(12_345.6) == "12,346"
