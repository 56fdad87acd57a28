"""Every platform adapter has one shape: pure wire, pure render, and an adapter that keeps the Platform port.

A package under bots/ is a platform when it has any of the three files. `problems` is what a newcomer's adapter is
measured by; that it finds each fault is tested on adapters that are written with one.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import bots
from core.engine.ports import Platform

BOTS = Path(bots.__file__).parent
SHAPE = ("wire.py", "render.py", "adapter.py")
IMPURE = {"aiohttp", "aiosqlite", "asyncio", "discord", "httpx2", "logging", "os", "pathlib", "random", "requests"} | {
    "secrets", "slack_bolt", "slack_sdk", "socket", "sqlite3", "structlog", "subprocess", "threading", "time", "uuid"
}  # fmt: skip
CLOCK_READS = {"now", "utcnow", "today"}


def platforms() -> list[Path]:
    """The packages under bots/ that are platforms."""
    return sorted({file.parent for name in SHAPE for file in BOTS.glob(f"*/{name}")})


def problems(package: Path) -> Iterator[str]:
    """What is wrong with the files of an adapter."""
    for name in SHAPE:
        if not (package / name).is_file():
            yield f"{name} is missing"
        elif name != "adapter.py":
            yield from (f"{name}: {what}" for what in impurities((package / name).read_text("utf-8")))


def impurities(source: str) -> Iterator[str]:
    """What a pure file must not do: wait, do I/O, read the clock, draw chance, log."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield f"waits in line {node.lineno}"
            case ast.Import():
                yield from (f"imports {each.name}" for each in node.names if each.name.split(".")[0] in IMPURE)
            case ast.ImportFrom() if (node.module or "").split(".")[0] in IMPURE:
                yield f"imports {node.module}"
            case ast.Attribute(attr=attr) if attr in CLOCK_READS:
                yield f"reads the clock in line {node.lineno}"
            case ast.Call(func=ast.Name(id="open" | "print" | "input")):
                yield f"does I/O in line {node.lineno}"
            case _:
                pass


def port_problems(kind: type) -> Iterator[str]:
    """Where a class does not keep the Platform port: what mypy checks where it is wired, told by name."""
    for name in ("name", "limits"):
        if not hasattr(kind, name):
            yield f"{kind.__name__} has no {name}"
    for name, wanted in inspect.getmembers(Platform, inspect.iscoroutinefunction):
        found = getattr(kind, name, None)
        if not inspect.iscoroutinefunction(found):
            yield f"{kind.__name__} has no coroutine {name}"
        elif list(inspect.signature(found).parameters) != list(inspect.signature(wanted).parameters):
            yield f"{kind.__name__}.{name} takes other arguments than the port"


def adapters(package: Path) -> list[type]:
    """The classes of adapter.py that are meant to be the port: those that can open an answer."""
    module = importlib.import_module(f"bots.{package.name}.adapter")
    here = (each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__)
    return [each for each in here if hasattr(each, "open_answer")]


@pytest.mark.parametrize("package", platforms(), ids=lambda package: package.name)
def test_a_platform_has_the_shape(package: Path) -> None:
    """The next platform could not be written by looking at this one."""
    assert list(problems(package)) == []
    found = adapters(package)
    assert len(found) == 1
    assert list(port_problems(found[0])) == []


def test_there_is_a_platform_to_look_at() -> None:
    """The test above would be green because it looked at nothing."""
    assert "local" in {package.name for package in platforms()}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import asyncio", "imports asyncio"),
        ("from aiohttp import web", "imports aiohttp"),
        ("async def f(): ...", "waits in line 1"),
        ("import datetime\nd = datetime.datetime.now()", "reads the clock in line 2"),
        ("print(1)", "does I/O in line 1"),
    ],
)
def test_an_impure_file_is_found(source: str, said: str) -> None:
    """An adapter with network calls in wire.py would pass."""
    assert list(impurities(source)) == [said]


def test_a_missing_file_or_method_is_found(tmp_path: Path) -> None:
    """An adapter without half of the port would pass until somebody needs that half."""
    (tmp_path / "wire.py").write_text("")
    assert list(problems(tmp_path)) == ["render.py is missing", "adapter.py is missing"]

    class Half:
        name = "half"

        async def audience(self, somewhere: str) -> None: ...

        def mark(self, ref: str, mark: str) -> None: ...

    found = list(port_problems(Half))
    assert "Half has no limits" in found
    assert "Half.audience takes other arguments than the port" in found
    assert "Half has no coroutine mark" in found
    assert "Half has no coroutine open_answer" in found
