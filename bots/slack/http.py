"""Slack's signed requests on the product's own web server.

Knows: the signature covers time and body, so it is checked before anything is parsed, against our own clock, and the
same request does not work twice. Every abuse is refused with a 4xx. Must not know: what a request says.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence

import structlog
from aiohttp import web

from bots.slack import limits
from bots.slack.bolt import Dispatcher
from core.engine.ports import Clock

PATHS = ("/slack/events", "/slack/interactive", "/slack/commands")
_SEEN_KEPT = 50_000
_VERSION = "v0"

log = structlog.get_logger("rejoinder.slack")


class SignedRequests:
    """The routes. `dispatcher` is set once we listen; until then Slack is asked to come again."""

    def __init__(self, signing_secret: str, clock: Clock) -> None:
        self.dispatcher: Dispatcher | None = None
        self._secret = signing_secret.encode()
        self._clock = clock
        self._seen: OrderedDict[str, int] = OrderedDict()  # signatures of requests that were taken

    def routes(self) -> Sequence[web.RouteDef]:
        """To be served under `bots.web.guard`, which lets /slack/* through."""
        return [web.post(path, self._request) for path in PATHS]

    async def _request(self, request: web.Request) -> web.Response:
        body = await _bounded(request)
        if body is None:
            return web.Response(status=413)
        signature = request.headers.get("X-Slack-Signature", "")
        problem = self._problem(request.headers.get("X-Slack-Request-Timestamp", ""), signature, body)
        if problem:
            log.warning("a request to Slack's address was refused", why=problem)
            return web.Response(status=401)
        if signature in self._seen:
            return web.Response(status=409)
        return await self._taken(body.decode("utf-8", "replace"), signature, request)

    async def _taken(self, text: str, signature: str, request: web.Request) -> web.Response:
        """A request that is Slack's."""
        if self.dispatcher is None:
            return web.Response(status=503)
        outcome = await self.dispatcher.dispatch(text, _headers(request), "http")
        if not outcome.taken:
            return web.Response(status=outcome.status)
        self._remember(signature)
        return web.Response(text=outcome.body, content_type=_kind(outcome.body))

    def _problem(self, stamp: str, signature: str, body: bytes) -> str:
        """Why a request is not Slack's, "" when it is."""
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):  # noqa: PLR2004  (a time in seconds)
            return "no time"
        if abs(self._clock.now_ms() / 1000 - int(stamp)) > limits.SIGNATURE_AGE_S:
            return "another time"
        signed = _VERSION.encode() + b":" + stamp.encode() + b":" + body
        wanted = f"{_VERSION}={hmac.new(self._secret, signed, hashlib.sha256).hexdigest()}"
        return "" if hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")) else "signature"

    def _remember(self, signature: str) -> None:
        now_ms = self._clock.now_ms()
        self._seen[signature] = now_ms
        oldest_ms = now_ms - 2 * limits.SIGNATURE_AGE_S * 1000
        while self._seen:
            first, at_ms = next(iter(self._seen.items()))
            if at_ms >= oldest_ms and len(self._seen) <= _SEEN_KEPT:
                break
            del self._seen[first]


async def _bounded(request: web.Request) -> bytes | None:
    """The body, None when it is larger than any that Slack sends."""
    if (request.content_length or 0) > limits.BODY_MAX_BYTES:
        return None
    found = bytearray()
    async for chunk in request.content.iter_chunked(65_536):
        found += chunk
        if len(found) > limits.BODY_MAX_BYTES:
            return None
    return bytes(found)


def _headers(request: web.Request) -> dict[str, str]:
    kept = ("content-type", "x-slack-retry-num", "x-slack-retry-reason")
    return {name: request.headers[name] for name in kept if name in request.headers}


def _kind(body: str) -> str:
    return "application/json" if body.startswith("{") else "text/plain"
