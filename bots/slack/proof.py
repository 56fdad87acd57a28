"""Whose browser is it? Slack's own sign-in ("Sign in with Slack", OpenID Connect) says so.

Knows: its page, `openid.connect.token` and `openid.connect.userInfo` (docs.slack.dev: Sign in with Slack). Must not
know: what for. The token that Slack gives tells us the id of a person and nothing else; it is kept nowhere.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from bots.slack import ids
from bots.slack.payload import text_at
from core.domain.errors import NotSent, Refused
from core.domain.keys import PersonKey
from core.domain.secret import Secret
from core.drivers.oauth_tokens import claims
from core.drivers.oauth_wire import Wire
from core.engine.ports import Clock
from core.engine.proving import Asking

AUTHORIZE = "https://slack.com/openid/connect/authorize"
API = "https://slack.com/api"
SCOPE = "openid"  # the id of the person and of the workspace; no name, no address
_USER, _TEAM = "https://slack.com/user_id", "https://slack.com/team_id"
# Slack's own bad moments, which it tells with status 200: they say nothing about the person.
_PASSING = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})


class SlackProver:
    """Implements `core.engine.proving.Prover`. `api` and `authorize`: where Slack is, for tests."""

    def __init__(
        self, client_id: str, secret: Secret, clock: Clock, *, api: str = API, authorize: str = AUTHORIZE
    ) -> None:
        self._client_id = client_id
        self._secret = secret
        self._api = api.rstrip("/")
        self._authorize = authorize
        self._wire = Wire(clock.now_ms)

    @property
    def platform(self) -> str:
        """See `Prover`."""
        return ids.PLATFORM

    async def door(self, asking: Asking) -> str:
        """See `Prover`."""
        query = {
            "response_type": "code",
            "scope": SCOPE,
            "client_id": self._client_id,
            "state": asking.state.reveal(),
            "nonce": asking.nonce.reveal(),
            "redirect_uri": asking.redirect,
            "team": asking.workspace,
        }
        return f"{self._authorize}?{urlencode(query)}"

    async def account(self, asking: Asking, code: Secret) -> PersonKey:
        """See `Prover`."""
        form = {
            "grant_type": "authorization_code",
            "code": code.reveal(),
            "redirect_uri": asking.redirect,
            "client_id": self._client_id,
            "client_secret": self._secret.reveal(),
        }
        try:
            said = await self._wire.post(f"{self._api}/openid.connect.token", form)
        except Refused as error:
            raise _passing(error) from None
        told = claims(text_at(said, "id_token"))
        if not hmac.compare_digest(text_at(told, "nonce").encode(), asking.nonce.reveal().encode()):
            raise Refused(code="proof_other_nonce", detail="Slack's answer is about another sign-in")
        return await self._named(text_at(said, "access_token"))

    async def _named(self, token: str) -> PersonKey:
        info = await self._wire.get(f"{self._api}/openid.connect.userInfo", bearer=token) or {}
        user, team = text_at(info, _USER), text_at(info, _TEAM)
        if not (user and team):
            code = text_at(info, "error") or "proof_no_account"
            raise _passing(Refused(code=code, detail="Slack does not say who signed in"))
        return ids.person(team, user)

    async def close(self) -> None:
        """See `Prover`."""
        await self._wire.close()


def _passing(error: Refused) -> NotSent | Refused:
    return NotSent(code="slack_down", detail=error.code) if error.code in _PASSING else error
