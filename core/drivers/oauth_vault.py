"""The vault: a fresh token for a call, refreshed once however many ask, saved before it is used.

Knows: when a token is too old, who may refresh it, what a refusal means for it. Must not know: OAuth's wire, how it is
sealed, who calls which tool.

A server that rotates refresh tokens takes each only once. So:
- one refresh of a login runs at a time, as a task of its own: a caller that gives up does not cut it off between the
  server's answer and the saving of it;
- what it brought is saved under the version that it began from, and only then given to anybody;
- a pair that the disk did not take is kept in memory and saved first when somebody asks again;
- a crash between the answer and the saving costs a new sign-in and nothing else: the old refresh token is refused.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial

import structlog
from pydantic import SecretStr

from core.domain.errors import BadInput, NotSent, Refused, StoreDamaged, StoreError
from core.domain.secret import Secret
from core.domain.stamp import Stamp
from core.domain.tooling import Credential, CredentialStatus
from core.drivers import oauth_tokens
from core.drivers.oauth_discovery import Provider, discover
from core.drivers.oauth_parts import Parts
from core.drivers.oauth_tokens import Client, Grant
from core.engine.tool_ports import Bearer
from core.engine.vault import OAuthServer, Seal, about_credential

EARLY_MS = 60_000  # a token that ends sooner is refreshed first: a call takes a while, clocks differ
EARLY_SHARE = 5  # ... of a token that lasts for minutes only: in the last fifth of its life
CLOSE_S = 5.0  # a refresh under way at the end may be saved for so long

_USED_STEP_MS = 3_600_000  # when a login was last used is noted to the hour
_STRANGE_CLIENT = "invalid_client"  # the server does not know us any more: the next sign-in registers anew

log = structlog.get_logger(__name__)


class OAuthVault:
    """Implements `core.engine.vault.KeptVault` for the servers of the settings."""

    def __init__(self, parts: Parts) -> None:
        self._servers = parts.servers
        self._rows = parts.rows
        self._seal = parts.seal
        self._clock = parts.clock
        self._wire = parts.wire
        self._point = parts.point
        self._flights: dict[str, asyncio.Task[Credential | None]] = {}
        self._unsaved: dict[str, tuple[Credential, int | None]] = {}

    async def close(self) -> None:
        """Let what is being refreshed be saved, then end."""
        if self._flights:
            await asyncio.wait(self._flights.values(), timeout=CLOSE_S)
        for task in tuple(self._flights.values()):
            task.cancel()
        await asyncio.gather(*self._flights.values(), return_exceptions=True)

    async def bearer(self, owner: str, server: str) -> Bearer | None:
        """See `KeptVault`."""
        known = self._servers.get(server)
        if known is None:
            return None
        owner = "" if known.own else owner
        row = await self._rows.credential(owner, server)
        if row is None or (known.own and row.status is not CredentialStatus.OK):
            return await self._first(known, row) if known.own else None
        if row.status is not CredentialStatus.OK:
            return None
        if not self._is_old(row):
            return await self._bearer(row)
        try:
            return await self._bearer(await self._once(row.id, self._renewed(row)))
        except NotSent:
            if self._is_dead(row):
                raise
            return await self._bearer(row)  # it still holds for a while

    async def renew(self, bearer: Bearer) -> Bearer | None:
        """See `KeptVault`."""
        row = await self._rows.credential_by_id(bearer.credential_id)
        if row is None or row.status is not CredentialStatus.OK:
            return None
        if row.version != bearer.version:
            return await self._bearer(row)
        return await self._bearer(await self._once(row.id, self._renewed(row)))

    async def refresh(self, credential_id: str, version: int) -> None:
        """See `KeptVault`."""
        row = await self._rows.credential_by_id(credential_id)
        if row is not None and row.version == version and row.status is CredentialStatus.OK:
            await self._once(row.id, self._renewed(row))

    async def end(self, credential_id: str) -> None:
        """See `KeptVault`."""
        row = await self._rows.credential_by_id(credential_id)
        if row is None or row.status is not CredentialStatus.ENDING:
            return
        if (grant := self._grant(row)) is not None:
            await oauth_tokens.revoked(self._wire, grant)

    # ------------------------------------------------------------------------------------- one flight

    async def _once(self, key: str, work: Coroutine[None, None, Credential | None]) -> Credential | None:
        """Run `work`, or wait for the one that runs under this key already."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(work, name=f"refresh:{key}")
            self._flights[key] = flight
            flight.add_done_callback(partial(self._landed, key))
        else:
            work.close()
        return await asyncio.shield(flight)

    def _landed(self, key: str, flight: asyncio.Task[Credential | None]) -> None:
        """The flight is over. Its error is known to whoever waited; when everybody has gone, to nobody."""
        self._flights.pop(key, None)
        if not flight.cancelled() and (error := flight.exception()) is not None:
            log.info("refresh_failed", error=type(error).__name__)

    async def _renewed(self, row: Credential) -> Credential | None:
        """The credential with a new token; None when a person has to sign in. Raises `NotSent`."""
        if (unsaved := self._unsaved.get(row.id)) is not None:
            return await self._save(*unsaved)
        now = await self._rows.credential_by_id(row.id)
        if now is None or now.version != row.version:
            return now if now is not None and now.status is CredentialStatus.OK else None
        grant = self._grant(row)
        try:
            fresh = await self._asked(row, grant)
        except Refused as error:
            log.info("login_refused", server=row.server, code=error.code)
            if grant is not None and error.code == _STRANGE_CLIENT:
                await self._rows.keep_client(grant.token, "")
            return await self._save(self._with(row, None), row.version)
        return await self._save(self._with(row, fresh), row.version)

    async def _asked(self, row: Credential, grant: Grant | None) -> Grant:
        """Ask the server for a new token. Raises `NotSent`, or `Refused` when there will be none."""
        known = self._servers.get(row.server)
        own = known is not None and known.own
        if grant is None or not (own or grant.refresh):
            raise Refused(code="no_refresh_token")
        self._point("refresh.before_call")
        fresh = await (oauth_tokens.own if own else oauth_tokens.refreshed)(self._wire, grant)
        self._point("refresh.after_call")
        return fresh

    async def _save(self, new: Credential, was: int | None) -> Credential | None:
        """Save before anybody uses it; what stands there instead when somebody else was first."""
        try:
            saved = await self._rows.swap(new, was)
        except StoreError as error:
            self._unsaved[new.id] = (new, was)
            log.warning("login_not_saved", server=new.server, code=error.code)
            raise NotSent(code="login_not_saved") from None
        self._unsaved.pop(new.id, None)
        self._point("refresh.saved")
        stands = new if saved else await self._rows.credential(new.owner, new.server)
        return stands if stands is not None and stands.status is CredentialStatus.OK else None

    def _with(self, row: Credential, grant: Grant | None) -> Credential:
        """The row with what the server gave; None: it gave nothing, and will not."""
        now_ms = self._clock.now_ms()
        row = replace(row, version=row.version + 1, updated_ms=now_ms)
        if grant is None:
            return replace(row, status=CredentialStatus.NEEDS_LOGIN, renewable=False, expires_ms=None)
        return sealed_into(self._seal, row, grant, now_ms)

    # --------------------------------------------------------------------------------- the program's own

    async def _first(self, server: OAuthServer, row: Credential | None) -> Bearer | None:
        """The program's own login: asked for when it is first needed, or anew when it was refused before."""
        return await self._bearer(await self._once(f"own:{server.name}", self._own(server, row)))

    async def _own(self, server: OAuthServer, row: Credential | None) -> Credential | None:
        try:
            provider = await discover(self._wire, server.url)
            begun = begin(server, provider, oauth_tokens.configured(server, provider))
            grant = await oauth_tokens.own(self._wire, begun)
        except Refused as error:
            log.warning("own_login_refused", server=server.name, code=error.code)
            return None
        now_ms = self._clock.now_ms()
        if row is None:
            stamp = Stamp(now_ms=now_ms, seed=secrets.token_hex(16))
            fresh = Credential(id=stamp.ulid("credential"), owner="", server=server.name, sealed="", created_ms=now_ms)
        else:
            fresh = replace(row, version=row.version + 1, status=CredentialStatus.OK)
        fresh = replace(sealed_into(self._seal, fresh, grant, now_ms), issuer=provider.issuer)
        return await self._save(fresh, row.version if row is not None else None)

    # ------------------------------------------------------------------------------------------- rows

    async def _bearer(self, row: Credential | None) -> Bearer | None:
        grant = None if row is None else self._grant(row)
        if row is None or grant is None:
            return None
        await self._note_use(row)
        return Bearer(token=SecretStr(grant.access.reveal()), credential_id=row.id, version=row.version)

    async def _note_use(self, row: Credential) -> None:
        """When it was last used is worth knowing, not worth failing for."""
        now_ms = self._clock.now_ms()
        if now_ms - row.used_ms < _USED_STEP_MS:
            return
        try:
            await self._rows.used(row.id, now_ms)
        except StoreError as error:
            log.info("use_not_noted", code=error.code)

    def _grant(self, row: Credential) -> Grant | None:
        """What is sealed in a row; None when it does not open: then the person signs in anew."""
        try:
            return oauth_tokens.opened(self._seal.unseal(row.sealed, about_credential(row.owner, row.server)))
        except (StoreDamaged, BadInput) as error:
            log.warning("login_does_not_open", server=row.server, code=error.code)
            return None

    def _is_old(self, row: Credential) -> bool:
        if row.expires_ms is None:
            return False
        lasts_ms = row.expires_ms - row.updated_ms
        early_ms = min(EARLY_MS, lasts_ms // EARLY_SHARE) if row.renewable else 0
        return row.expires_ms - early_ms <= self._clock.now_ms()

    def _is_dead(self, row: Credential) -> bool:
        return row.expires_ms is not None and row.expires_ms <= self._clock.now_ms()


def begin(server: OAuthServer, provider: Provider, client: Client) -> Grant:
    """A grant before there is a token."""
    return Grant(
        access=Secret(""),
        refresh=Secret(""),
        client=client,
        token=provider.token,
        revoke=provider.revoke,
        resource=provider.resource,
        scopes=" ".join(server.scopes or provider.scopes),
    )


def sealed_into(seal: Seal, row: Credential, grant: Grant, now_ms: int) -> Credential:
    """The row with the grant sealed into it."""
    return replace(
        row,
        sealed=seal.seal(oauth_tokens.sealable(grant), about_credential(row.owner, row.server)),
        status=CredentialStatus.OK,
        expires_ms=None if grant.expires_s is None else now_ms + grant.expires_s * 1000,
        renewable=bool(grant.refresh) or not row.owner,
        scopes=grant.scopes,
        updated_ms=now_ms,
    )
