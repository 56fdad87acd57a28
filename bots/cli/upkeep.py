"""Commands that change something: by the running program if there is one, else by taking its place for a moment.

Knows: whom to ask, and how far it is. Must not know: how anything is deleted, copied or brought back.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from bots import app, control
from core.domain.errors import NotSent, StoreLocked
from core.settings import Settings


@contextmanager
def bar(title: str) -> Iterator[control.Progress]:
    """A progress bar on standard error, gone when the work is done; nothing where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total or None)


def ask(settings: Settings, command: str, argument: str, title: str) -> str:
    """Have a chore done, and return its sentence. Raises `RejoinderError` or `OSError`."""
    with bar(title) as progress:
        try:
            return asyncio.run(app.alone(settings, command, argument, progress))
        except StoreLocked as held:
            try:
                return control.ask(settings.data_dir, command, argument, progress)
            except NotSent:
                raise StoreLocked(
                    code=held.code, detail=f"{held.detail}, which takes no commands now; try again in a moment"
                ) from None


def restore(settings: Settings, source: Path, *, only_verify: bool) -> str:
    """Bring a backup back, or only check it. Raises `RejoinderError` or `OSError`."""
    with bar("verifying" if only_verify else "restoring") as progress:
        return app.restored(settings, source, progress, only_verify=only_verify)


def somebody_looks() -> bool:
    """Whether a person at a terminal can be asked."""
    return sys.stdin.isatty()
