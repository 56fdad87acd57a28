"""The HTTP below an MCP connection: a bearer in front, a cap behind, and a note of what went wrong.

Knows: the MCP client reports most failures as one and the same, or as a cancellation (facts/model.md 6), so status and
trouble are noted here, where they are seen. Bytes are counted while they are read: a result that is too large is never
in memory whole. Must not know: MCP.
"""

from __future__ import annotations

import functools
import ssl
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from core.drivers.retry_after import retry_ms

CAP_BYTES = 4_000_000  # of one response
CONNECT_S = 5.0
_MUST_FOLLOW_S = 15 * 60.0  # the call's own time limit ends it before


@dataclass(slots=True)
class Notes:
    """What happened below a connection since `clear`. `sent`: a request may have reached the server.

    `retry_ms`: from when on (wall-clock, by `now_ms`) it wants to be asked again.
    """

    now_ms: Callable[[], int]
    bearer: SecretStr | None = None
    status: int = 0
    retry_ms: int | None = None
    sent: bool = False
    too_large: bool = False
    unreachable: bool = False
    ended: bool = False  # the process at the other end is gone

    def clear(self) -> None:
        """Before a call."""
        self.status, self.retry_ms = 0, None
        self.sent = self.too_large = self.unreachable = False

    def end(self) -> None:
        """The other end is gone."""
        self.ended = True


class TooLarge(httpx2.ReadError):
    """More bytes than anybody here reads."""


class _Capped(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, notes: Notes, cap_bytes: int) -> None:
        self._inner = inner
        self._notes = notes
        self._left = cap_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                self._notes.too_large = True
                raise TooLarge("the response is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class Noting(httpx2.AsyncBaseTransport):
    """A transport that notes. Compressed bodies are not asked for: what they unpack to cannot be counted."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, notes: Notes, cap_bytes: int) -> None:
        self._inner = inner
        self._notes = notes
        self._cap_bytes = cap_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`."""
        if self._notes.bearer is not None:
            request.headers["Authorization"] = f"Bearer {self._notes.bearer.get_secret_value()}"
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            self._notes.unreachable = True
            raise
        except httpx2.TransportError:
            self._notes.sent = True
            raise
        self._notes.sent = True
        if request.method == "POST":
            self._notes.status = response.status_code
            self._notes.retry_ms = retry_ms(response.headers, self._notes.now_ms())
        if response.headers.get("content-encoding", "identity") != "identity":
            self._notes.too_large = True
            await response.aclose()
            raise TooLarge("the response is compressed")
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Capped(response.stream, self._notes, self._cap_bytes)
        return response

    async def aclose(self) -> None:
        """Close the pool."""
        await self._inner.aclose()


@functools.cache
def _trust() -> ssl.SSLContext:
    """Made once: reading all the roots takes longer than a call."""
    return httpx2.create_ssl_context()


def client_of(url: str, notes: Notes, *, cap_bytes: int = CAP_BYTES) -> httpx2.AsyncClient:
    """A client for one connection. A proxy of the environment stands before the internet, not before this machine."""
    parts = urlsplit(url)
    proxy = None
    if parts.hostname and not urllib.request.proxy_bypass(parts.hostname):
        proxy = urllib.request.getproxies().get(parts.scheme)
    if parts.hostname in ("localhost", "127.0.0.1", "::1"):
        proxy = None
    inner = httpx2.AsyncHTTPTransport(proxy=proxy, verify=_trust())
    return httpx2.AsyncClient(
        transport=Noting(inner, notes, cap_bytes),
        headers={"Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(_MUST_FOLLOW_S, connect=CONNECT_S),
        trust_env=False,
    )
