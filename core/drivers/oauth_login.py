"""The way to sign in: from the one-time link to tokens that are saved, page by page.

Knows: who may go on at each page. Must not know: how a page looks, what the chat says afterwards (see
`rules.credentials`), OAuth's wire.

A link is for one person and one server, made by their own press, and is given to them privately. The first browser that
opens it gets a cookie; from then on the link is worth nothing without it. The page names who will hold the login before
anybody leaves for the authorization server. The way back needs that cookie and the state that left with it, and works
once. So a link that somebody else opens first is of no use to its owner, and the other way round; a way back that was
caught or forwarded attaches nothing to anybody.
A browser that is known to be somebody else's (see `browsers`) goes nowhere. Where the owner's platform can say whose a
browser is, one of which nothing is known goes there first, and the link belongs to no browser before that.
Of link, cookie and state the store has digests only, or sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import replace
from types import MappingProxyType

import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from core.domain.errors import BadInput, NotSent, Refused, StoreDamaged, StoreError
from core.domain.events import LinkStrayed, SignedIn
from core.domain.links import digest_of_link
from core.domain.secret import Secret
from core.domain.stamp import Stamp
from core.domain.tooling import Credential, Login, LoginState
from core.drivers import oauth_away, oauth_tokens
from core.drivers.browsers import Browsers, Whose
from core.drivers.oauth_away import Away
from core.drivers.oauth_discovery import Provider, discover, for_people
from core.drivers.oauth_parts import Parts
from core.drivers.oauth_tokens import Client, Grant
from core.drivers.oauth_vault import begin, sealed_into
from core.drivers.proofs import Proofs
from core.engine.proving import Prover
from core.engine.vault import Back, OAuthServer, Page, Step, about_client, about_login

RANDOM_BYTES = 32  # of cookie, state and verifier: 256 bits
CALLBACK = "/oauth/callback"
_DECLINED = "access_denied"
_STRANGE_CLIENT = frozenset({"invalid_client", "unauthorized_client"})

log = structlog.get_logger(__name__)

Accept = Callable[[SignedIn | LinkStrayed], Awaitable[object]]
_NO_PROVERS: Mapping[str, Prover] = MappingProxyType({})


class OAuthLogins:
    """Implements `core.engine.vault.Logins`. `base` gives the address under which browsers find us."""

    def __init__(
        self,
        parts: Parts,
        *,
        accept: Accept,
        base: Callable[[], str],
        provers: Mapping[str, Prover] = _NO_PROVERS,
        self_named: Container[str] = (),
    ) -> None:
        self._servers = parts.servers
        self._rows = parts.rows
        self._seal = parts.seal
        self._clock = parts.clock
        self._wire = parts.wire
        self._point = parts.point
        self._accept = accept
        self._base = base
        self._browsers = Browsers(parts, self_named)
        self._proofs = Proofs(parts, provers, base)

    @property
    def proofs(self) -> tuple[str, ...]:
        """See `Logins`."""
        return self._proofs.platforms

    # ------------------------------------------------------------------------------------- the pages

    async def open(self, link: str, browser: str, *, known: str = "") -> Page:
        """See `Logins`."""
        login = await self._found(link)
        if login is None:
            return Page(step=Step.GONE)
        whose = await self._whose(known, login)
        if whose is Whose.OTHER:
            return await self._strayed(login)
        if self._has_to_prove(login, whose, browser):
            taken = bool(login.browser)  # by a browser that has proven to be its owner's
            return Page(step=Step.ELSEWHERE, server=login.server) if taken else await self._asks_proof(login)
        cookie = browser or secrets.token_urlsafe(RANDOM_BYTES)
        if not await self._rows.bind(login, _digest(cookie, login.id)):
            return Page(step=Step.ELSEWHERE, server=login.server)
        return replace(await self._page(Step.CONFIRM, login), browser=Secret(cookie))

    async def leave(self, link: str, browser: str, *, known: str = "") -> Page:
        """See `Logins`."""
        login = await self._found(link)
        if login is None:
            return Page(step=Step.GONE)
        whose = await self._whose(known, login)
        if whose is Whose.OTHER:
            return await self._strayed(login)
        if self._has_to_prove(login, whose, browser) and not login.browser:
            return await self._to_proof(login, link)
        if not _is(login.browser, browser, login.id):
            return Page(step=Step.ELSEWHERE, server=login.server)
        return await self._leave(login)

    async def back(self, back: Back, browser: str, *, known: str = "") -> Page:
        """See `Logins`."""
        came = await self._came_back(back, browser)
        if isinstance(came, Page):
            return came
        login, away = came
        whose = await self._whose(known, login)
        if whose is Whose.OTHER:
            return await self._strayed(login)
        if login.expires_ms <= self._clock.now_ms() or not await self._rows.take(login):
            return Page(step=Step.GONE, server=login.server)
        self._point("login.taken")
        page = await self._arrived(login, away, back, known=whose is Whose.OWNER)
        if page.step not in (Step.DONE, Step.HELD) or whose is Whose.OWNER:
            return page
        return replace(page, known=self._browsers.by_login(known, login))

    # --------------------------------------------------------------------------------- whose browser it is

    async def proven(self, platform: str, back: Back, *, known: str = "", proof: str = "") -> Page:
        """See `Logins`."""
        away = self._proofs.away(platform, back, proof)
        login = None if away is None else await self._found(away.link.reveal())
        if away is None or login is None or login.asker.platform != platform:
            return Page(step=Step.GONE, proof=None)
        self._point("proof.back")
        try:
            account = await self._proofs.account(platform, away, back)
        except NotSent as error:
            return replace(await self._not_proven(Step.NO_PROOF, login, error), proof=None)
        except Refused as error:
            return replace(await self._not_proven(Step.UNPROVEN, login, error), proof=None)
        self._point("proof.told")
        marked = self._browsers.by_platform(known, account)
        if not await self._browsers.is_owner(account, login):
            return replace(await self._strayed(login), known=marked, proof=None)
        cookie = secrets.token_urlsafe(RANDOM_BYTES)
        bound = replace(login, browser=_digest(cookie, login.id))
        if not await self._rows.bind(login, bound.browser):
            return Page(step=Step.ELSEWHERE, server=login.server, known=marked, proof=None)
        return replace(await self._leave(bound), browser=Secret(cookie), known=marked, proof=None)

    async def _whose(self, known: str, login: Login) -> Whose:
        return await self._browsers.whose(known, login, proven=self._proofs.covers(login))

    def _has_to_prove(self, login: Login, whose: Whose, browser: str) -> bool:
        """Whether the platform is asked first: it can say whose browser this is, and nothing else does."""
        return self._proofs.covers(login) and whose is Whose.NOBODY and not _is(login.browser, browser, login.id)

    async def _asks_proof(self, login: Login) -> Page:
        return replace(await self._page(Step.CONFIRM, login), asks_proof=True)

    async def _to_proof(self, login: Login, link: str) -> Page:
        try:
            goto, proof = await self._proofs.begun(login, link)
        except NotSent as error:
            return await self._not_proven(Step.NO_PROOF, login, error)
        except Refused as error:
            return await self._not_proven(Step.UNPROVEN, login, error)
        return replace(await self._page(Step.LEAVE, login), goto=goto, proof=proof)

    async def _not_proven(self, step: Step, login: Login, error: NotSent | Refused) -> Page:
        """Nothing has happened to the link: it can be opened again."""
        log.info("browser_not_proven", platform=login.asker.platform, code=error.code, detail=error.detail)
        return await self._page(step, login)

    async def _strayed(self, login: Login) -> Page:
        """The link is in the wrong hands: its owner is told, once, and it still works for them."""
        log.info("link_strayed", server=login.server, login=login.id)
        key = f"strayed:{login.id}:{login.link or login.expires_ms}"
        try:
            await self._accept(LinkStrayed(source_keys=(key,), login_id=login.id))
        except StoreError as problem:
            log.warning("link_strayed_not_told", code=problem.code)
        return Page(step=Step.STRANGER, server=login.server)

    # -------------------------------------------------------------------------------------- going off

    async def _leave(self, login: Login) -> Page:
        """The browser goes on to the authorization server."""
        server = self._servers.get(login.server)
        if server is None:
            return Page(step=Step.GONE)
        try:
            provider = for_people(await discover(self._wire, server.url))
            client = await self._client(server, provider, anew=bool(login.sealed))
        except NotSent as error:
            return await self._told(Step.DOWN, login, error)
        except Refused as error:
            return await self._told(Step.FAILED, login, error)
        return await self._gone_off(login, server, provider, client)

    async def _gone_off(self, login: Login, server: OAuthServer, provider: Provider, client: Client) -> Page:
        verifier = secrets.token_urlsafe(RANDOM_BYTES)
        away = Away(
            state=Secret(f"{login.id}.{secrets.token_urlsafe(RANDOM_BYTES)}"),
            verifier=Secret(verifier),
            redirect=self._redirect,
            grant=begin(server, provider, client),
            userinfo=provider.userinfo,
            issuer=provider.issuer,
            names_issuer=provider.names_issuer,
        )
        if not await self._rows.leave(login, self._seal.seal(oauth_away.sealable(away), _about(login))):
            return Page(step=Step.GONE, server=login.server)
        goto = prepare_grant_uri(
            provider.authorize,
            client.id,
            "code",
            redirect_uri=away.redirect,
            scope=away.grant.scopes or None,
            state=away.state.reveal(),
            code_challenge=_challenge(verifier),
            code_challenge_method="S256",
            resource=away.grant.resource,
        )
        return replace(await self._page(Step.LEAVE, login), goto=goto)

    async def _client(self, server: OAuthServer, provider: Provider, *, anew: bool) -> Client:
        """Who we are there: from the settings, from an earlier registration, or registered now.

        `anew`: the last time the browser did not come back; perhaps the server has forgotten who we are.
        """
        if server.client_id:
            return oauth_tokens.configured(server, provider)
        if not anew and (kept := await self._rows.client(provider.token)):
            try:
                known = oauth_tokens.opened_client(
                    self._seal.unseal(kept, about_client(provider.token)), self._redirect
                )
            except (StoreDamaged, BadInput) as error:
                log.warning("client_does_not_open", code=error.code)
                known = None
            if known is not None:
                return known
        client = await oauth_tokens.registered(self._wire, server, provider, self._redirect)
        sealed = self._seal.seal(oauth_tokens.sealable_client(client, self._redirect), about_client(provider.token))
        await self._rows.keep_client(provider.token, sealed)
        return client

    @property
    def _redirect(self) -> str:
        return self._base() + CALLBACK

    # -------------------------------------------------------------------------------------- coming back

    async def _came_back(self, back: Back, browser: str) -> tuple[Login, Away] | Page:
        """The login that the browser had left for, and with what."""
        login = await self._rows.login(back.state.partition(".")[0])
        if login is None or not login.sealed:
            return Page(step=Step.GONE)
        if not _is(login.browser, browser, login.id):
            return Page(step=Step.ELSEWHERE, server=login.server)
        away = self._away(login)
        if away is None or not hmac.compare_digest(back.state.encode(), away.state.reveal().encode()):
            return Page(step=Step.GONE, server=login.server)
        return login, away

    async def _arrived(self, login: Login, away: Away, back: Back, *, known: bool) -> Page:
        try:
            oauth_away.check(away, back)
            grant, said = await oauth_tokens.exchanged(self._wire, away.grant, back.code, away.verifier, away.redirect)
            self._point("login.exchanged")
        except NotSent as error:
            return await self._told(Step.DOWN, login, error)
        except Refused as error:
            if error.code in _STRANGE_CLIENT:
                await self._rows.keep_client(away.grant.token, "")
            return await self._told(Step.DECLINED if error.code == _DECLINED else Step.FAILED, login, error)
        account = await self._account(away.userinfo, said, grant.access)
        return await self._attach(login, away, grant, account, known=known)

    async def _account(self, userinfo: str, said: Mapping[str, object], access: Secret) -> str:
        """Who it is at the server; a server that does not say so now is no reason to sign in again."""
        try:
            return await oauth_tokens.account_of(self._wire, userinfo, said, access)  # type: ignore[arg-type]
        except NotSent as error:
            log.info("account_not_known", code=error.code)
            return ""

    async def _attach(self, login: Login, away: Away, grant: Grant, account: str, *, known: bool) -> Page:
        now_ms = self._clock.now_ms()
        stamp = Stamp(now_ms=now_ms, seed=secrets.token_hex(16))
        empty = Credential(
            id=stamp.ulid("credential"), owner=login.owner, server=login.server, sealed="", created_ms=now_ms
        )
        credential = sealed_into(self._seal, empty, grant, now_ms)
        credential = replace(credential, account=account, issuer=away.issuer, used_ms=now_ms)
        key = f"login:{login.id}:{credential.id}"
        event = SignedIn(source_keys=(key,), login_id=login.id, credential=credential, known=known)
        try:
            await self._accept(event)
        except StoreError as error:
            log.warning("login_not_saved", server=login.server, code=error.code)
            return await self._page(Step.NOT_SAVED, login)
        now = await self._rows.login(login.id)
        held = now is not None and now.state is LoginState.HELD
        return replace(await self._page(Step.HELD if held else Step.DONE, login), account=account)

    async def _told(self, step: Step, login: Login, error: NotSent | Refused) -> Page:
        """It did not work: the chat learns it too, the card still offers to sign in."""
        log.info("sign_in_failed", server=login.server, code=error.code, detail=error.detail)
        code = step.value
        key = f"login:{login.id}:{secrets.token_hex(8)}"
        try:
            await self._accept(SignedIn(source_keys=(key,), login_id=login.id, failure=code))
        except StoreError as problem:
            log.warning("sign_in_not_told", code=problem.code)
        return await self._page(step, login)

    # ------------------------------------------------------------------------------------------ rows

    async def _found(self, link: str) -> Login | None:
        """The login of a link that is still good."""
        login = await self._rows.login_by_link(digest_of_link(link))
        if login is None or login.state is LoginState.DONE or login.expires_ms <= self._clock.now_ms():
            return None
        return login

    async def _page(self, step: Step, login: Login) -> Page:
        return Page(
            step=step,
            server=login.server,
            holder=await self._rows.holder(login),
            platform=login.asker.platform,
            workspace=login.asker.workspace,
        )

    def _away(self, login: Login) -> Away | None:
        try:
            return oauth_away.opened(self._seal.unseal(login.sealed, _about(login)))
        except (StoreDamaged, BadInput) as error:
            log.warning("login_does_not_open", server=login.server, code=error.code)
            return None


def _about(login: Login) -> str:
    return about_login(login.owner, login.server, login.id)


def _digest(cookie: str, login_id: str) -> str:
    """What is kept of a browser's cookie: another for each login."""
    return hashlib.sha256(f"{login_id}:{cookie}".encode("utf-8", "replace")).hexdigest()


def _is(digest: str, cookie: str, login_id: str) -> bool:
    return bool(digest and cookie) and hmac.compare_digest(digest, _digest(cookie, login_id))


def _challenge(verifier: str) -> str:
    return str(create_s256_code_challenge(verifier))  # type: ignore[no-untyped-call]
