"""Where a person signs in for a tool server: from its address to the endpoints of its authorization server.

Knows: RFC 9728 (protected resource), RFC 8414 and OpenID discovery, and what MCP servers from before do. Must not know:
tokens. What is found decides where a browser and secrets are sent, so it is not believed: names must agree with where
they were found, and every address must be as safe as the tool server's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from core.codec import Json
from core.domain.errors import Refused
from core.drivers.oauth_wire import Object, Wire

_RESOURCE_METADATA = re.compile(r'resource_metadata="([^"]+)"')
_SCOPE = re.compile(r'\bscope="([^"]*)"')
_PROTECTED = "/.well-known/oauth-protected-resource"
_ADDRESSES = (
    "authorization_endpoint",
    "token_endpoint",
    "registration_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
)
# Where MCP servers from before the protected-resource metadata have them.
_BEFORE_METADATA = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "registration_endpoint": "/register",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An authorization server and what it is asked for. Addresses that it does not have are ""."""

    issuer: str
    resource: str
    authorize: str
    token: str
    register: str = ""
    revoke: str = ""
    userinfo: str = ""
    scopes: tuple[str, ...] = ()  # that the tool server asks for
    methods: tuple[str, ...] = ()  # how a client may prove itself at the token endpoint
    challenges: tuple[str, ...] = ()  # of PKCE; it need not say
    names_issuer: bool = False  # it says who it is when it sends the browser back


async def discover(wire: Wire, url: str) -> Provider:
    """The provider of the tool server at `url`.

    Raises `NotSent` while something cannot be reached, `Refused` (`oauth_*`) when there is no way to sign in.
    """
    challenge = await wire.challenge(url)
    protected = await _protected(wire, url, challenge)
    issuers = _texts(protected.get("authorization_servers"))
    issuer = issuers[0] if issuers else _origin(url)
    resource = _text(protected, "resource") or url
    if not _covers(resource, url):
        raise Refused(code="oauth_other_resource", detail="the tool server's metadata is about another one")
    asked = _SCOPE.search(challenge)
    scopes = tuple(asked[1].split()) if asked else _texts(protected.get("scopes_supported"))
    metadata = await _metadata(wire, issuer)
    if metadata is None:
        if issuers:
            raise Refused(code="oauth_no_metadata", detail="the authorization server does not describe itself")
        metadata = {name: _origin(url) + path for name, path in _BEFORE_METADATA.items()}
    return _provider(url, issuer, resource, scopes, metadata)


def for_people(provider: Provider) -> Provider:
    """The provider, when a person can sign in there. Raises `Refused` (`oauth_no_metadata`, `oauth_no_pkce`)."""
    if not provider.authorize:
        raise Refused(code="oauth_no_metadata", detail="the authorization server does not say where people sign in")
    if provider.challenges and "S256" not in provider.challenges:
        raise Refused(code="oauth_no_pkce", detail="the authorization server does not know PKCE with S256")
    return provider


def _provider(url: str, issuer: str, resource: str, scopes: tuple[str, ...], metadata: Object) -> Provider:
    addresses = {each: _text(metadata, each) for each in _ADDRESSES}
    unsafe = [each for each, address in addresses.items() if address and not _is_safe(address, url)]
    if unsafe:
        raise Refused(code="oauth_unsafe", detail=f"{unsafe[0]} is not an address that secrets may be sent to")
    if not addresses["token_endpoint"]:
        raise Refused(code="oauth_no_metadata", detail="the authorization server does not say where it answers")
    if "offline_access" in _texts(metadata.get("scopes_supported")) and scopes and "offline_access" not in scopes:
        scopes = (*scopes, "offline_access")
    return Provider(
        issuer=_text(metadata, "issuer") or issuer,
        resource=resource,
        authorize=addresses["authorization_endpoint"],
        token=addresses["token_endpoint"],
        register=addresses["registration_endpoint"],
        revoke=addresses["revocation_endpoint"],
        userinfo=addresses["userinfo_endpoint"],
        scopes=scopes,
        methods=_texts(metadata.get("token_endpoint_auth_methods_supported")),
        challenges=_texts(metadata.get("code_challenge_methods_supported")),
        names_issuer=metadata.get("authorization_response_iss_parameter_supported") is True,
    )


async def _protected(wire: Wire, url: str, challenge: str) -> Object:
    """The tool server's own metadata: where its 401 says, else where the standard says; empty for an older server."""
    named = _RESOURCE_METADATA.search(challenge)
    if named and not _is_safe(named[1], url):
        raise Refused(code="oauth_unsafe", detail="the tool server names an unsafe address for its metadata")
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    places = [named[1]] if named else []
    places += [f"{_origin(url)}{_PROTECTED}{path}", f"{_origin(url)}{_PROTECTED}"]
    for place in dict.fromkeys(places):
        if (found := await wire.get(place)) is not None:
            return found
    return {}


async def _metadata(wire: Wire, issuer: str) -> Object | None:
    """The authorization server's metadata. Raises `Refused` when it is about another one."""
    for place in _well_known(issuer):
        found = await wire.get(place)
        if found is None:
            continue
        said = _text(found, "issuer")
        if said and said.rstrip("/") != issuer.rstrip("/"):
            raise Refused(code="oauth_other_issuer", detail="the metadata there is of another authorization server")
        return found
    return None


def _well_known(issuer: str) -> Iterator[str]:
    origin, path = _origin(issuer), urlsplit(issuer).path.rstrip("/")
    yield f"{origin}/.well-known/oauth-authorization-server{path}"
    yield f"{origin}/.well-known/openid-configuration{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def _covers(resource: str, url: str) -> bool:
    """Whether the resource is the tool server at `url`, or all of its origin."""
    if _origin(resource).lower() != _origin(url).lower():
        return False
    path, inside = urlsplit(resource).path.rstrip("/"), urlsplit(url).path
    return inside.rstrip("/") == path or inside.startswith(f"{path}/")


def _is_safe(address: str, url: str) -> bool:
    """Whether an address is at least as safe as the tool server's own: https, or http where that one is http too."""
    try:
        parts, own = urlsplit(address), urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and own.scheme == "http")


def _text(found: Object, name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
