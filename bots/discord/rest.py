"""Requests to Discord's REST API: sent within the limits, and ending in one of three honest ways.

Knows: HTTP, tokens, limits. A call returns the answer's JSON, or raises `Denied` (a definite no), `NotSent` (it did not
happen: refused connection, 429, our own brake) or `Ambiguous` (it may have happened: cut, time-out, 5xx, garbage).
Must not know: what is sent. Why not the client of discord.py: on the fifth request of a window it blocks after the
success until the window ends, it sleeps up to 25 s inside a call on 5xx, takes a 429 of Cloudflare's for a ban, and
shows nobody the headers (facts/discord.md section 3).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Literal, TypedDict
from urllib.parse import urlsplit

import aiohttp
import structlog

from bots.discord.buckets import EXEMPT, Buckets
from bots.discord.faults import OLD_EDITS, Denied
from core.codec import Json
from core.domain.errors import Ambiguous, NotSent, OutsideError, Refused
from core.domain.files import AnswerFile
from core.engine.ports import Clock

VERSION_PATH = "/api/v10"
API = f"https://discord.com{VERSION_PATH}"
AGENT = "DiscordBot (https://github.com/rejoinder/rejoinder, 1)"
TIMEOUT_S = 15.0  # a healthy answer takes 50 to 300 ms
PATIENCE_S = 15.0  # so long a call waits for its turn before it gives the effect back
AGAIN_S = (0.3, 0.7, 1.5, 3.0)  # pauses between repeats of what may have happened: one slow deploy of Discord's
LATER_MS = 5_000  # then the effect waits so long
TOKEN_AGAIN_S = 60.0  # a token that was refused is tried again by one call a minute; what is to be said waits
CLOUDFLARE_S = 10.0  # a 429 that does not say for how long

_OURSELVES = ("/users/@me", "/applications/@me", "/oauth2/applications/@me", "/gateway/bot")  # what the log-in asks
_TOKENLESS = ("/interactions/", "/webhooks/")  # they have tokens of their own
_MAJOR = re.compile(r"^/(channels|guilds)/(\d+)")
_ID = re.compile(r"/\d+")
_TOKEN = re.compile(r"^(/(?:webhooks|interactions)/\d+/)([^/]+)")

Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]

log = structlog.get_logger("rejoinder.discord")


class Rest:
    """Opens itself with the first request; `close` ends it. `api`: where the API is, for tests and proxies."""

    def __init__(self, token: str, clock: Clock, *, api: str = API) -> None:
        self.api = api.rstrip("/")
        self.buckets = Buckets()
        self._token = token
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._refused_s = 0.0  # the token was refused: not tried again before (monotonic); 0 while it is accepted
        self._told_s = 0.0  # the log has said so, and does not again before
        self._finding = asyncio.Lock()
        self._base_found = bool(urlsplit(self.api).path)

    async def close(self) -> None:
        """Send nothing more."""
        session, self._session, self._closed = self._session, None, True
        if session is not None:
            await session.close()

    async def call(
        self,
        method: Method,
        path: str,
        body: Json = None,
        *,
        query: Mapping[str, str] | None = None,
        files: Sequence[AnswerFile] = (),
        spare: int = 0,
        patience_s: float = PATIENCE_S,
    ) -> Json:
        """One request; waits up to `patience_s` for its turn and repeats only what Discord has put off by 429.

        `files` go with the body, which names them by their numbers in its `attachments`.
        """
        self._may_ask(path)
        await self._find_base()
        route, major = _route(method, path)
        start = self._clock.monotonic()
        while True:
            await self._turn(route, major, start + patience_s, spare)
            answer = await self._send(method, path, route, major, _payload(body, files), query)
            if isinstance(answer, _Later):
                self.buckets.refused(
                    route, major, answer.seconds, self._clock.monotonic(), everywhere=answer.everywhere
                )
                continue
            return answer.json

    async def surely(self, method: Method, path: str, body: Json = None, *, files: Sequence[AnswerFile] = ()) -> Json:
        """A request that may be made twice without harm: repeated while it may have happened, then put off.

        Whoever tries it again later looks first, so to wait is safer than to count this as a try.
        """
        for pause_s in AGAIN_S:
            try:
                return await self.call(method, path, body, files=files)
            except Ambiguous as error:
                log.info("discord_again", code=error.code, detail=error.detail)
                await self._clock.sleep(pause_s)
        try:
            return await self.call(method, path, body, files=files)
        except Ambiguous as error:
            retry_ms = self._clock.now_ms() + LATER_MS
            raise NotSent(code=error.code, detail=error.detail, retry_ms=retry_ms) from error

    async def fetch(self, url: str, cap_bytes: int) -> bytes:
        """A file from Discord's own host; no token goes along. Raises `Refused(code="too_large")`."""
        try:
            async with self._open_session().get(url) as response:
                if response.status >= 500:  # noqa: PLR2004
                    raise Ambiguous(code="discord_file", detail=str(response.status))
                if response.status != 200:  # noqa: PLR2004
                    raise Refused(code="file_gone", detail=str(response.status))
                data = bytearray()
                async for chunk in response.content.iter_chunked(65_536):
                    data += chunk
                    if len(data) > cap_bytes:
                        raise Refused(code="too_large", detail=f"more than {cap_bytes} bytes")
                return bytes(data)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Ambiguous(code="discord_file", detail=type(error).__name__) from error

    # -------------------------------------------------------------------------------------- inside

    def _may_ask(self, path: str) -> None:
        """Raise `NotSent` while the token is refused; of the calls that come after its rest, one goes."""
        now = self._clock.monotonic()
        if not self._refused_s or path in _OURSELVES or path.startswith(_TOKENLESS):
            return
        if now < self._refused_s:
            raise self._rests(self._refused_s - now)
        self._refused_s = now + TOKEN_AGAIN_S

    def _rests(self, seconds: float) -> NotSent:
        return NotSent(code="discord_token", retry_ms=self._clock.now_ms() + round(seconds * 1000))

    def _unauthorized(self, path: str, no: Denied) -> OutsideError:
        """The token died while we run: the log-in says so for good, everything else waits for a better day."""
        now = self._clock.monotonic()
        if now >= self._told_s:
            self._told_s = now + TOKEN_AGAIN_S
            log.error("discord_token_refused", hint="what is to be said waits for a token that is accepted")
        self._refused_s = now + TOKEN_AGAIN_S
        return no if path in _OURSELVES else self._rests(TOKEN_AGAIN_S)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise NotSent(code="discord_closed")
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=5.0)
            connector = aiohttp.TCPConnector(limit=64)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": AGENT}
            )
        return self._session

    async def _find_base(self) -> None:
        """An address that is only a host may want the API's version; it is asked once, before anything is sent."""
        async with self._finding:
            if not self._base_found:
                headers = {"Authorization": f"Bot {self._token}"}
                with suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with self._open_session().get(f"{self.api}/users/@me", headers=headers) as response:
                        self._base_found = True
                        if response.status == HTTPStatus.NOT_FOUND:
                            self.api += VERSION_PATH

    async def _turn(self, route: str, major: str, until: float, spare: int) -> None:
        """Return when the request may go."""
        while True:
            self._open_session()
            now = self._clock.monotonic()
            wait_s = self.buckets.wait_s(route, major, now, spare=spare)
            if wait_s <= 0:
                return
            if now + wait_s > until:
                raise NotSent(code="discord_limit", retry_ms=self._clock.now_ms() + round(wait_s * 1000))
            await self._clock.sleep(wait_s)

    async def _send(
        self, method: str, path: str, route: str, major: str, payload: _Payload, query: Mapping[str, str] | None
    ) -> _Answer | _Later:
        headers = {} if path.startswith(_TOKENLESS) else {"Authorization": f"Bot {self._token}"}
        answered = False
        try:
            async with self._open_session().request(
                method, self.api + path, **payload, params=query, headers=headers
            ) as response:
                text = await response.text("utf-8", "replace")
                self.buckets.answered(route, major, response.headers, self._clock.monotonic())
                answered = True
                return self._read(response, text, path)
        except aiohttp.ClientConnectorError as error:
            raise NotSent(code="discord_unreachable", detail=type(error).__name__) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Ambiguous(code="discord_cut", detail=type(error).__name__) from error
        finally:
            if not answered:
                self.buckets.unanswered(route, major)

    def _read(self, response: aiohttp.ClientResponse, text: str, path: str) -> _Answer | _Later:
        status = response.status
        parsed = _parsed(text)
        told = parsed if isinstance(parsed, dict) else {}
        number = told.get("code")
        code = number if isinstance(number, int) else 0
        if status in (401, 403):
            self.buckets.invalid(self._clock.monotonic())
        if status == 429 and code != OLD_EDITS:  # noqa: PLR2004
            if response.headers.get("X-RateLimit-Scope") != "shared":
                self.buckets.invalid(self._clock.monotonic())
            return _later(response.headers, told)
        if status >= 500:  # noqa: PLR2004
            raise Ambiguous(code="discord_down", detail=str(status))
        if status >= 400:  # noqa: PLR2004
            no = Denied(status, code, str(told.get("message", ""))[:200])
            raise self._unauthorized(path, no) if no.code == "discord_token" and not path.startswith(_TOKENLESS) else no
        if not path.startswith(_TOKENLESS):
            self._refused_s = 0.0
        if text and not isinstance(parsed, dict | list):
            raise Ambiguous(code="discord_garbage", detail="the answer is not JSON")
        return _Answer(parsed)


