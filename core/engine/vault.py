"""The engine's doors to logins at tool servers: tokens for a call, the way to sign in, and what both are kept in.

Knows: what a vault, a sign-in and their rows must do. Must not know: OAuth's wire, SQL, ciphers. A call raises only
what the outside raises (`NotSent`, `Refused`, `Ambiguous`) or `StoreError`; no error has a token in its text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from urllib.parse import quote

from core.domain.keys import PersonKey
from core.domain.secret import Secret
from core.domain.tooling import Credential, Login
from core.engine.tool_ports import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthServer:
    """A tool server that wants a login. `own`: the program's own (client credentials), else a person's each.

    Without `client_id` the program registers itself. `scopes` empty: what the server asks for.
    """

    name: str  # of the `[tools.NAME]` table
    url: str
    own: bool = False
    client_id: str = ""
    client_secret: Secret = field(default_factory=lambda: Secret(""))
    scopes: tuple[str, ...] = ()


class KeptVault(Vault, Protocol):
    """A vault whose logins are kept: renewed ahead of time, given back when they are not wanted.

    However many ask it for a bearer at once, an expired token is refreshed once. While the token endpoint is down the
    token is kept.
    """

    async def refresh(self, credential_id: str, version: int) -> None:
        """Refresh ahead of expiry, unless the credential has another version by now. Raises `NotSent`."""
        ...

    async def end(self, credential_id: str) -> None:
        """Revoke at the server what was disconnected, as far as it can be revoked there.

        Raises `NotSent` or `Ambiguous` when that is not known to have happened.
        """
        ...


class Seal(Protocol):
    """Seals what must not be readable on a disk. Sealed under one `about`, it does not open under another."""

    def seal(self, plain: Secret, about: str) -> str:
        """The sealed text."""
        ...

    def unseal(self, sealed: str, about: str) -> Secret:
        """Inverse of `seal`. Raises `StoreDamaged`: changed, moved to another row, or under a key we do not have."""
        ...


class CredentialRows(Protocol):
    """What the vault and the sign-in keep. Each write is one unit that happens whole or, when it is late, not."""

    async def credential(self, owner: str, server: str) -> Credential | None:
        """The login of an owner at a server, unless it is being ended."""
        ...

    async def credential_by_id(self, credential_id: str) -> Credential | None:
        """The login with this id, in whatever state."""
        ...

    async def swap(self, new: Credential, was: int | None) -> bool:
        """Save `new` in place of version `was` (None: there was none); False when that is not what stands there."""
        ...

    async def used(self, credential_id: str, now_ms: int) -> None:
        """Note that a login was used; it is refreshed ahead of time only while it is."""
        ...

    async def drop(self, credential_id: str) -> None:
        """Delete a login that was ended."""
        ...

    async def client(self, key: str) -> str:
        """The sealed client that we are at an authorization server, "" when we have none."""
        ...

    async def keep_client(self, key: str, sealed: str) -> None:
        """Keep it; "" forgets it."""
        ...

    async def login(self, login_id: str) -> Login | None:
        """The login with this id."""
        ...

    async def login_by_link(self, digest: str) -> Login | None:
        """The login whose newest one-time link has this digest."""
        ...

    async def bind(self, login: Login, browser: str) -> bool:
        """The link belongs to this browser from now on; False when it is another's or has been replaced."""
        ...

    async def leave(self, login: Login, sealed: str) -> bool:
        """The browser goes on to the authorization server with what is `sealed`; False when it may not any more."""
        ...

    async def take(self, login: Login) -> bool:
        """The browser came back: its link and what was sealed are used up; False when they are already."""
        ...

    async def holder(self, login: Login) -> str:
        """The name of the person who would hold the login, as we last saw it."""
        ...

    async def identity(self, account: PersonKey) -> str:
        """Who this account is here, "" for somebody whom we do not know."""
        ...

    async def due(self, expires_before_ms: int, used_since_ms: int, limit: int) -> tuple[tuple[str, int], ...]:
        """Id and version of logins that expire soon, can be refreshed and are used, or that a waiting call needs."""
        ...


class Step(StrEnum):
    """What a page of the sign-in tells; each has its words (`connect.<value>`)."""

    CONFIRM = "confirm"  # who will hold the login: go on?
    LEAVE = "leave"  # go on to the authorization server
    DONE = "done"
    HELD = "held"  # signed in, and not used before its owner says that it is theirs
    DECLINED = "declined"  # by the person, or by the server on their behalf
    FAILED = "failed"  # the server's fault
    DOWN = "down"  # the server cannot be reached
    NOT_SAVED = "not_saved"  # our own disk
    GONE = "gone"  # no such link, used, replaced or too old
    ELSEWHERE = "elsewhere"  # opened in another browser before
    STRANGER = "stranger"  # the browser, or who is signed in there at the platform, is somebody else
    UNPROVEN = "unproven"  # the platform did not say who it is
    NO_PROOF = "no_proof"  # the platform cannot be reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the browser is shown, and the cookies that it is given.

    `goto`: where it goes on. `browser`: what it must come back with. `known`: whose it is from now on, sealed. `proof`:
    what it takes to its platform's sign-in, sealed; None: it takes nothing there any more.
    """

    step: Step
    server: str = ""
    holder: str = ""  # name of the person who will hold the login
    platform: str = ""
    workspace: str = ""
    account: str = ""  # who it is at the server
    goto: str = ""
    asks_proof: bool = False  # the next page is the platform's
    browser: Secret = field(default_factory=lambda: Secret(""))
    known: Secret = field(default_factory=lambda: Secret(""))
    proof: Secret | None = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """What the authorization server sent the browser back with."""

    state: str
    code: Secret
    error: str = ""
    issuer: str = ""


class Logins(Protocol):
    """The way to sign in, page by page. Never raises what the outside raises: each page says what happened.

    `browser`, `known` and `proof` are the cookies that came (see `Page`), "" for none.
    """

    @property
    def proofs(self) -> tuple[str, ...]:
        """The platforms that say whose browser it is, by name."""
        ...

    async def open(self, link: str, browser: str, *, known: str = "") -> Page:
        """The link was opened."""
        ...

    async def leave(self, link: str, browser: str, *, known: str = "") -> Page:
        """The person goes on."""
        ...

    async def back(self, back: Back, browser: str, *, known: str = "") -> Page:
        """The browser came back from the authorization server."""
        ...

    async def proven(self, platform: str, back: Back, *, known: str = "", proof: str = "") -> Page:
        """The browser came back from its platform's sign-in."""
        ...


# ------------------------------------------------------------------------- what a sealed value is bound to


def about_credential(owner: str, server: str) -> str:
    """The tokens of one owner at one server."""
    return _about("credential", owner, server)


def about_login(owner: str, server: str, login_id: str) -> str:
    """What a browser has to bring back for one login."""
    return _about("login", owner, server, login_id)


def about_client(key: str) -> str:
    """What the program is to one authorization server."""
    return _about("client", key)


def about_browser() -> str:
    """Whose a browser is."""
    return _about("browser")


def about_proof() -> str:
    """What a browser takes to its platform's sign-in."""
    return _about("proof")


def _about(*parts: str) -> str:
    return "/".join(quote(part, safe="", errors="surrogatepass") for part in parts)
