"""The core is pure: values in, values out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

DOMAIN = Path(__file__).parents[2] / "core" / "domain"
FILES = sorted(DOMAIN.rglob("*.py"))
# All that the core may know of the outside. A name is added with a reason: it has no clock, chance, log or I/O.
ALLOWED = {
    "__future__",
    "base64",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "hashlib",
    "hmac",
    "itertools",
    "json",
    "re",
    "typing",
    "unicodedata",
    "urllib.parse",
}
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint", "__import__", "globals", "hash", "id"}
FORBIDDEN_METHODS = {"now", "utcnow", "today", "urandom", "getrandbits", "time", "monotonic", "sleep"}


def offences(source: str) -> Iterator[str]:
    """What in a source is not pure."""
    for node in ast.walk(ast.parse(source)):
        yield from _offence(node)


def _offence(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
            yield f"line {node.lineno}: waits"
        case ast.comprehension(is_async=1):
            yield "an asynchronous comprehension"
        case ast.Import():
            yield from (f"imports {each.name}" for each in node.names if not _allowed(each.name))
        case ast.ImportFrom() if node.level or not _allowed(node.module or ""):
            yield f"imports from {node.module}"
        case ast.Global() | ast.Nonlocal():
            yield f"line {node.lineno}: keeps state"
        case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
            yield f"line {node.lineno}: calls {name}"
        case ast.Attribute(attr=name) if name in FORBIDDEN_METHODS:
            yield f"line {node.lineno}: {name}"
        case _:
            pass


def _allowed(module: str) -> bool:
    return module in ALLOWED or module == "core.domain" or module.startswith("core.domain.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DOMAIN)))
def test_the_core_is_pure(path: Path) -> None:
    """A decision that was logged cannot be replayed, because something else than its input has changed it."""
    assert list(offences(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from random import choice",
        "from core.engine import ports",
        "from core import codec",
        "from . import rules",
        "import logging",
        "async def f(): pass",
        "async def f():\n    return [x async for x in y]",
        "print(1)",
        "open('x')",
        "from datetime import datetime\ndatetime.now()",
        "def f():\n    global x",
        "hash('x')",
    ],
)
def test_the_guard_notices(source: str) -> None:
    """The guard above lets everything through."""
    assert list(offences(source))


def test_there_is_something_to_guard() -> None:
    """The guard above looks at no file."""
    assert {"decide.py", "keys.py", "answer.py", "en.py"} <= {path.name for path in FILES}
