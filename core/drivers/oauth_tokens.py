"""Tokens: asked for, renewed, revoked; and who we are to an authorization server.

Knows: the grants of RFC 6749, registration (RFC 7591), revocation (RFC 7009), and what is sealed of them. Must not
know: where it is kept, whose it is, or what a person is told.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from core import codec
from core.domain.errors import BadInput, Refused
from core.domain.secret import Secret
from core.drivers.oauth_discovery import Provider
from core.drivers.oauth_wire import Object, Wire
from core.engine.vault import OAuthServer

CLIENT_NAME = "Rejoinder"
_POST, _BASIC, _NONE = "client_secret_post", "client_secret_basic", "none"
# Who a person is at a server, the most telling first: OpenID's claims, then what servers call it that have none.
_NAMES = ("email", "preferred_username", "name", "username", "login", "account", "user", "sub")
_ACCOUNT_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who we are to an authorization server. `method`: how we prove it."""

    id: str
    secret: Secret = field(default_factory=lambda: Secret(""))
    method: str = _NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a login is: the tokens, and everything that is needed to renew or revoke them without asking around."""

    access: Secret
    refresh: Secret
    client: Client
    token: str  # address of the token endpoint
    revoke: str
    resource: str
    scopes: str
    expires_s: int | None = None  # of the access token, from when it was given; not kept


def sealable(grant: Grant) -> Secret:
    """The grant as the text that is sealed."""
    plain = {
        "access": grant.access.reveal(),
        "refresh": grant.refresh.reveal(),
        "client": _plain(grant.client),
        "token": grant.token,
        "revoke": grant.revoke,
        "resource": grant.resource,
        "scopes": grant.scopes,
    }
    return Secret(json.dumps(plain))


def opened(text: Secret) -> Grant:
    """Inverse of `sealable`. Raises `BadInput`."""
    found = parsed(text)
    return Grant(
        access=Secret(_text(found, "access")),
        refresh=Secret(_text(found, "refresh")),
        client=client_of(found.get("client")),
        token=_text(found, "token"),
        revoke=_text(found, "revoke"),
        resource=_text(found, "resource"),
        scopes=_text(found, "scopes"),
    )


def sealable_client(client: Client, redirect: str) -> Secret:
    """A client that was registered with a way back, as the text that is sealed."""
    return Secret(json.dumps({"client": _plain(client), "redirect": redirect}))


def opened_client(text: Secret, redirect: str) -> Client | None:
    """Inverse; None when it was registered with another way back. Raises `BadInput`."""
    found = parsed(text)
    return client_of(found.get("client")) if found.get("redirect") == redirect else None


def client_of(found: codec.Json) -> Client:
    """Inverse of its plain form. Raises `BadInput`."""
    if not isinstance(found, dict):
        raise BadInput(code="bad_value", detail="a sealed client is not of this form")
    return Client(id=_text(found, "id"), secret=Secret(_text(found, "secret")), method=_text(found, "method"))


def parsed(text: Secret) -> dict[str, codec.Json]:
    """The sealed object. Raises `BadInput`, without a word of what is inside."""
    try:
        found = json.loads(text.reveal())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadInput(code="bad_value", detail="what was sealed is not of this form")
    return found


# --------------------------------------------------------------------------------------- who we are


async def registered(wire: Wire, server: OAuthServer, provider: Provider, redirect: str) -> Client:
    """Register at the authorization server. Raises `NotSent`, `Refused`."""
    if not provider.register:
        detail = f"the authorization server registers nobody: set client_id in [tools.{server.name}]"
        raise Refused(code="oauth_no_client", detail=detail)
    method = _method(provider.methods or (_NONE,), secret=False)
    scope = " ".join(server.scopes or provider.scopes)
    wish: dict[str, codec.Json] = {
        "client_name": CLIENT_NAME,
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    }
    said = await wire.post_json(provider.register, wish | ({"scope": scope} if scope else {}))
    client_id = _text(said, "client_id")
    if not client_id:
        raise Refused(code="oauth_no_client", detail="the authorization server registered us without an id")
    secret = _text(said, "client_secret")
    granted = _text(said, "token_endpoint_auth_method") or (method if secret or method == _NONE else _NONE)
    return Client(id=client_id, secret=Secret(secret), method=granted if secret else _NONE)


def configured(server: OAuthServer, provider: Provider) -> Client:
    """The client of the settings."""
    if not server.client_secret:
        return Client(id=server.client_id)
    method = _method(provider.methods or (_BASIC,), secret=True)
    return Client(id=server.client_id, secret=server.client_secret, method=method)


def _method(known: tuple[str, ...], *, secret: bool) -> str:
    """The simplest way that both sides know."""
    ours = (_POST, _BASIC) if secret else (_NONE, _POST, _BASIC)
    return next((each for each in ours if each in known), ours[0])


# ------------------------------------------------------------------------------------------- grants


async def exchanged(wire: Wire, begun: Grant, code: Secret, verifier: Secret, redirect: str) -> tuple[Grant, Object]:
    """The tokens for a code, and all that the server said with them. Raises `NotSent`, `Refused`."""
    form = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": redirect,
        "code_verifier": verifier.reveal(),
    }
    said = await _ask(wire, begun, form)
    return _granted(begun, said), said


async def refreshed(wire: Wire, grant: Grant) -> Grant:
    """The grant with a new access token, and a new refresh token where the server gives one."""
    form = {"grant_type": "refresh_token", "refresh_token": grant.refresh.reveal()}
    return _granted(grant, await _ask(wire, grant, form))


async def own(wire: Wire, grant: Grant) -> Grant:
    """A token for the program itself (client credentials)."""
    scope = {"scope": grant.scopes} if grant.scopes else {}
    return _granted(grant, await _ask(wire, grant, {"grant_type": "client_credentials"} | scope))


async def revoked(wire: Wire, grant: Grant) -> None:
    """Revoke both tokens where the server can. Raises `NotSent`; a server that refuses has no such token."""
    if not grant.revoke:
        return
    for hint, token in (("refresh_token", grant.refresh), ("access_token", grant.access)):
        if token:
            form = {"token": token.reveal(), "token_type_hint": hint}
            await wire.revoke(grant.revoke, *_proven(grant.client, form))


async def _ask(wire: Wire, grant: Grant, form: Mapping[str, str]) -> Object:
    resource = {"resource": grant.resource} if grant.resource else {}
    fields, basic = _proven(grant.client, {**form, **resource})
    return await wire.post(grant.token, fields, basic=basic)


def _proven(client: Client, form: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, str] | None]:
    """The form with who we are, and what goes in the header instead."""
    fields = {**form, "client_id": client.id}
    if client.method == _BASIC:
        return fields, (quote(client.id, safe=""), quote(client.secret.reveal(), safe=""))
    if client.secret:
        fields["client_secret"] = client.secret.reveal()
    return fields, None


def _granted(before: Grant, said: Object) -> Grant:
    """What the server gave; what it does not mention stays."""
    access = _text(said, "access_token")
    if not access or _text(said, "token_type").casefold() not in ("bearer", ""):
        raise Refused(code="oauth_no_token", detail="the authorization server gave no bearer token")
    refresh = _text(said, "refresh_token")
    lasts = said.get("expires_in")
    return replace(
        before,
        access=Secret(access),
        refresh=Secret(refresh) if refresh else before.refresh,
        scopes=_text(said, "scope") or before.scopes,
        expires_s=int(lasts) if isinstance(lasts, int | float) else _number(lasts),
    )


def _number(text: codec.Json) -> int | None:
    """Some servers say how long a token lasts as a text."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else None


# -------------------------------------------------------------------------------------- who it is


async def account_of(wire: Wire, provider_userinfo: str, said: Object, access: Secret) -> str:
    """Who signed in, as the server says, "" when it does not: in what came with the tokens, else where it tells."""
    named = _named(said) or _named(claims(_text(said, "id_token")))
    if named or not provider_userinfo:
        return named
    return _named(await wire.get(provider_userinfo, bearer=access.reveal()) or {})


def _named(found: Object) -> str:
    for name in _NAMES:
        if value := _text(found, name).strip():
            return " ".join(value.split())[:_ACCOUNT_CHARS]
    return ""


def claims(id_token: str) -> Object:
    """What an id token says. It came from the server over a connection of ours: nobody else can have written it."""
    parts = id_token.split(".")
    if len(parts) != len(("head", "claims", "signature")):
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _plain(client: Client) -> dict[str, codec.Json]:
    return {"id": client.id, "secret": client.secret.reveal(), "method": client.method}


def _text(found: Mapping[str, codec.Json], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""
