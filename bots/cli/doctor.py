"""`rejoinder doctor`: one line for each thing that must be right, with what to do where it is not.

Knows: what an operator can get wrong. Must not know: how a part works; each is asked the way the program asks it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bots.app import chosen_model, examined, holder, key_told, lost_database
from bots.served import EXAMINE, check_platforms
from core.configure import Problem, SettingsWrong, load
from core.domain.errors import OutsideError, RejoinderError
from core.domain.tooling import Auth
from core.drivers.clock import SystemClock
from core.drivers.mcp_tools import McpTools
from core.settings import Settings

LEAST_FREE_BYTES = 200_000_000  # a log of 64 MiB, a migration's copy of a small database, and room to talk
_MODEL_FIXES = {
    "model_auth": "check ANTHROPIC_API_KEY",
    "model_permission": "use a key that may use REJOINDER_MODEL and REJOINDER_SUMMARY_MODEL",
    "model_unknown": "check REJOINDER_MODEL and REJOINDER_SUMMARY_MODEL",
    "model_billing": "see to the account's billing at the provider",
    "model_spend_limit": "raise the account's limit at the provider",
    "model_unreachable": "check the network and ANTHROPIC_BASE_URL",
}
_ANY_MODEL_FIX = "try again later; if it stays so, the code is explained in core/README.md"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: `state` is "ok", "note" or "problem"; `fix` says what to do about a problem."""

    about: str
    state: str
    said: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.state:8}{self.about:12}{self.said}" + (f". Fix: {self.fix}" if self.fix else "")


