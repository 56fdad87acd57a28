"""The command line: `rejoinder COMMAND`; its help texts are the documentation (README takes them from here).

Knows: commands, their arguments and how a failure looks: one sentence on standard error and exit code 1.
Must not know: how a command does its work (see the modules beside this one).
Exit codes: 0 done, 1 it could not be done (one sentence says why and what to do), 2 the command line itself is
wrong, 130 or 143 ended at once by a second Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated

import typer
import typer.main

from bots import logs
from bots.cli.process import serve
from core.configure import SettingsWrong, load
from core.domain.errors import RejoinderError
from core.settings import Settings

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


def main() -> None:
    """Run the command line of this process."""
    sys.exit(typer.main.get_command(app)(prog_name="rejoinder"))
