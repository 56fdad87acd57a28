"""Who may call what over HTTP (DESIGN section 8): the rule as a pure function, and its reading of a request.

Knows: hosts, origins, tokens. Must not know: what a route does.

The web chat has no accounts: whoever reaches it may speak as anybody. So it answers only to this machine's
own programs and pages, and to whoever holds LOCAL_CHAT_TOKEN. A request is this machine's own when
- the connection comes from a loopback address (a Host header alone can be made up by anybody on the
  network),
- `Host` is one loopback literal (a name that resolves here may be an attacker's: DNS rebinding),
- no header says that it was forwarded (a proxy here serves people from elsewhere),
- no other site sent it (`Origin`, `Sec-Fetch-Site`), and its body, if any, is JSON (a form cannot send
  that).
A cookie travels with every request of the browser, so beside it this last condition holds as well; a bearer
token does not, so it is enough by itself.
Under the host of PUBLIC_URL only what outsiders need is there; everything else is not found, token or not.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COOKIE = "rejoinder_chat"
COOKIE_AGE_S = 30 * 86_400  # a month: a person signs in on a phone once
LOGIN = "/login"

_PUBLIC_EXACT = frozenset({"/r", "/healthz"})
_PUBLIC_BELOW = ("/slack/", "/oauth/", "/connect/")
_OPEN = frozenset({"/healthz", "/readyz", LOGIN})  # tell nothing about anybody
_FORWARDED = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
_FORWARDED_PREFIX = "x-forwarded"
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """`token` is LOCAL_CHAT_TOKEN ("" = none); `public_url` is PUBLIC_URL ("" = none)."""

    token: str = ""
    public_url: str = ""

    @property
    def public_host(self) -> str:
        """Host of PUBLIC_URL without port, lower-case; "" when there is none or it is this machine."""
        host = (urlsplit(self.public_url).hostname or "") if self.public_url else ""
        return "" if _is_loopback(host) else host

    def cookie(self) -> str:
        """The value of the sign-in cookie: not the token, so a copied cookie jar does not give that away."""
        return hmac.new(self.token.encode(), b"rejoinder web chat cookie", hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return f"GuardPolicy(token={'set' if self.token else 'none'}, public_url={self.public_url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the rule looks at. `route` is the pattern of the route that would answer, "" if there is none."""

    route: str
    method: str = "GET"
    peer: str = ""
    hosts: tuple[str, ...] = ()
    headers: frozenset[str] = frozenset()  # names, lower-case
    origins: tuple[str, ...] = ()
    fetch_site: str = ""
    fetch_mode: str = ""
    content_type: str = ""
    has_body: bool = False
    bearer: str = ""
    cookie: str = ""


class Verdict(Enum):
    """What becomes of a request: status, code, sentence."""

    ALLOW = (200, "", "")
    NOT_FOUND = (404, "not_found", "There is nothing here.")
    NOT_JSON = (415, "not_json", "Send the body with Content-Type: application/json.")
    NEEDS_TOKEN = (
        401,
        "token_needed",
        "This needs LOCAL_CHAT_TOKEN: open /login?token=… or send it as a bearer token.",
    )
    NOT_HERE = (
        403,
        "not_local",
        "The web chat answers only this machine, as 127.0.0.1 or localhost, unless LOCAL_CHAT_TOKEN is set.",
    )

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    @property
    def code(self) -> str:
        """The stable code."""
        return self.value[1]

    @property
    def sentence(self) -> str:
        """What the caller reads."""
        return self.value[2]


def judge(asked: Asked, policy: GuardPolicy) -> Verdict:
    """Whether a request may reach its route."""
    public = asked.route in _PUBLIC_EXACT or asked.route.startswith(_PUBLIC_BELOW)
    if policy.public_host and _name(asked.hosts[-1] if asked.hosts else "") == policy.public_host:
        return Verdict.ALLOW if public else Verdict.NOT_FOUND
    if public or asked.route in _OPEN:
        return Verdict.ALLOW
    if policy.token and _same(asked.bearer, policy.token):
        return Verdict.ALLOW
    signed_in = bool(policy.token) and _same(asked.cookie, policy.cookie()) and _from_own_page(asked)
    if not (signed_in or (_is_own_machine(asked) and _from_own_page(asked))):
        return Verdict.NEEDS_TOKEN if policy.token else Verdict.NOT_HERE
    return Verdict.ALLOW if _body_is_json(asked) else Verdict.NOT_JSON


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def _is_own_machine(asked: Asked) -> bool:
    if len(asked.hosts) != 1 or not _is_loopback(_name(asked.hosts[0])):
        return False
    if any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIX) for name in asked.headers):
        return False
    return _is_loopback(asked.peer.removeprefix("::ffff:"))


def _from_own_page(asked: Asked) -> bool:
    if len(asked.hosts) != 1 or len(asked.origins) > 1:
        return False
    if asked.origins:
        origin = urlsplit(asked.origins[0].lower())
        return origin.scheme in ("http", "https") and origin.netloc == asked.hosts[0].lower()
    if asked.fetch_site in ("", "same-origin", "none"):
        return True
    # A link from elsewhere to the page itself is fine: it only opens it.
    return asked.method == "GET" and asked.fetch_mode == "navigate" and not asked.route.startswith("/api/")


def _body_is_json(asked: Asked) -> bool:
    if asked.method not in _BODY_METHODS and not asked.has_body:
        return True
    return asked.content_type == "application/json"


def _name(host: str) -> str:
    """The host without its port, lower-case; "" for what is no host."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return ""
    return parts.hostname or ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


# ------------------------------------------------------------------------------------------ aiohttp


def read(request: web.Request) -> Asked:
    """What the rule looks at, out of a request."""
    resource = request.match_info.route.resource
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport is not None else None
    return Asked(
        route=resource.canonical if resource is not None else "",
        method=request.method,
        peer=str(peer[0]) if isinstance(peer, tuple) else "",
        hosts=tuple(request.headers.getall("Host", ())),
        headers=frozenset(name.lower() for name in request.headers),
        origins=tuple(request.headers.getall("Origin", ())),
        fetch_site=request.headers.get("Sec-Fetch-Site", "").lower(),
        fetch_mode=request.headers.get("Sec-Fetch-Mode", "").lower(),
        content_type=request.content_type,
        has_body=request.body_exists,
        bearer=token.strip() if scheme.lower() == "bearer" else "",
        cookie=request.cookies.get(COOKIE, ""),
    )


def login_route(policy: GuardPolicy) -> web.RouteDef:
    """GET /login?token=…: sets the cookie and opens the page."""

    async def login(request: web.Request) -> web.StreamResponse:
        if not policy.token:
            raise web.HTTPNotFound
        if not _same(request.query.get("token", ""), policy.token):
            raise web.HTTPUnauthorized(text="That is not the token of this web chat.")
        response = web.HTTPSeeOther("/")
        response.set_cookie(
            COOKIE,
            policy.cookie(),
            max_age=COOKIE_AGE_S,
            httponly=True,
            samesite="Strict",
            secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
        )
        raise response

    return web.get(LOGIN, login, allow_head=False)
