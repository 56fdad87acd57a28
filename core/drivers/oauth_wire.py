"""One request to an OAuth endpoint, and what its answer means for a token.

Knows: HTTP, JSON, what the answers of RFC 6749 say. Must not know: which endpoint, whose token, where it is kept.

Nothing that was sent or received stands in an error: its text has the code that the server gave, no more. An endpoint
that cannot be reached, is slow, busy or broken says nothing about a token (`NotSent`); only a clear no does (`Refused`,
with the server's own code).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httpx2

from core.codec import Json
from core.domain.errors import NotSent, Refused
from core.drivers.retry_after import retry_ms

TIMEOUT_S = 15.0  # a person waits for it
BODY_MAX_BYTES = 1 << 20  # metadata and tokens are some kilobytes
_BUSY = frozenset({408, 425, 429})
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})  # errors that are not about the token
_CODE = re.compile(r"[a-z0-9_.-]{1,64}")
_SERVER_ERRORS = 500

Object = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """An answer. `retry_ms`: from when on it wants to be asked again."""

    status: int
    body: bytes
    retry_ms: int | None

    @property
    def passes(self) -> bool:
        """Whether it says nothing but that it is not up to it now."""
        return self.status >= _SERVER_ERRORS or self.status in _BUSY

    def down(self, url: str) -> NotSent:
        """The error for that."""
        return NotSent(code="oauth_down", detail=f"{_host(url)} answered {self.status}", retry_ms=self.retry_ms)


class Wire:
    """Makes the requests. `now_ms`: the wall clock; `agent`: who we say that we are, where that matters.

    `close` it at the end.
    """

    def __init__(self, now_ms: Callable[[], int], *, agent: str = "") -> None:
        self._now_ms = now_ms
        self._headers = {"User-Agent": agent} if agent else {}
        self._client: httpx2.AsyncClient | None = None

    async def close(self) -> None:
        """End the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def get(self, url: str, *, bearer: str = "") -> Object | None:
        """The JSON object there; None when there is none. Raises `NotSent`."""
        headers = {"Accept": "application/json"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        said = await self._ask("GET", url, headers=headers)
        if said.passes:
            raise said.down(url)
        return _object(said.body) if said.status == httpx2.codes.OK else None

    async def challenge(self, url: str) -> str:
        """The `WWW-Authenticate` header that a tool server answers a request without a token with, "" for none."""
        headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        ping = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
        try:
            async with self._http().stream("POST", url, headers=headers, content=ping) as answer:
                return answer.headers.get("www-authenticate", "")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _not_sent(url, error) from None

    async def post(self, url: str, form: Mapping[str, str], *, basic: tuple[str, str] | None = None) -> Object:
        """The answer to a form. Raises `NotSent`, or `Refused` with the server's error code."""
        said = await self._ask("POST", url, headers={"Accept": "application/json"}, data=form, auth=basic)
        return _verdict(url, said)

    async def post_json(self, url: str, value: Object) -> Object:
        """The answer to a JSON object. Raises as `post`."""
        return _verdict(url, await self._ask("POST", url, headers={"Accept": "application/json"}, json=dict(value)))

    async def revoke(self, url: str, form: Mapping[str, str], basic: tuple[str, str] | None) -> None:
        """Revoke a token. Raises `NotSent`; what the endpoint does not know is as good as revoked."""
        said = await self._ask("POST", url, data=form, auth=basic)
        if said.passes:
            raise said.down(url)

    async def _ask(self, method: str, url: str, **more: object) -> _Said:
        try:
            async with self._http().stream(method, url, **more) as answer:  # type: ignore[arg-type]
                body = b""
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > BODY_MAX_BYTES:
                        raise NotSent(code="oauth_down", detail=f"{_host(url)} answered with too much")
                retry = retry_ms(answer.headers, self._now_ms())
                return _Said(status=answer.status_code, body=body, retry_ms=retry)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _not_sent(url, error) from None

    def _http(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, headers=self._headers)
        return self._client


def _not_sent(url: str, error: Exception) -> NotSent:
    return NotSent(code="oauth_down", detail=f"{_host(url)}: {type(error).__name__}")


def _verdict(url: str, said: _Said) -> Object:
    """What an endpoint said; some answer an error with 200."""
    answer, status = _object(said.body), said.status
    code = _code(answer)
    if said.passes or code in _PASSING:
        raise said.down(url)
    if code:
        raise Refused(code=code, detail=f"{_host(url)} answered {status}")
    if status not in (httpx2.codes.OK, httpx2.codes.CREATED) or answer is None:
        # A page of somebody in between, or not the endpoint at all: it says nothing about the token.
        raise NotSent(code="oauth_strange", detail=f"{_host(url)} answered {status}, and not as an OAuth endpoint does")
    return answer


def _code(answer: Object | None) -> str:
    found = (answer or {}).get("error")
    if not isinstance(found, str):
        return ""
    return found if _CODE.fullmatch(found) else "oauth_refused"


def _object(body: bytes) -> Object | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("Object", found) if isinstance(found, dict) else None


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return "an address that is none"
