"""What a benchmark says: tables of figures and gates, printed for people and written as JSON.

Knows: rows, gates, how they look. Must not know: what is measured.
A gate is told as reached or not reached; nothing here ever fails, because a time on a busy machine is no verdict.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

Cell = str | float | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A figure and where it has to stand. `ambition` is what facts/performance.md section 10 is after."""

    name: str
    figure: float
    limit: float
    ambition: float
    unit: str = ""
    at_least: bool = False  # the figure shall be high; else it shall be low

    @property
    def reached(self) -> bool:
        """Whether the figure is on the right side of the limit."""
        return _beats(self.figure, self.limit, at_least=self.at_least)

    @property
    def ambitious(self) -> bool:
        """Whether the figure is on the right side of the ambition too."""
        return _beats(self.figure, self.ambition, at_least=self.at_least)


def _beats(figure: float, limit: float, *, at_least: bool) -> bool:
    return figure >= limit if at_least else figure <= limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table: the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that one benchmark has to say; `notes` say how it was measured."""

    name: str
    tables: tuple[Rows, ...]
    gates: tuple[Gate, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a benchmark is given: an empty folder on a real disk, how thorough to be, and whom to tell."""

    folder: Path
    quick: bool
    say: Callable[[str], None] = field(default=lambda _: None)


Bench = Callable[[Setup], Coroutine[object, object, Report]]


def show(console: Console, report: Report) -> None:
    """Print the tables and the notes of one benchmark."""
    console.rule(f"[bold]{report.name}")
    for each in report.tables:
        table = Table(title=each.title, title_justify="left", title_style="italic")
        for at, column in enumerate(each.columns):
            table.add_column(column, justify="right" if at else "left")
        for row in each.rows:
            table.add_row(*(text(cell) for cell in row))
        console.print(table)
    for note in report.notes:
        console.print(f"  {note}", style="dim", highlight=False)


def show_gates(console: Console, gates: Sequence[Gate]) -> None:
    """Print every gate with its verdict."""
    table = Table(title="Gates", title_justify="left", title_style="bold")
    for column in ("what", "figure", "gate", "ambition", ""):
        table.add_column(column, justify="left" if column in ("what", "") else "right")
    for gate in gates:
        sign = ">=" if gate.at_least else "<="
        verdict = "[green]reached, and the ambition" if gate.ambitious else "[green]reached"
        table.add_row(
            gate.name,
            text(gate.figure, gate.unit),
            f"{sign} {text(gate.limit, gate.unit)}",
            text(gate.ambition, gate.unit),
            verdict if gate.reached else "[bold red]not reached",
        )
    console.print(table)


def text(cell: Cell, unit: str = "") -> str:
    """A cell with about three figures that mean something."""
    tail = f" {unit}" if unit and unit != "x" else unit
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}{tail}"
    return f"{cell:.3g}{tail}"


def write(path: Path, machine: dict[str, str], reports: Sequence[Report]) -> None:
    """Write everything as JSON; each gate carries its verdict."""
    plain = [
        asdict(report) | {"gates": [asdict(gate) | {"reached": gate.reached} for gate in report.gates]}
        for report in reports
    ]
    path.write_text(json.dumps({"machine": machine, "benches": plain}, indent=1) + "\n", encoding="utf-8")
