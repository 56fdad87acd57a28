"""`/connect/<link>` and `/oauth/callback`: the pages of a sign-in at a tool server.

Knows: HTTP, the cookie, how a page looks and what it says. Must not know: OAuth, tokens, who may go on (see
`core.engine.vault.Logins`). Looking at a link with HEAD, as link checkers do, changes nothing. No page loads anything,
none is kept, and the address of none is told to the next one: a code stands in it.
"""

from __future__ import annotations

import html
from importlib import resources

from aiohttp import web

from bots.web.landing import style_of
from core.domain.links import LIFE_MS, PATH
from core.domain.secret import Secret
from core.domain.words import say
from core.engine.vault import Back, Logins, Page, Step

COOKIE = "rejoinder_connect"
COOKIE_CHARS = 200
CALLBACK = "/oauth/callback"
_STATUS = {Step.FAILED: 502, Step.DOWN: 503, Step.NOT_SAVED: 507, Step.GONE: 410, Step.ELSEWHERE: 403}
_SEE_OTHER = 303


class Connect:
    """The pages. `secure`: browsers reach us by https, so the cookie travels by nothing else."""

    def __init__(self, logins: Logins, language: str, *, secure: bool) -> None:
        self._logins = logins
        self._language = language
        self._secure = secure
        self._template = resources.files("bots.web").joinpath("static/connect.html").read_text("utf-8")

    def routes(self) -> list[web.RouteDef]:
        """The three routes."""
        return [
            web.get(PATH + "{link}", self._open, allow_head=False),
            web.post(PATH + "{link}", self._leave),
            web.get(CALLBACK, self._back, allow_head=False),
        ]

    async def _open(self, request: web.Request) -> web.StreamResponse:
        return self._response(await self._logins.open(request.match_info["link"], _cookie(request)))

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        return self._response(await self._logins.leave(request.match_info["link"], _cookie(request)))

    async def _back(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        back = Back(
            state=asked.get("state", ""),
            code=Secret(asked.get("code", "")),
            error=asked.get("error", ""),
            issuer=asked.get("iss", ""),
        )
        return self._response(await self._logins.back(back, _cookie(request)))

    def _response(self, page: Page) -> web.Response:
        if page.step is Step.LEAVE:
            return web.Response(status=_SEE_OTHER, headers={"Location": page.goto})
        text = self.text(page)
        response = web.Response(
            text=text,
            status=_STATUS.get(page.step, 200),
            content_type="text/html",
            headers={"Content-Security-Policy": policy(text)},
        )
        if page.browser:
            response.set_cookie(
                COOKIE,
                page.browser.reveal(),
                max_age=2 * LIFE_MS // 1000,
                path="/",
                httponly=True,
                samesite="Lax",
                secure=self._secure,
            )
        return response

    def text(self, page: Page) -> str:
        """The page as HTML."""

        def told(part: str) -> str:
            words = {
                "server": page.server,
                "holder": page.holder or say(self._language, "connect.somebody"),
                "place": self._place(page),
                "account": page.account,
            }
            return html.escape(say(self._language, f"connect.{page.step}.{part}", **words))

        lines = [f"<p>{told('text')}</p>"]
        if page.step is Step.CONFIRM:
            lines.append(f'<p class="quiet">{told("warning")}</p>')
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
        platform = say(language, f"connect.platform.{page.platform}") if page.platform else ""
        if not page.workspace:
            return say(language, "connect.place_plain", platform=platform)
        return say(language, "connect.place", platform=platform, workspace=page.workspace)


def policy(text: str) -> str:
    """What the page may do: its own style, and to send its form to us, who send the browser on to wherever."""
    return (
        f"default-src 'none'; style-src '{style_of(text)}'; base-uri 'none'; "
        "form-action 'self' https: http:; frame-ancestors 'none'"
    )


def _cookie(request: web.Request) -> str:
    return request.cookies.get(COOKIE, "")[:COOKIE_CHARS]
