"""`/connect/<link>`, `/oauth/callback` and `/oauth/<platform>`: the pages of a sign-in at a tool server.

Knows: HTTP, the cookies, how a page looks and what it says. Must not know: OAuth, tokens, who may go on (see
`core.engine.vault.Logins`). Looking at a link with HEAD, as link checkers do, changes nothing. No page loads anything,
none is kept, and the address of none is told to the next one: a code stands in it.
"""

from __future__ import annotations

import html
from functools import partial

from aiohttp import web

from bots.web.landing import style_of
from bots.web.pages import template
from core.domain.links import LIFE_MS, PATH
from core.domain.secret import Secret
from core.domain.words import say
from core.drivers.browsers import LIFE_MS as KNOWN_MS
from core.engine.vault import Back, Logins, Page, Step

COOKIE = "rejoinder_connect"  # the browser that has opened a link
KNOWN = "rejoinder_known"  # whose browser it is, sealed
PROOF_COOKIE = "rejoinder_proof"  # what a browser takes to its platform's sign-in, sealed
COOKIE_CHARS = 200
SEALED_CHARS = 4096  # no browser keeps more
CALLBACK = "/oauth/callback"
PROOF = "/oauth/"  # with the platform's name
_STATUS = {
    Step.FAILED: 502,
    Step.DOWN: 503,
    Step.NOT_SAVED: 507,
    Step.GONE: 410,
    Step.ELSEWHERE: 403,
    Step.STRANGER: 403,
    Step.UNPROVEN: 403,
    Step.NO_PROOF: 503,
}
_SEE_OTHER = 303


class Connect:
    """The pages. `secure`: browsers reach us by https, so the cookies travel by nothing else."""

    def __init__(self, logins: Logins, language: str, *, secure: bool) -> None:
        self._logins = logins
        self._language = language
        self._secure = secure
        self._template = template("connect")

    def routes(self) -> list[web.RouteDef]:
        """The link, the way back from a tool server, and that from each platform which says whose browser it is."""
        return [
            web.get(PATH + "{link}", self._open, allow_head=False),
            web.post(PATH + "{link}", self._leave),
            web.get(CALLBACK, self._back, allow_head=False),
            *(web.get(f"{PROOF}{name}", partial(self._proven, name), allow_head=False) for name in self._logins.proofs),
        ]

    async def _open(self, request: web.Request) -> web.StreamResponse:
        link, known = request.match_info["link"], _cookie(request, KNOWN)
        return self._response(await self._logins.open(link, _cookie(request), known=known))

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        link, known = request.match_info["link"], _cookie(request, KNOWN)
        return self._response(await self._logins.leave(link, _cookie(request), known=known))

    async def _back(self, request: web.Request) -> web.StreamResponse:
        known = _cookie(request, KNOWN)
        return self._response(await self._logins.back(_back_of(request), _cookie(request), known=known))

    async def _proven(self, platform: str, request: web.Request) -> web.StreamResponse:
        known, proof = _cookie(request, KNOWN), _cookie(request, PROOF_COOKIE)
        return self._response(await self._logins.proven(platform, _back_of(request), known=known, proof=proof))

    def _response(self, page: Page) -> web.Response:
        if page.step is Step.LEAVE:
            response = web.Response(status=_SEE_OTHER, headers={"Location": page.goto})
        else:
            text = self.text(page)
            response = web.Response(
                text=text,
                status=_STATUS.get(page.step, 200),
                content_type="text/html",
                headers={"Content-Security-Policy": policy(text)},
            )
        self._give(response, COOKIE, page.browser, 2 * LIFE_MS)
        self._give(response, KNOWN, page.known, KNOWN_MS)
        if page.proof is None:
            response.del_cookie(PROOF_COOKIE, path="/")
        else:
            self._give(response, PROOF_COOKIE, page.proof, LIFE_MS)
        return response

    def _give(self, response: web.Response, name: str, value: Secret, life_ms: int) -> None:
        """A cookie that no script reads and no other site's form sends along."""
        if value:
            response.set_cookie(
                name,
                value.reveal(),
                max_age=life_ms // 1000,
                path="/",
                httponly=True,
                samesite="Lax",
                secure=self._secure,
            )

    def text(self, page: Page) -> str:
        """The page as HTML."""

        def told(part: str) -> str:
            words = {
                "server": page.server,
                "holder": page.holder or say(self._language, "connect.somebody"),
                "place": self._place(page),
                "account": page.account,
                "platform": self._platform(page),
            }
            return html.escape(say(self._language, f"connect.{page.step}.{part}", **words))

        lines = [f"<p>{told('text')}</p>"]
        if page.step is Step.CONFIRM:
            lines.append(f'<p class="quiet">{told("warning")}</p>')
            lines += [f"<p>{told('proof')}</p>"] if page.asks_proof else []
            lines.append(f'<form method="post"><button>{told("button")}</button></form>')
        if page.step is Step.DONE and page.account:
            lines.append(f"<p>{told('account')}</p>")
        slots = {"language": html.escape(self._language), "title": told("title"), "body": "\n".join(lines)}
        text = self._template
        for name, value in slots.items():
            text = text.replace("{{" + name + "}}", value, 1)
        return text

    def _place(self, page: Page) -> str:
        language = self._language
        if not page.workspace:
            return say(language, "connect.place_plain", platform=self._platform(page))
        return say(language, "connect.place", platform=self._platform(page), workspace=page.workspace)

    def _platform(self, page: Page) -> str:
        return say(self._language, f"connect.platform.{page.platform}") if page.platform else ""


def policy(text: str) -> str:
    """What the page may do: its own style, and to send its form to us, who send the browser on to wherever."""
    return (
        f"default-src 'none'; style-src '{style_of(text)}'; base-uri 'none'; "
        "form-action 'self' https: http:; frame-ancestors 'none'"
    )


def _back_of(request: web.Request) -> Back:
    asked = request.query
    return Back(
        state=asked.get("state", ""),
        code=Secret(asked.get("code", "")),
        error=asked.get("error", ""),
        issuer=asked.get("iss", ""),
    )


def _cookie(request: web.Request, name: str = COOKIE) -> str:
    return request.cookies.get(name, "")[: COOKIE_CHARS if name == COOKIE else SEALED_CHARS]
