"""The parts of the README files that come from the code: `python -m tests.docs --write`, or `--check` them.

Knows: where each table comes from, and the markers between which it stands:
`<!-- from the code: NAME -->` and `<!-- end: NAME -->`. Must not know: the text around it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path

from pydantic import SecretStr
from typer.testing import CliRunner

from bots.cli import app
from core.domain import errors, phases
from core.domain.entities import Phase
from core.domain.rules.commands import COMMANDS
from core.domain.words import en
from core.settings import Settings, environment_name
from core.units import format_duration

ROOT = Path(__file__).parent.parent
_HELP_COLUMNS = 100
_SCREENSHOT = "bots/local/screenshot.png"
_MARKED = re.compile(r"(<!-- from the code: (\S+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def settings_table() -> Iterator[str]:
    """Every setting with its default and what it is for."""
    yield "| setting | default | what it is |"
    yield "|---|---|---|"
    for field, info in Settings.model_fields.items():
        name = f"`[{field}.NAME]` in the file" if field == "tools" else f"`{environment_name(field)}`"
        yield f"| {name} | {_default(info.default)} | {info.description} |"


def _default(value: object) -> str:
    match value:
        case None | () | SecretStr() | dict():
            return ""
        case timedelta():
            return f"`{format_duration(value)}`"
        case Enum():
            return f"`{value.value}`"
        case _:
            return f"`{value}`"


def commands() -> Iterator[str]:
    """The help text of the program and of every command."""
    yield from _help()
    for command in app.registered_commands:
        assert command.callback is not None
        yield ""
        yield from _help(command.name or command.callback.__name__)


def _help(*command: str) -> Iterator[str]:
    terminal = CliRunner(env={"COLUMNS": str(_HELP_COLUMNS), "NO_COLOR": "1"})
    shown = terminal.invoke(app, [*command, "--help"], prog_name="rejoinder", terminal_width=_HELP_COLUMNS)
    yield from _fenced(shown.output.strip())


def _fenced(text: str) -> Iterator[str]:
    yield "```text"
    yield from (line.rstrip() for line in text.splitlines())
    yield "```"


def chat_commands() -> Iterator[str]:
    """What a person can say in a chat, in the words of `/help`."""
    yield "| say | for |"
    yield "|---|---|"
    for name in COMMANDS:
        yield f"| `/{name}` | {en.WORDS[f'command.{name}']} |"


def error_codes() -> Iterator[str]:
    """Each class of error and who can do something about it, then each code that ends a turn, in its words."""
    yield "| error | fault | what it means |"
    yield "|---|---|---|"
    for kind in _tree(errors.RejoinderError):
        meaning = (kind.__doc__ or "").splitlines()[0]
        yield f"| `{kind.__name__}` | {kind.fault.value} | {meaning} |"
    yield ""
    yield "| code of a failed answer | what the person reads |"
    yield "|---|---|"
    for key, sentence in sorted(en.WORDS.items()):
        if key.startswith("failed."):
            yield f"| `{key.removeprefix('failed.')}` | {sentence} |"


def _tree(kind: type[errors.RejoinderError]) -> Iterator[type[errors.RejoinderError]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from _tree(each)


def phase_diagram() -> Iterator[str]:
    """The life of a session: the steps as a diagram, the meaning of each phase as a table."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {Phase.ACTIVE.value}"
    for before in Phase:
        for after in Phase:
            if phases.may_step(before, after) and before is not after:
                yield f"    {before.value} --> {after.value}"
    yield "```"
    yield ""
    yield "| phase | meaning |"
    yield "|---|---|"
    for phase, meaning in phases.MEANING.items():
        yield f"| `{phase.value}` | {meaning} |"


def screenshot() -> Iterator[str]:
    """The picture of the page, once there is one."""
    if (ROOT / _SCREENSHOT).exists():
        yield f"![The built-in web chat]({_SCREENSHOT})"


PARTS: dict[str, Callable[[], Iterable[str]]] = {
    "settings": settings_table,
    "commands": commands,
    "chat": chat_commands,
    "errors": error_codes,
    "phases": phase_diagram,
    "screenshot": screenshot,
}


def renewed(text: str) -> str:
    """The text with every marked part as the code has it now. Raises `KeyError` for a part that nobody makes."""

    def part(found: re.Match[str]) -> str:
        return found[1] + "".join(f"{line}\n" for line in PARTS[found[2]]()) + found[3]

    return _MARKED.sub(part, text)


def pages() -> list[Path]:
    """Every README of the project."""
    folders = ("bots", "core", "storage", "tests")
    return [ROOT / "README.md", *sorted(page for name in folders for page in (ROOT / name).rglob("README.md"))]


def main() -> int:
    """Write the parts, or tell which page differs from the code."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell what differs; exit 1 if anything does")
    parser.add_argument("--write", action="store_true", help="write the pages (the default)")
    check = parser.parse_args().check
    stale = {page: new for page in pages() if (new := renewed(old := page.read_text("utf-8"))) != old}
    for page, new in stale.items():
        name = page.relative_to(ROOT)
        if check:
            print(f"{name} differs from the code: run `python -m tests.docs --write`")
        else:
            page.write_text(new, "utf-8")
            print(f"{name} written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
