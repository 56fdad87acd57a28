"""The tables `[tools.NAME]` of the file: MCP servers, how they are reached, what of them may be used.

Knows: what each key may be, which keys contradict each other, which secret stands in the environment. Must not know:
how a server is called. No problem repeats a value: it might be a secret.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError

from core.domain.tooling import Auth, ToolKind
from core.units import parse_duration

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]|_(?!_|$)){0,30}")  # "_" at its end would be a tool of another one
_TIMEOUT_MAX = timedelta(minutes=10)
_FIXES = {
    "url": 'for example url = "https://tools.example.com/mcp"',
    "command": 'for example command = "npx" and args = ["-y", "some-mcp-server"]',
    "args": 'for example args = ["-y", "some-mcp-server"]',
    "env": 'for example env = { REGION = "eu" }',
    "auth": "one of none, oauth, token, client_credentials",
    "allow": 'a list of tool names, for example allow = ["search", "read_page"]',
    "effects": 'for example effects = { create_page = "write" }, each one of read, idempotent, write, destructive',
    "timeout": 'for example timeout = "60s", at most 10m',
    "scopes": 'for example scopes = "read write"',
}


def _words(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


def _scopes(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _duration(value: object) -> object:
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return parse_duration(str(value)) if plain else value


def _short_enough(value: timedelta) -> timedelta:
    if not timedelta() < value <= _TIMEOUT_MAX:
        raise ValueError("is not between 0 and 10 minutes")
    return value


def _address(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not a full address")
    if parts.username or parts.password:
        raise ValueError("has a login in it; use auth and token_env instead")
    return text.strip()


class ToolServer(BaseModel):
    """One MCP server. Either `url` (streamable HTTP) or `command` (a process that is talked to on its pipes)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_address)] = ""
    command: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, SecretStr] = {}
    auth: Auth = Auth.NONE
    token: SecretStr | None = None
    token_env: str = ""
    client_id: str = ""
    client_secret: SecretStr | None = None
    client_secret_env: str = ""
    scopes: Annotated[str, BeforeValidator(_scopes)] = ""
    allow: tuple[str, ...] | None = None  # None: all that the server offers
    effects: Mapping[str, ToolKind] = {}
    timeout: Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_short_enough)] = timedelta(seconds=60)

    @property
    def secrets(self) -> Iterator[str]:
        """Every secret in it; for the log's second net only."""
        for each in (self.token, self.client_secret, *self.env.values()):
            if each is not None:
                yield each.get_secret_value()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One thing that is wrong with the key `name`, as the rest of a sentence, and what to do about it."""

    name: str
    what: str
    fix: str


def read_servers(tables: object, environ: Mapping[str, str]) -> tuple[dict[str, ToolServer], list[Wrong]]:
    """The servers that can be used, and everything that is wrong with the others."""
    servers: dict[str, ToolServer] = {}
    wrong: list[Wrong] = []
    if not isinstance(tables, Mapping):
        return {}, [Wrong(name="tools", what="is not a table", fix="write a table [tools.NAME] for each server")]
    for name, table in tables.items():
        found = list(_bad_name(str(name))) or list(_bad_keys(str(name), table))
        if not found:
            server = _with_secrets(ToolServer.model_validate(table), environ)
            found = list(_contradictions(f"tools.{name}", server))
            servers[str(name)] = server
        wrong += found
    return {name: each for name, each in servers.items() if not wrong}, wrong


def _bad_name(name: str) -> Iterator[Wrong]:
    if not _NAME.fullmatch(name):
        what = "is not a name that a model can call"
        fix = "use up to 31 letters, digits, single underscores and hyphens, a letter first"
        yield Wrong(name=f"tools.{name}", what=what, fix=fix)


def _bad_keys(name: str, table: object) -> Iterator[Wrong]:
    if not isinstance(table, Mapping):
        yield Wrong(name=f"tools.{name}", what="is not a table", fix=f"write [tools.{name}] and its keys below")
        return
    try:
        ToolServer.model_validate(table)
    except ValidationError as error:
        seen: set[str] = set()
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            key = str(each["loc"][0])
            if key not in seen:
                seen.add(key)
                yield _bad_key(f"tools.{name}.{key}", key, each["type"], each["msg"])


def _bad_key(name: str, key: str, kind: str, message: str) -> Wrong:
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(key, ToolServer.model_fields, n=1)
        known = ", ".join(ToolServer.model_fields)
        fix = f"write {near[0]} if that is what was meant" if near else f"take it out; known are {known}"
        return Wrong(name=name, what="is not a setting", fix=fix)
    what = message.removeprefix("Value error, ") if kind == "value_error" else "is not usable"
    return Wrong(name=name, what=what, fix=_FIXES.get(key, "write a text in quotes"))


def _with_secrets(server: ToolServer, environ: Mapping[str, str]) -> ToolServer:
    """The server with the secrets that the environment holds for it."""
    found = {
        field: SecretStr(environ[name])
        for field, name in (("token", server.token_env), ("client_secret", server.client_secret_env))
        if name and environ.get(name)
    }
    return server.model_copy(update=found) if found else server


def _contradictions(name: str, server: ToolServer) -> Iterator[Wrong]:
    if bool(server.url) == bool(server.command):
        yield Wrong(name=name, what="needs exactly one of url and command", fix=f"{_FIXES['url']}; {_FIXES['command']}")
    if server.command and server.auth is not Auth.NONE:
        fix = "take auth out and give the process what it needs in env"
        yield Wrong(name=f"{name}.auth", what="means nothing to a command", fix=fix)
    if server.auth is Auth.TOKEN and server.token is None:
        missing = f"{server.token_env} is not set" if server.token_env else "there is no token"
        fix = "set token_env to the name of a variable that holds it"
        yield Wrong(name=f"{name}.token", what=f"is missing: {missing}", fix=fix)
    if server.auth is Auth.CLIENT_CREDENTIALS and not (server.client_id and server.client_secret):
        fix = "set client_id, and client_secret_env to the name of a variable that holds the secret"
        yield Wrong(name=f"{name}.client_secret", what="or client_id is missing", fix=fix)
    parts = urlsplit(server.url)
    if server.auth is not Auth.NONE and parts.scheme == "http" and not _loopback(parts.hostname or ""):
        what = "would send logins over the network in the clear"
        yield Wrong(name=f"{name}.url", what=what, fix="use an address that begins with https://")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