class _Payload(TypedDict, total=False):
    """A request's content, in one of the two ways."""

    json: Json
    data: aiohttp.FormData


def _payload(body: Json, files: Sequence[AnswerFile]) -> _Payload:
    """JSON, or with files a form that has it as a field; a form is sent once (docs: reference, uploading files)."""
    if not files:
        return {"json": body}
    form = aiohttp.FormData()
    form.add_field("payload_json", json.dumps(body), content_type="application/json")
    for n, each in enumerate(files):
        form.add_field(f"files[{n}]", each.data, filename=each.name, content_type=each.media_type)
    return {"data": form}


class _Answer:
    """2xx."""

    def __init__(self, json: Json) -> None:
        self.json = json


class _Later:
    """429."""

    def __init__(self, seconds: float, *, everywhere: bool) -> None:
        self.seconds = seconds
        self.everywhere = everywhere


def _later(headers: Mapping[str, str], told: Mapping[str, Json]) -> _Later:
    """Discord says how long in the body, Cloudflare only in a header, and then it means the whole address."""
    seconds = told.get("retry_after")
    if not isinstance(seconds, int | float):
        seconds = None
        with suppress(KeyError, ValueError):
            seconds = float(headers["Retry-After"])
        return _Later(CLOUDFLARE_S if seconds is None else seconds, everywhere=True)
    return _Later(float(seconds), everywhere=told.get("global") is True)


def _parsed(text: str) -> Json:
    try:
        found: Json = json.loads(text)
    except ValueError:
        return None
    return found


def _route(method: str, path: str) -> tuple[str, str]:
    """The route's template, and the channel, server or token that its limit is counted for."""
    token = _TOKEN.match(path)
    if token:
        return f"{method} {_ID.sub('/*', _TOKEN.sub(EXEMPT, path))}", token[2]
    major = _MAJOR.match(path)
    return f"{method} {_ID.sub('/*', path)}", major[2] if major else ""
