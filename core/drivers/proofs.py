"""A browser's way to its platform's own sign-in and back: who left, with what, and who came back.

Knows: what the browser takes along, sealed in a cookie of its own, so that nothing is kept here and no link is used up
before it is known whose browser it is. Must not know: how a platform does it (`core.engine.proving`), who may go on.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from core.domain.errors import BadInput, Refused, StoreDamaged
from core.domain.keys import PersonKey
from core.domain.secret import Secret
from core.domain.tooling import Login
from core.drivers.browsers import from_cookie, to_cookie
from core.drivers.oauth_parts import Parts
from core.drivers.oauth_tokens import parsed
from core.engine.proving import Asking, Prover
from core.engine.vault import Back, about_proof

RANDOM_BYTES = 32  # of state and nonce: 256 bits
PATH = "/oauth/"  # with the platform's name: where its sign-in sends the browser back to

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """A browser that went to its platform for a link."""

    link: Secret
    asking: Asking


class Proofs:
    """`provers`: the platforms that say whose browser it is. `base` gives the address under which browsers find us."""

    def __init__(self, parts: Parts, provers: Mapping[str, Prover], base: Callable[[], str]) -> None:
        self._seal = parts.seal
        self._provers = provers
        self._base = base

    @property
    def platforms(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._provers)

    def covers(self, login: Login) -> bool:
        """Whether the platform of who shall hold the login is one of them."""
        return login.asker.platform in self._provers

    async def begun(self, login: Login, link: str) -> tuple[str, Secret]:
        """Where the browser goes, and what it takes along. Raises `NotSent`, `Refused`."""
        platform = login.asker.platform
        asking = Asking(
            state=Secret(secrets.token_urlsafe(RANDOM_BYTES)),
            nonce=Secret(secrets.token_urlsafe(RANDOM_BYTES)),
            redirect=f"{self._base()}{PATH}{platform}",
            workspace=login.asker.workspace,
        )
        goto = await self._provers[platform].door(asking)
        plain = {
            "platform": platform,
            "link": link,
            "state": asking.state.reveal(),
            "nonce": asking.nonce.reveal(),
            "redirect": asking.redirect,
            "workspace": asking.workspace,
        }
        return goto, Secret(to_cookie(self._seal.seal(Secret(json.dumps(plain)), about_proof())))

    def away(self, platform: str, back: Back, cookie: str) -> Away | None:
        """What the browser had left with; None when it is not the one that left, or came back with another state."""
        try:
            found = parsed(self._seal.unseal(from_cookie(cookie), about_proof())) if cookie else {}
        except (StoreDamaged, BadInput) as error:
            log.info("proof_does_not_open", error=type(error).__name__)
            return None
        texts = {name: each for name, each in found.items() if isinstance(each, str)}
        state = texts.get("state", "")
        if not state or texts.get("platform") != platform:
            return None
        if not hmac.compare_digest(state.encode(), back.state.encode("utf-8", "replace")):
            return None
        asking = Asking(
            state=Secret(state),
            nonce=Secret(texts.get("nonce", "")),
            redirect=texts.get("redirect", ""),
            workspace=texts.get("workspace", ""),
        )
        return Away(link=Secret(texts.get("link", "")), asking=asking)

    async def account(self, platform: str, away: Away, back: Back) -> PersonKey:
        """Who the platform says that it is. Raises `NotSent`, `Refused`."""
        if back.error or not back.code:
            raise Refused(code=back.error or "proof_no_code")
        return await self._provers[platform].account(away.asking, back.code)
