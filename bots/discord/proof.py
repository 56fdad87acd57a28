"""Whose browser is it? Discord's own sign-in (OAuth2 with `identify`) says so.

Knows: its page, `/oauth2/token` and `/users/@me` (docs: topics/oauth2). Must not know: what for. The token that Discord
gives tells us who a person is and nothing else; it is kept nowhere.
"""

from __future__ import annotations

from urllib.parse import urlencode

from bots.discord import entrance, ids
from bots.discord.fields import required, snowflake
from bots.discord.rest import AGENT, API, Rest
from core.domain.errors import Ambiguous, BadInput, NotSent, Refused
from core.domain.keys import PersonKey
from core.domain.secret import Secret
from core.drivers.oauth_wire import Wire
from core.engine.ports import Clock
from core.engine.proving import Asking

AUTHORIZE = "https://discord.com/oauth2/authorize"
SCOPE = "identify"


class DiscordProver:
    """Implements `core.engine.proving.Prover`. `token` is the bot's: it tells which application we are."""

    def __init__(self, token: str, secret: Secret, clock: Clock, *, api: str = API, authorize: str = AUTHORIZE) -> None:
        self._secret = secret
        self._authorize = authorize
        self._rest = Rest(token, clock, api=api)
        self._wire = Wire(clock.now_ms, agent=AGENT)
        self._app = ""

    @property
    def platform(self) -> str:
        """See `Prover`."""
        return ids.PLATFORM

    async def door(self, asking: Asking) -> str:
        """See `Prover`."""
        query = {
            "response_type": "code",
            "scope": SCOPE,
            "client_id": await self._application(),
            "state": asking.state.reveal(),
            "redirect_uri": asking.redirect,
            "prompt": "none",  # who has agreed once is not asked again
        }
        return f"{self._authorize}?{urlencode(query)}"

    async def account(self, asking: Asking, code: Secret) -> PersonKey:
        """See `Prover`."""
        form = {"grant_type": "authorization_code", "code": code.reveal(), "redirect_uri": asking.redirect}
        proof = (await self._application(), self._secret.reveal())
        said = await self._wire.post(f"{self._rest.api}/oauth2/token", form, basic=proof)
        token = said.get("access_token")
        info = await self._wire.get(f"{self._rest.api}/users/@me", bearer=str(token)) or {}
        try:
            return ids.person(required(info, "id"))
        except BadInput as error:
            raise Refused(code="proof_no_account", detail="Discord does not say who signed in") from error

    async def _application(self) -> str:
        """Our application's id, which is what OAuth calls a client; asked once. Raises `NotSent`, `Refused`."""
        if not self._app:
            try:
                about = await entrance.application(self._rest)
                self._app = snowflake(about, "id") or required(await entrance.ourselves(self._rest), "id")
            except (Ambiguous, BadInput) as error:
                raise NotSent(code="discord_down", detail=error.code) from error
        return self._app

    async def close(self) -> None:
        """See `Prover`."""
        await self._wire.close()
        await self._rest.close()
