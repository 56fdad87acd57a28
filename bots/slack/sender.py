"""Every call to Slack's Web API, and what became of it: done, refused, not sent, or unclear.

Knows: the SDK's client without its retries (they post twice), one HTTP session, 429 windows per method (per channel for
posts), the classes of errors (facts/slack.md 2.4 and 6.3). A method that is closed by a 429 is not called before its
time. Must not know: what is posted and why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack import limits
from bots.slack.lanes import Lanes
from bots.slack.payload import Payload
from bots.slack.sdk import web_client
from core.domain.errors import Ambiguous, Fault, NotSent, OutsideError, Refused
from core.engine.ports import Clock

API_URL = "https://slack.com/api/"
_READING = frozenset(
    {
        "conversations.history",
        "conversations.info",
        "conversations.replies",
        "files.info",
        "users.conversations",
        "users.info",
        "files.getUploadURLExternal",
    }
)
_TOLD = frozenset({"chat.postMessage", "chat.stopStream"})  # Slack tells us of these messages, too
_PER_CHANNEL = frozenset({"chat.postMessage"})
_UNCLEAR = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable", "team_added_to_org"})
_DEAD = frozenset(
    {"account_inactive", "app_uninstalled", "invalid_auth", "not_authed", "token_expired", "token_revoked"}
)
_OPERATORS = frozenset({"missing_scope", "not_allowed_token_type", "no_permission", "not_authorized", "access_denied"})
_DEAD_RETRY_MS = 60_000  # a token that died is looked at again after this time; the text waits
_RATE_RETRY_S = 30.0  # a 429 that does not say for how long
_MINUTE_S = 60.0
_BAD_GATEWAY = 500
_TOO_MANY = 429
_NO_METHOD = (404, 405, 410, 501)  # what stands at SLACK_API_URL knows fewer methods than Slack
_ALWAYS_THERE = frozenset({"apps.connections.open", "auth.test", "chat.postMessage", "chat.update"})

log = structlog.get_logger("rejoinder.slack")


class Sender:
    """Calls methods. `dead` is the code with which the token is refused, "" while it is accepted."""

    def __init__(self, token: str, clock: Clock, *, api_url: str = "") -> None:
        self.dead = ""
        self.probing = False  # a token is being tried: whoever tries it says what is wrong with it
        self.inflight = 0
        self.posted_s = 0.0  # when a message of ours last stood complete (monotonic)
        self.scopes: frozenset[str] = frozenset()
        self.budget = Budget(clock)
        self._token = token
        self.clock = clock
        self._api_url = (api_url or API_URL).rstrip("/") + "/"
        self._closed_ms: dict[str, int] = {}
        self._lanes = Lanes()
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncWebClient | None = None

    @property
    def api_url(self) -> str:
        """Where the Web API is, with a slash at its end."""
        return self._api_url

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one HTTP session, made inside the running loop."""
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=limits.CALL_S, connect=limits.CONNECT_S)
            self._session = aiohttp.ClientSession(timeout=timeout)
            self._client = None
        return self._session

    @property
    def client(self) -> AsyncWebClient:
        """The SDK's client: our session, no retries of its own."""
        session = self.session
        if self._client is None:
            self._client = web_client(self._api_url, session, self._token)
        return self._client

    async def close(self) -> None:
        """End the session."""
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, **args: object) -> Payload:
        """Call a method; None and "" arguments are left out. Raises `Refused`, `NotSent`, `Ambiguous`."""
        given = {name: value for name, value in args.items() if value is not None and value != ""}
        if method not in _PER_CHANNEL:
            return await self._through(method, method, given)
        window = f"{method} {given.get('channel', '')}"
        async with self._lanes.enter(window):  # who waits here does not knock at a door that was just closed
            return await self._through(window, method, given)

    async def _through(self, window: str, method: str, given: Mapping[str, object]) -> Payload:
        """Call a method unless a 429 has closed its window."""
        if self._closed_ms.get(window, 0) > self.clock.now_ms():
            raise NotSent(code="slack_ratelimited", detail=method, retry_ms=self._closed_ms[window])
        self.inflight += 1
        try:
            return await self._ask(method, given)
        except NotSent as error:
            if error.code == "slack_ratelimited" and error.retry_ms is not None:
                self._closed_ms[window] = error.retry_ms
            raise
        finally:
            self.inflight -= 1

    async def attempt(self, method: str, **args: object) -> Payload | None:
        """Call a method whose success nobody depends on; None when it did not work."""
        try:
            return await self.call(method, **args)
        except OutsideError as error:
            log.info("a call that may fail has failed", method=method, code=error.code)
            return None

    async def _ask(self, method: str, args: Mapping[str, object]) -> Payload:
        try:
            if method in _READING:
                answer = await self.client.api_call(method, http_verb="GET", params=dict(args))
            else:
                answer = await self.client.api_call(method, json=dict(args))
        except SlackApiError as error:
            raise self._refusal(method, error) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(code="slack_unreachable", detail=f"{method}: {type(error).__name__}") from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError, ValueError, AttributeError) as error:
            # The SDK stumbles over a body that is no object with the last two.
            raise Ambiguous(code="slack_unclear", detail=f"{method}: {type(error).__name__}") from error
        self.dead = ""
        if method in _TOLD:
            self.posted_s = self.clock.monotonic()
        self._note_scopes(answer.headers)
        return answer.data if isinstance(answer.data, Mapping) else {}

    def _note_scopes(self, headers: Mapping[str, object]) -> None:
        granted = {name.lower(): value for name, value in headers.items()}.get("x-oauth-scopes")
        if isinstance(granted, str) and granted:
            self.scopes = frozenset(each.strip() for each in granted.split(","))

    def _refusal(self, method: str, error: SlackApiError) -> OutsideError:
        """The class of an answer that is not ok."""
        status = getattr(error.response, "status_code", 0)
        headers = getattr(error.response, "headers", {})
        data = getattr(error.response, "data", None)
        body: Payload = data if isinstance(data, Mapping) else {}
        code = str(body.get("error", ""))
        if status == _TOO_MANY or code == "ratelimited":
            retry_ms = self.clock.now_ms() + int(_seconds(headers) * 1000)
            return NotSent(code="slack_ratelimited", detail=method, retry_ms=retry_ms)
        if status in _NO_METHOD and not code and method not in _ALWAYS_THERE:
            return Refused(code="unknown_method", detail=method)
        if status >= _BAD_GATEWAY or code in _UNCLEAR or not code:
            return Ambiguous(code="slack_unclear", detail=f"{method}: {status} {code}".strip())
        if code in _DEAD:
            return self._die(code)
        detail = f"{method}: needs {body['needed']}" if "needed" in body else method
        return Refused(code=code, detail=detail, fault=Fault.OPERATOR if code in _OPERATORS else None)

    def _die(self, code: str) -> NotSent:
        if not self.dead and not self.probing:
            log.error("Slack does not accept a token; what is to be posted waits", code=code)
        self.dead = code
        return NotSent(code=f"slack_{code}", retry_ms=self.clock.now_ms() + _DEAD_RETRY_MS)


def _seconds(headers: Mapping[str, object]) -> float:
    """What a 429 says, in seconds; a second more, because it is rounded down."""
    value = {name.lower(): value for name, value in headers.items()}.get("retry-after")
    try:
        return max(1.0, float(str(value)))
    except ValueError:
        return _RATE_RETRY_S


@dataclass(slots=True)
class Budget:
    """Calls a minute that progress may make, so that what must arrive finds room. Per workspace."""

    clock: Clock
    _calls: dict[str, deque[float]] = field(default_factory=dict)

    def wait_s(self, name: str, per_minute: int) -> float:
        """Seconds until a call of this name may be made; 0 = now, and then it is counted."""
        now = self.clock.monotonic()
        calls = self._calls.setdefault(name, deque())
        while calls and calls[0] <= now - _MINUTE_S:
            calls.popleft()
        if len(calls) < per_minute:
            calls.append(now)
            return 0.0
        return calls[0] + _MINUTE_S - now
