"""What is sealed in a login while its browser is at the authorization server, and what it has to bring back.

Knows: its form. Must not know: who may go on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from core.domain.errors import Refused
from core.domain.secret import Secret
from core.drivers import oauth_tokens
from core.drivers.oauth_tokens import Grant
from core.engine.vault import Back

_TEXTS = ("state", "verifier", "redirect", "grant", "userinfo", "issuer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """One browser on its way."""

    state: Secret
    verifier: Secret
    redirect: str
    grant: Grant
    userinfo: str
    issuer: str
    names_issuer: bool


def check(away: Away, back: Back) -> None:
    """Raises `Refused` when the browser does not bring a code of the server that it was sent to."""
    if away.names_issuer and back.issuer.rstrip("/") != away.issuer.rstrip("/"):
        raise Refused(code="oauth_other_issuer", detail="another authorization server sent the browser back")
    if back.error or not back.code:
        raise Refused(code=back.error or "oauth_no_code")


def sealable(away: Away) -> Secret:
    """The text that is sealed."""
    plain = {
        "state": away.state.reveal(),
        "verifier": away.verifier.reveal(),
        "redirect": away.redirect,
        "grant": oauth_tokens.sealable(away.grant).reveal(),
        "userinfo": away.userinfo,
        "issuer": away.issuer,
        "names_issuer": away.names_issuer,
    }
    return Secret(json.dumps(plain))


def opened(text: Secret) -> Away:
    """Inverse of `sealable`. Raises `BadInput`."""
    found = oauth_tokens.parsed(text)
    texts = {name: str(found.get(name, "")) for name in _TEXTS}
    return Away(
        state=Secret(texts["state"]),
        verifier=Secret(texts["verifier"]),
        redirect=texts["redirect"],
        grant=oauth_tokens.opened(Secret(texts["grant"])),
        userinfo=texts["userinfo"],
        issuer=texts["issuer"],
        names_issuer=found.get("names_issuer") is True,
    )
