"""The logins of the loopback tool server: who signed in, which tokens live, and what goes wrong on demand.

Knows: the mcp package's provider protocol. Must not know: HTTP, what is tested. Refresh tokens rotate: each works once.
Every secret that it gives out has a canary in it, so that a test can look for them where they must not be.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

CANARY = "kanarienvogel"  # in every token, code and client secret
CODE_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A browser that stands before the sign-in form."""

    client_id: str
    params: AuthorizationParams


class Provider(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """Implements the protocol. `access_s`: how long an access token lasts; `counts`: what was asked how often."""

    def __init__(self) -> None:
        self.access_s = 3600
        self.rotating = True
        self.counts: Counter[str] = Counter()
        self.resources: list[str | None] = []
        self.challenges: list[str] = []
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self._numbers = itertools.count(1)
        self._asked: dict[str, Asked] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}

    # --------------------------------------------------------------------------- what a test does to it

    def revoke_access(self) -> None:
        """Every access token is worth nothing from now on, long before it expires."""
        self._access.clear()

    def revoke_refresh(self) -> None:
        """Every refresh token is worth nothing from now on."""
        self._refresh.clear()

    def forget_clients(self) -> None:
        """The server has lost everybody who had registered."""
        self.clients.clear()

    @property
    def living(self) -> int:
        """How many tokens would work."""
        return len(self._access) + len(self._refresh)

    # ------------------------------------------------------------------------------------ the sign-in form

    def asked(self, request: str) -> Asked | None:
        """What a browser before the form had asked for."""
        return self._asked.get(request)

    def signed_in(self, request: str, person: str) -> str:
        """The person signs in: where the browser goes next."""
        asked = self._asked.pop(request)
        code = self._new("code")
        params = asked.params
        self._codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or [],
            expires_at=time.time() + CODE_S,
            client_id=asked.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject=person,
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    def declined(self, request: str) -> str:
        """The person says no: where the browser goes next."""
        params = self._asked.pop(request).params
        return construct_redirect_uri(str(params.redirect_uri), error="access_denied", state=params.state)

    # -------------------------------------------------------------------------------------- the protocol

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """See the protocol."""
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        """See the protocol."""
        self.counts["registered"] += 1
        if client_info.client_secret:
            client_info.client_secret = self._new("client-secret")
        self.clients[str(client_info.client_id)] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """See the protocol."""
        self.counts["authorized"] += 1
        self.resources.append(params.resource)
        self.challenges.append(params.code_challenge)
        request = f"request-{next(self._numbers)}"
        self._asked[request] = Asked(client_id=str(client.client_id), params=params)
        return f"/login?request={request}"

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        """See the protocol."""
        return self._codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        """See the protocol."""
        self.counts["exchanged"] += 1
        del self._codes[authorization_code.code]
        code = authorization_code
        return self._grant(str(client.client_id), code.scopes, code.resource, code.subject)

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> RefreshToken | None:
        """See the protocol."""
        self.counts["refreshes"] += 1
        found = self._refresh.get(refresh_token)
        if found is None:
            self.counts["refused"] += 1
        return found

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        """See the protocol."""
        if self._refresh.pop(refresh_token.token, None) is None:
            raise TokenError("invalid_grant")
        self.counts["refreshed"] += 1
        again = "" if self.rotating else refresh_token.token
        return self._grant(str(client.client_id), scopes, refresh_token.resource, refresh_token.subject, refresh=again)

    async def load_access_token(self, token: str) -> AccessToken | None:
        """See the protocol."""
        found = self._access.get(token)
        if found is not None and found.expires_at is not None and found.expires_at < time.time():
            return None
        return found

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        """See the protocol."""
        self.counts["revoked"] += 1
        self._access.pop(token.token, None)
        self._refresh.pop(token.token, None)

    # ----------------------------------------------------------------------------------------- tokens

    def own(self, client_id: str) -> OAuthToken:
        """A token for a program itself."""
        self.counts["own"] += 1
        return self._grant(client_id, [], None, client_id, refresh=None)

    def _grant(
        self,
        client_id: str,
        scopes: list[str],
        resource: str | None,
        subject: str | None,
        *,
        refresh: str | None = "",
    ) -> OAuthToken:
        """A new pair; `refresh` "" = a new refresh token too, None = none."""
        access = self._new("access")
        self._access[access] = AccessToken(
            token=access,
            client_id=client_id,
            scopes=scopes,
            expires_at=int(time.time()) + self.access_s,
            resource=resource,
            subject=subject,
        )
        if refresh is not None:
            refresh = refresh or self._new("refresh")
            self._refresh[refresh] = RefreshToken(
                token=refresh, client_id=client_id, scopes=scopes, resource=resource, subject=subject
            )
        return OAuthToken(
            access_token=access, token_type="Bearer", expires_in=self.access_s, refresh_token=refresh, scope="tools"
        )

    def _new(self, what: str) -> str:
        return f"{CANARY}-{what}-{next(self._numbers):06d}-{'x' * 24}"