async def examine(environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Everything, in the order in which a start needs it; without settings nothing else can be asked."""
    try:
        settings = load(environ)
        check_platforms(settings)
    except SettingsWrong as wrong:
        for problem in wrong.problems:
            yield _settings_problem(problem)
        return
    yield Finding(about="settings", state="ok", said=_told(settings))
    for finding in _logins(settings):
        yield finding
    for finding in _files(settings):
        yield finding
    for name in settings.platforms:
        if name in EXAMINE:
            yield await _platform(name, settings)
    yield await _model(settings)
    async for finding in _tools(settings):
        yield finding


def _logins(settings: Settings) -> Iterator[Finding]:
    """Where people sign in at tools."""
    names = ", ".join(name for name, each in settings.tools.items() if each.auth is Auth.OAUTH)
    if not names:
        return
    if settings.public_url is None and settings.platforms:
        said = f"people sign in at {names} by links to this machine, which others cannot open"
        fix = "set REJOINDER_PUBLIC_URL to the address under which a proxy passes /connect/ and /oauth/ on"
        yield Finding(about="logins", state="note", said=f"{said}; {fix}")
    else:
        where = settings.public_url or f"http://{settings.http_host}:{settings.http_port}"
        yield Finding(about="logins", state="ok", said=f"people sign in at {names} by links to {where}/connect/")
    yield Finding(about="logins", state="ok", said=f"sign-in links: {_proven(settings)}")


def _proven(settings: Settings) -> str:
    """How it is known that a sign-in link is in the right hands."""
    page = "by the page that names the holder"
    served = (*settings.platforms, *(("the web chat",) if settings.local_chat_on else ()))
    proven = [name.capitalize() for name in settings.proofs]
    rest = [name.capitalize() if name in settings.platforms else name for name in served if name not in settings.proofs]
    if not proven:
        return page
    said = " and ".join(f"proven by {name}" for name in proven)
    return f"{said}; on {' and '.join(rest)} {page}" if rest else said


def _settings_problem(problem: Problem) -> Finding:
    return Finding(about="settings", state="problem", said=f"{problem.name} {problem.what}", fix=problem.fix)


def _told(settings: Settings) -> str:
    chat = f"web chat on http://{settings.http_host}:{settings.http_port}" if settings.local_chat_on else "no web chat"
    return ", ".join((*settings.platforms, chat))


def _files(settings: Settings) -> Iterator[Finding]:
    if not settings.data_dir.is_dir():
        said = f"{settings.data_dir.absolute()} does not exist yet; the first start makes it"
        yield Finding(about="data", state="note", said=said)
        return
    yield _access(settings.data_dir)
    yield _room(settings.data_dir)
    try:
        running = holder(settings)
        yield Finding(about="process", state="note", said=running or "not running")
        yield Finding(about="keys", state="ok", said=key_told(settings))
        if lost := lost_database(settings):
            yield Finding(about="database", state="problem", said=lost)
        elif not settings.database.exists():
            yield Finding(about="database", state="note", said="not made yet; the first start makes it")
        else:
            yield Finding(about="database", state="ok", said=f"{settings.database}: {examined(settings)}")
    except RejoinderError as error:
        yield Finding(about="database", state="problem", said=error.detail or error.code)
    except OSError as error:
        yield Finding(about="database", state="problem", said=f"{error.filename}: {error.strerror}", fix="allow it")
    yield _encryption(settings.data_dir)


def _access(folder: Path) -> Finding:
    mode = folder.stat().st_mode
    if mode & _OTHERS:
        said = f"{folder} can be read by other users of this machine"
        return Finding(about="data", state="problem", said=said, fix=f"chmod 700 {folder}")
    return Finding(about="data", state="ok", said=f"{folder.absolute()}, for its owner only")


def _room(folder: Path) -> Finding:
    free_bytes = shutil.disk_usage(folder).free
    said = f"{free_bytes / 1e9:,.1f} GB free"
    if free_bytes < LEAST_FREE_BYTES:
        fix = "make room: a full disk refuses new messages"
        return Finding(about="disk", state="problem", said=said, fix=fix)
    return Finding(about="disk", state="ok", said=said)


def _encryption(folder: Path) -> Finding:
    """Contents are not sealed by us; say so, and whether the volume is known to be."""
    device = folder.stat().st_dev
    kind = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/dm/uuid")
    if kind.exists() and kind.read_text(encoding="ascii", errors="replace").startswith("CRYPT-"):
        return Finding(about="encryption", state="ok", said="message contents rest on an encrypted volume (dm-crypt)")
    said = "message contents rest on this volume as they are; put the data directory on an encrypted one"
    return Finding(about="encryption", state="note", said=said)


async def _tools(settings: Settings) -> AsyncIterator[Finding]:
    """Each tool server is asked for its list, as the program asks for it."""
    tools = McpTools(settings.tools, SystemClock())
    try:
        for name, auth in tools.servers.items():
            if auth in (Auth.OAUTH, Auth.CLIENT_CREDENTIALS):
                said = "its tools are listed when somebody has signed in there"
                yield Finding(about=f"tools.{name}", state="note", said=said)
                continue
            try:
                seen = await tools.look(name, None)
            except OutsideError as error:
                fix = "start it, or check its table in the file; the bot runs without it"
                yield Finding(about=f"tools.{name}", state="problem", said=f"cannot be asked: {error}", fix=fix)
            else:
                asking = sum(each.kind.asks for each in seen)
                said = f"{len(seen)} tools, {asking} of them only after [Approve]"
                yield Finding(about=f"tools.{name}", state="ok", said=said)
    finally:
        await tools.close()


async def _platform(name: str, settings: Settings) -> Finding:
    try:
        said, fix = await EXAMINE[name](settings, SystemClock())
    except OutsideError as error:
        fix = "" if error.detail else "check the network and the platform's status page"
        return Finding(about=name, state="problem", said=error.detail or f"cannot be asked: {error.code}", fix=fix)
    return Finding(about=name, state="problem" if fix else "ok", said=said, fix=fix)


async def _model(settings: Settings) -> Finding:
    model = chosen_model(settings, SystemClock())
    try:
        await model.check()
    except OutsideError as error:
        said = f"{settings.model} cannot be asked: {error}"
        return Finding(about="model", state="problem", said=said, fix=_MODEL_FIXES.get(error.code, _ANY_MODEL_FIX))
    finally:
        await model.close()
    if settings.anthropic_api_key is None:
        unused = (
            " (ANTHROPIC_BASE_URL is set, but without a key nobody is asked)" if settings.anthropic_base_url else ""
        )
        said = f"{model.name}; set ANTHROPIC_API_KEY for real answers{unused}"
        return Finding(about="model", state="note", said=said)
    return Finding(about="model", state="ok", said=f"{settings.model} and {settings.summary_model} can be asked")
