"""Whose browser is it? What a browser carries to be known again, and how far that is believed.

Knows: the cookie: sealed, so that nobody makes one up; for each workspace one account, and how it was found out.
Must not know: HTTP, who may do what with it (see `oauth_login`).

A browser is a person's when their platform's own sign-in said so in it, or, where no platform says so, when a login of
theirs was got with it that they did not disown: `[Not me]` makes its browser unknown again. Whoever is somebody else
elsewhere (another workspace, another platform) is no stranger: one may be both. In the web chat everybody is whom they
say they are, so there a browser is never somebody else's.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import Enum, auto

import structlog

from core.domain.errors import BadInput, StoreDamaged
from core.domain.keys import PersonKey
from core.domain.secret import Secret
from core.domain.tooling import Login, LoginState
from core.drivers.oauth_parts import Parts
from core.engine.vault import about_browser

LIFE_MS = 180 * 24 * 3_600_000  # half a year; a login in it begins the time anew
PLACES_MAX = 6  # workspaces that one browser is known in: more do not fit into a cookie

log = structlog.get_logger(__name__)


class Whose(Enum):
    """Whose browser it is, for one login."""

    OWNER = auto()
    OTHER = auto()
    NOBODY = auto()  # nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """One account that the browser is known to be of; `login` and `browser`: by which login, "" = by its platform."""

    account: PersonKey
    at_ms: int
    login: str = ""
    browser: str = ""  # digest, as in `Login`

    @property
    def place(self) -> tuple[str, str]:
        return _place(self.account)


class Browsers:
    """`self_named`: platforms where people are whom they say they are."""

    def __init__(self, parts: Parts, self_named: Container[str] = ()) -> None:
        self._rows = parts.rows
        self._seal = parts.seal
        self._clock = parts.clock
        self._self_named = self_named

    async def whose(self, cookie: str, login: Login, *, proven: bool = False) -> Whose:
        """Whose a browser with this cookie is, seen from who shall hold `login`; `proven`: a platform has to say so."""
        found = [each for each in self._opened(cookie) if not (proven and each.login)]
        believed = [each for each in found if await self._is_good(each)]
        for each in believed:
            if await self.is_owner(each.account, login):
                return Whose.OWNER
        stranger = any(each.place == _place(login.asker) for each in believed)
        return Whose.OTHER if stranger and login.asker.platform not in self._self_named else Whose.NOBODY

    async def is_owner(self, account: PersonKey, login: Login) -> bool:
        """Whether an account is that of who shall hold the login, or linked to it."""
        return account == login.asker or (bool(login.owner) and await self._rows.identity(account) == login.owner)

    def by_login(self, cookie: str, login: Login) -> Secret:
        """The cookie of a browser that has got a login for its owner."""
        known = _Known(account=login.asker, at_ms=self._clock.now_ms(), login=login.id, browser=login.browser)
        return self._with(cookie, known)

    def by_platform(self, cookie: str, account: PersonKey) -> Secret:
        """The cookie of a browser of which its platform has said whose it is."""
        return self._with(cookie, _Known(account=account, at_ms=self._clock.now_ms()))

    def _with(self, cookie: str, known: _Known) -> Secret:
        others = [each for each in self._opened(cookie) if each.place != known.place]
        kept = sorted((*others, known), key=lambda each: each.at_ms)[-PLACES_MAX:]
        text = json.dumps([[str(each.account), each.at_ms, each.login, each.browser] for each in kept])
        return Secret(to_cookie(self._seal.seal(Secret(text), about_browser())))

    async def _is_good(self, known: _Known) -> bool:
        if self._clock.now_ms() - known.at_ms >= LIFE_MS:
            return False
        if not known.login:
            return True
        login = await self._rows.login(known.login)
        if login is None or login.state is not LoginState.DONE:
            return False
        return bool(known.browser) and hmac.compare_digest(login.browser, known.browser)

    def _opened(self, cookie: str) -> tuple[_Known, ...]:
        """What the cookie says; nothing when it was changed, or sealed under a key that we do not have any more."""
        if not cookie:
            return ()
        try:
            found = json.loads(self._seal.unseal(from_cookie(cookie), about_browser()).reveal())
            return tuple(_read(found))
        except (StoreDamaged, BadInput, ValueError) as error:
            log.info("browser_not_known", error=type(error).__name__)
            return ()


def _read(found: object) -> Iterator[_Known]:
    for each in found if isinstance(found, list) else ():
        match each:
            case [str(account), int(at_ms), str(login), str(browser)]:
                yield _Known(account=PersonKey.parse(account), at_ms=at_ms, login=login, browser=browser)
            case _:
                raise BadInput(code="bad_value", detail="what was sealed is not of this form")


def _place(account: PersonKey) -> tuple[str, str]:
    return account.platform, account.workspace


def to_cookie(sealed: str) -> str:
    """What is sealed, in letters that a cookie may have."""
    return sealed.translate(str.maketrans("+/", "-_")).rstrip("=")


def from_cookie(text: str) -> str:
    """Inverse of `to_cookie`."""
    return text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4)
