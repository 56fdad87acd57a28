"""Read the settings from the environment and `rejoinder.toml`, and find everything that is wrong at once.

Knows: both sources, that the environment wins, and which settings contradict each other. Must not know:
what is done with a setting. A value that does not parse is taken out, so that the rest can still be checked;
a check that needs it waits. No problem repeats a value: it might be a secret.
"""

from __future__ import annotations

import difflib
import ipaddress
import itertools
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

from pydantic import SecretStr, ValidationError

from core.settings import PREFIX, Settings, environment_name, example
from core.tool_settings import read_servers
from core.units import format_duration

CONFIG = "REJOINDER_CONFIG"  # names the file; not a setting itself
DEFAULT_FILE = "rejoinder.toml"
# A deletion by age is announced 72 h before in the thread, and 24 h of uptime pass since (DESIGN section 3).
_SHORTEST_RETENTION = timedelta(hours=96)
_IDLE_STEPS = ("idle_warning", "idle_park", "session_ttl", "retention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with `name`, as the rest of a sentence, and what to do about it."""

    name: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.name} {self.what}. Fix: {self.fix}."


class SettingsWrong(Exception):
    """The settings cannot be used; `problems` has all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def load(environ: Mapping[str, str], folder: Path = Path()) -> Settings:
    """Read the settings from an environment and the file that it names, else `rejoinder.toml` in `folder`.

    Raises `SettingsWrong` with every problem.
    """
    problems: list[Problem] = []
    in_file = _from_file(environ, folder, problems)
    in_environment = _from_environment(environ, problems)
    written = {name: name if name in in_file else environment_name(name) for name in Settings.model_fields}
    written |= {name: environment_name(name) for name in in_environment}
    given = {**in_file, **in_environment}
    if "tools" in given:
        servers, wrong = read_servers(given["tools"], environ)
        problems += (Problem(name=each.name, what=each.what, fix=each.fix) for each in wrong)
        given["tools"] = servers
    settings, unusable = _validated(given, written, problems)
    for needs, problem in _contradictions(settings, written):
        if unusable.isdisjoint(needs):
            problems.append(problem)
    if problems:
        raise SettingsWrong(problems)
    return settings


# ------------------------------------------------------------------------------------------- sources


def _from_environment(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, object]:
    known = {environment_name(name): name for name in Settings.model_fields if name != "tools"}
    names = [*known, CONFIG]
    problems += (_unknown(name, names) for name in sorted(environ) if name.startswith(PREFIX) and name not in names)
    return {known[name]: value for name, value in environ.items() if name in known and value}


def _from_file(environ: Mapping[str, str], folder: Path, problems: list[Problem]) -> dict[str, object]:
    path = folder / (environ.get(CONFIG) or DEFAULT_FILE)
    if not environ.get(CONFIG) and not path.exists():
        return {}
    try:
        tables: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fix = f"name a readable file in {CONFIG}, or leave it out"
        problems.append(Problem(name=str(path), what=f"cannot be read ({error.strerror})", fix=fix))
        return {}
    except ValueError as error:  # TOML and UTF-8; tomllib tells the line and column, never the value
        fix = 'write lines like model = "..."'
        problems.append(Problem(name=str(path), what=f"is not TOML ({error})", fix=fix))
        return {}
    problems += (_unknown(key, Settings.model_fields) for key in tables if key not in Settings.model_fields)
    return {key: value for key, value in tables.items() if key in Settings.model_fields and value != ""}


def _unknown(name: str, known: Iterable[str]) -> Problem:
    short = {each.removeprefix(PREFIX): each for each in known}
    near = difflib.get_close_matches(name.removeprefix(PREFIX), short, n=1)
    fix = (
        f"write {short[near[0]]} if that is what was meant"
        if near
        else "take it out, or see the table of settings in README.md"
    )
    return Problem(name=name, what="is not a setting", fix=fix)


# ------------------------------------------------------------------------------------------ validation


def _validated(
    given: Mapping[str, object], written: Mapping[str, str], problems: list[Problem]
) -> tuple[Settings, frozenset[str]]:
    """Settings made of what is usable in `given`, and the fields that are not."""
    try:
        return Settings.model_validate(given), frozenset()
    except ValidationError as error:
        wrong: dict[str, str] = {}
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            wrong.setdefault(str(each["loc"][0]), each["msg"])
    for field, message in wrong.items():
        name = written[field]
        problems.append(Problem(name=name, what=_sentence(message), fix=_example(field, name)))
    usable = {name: value for name, value in given.items() if name not in wrong}
    return Settings.model_validate(usable), frozenset(wrong)


def _sentence(message: str) -> str:
    """Turn pydantic's message into the rest of a sentence that begins with the name."""
    for start in ("Value error, ", "Input ", "Value "):
        if message.startswith(start):
            return message.removeprefix(start)
    return f"is not usable: {message}"


