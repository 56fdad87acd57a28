"""How people sign in at the loopback Slack and Discord themselves: a page, a code, a token, and who it is.

Knows: OAuth's code as both platforms give it, Slack's OpenID Connect around it; each code works once and only for the
client and the way back that it was asked for. Must not know: the program under test.
The browser says in the form who is signed in there; nobody = the person says no.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import BasicAuth, web

from tests.kit.slack_state import TEAM

SECRET = "kanarienvogel-platform-client-secret"
_FORM = '<form method="post"><input name="person"><button>Allow</button></form>'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    user: str
    query: dict[str, str]


class SignIn:
    """One platform's. `user_of` gives the id of a person by name; `client_id` is who may ask."""

    def __init__(self, client_id: Callable[[], str], user_of: Callable[[str], str]) -> None:
        self.down = False  # it answers 503 to everything but its page
        self.other_nonce = False  # it answers with an id token of another sign-in
        self.team = TEAM
        self.asked: list[dict[str, str]] = []  # what each browser was sent with
        self._client_id = client_id
        self._user_of = user_of
        self._numbers = itertools.count(1)
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, str] = {}

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page of the platform's own sign-in."""
        query = dict(request.query)
        if query.get("client_id") != self._client_id() or query.get("response_type") != "code":
            return web.Response(status=400, text="invalid client")
        if request.method == "GET":
            self.asked.append(query)
            return web.Response(text=_FORM, content_type="text/html")
        person = str((await request.post()).get("person", ""))
        told = {"state": query["state"]}
        if person:
            code = f"kanarienvogel-platform-code-{next(self._numbers)}"
            self._codes[code] = _Code(user=self._user_of(person), query=query)
            told["code"] = code
        else:
            told["error"] = "access_denied"
        raise web.HTTPSeeOther(f"{query['redirect_uri']}?{urlencode(told)}")

    def _taken(self, form: dict[str, str], client: tuple[str, str]) -> _Code | None:
        """The code, when it is good: once, and for whom it was given."""
        code = self._codes.pop(form.get("code", ""), None)
        proven = client == (self._client_id(), SECRET)
        same = code is not None and form.get("redirect_uri") == code.query["redirect_uri"]
        return code if proven and same and form.get("grant_type") == "authorization_code" else None

    def _token(self, code: _Code) -> str:
        token = f"kanarienvogel-platform-token-{next(self._numbers)}"
        self._tokens[token] = code.user
        return token

    def _bearer(self, request: web.Request) -> str:
        return self._tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "), "")

    # ------------------------------------------------------------------------------------------ Slack

    async def slack_token(self, request: web.Request) -> web.Response:
        """`openid.connect.token`."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        if self.down:
            return web.Response(status=503)
        code = self._taken(form, (form.get("client_id", ""), form.get("client_secret", "")))
        if code is None:
            return web.json_response({"ok": False, "error": "invalid_code"})
        nonce = "of-another" if self.other_nonce else code.query.get("nonce")
        claims = base64.urlsafe_b64encode(json.dumps({"sub": code.user, "nonce": nonce}).encode()).decode().rstrip("=")
        return web.json_response(
            {"ok": True, "access_token": self._token(code), "token_type": "Bearer", "id_token": f"e30.{claims}.c2ln"}
        )

    async def slack_user(self, request: web.Request) -> web.Response:
        """`openid.connect.userInfo`."""
        user = self._bearer(request)
        if self.down or not user:
            return web.json_response({"ok": False, "error": "internal_error" if self.down else "invalid_auth"})
        told = {"sub": user, "https://slack.com/user_id": user, "https://slack.com/team_id": self.team}
        return web.json_response({"ok": True, **told})

    # ---------------------------------------------------------------------------------------- Discord

    async def discord_token(self, request: web.Request) -> web.Response:
        """`/oauth2/token`."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        if self.down:
            return web.Response(status=503)
        basic = BasicAuth.decode(request.headers.get("Authorization", "Basic Og=="))
        code = self._taken(form, (basic.login, basic.password))
        if code is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        told = {"access_token": self._token(code), "token_type": "Bearer", "expires_in": 604800, "scope": "identify"}
        return web.json_response(told)

    async def discord_user(self, request: web.Request) -> web.Response:
        """`/users/@me` with a person's token."""
        user = self._bearer(request)
        if self.down or not user:
            return web.json_response({"message": "401: Unauthorized", "code": 0}, status=503 if self.down else 401)
        return web.json_response({"id": user, "username": "somebody", "discriminator": "0"})
