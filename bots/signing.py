"""Logins at tool servers, put together: the vault, the way to sign in with its pages, the job that keeps them fresh.

Knows: who needs whom of these. Must not know: the store behind the rows, where the keys come from (`bots.app`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from bots.local import ids
from bots.web.connect import Connect
from core.domain.secret import Secret
from core.domain.tooling import Auth
from core.drivers.oauth_login import Accept, OAuthLogins
from core.drivers.oauth_parts import Parts
from core.drivers.oauth_vault import OAuthVault
from core.drivers.oauth_wire import Wire
from core.engine.points import Point, nowhere
from core.engine.ports import Clock, Intake
from core.engine.proving import Prover
from core.engine.refreshing import Refreshing, look
from core.engine.vault import CredentialRows, OAuthServer, Seal
from core.settings import Settings

SELF_NAMED = frozenset({ids.PLATFORM})  # nobody has to prove there who they are
LOOK_S = 30.0  # logins that end within the next five minutes are looked for this often


def servers_of(settings: Settings) -> dict[str, OAuthServer]:
    """The tool servers of the settings that want a login."""
    return {
        name: OAuthServer(
            name=name,
            url=each.url,
            own=each.auth is Auth.CLIENT_CREDENTIALS,
            client_id=each.client_id,
            client_secret=Secret(each.client_secret.get_secret_value() if each.client_secret else ""),
            scopes=tuple(each.scopes.split()),
        )
        for name, each in settings.tools.items()
        if each.auth in (Auth.OAUTH, Auth.CLIENT_CREDENTIALS)
    }


class Signing:
    """Everything about logins. `close` it after the engine."""

    def __init__(
        self,
        servers: Mapping[str, OAuthServer],
        rows: CredentialRows,
        seal: Seal,
        clock: Clock,
        *,
        provers: Mapping[str, Prover] | None = None,
        point: Point = nowhere,
    ) -> None:
        self._provers = dict(provers or {})
        self._parts = Parts(servers=servers, rows=rows, seal=seal, clock=clock, wire=Wire(clock.now_ms), point=point)
        self.vault = OAuthVault(self._parts)

    @property
    def refreshing(self) -> Refreshing:
        """What carries RefreshCredential out."""
        return Refreshing(vault=self.vault, rows=self._parts.rows)

    def logins(self, accept: Accept, base: Callable[[], str]) -> OAuthLogins:
        """The way to sign in. `base` gives the address under which browsers find us."""
        return OAuthLogins(self._parts, accept=accept, base=base, provers=self._provers, self_named=SELF_NAMED)

    def routes(self, accept: Accept, base: Callable[[], str], language: str, *, secure: bool) -> list[web.RouteDef]:
        """The pages of the sign-in."""
        return Connect(self.logins(accept, base), language, secure=secure).routes()

    async def look(self, intake: Intake) -> None:
        """The job: renew what ends soon."""
        await look(self._parts.rows, self._parts.clock, intake)

    async def close(self) -> None:
        """Save what is being renewed, end the connections."""
        await self.vault.close()
        for each in self._provers.values():
            await each.close()
        await self._parts.wire.close()