def _example(field: str, written: str) -> str:
    value = example(field)
    return f"for example {written}={value}" if written.isupper() else f'for example {written} = "{value}"'


# -------------------------------------------------------------------------------------- contradictions

_Check = tuple[tuple[str, ...], Problem]  # the fields it rests on, and what is wrong


def _contradictions(settings: Settings, written: Mapping[str, str]) -> Iterator[_Check]:
    yield from _idle(settings, written)
    yield from _slack(settings, written)
    yield from _proofs(settings, written)
    yield from _exposure(settings, written)
    if settings.local_chat is False and not settings.platforms:
        fix = f"set a platform's token, or {written['local_chat']}=on"
        yield (
            ("local_chat", "slack_bot_token", "discord_token"),
            Problem(name=written["local_chat"], what="is off and no platform is configured", fix=fix),
        )


def _idle(settings: Settings, written: Mapping[str, str]) -> Iterator[_Check]:
    """The steps of an idle session come one after the other."""
    for first, second in itertools.pairwise(_IDLE_STEPS):
        earlier, later = (cast("timedelta | None", getattr(settings, name)) for name in (first, second))
        if earlier is None or later is None or earlier < later:
            continue
        what = f"is {format_duration(later)}, not longer than {written[first]} ({format_duration(earlier)})"
        fix = "make it longer, or the other one shorter"
        yield (first, second), Problem(name=written[second], what=what, fix=fix)
    if settings.retention is not None and settings.retention < _SHORTEST_RETENTION:
        shortest = format_duration(_SHORTEST_RETENTION)
        what = "leaves no time to announce the deletion in the thread"
        fix = f"set it to {shortest} or more"
        yield ("retention",), Problem(name=written["retention"], what=what, fix=fix)


def _slack(settings: Settings, written: Mapping[str, str]) -> Iterator[_Check]:
    """Slack needs its bot token and exactly one way in."""
    ways = ("slack_app_token", "slack_signing_secret")
    given = [name for name in ways if getattr(settings, name) is not None]
    needs = ("slack_bot_token", *ways)
    bot = written["slack_bot_token"]
    if settings.slack_bot_token is None and given:
        what = f"is missing, but {written[given[0]]} is set"
        yield needs, Problem(name=bot, what=what, fix=f"set it, or take {written[given[0]]} out")
    elif settings.slack_bot_token is not None and len(given) != 1:
        what = f"needs exactly one of {written[ways[0]]} and {written[ways[1]]}"
        yield needs, Problem(name=bot, what=what, fix="set the first for Socket Mode, the second for HTTP")
    for name, start in (("slack_bot_token", "xoxb-"), ("slack_app_token", "xapp-")):
        token = cast("SecretStr | None", getattr(settings, name))
        if token is not None and not token.get_secret_value().startswith(start):
            what = f"does not begin with {start}"
            fix = "copy it anew from the app's settings at Slack"
            yield (name,), Problem(name=written[name], what=what, fix=fix)


def _proofs(settings: Settings, written: Mapping[str, str]) -> Iterator[_Check]:
    """What confirms whose browser it is comes whole, and with its platform."""
    pairs = (
        ("slack_client_id", "slack_client_secret"),
        ("slack_client_secret", "slack_client_id"),
        ("slack_client_secret", "slack_bot_token"),
        ("discord_client_secret", "discord_token"),
    )
    for given, needs in pairs:
        if getattr(settings, given) is not None and getattr(settings, needs) is None:
            what, fix = f"is missing, but {written[given]} is set", f"set it, or take {written[given]} out"
            yield (given, needs), Problem(name=written[needs], what=what, fix=fix)


def _exposure(settings: Settings, written: Mapping[str, str]) -> Iterator[_Check]:
    """Whatever listens beyond this machine asks for a token."""
    if not is_loopback(settings.http_host) and settings.local_chat_token is None:
        what = "lets other machines in, without a token"
        fix = f"set {written['local_chat_token']}, or {written['http_host']}=127.0.0.1"
        yield ("http_host", "local_chat_token"), Problem(name=written["http_host"], what=what, fix=fix)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
