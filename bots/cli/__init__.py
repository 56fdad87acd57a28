"""The command line: `rejoinder COMMAND`; its help texts are the documentation (README takes them from here).

Knows: commands, their arguments and how a failure looks: one sentence on standard error and exit code 1.
Must not know: how a command does its work (see the modules beside this one).
Exit codes: 0 done, 1 it could not be done (one sentence says why and what to do), 2 the command line itself is
wrong, 130 or 143 ended at once by a second Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import typer.main
from rich.console import Console

from bots import logs
from bots.app import migrated, reading
from bots.cli import doctor as diagnosis
from bots.cli import upkeep
from bots.cli.process import serve
from bots.cli.shown import markdown, page, printable, session_json, session_table
from core.configure import SettingsWrong, load
from core.domain.errors import RejoinderError
from core.settings import LogFormat, Settings

_PIPE_COLUMNS = 400

app = typer.Typer(
    name="rejoinder",
    epilog="Settings come from the environment and rejoinder.toml. Exit codes: 0 done, 1 not done, 2 wrong usage.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def rejoinder(
    context: typer.Context,
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """A chatbot for Slack and Discord whose conversations survive everything."""
    if show_version:
        typer.echo(version("rejoinder"))
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what an operator can do something about into a sentence and exit code 1."""
    try:
        yield
    except SettingsWrong as wrong:
        typer.echo("rejoinder: the settings cannot be used:", err=True)
        for problem in wrong.problems:
            typer.echo(f"  - {problem}", err=True)
        raise typer.Exit(1) from None
    except RejoinderError as error:
        typer.echo(f"rejoinder: {error.detail or error.code}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"rejoinder: {where}{error.strerror or error}", err=True)
        raise typer.Exit(1) from None


def configured() -> Settings:
    """The settings, with the log set up by them. Raises `SettingsWrong`."""
    settings = load(os.environ)
    logs.set_up(settings.log_format, settings.secrets)
    return settings


@app.command()
def run() -> None:
    """Start every configured platform.

    With none configured, the built-in web chat starts on http://127.0.0.1:8080. SIGTERM or Ctrl-C ends it gently:
    running answers may finish for up to 20 seconds, what is left goes on at the next start.
    """
    with plainly():
        asyncio.run(serve(configured()))


@app.command()
def doctor() -> None:
    """Check everything that must be right: one line each, exit 1 on a problem.

    Looks at the settings, the data directory, the free disk, the key, every page of the database, and asks the model
    provider whether the key and the models can be used. Works beside a running bot and changes nothing.
    """
    with plainly():
        logs.set_up(LogFormat.TEXT)
        if not asyncio.run(_examined()):
            raise typer.Exit(1)


async def _examined() -> bool:
    healthy = True
    async for finding in diagnosis.examine(os.environ):
        typer.echo(printable(str(finding)))
        healthy = healthy and finding.state != "problem"
    return healthy


@app.command()
def sessions(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list for a machine.")] = False,
    owner: Annotated[str, typer.Option(help="Only the sessions of this owner.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
) -> None:
    """List the sessions, the one last spoken in first. Read-only, also while the bot runs."""
    with plainly(), reading(configured()) as database:
        lines = database.sessions(owner, limit)
    if as_json:
        typer.echo(json.dumps([session_json(line) for line in lines], indent=1))
        return
    # A pipe has no width: nothing is cut there.
    Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS).print(session_table(lines))


@app.command()
def show(session_id: Annotated[str, typer.Argument(metavar="ID", help="A session's id.")]) -> None:
    """Show one session with its history. Read-only, also while the bot runs."""
    with plainly(), reading(configured()) as database:
        told = database.session(session_id)
    typer.echo("\n".join(page(told)))


class ExportFormat(StrEnum):
    """How an export is written."""

    MD = "md"
    JSON = "json"


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="ID", help="A session's id; with json also an owner.")],
    form: Annotated[ExportFormat, typer.Option("--format", help="Markdown to read, or JSON with everything.")] = (
        ExportFormat.MD
    ),
) -> None:
    """Write one session, or everything of an owner, to standard output. Read-only, also while the bot runs."""
    with plainly(), reading(configured()) as database:
        if form is ExportFormat.JSON:
            typer.echo(json.dumps(database.export(name), indent=1))
        else:
            typer.echo("\n".join(markdown(database.session(name))))


@app.command()
def forget(
    name: Annotated[str, typer.Argument(metavar="OWNER|ID", help="An owner, one of the accounts, or a session's id.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. Away from a terminal nobody is asked.")] = False,
) -> None:
    """Delete a session, or everything of an owner, for good.

    Proven by a scan of the database's files. It stays forgotten when an older backup is restored; backup files
    themselves are not touched. While the bot runs, the running process does it.
    """
    with plainly():
        settings = configured()
        if not yes and upkeep.somebody_looks():
            typer.confirm(f"Delete everything of {printable(name)} for good?", abort=True)
        typer.echo(upkeep.ask(settings, "forget", name, "forgetting"))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; an older backup is replaced.")],
) -> None:
    """Write a sealed backup, and open it again to be sure.

    It opens only with the key of this data directory (secret.key, or REJOINDER_SECRET_KEY), which is not part of it:
    keep a copy of the key elsewhere. While the bot runs, the running process does it.
    """
    with plainly():
        typer.echo(upkeep.ask(configured(), "backup", str(file.absolute()), "backing up"))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    *,
    verify: Annotated[bool, typer.Option("--verify", help="Only open and check it; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. Away from a terminal nobody is asked.")] = False,
) -> None:
    """Put a backup in the place of the database.

    It is opened and checked first; what was forgotten since it was made stays forgotten; a damaged database is kept
    beside it. Refuses while the bot runs.
    """
    with plainly():
        settings = configured()
        if not verify and not yes and settings.database.exists() and upkeep.somebody_looks():
            typer.confirm(f"Replace {settings.database}?", abort=True)
        typer.echo(upkeep.restore(settings, file, only_verify=verify))


@app.command(name="rotate-keys")
def rotate_keys() -> None:
    """Seal every login with a new key.

    With a key file a new key is put in front of it; with REJOINDER_SECRET_KEY put the new secret in front of the old
    one, separated by a comma, restart, and run this. It can be interrupted: run again, it goes on. While the bot runs,
    the running process does it.
    """
    with plainly():
        typer.echo(upkeep.ask(configured(), "rotate-keys", "", "sealing"))


@app.command()
def migrate() -> None:
    """Bring the database to this release's schema; every start does it too. Refuses while the bot runs."""
    with plainly():
        typer.echo(migrated(configured()))


def main() -> None:
    """Run the command line of this process."""
    sys.exit(typer.main.get_command(app)(prog_name="rejoinder"))
