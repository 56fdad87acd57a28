"""Socket Mode: two connections, so that one may be exchanged while the other hears; and a watchdog.

Knows: the SDK's client, that it retries a refused connection for ever and without a pause (ours pauses, longer for a
token that is not accepted: whoever took it away may give it back), that closing may hang, and that a connection can be
open and deaf: Slack tells us of our own messages, too, so hearing nothing at all after a post of ours means that nobody
hears.
Must not know: what a payload says.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bots.slack.bolt import Dispatcher
from bots.slack.payload import at, text_at
from bots.slack.sdk import web_client
from bots.slack.sender import Sender
from core.engine.ports import Clock

CONNECTIONS = 2
PING_S = 3.0  # a broken connection is noticed after four of these at the latest
CONNECT_S = 10.0  # a start waits so long for the first connection, then goes on without
CLOSE_S = 2.0  # the SDK would wait for a close frame that may never come
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
LOOK_S = 15.0
DEAF_S = 90.0  # nothing was heard for this long after a post of ours
AGAIN_S = 300.0
_DEAD = frozenset({"invalid_auth", "not_authed", "token_revoked", "account_inactive", "not_allowed_token_type"})
DEAD_S = 60.0  # between two tries of a token that is not accepted

log = structlog.get_logger("rejoinder.slack")
_sdk_log = logging.getLogger("slack_sdk.socket_mode")


class _Client(SocketModeClient):
    """The SDK's client, with pauses between attempts."""

    failures = 0
    refused = ""  # the code with which the app token is refused, "" while it is accepted
    clock: Clock

    async def issue_new_wss_url(self) -> str:
        """A new address to connect to; never gives up."""
        while True:
            try:
                answer = await self.web_client.apps_connections_open(app_token=self.app_token)
            except SlackApiError as error:
                code = error.response.get("error") if hasattr(error.response, "get") else ""
                if code in _DEAD:
                    await self._rest(str(code))
                else:
                    await self._pause(str(code))
            except Exception as error:  # noqa: BLE001  (whatever the network does, we come again)
                await self._pause(type(error).__name__)
            else:
                self.failures, self.refused = 0, ""
                return str(answer["url"])

    async def _rest(self, code: str) -> None:
        if not self.refused:
            log.error("Slack does not accept the app token any more; asking once a minute", code=code)
        self.refused = code
        await self.clock.sleep(DEAD_S)

    async def _pause(self, why: str) -> None:
        pause_s = PAUSES_S[min(self.failures, len(PAUSES_S) - 1)]
        self.failures += 1
        log.warning("Slack gives no connection; trying again", why=why, seconds=pause_s)
        await asyncio.sleep(pause_s)


class Sockets:
    """The connections of one app. `sender` tells when a post of ours should have been heard."""

    def __init__(
        self, app_token: str, sender: Sender, dispatcher: Dispatcher, clock: Clock, *, ping_s: float = PING_S
    ) -> None:
        self.heard_s = clock.monotonic()
        self.echoes = False  # whether Slack has ever told us of a message of our own
        self._app_token = app_token
        self._sender = sender
        self._dispatcher = dispatcher
        self._clock = clock
        self._ping_s = ping_s
        self._clients: list[_Client] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._renewed_s = clock.monotonic()
        self._closing = False

    async def open(self) -> None:
        """Connect; return when one connection stands, or after a while without."""
        for _ in range(CONNECTIONS):
            web = web_client(self._sender.api_url, self._sender.session)
            client = _Client(self._app_token, logger=_sdk_log, web_client=web, ping_interval=self._ping_s)
            client.proxy = web.proxy
            client.clock = self._clock
            client.socket_mode_request_listeners.append(self._take)
            client.message_listeners.append(self._hear)
            self._clients.append(client)
        connecting = [asyncio.create_task(self._connect(client)) for client in self._clients]
        self._tasks = [*connecting, asyncio.create_task(self._watch(), name="slack watchdog")]
        await asyncio.wait(connecting, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
        if not self.connected:
            log.warning("no connection to Slack yet; trying on")

    async def _connect(self, client: _Client) -> None:
        await client.connect()  # type: ignore[no-untyped-call]

    @property
    def connected(self) -> int:
        """How many connections stand."""
        return sum(each.current_session is not None and not each.current_session.closed for each in self._clients)

    @property
    def refused(self) -> str:
        """The code with which Slack refuses the app token, "" while it accepts it."""
        return next((each.refused for each in self._clients if each.refused), "")

    async def close(self) -> None:
        """Hear nothing more; what is being taken is finished by whoever takes it."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ending = [asyncio.create_task(_close(client)) for client in self._clients]
        if ending:
            _, late = await asyncio.wait(ending, timeout=CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
        for client in self._clients:
            await client.aiohttp_client_session.close()
        self._clients = []

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """One envelope: answered with its own acknowledgement, or not at all."""
        if self._closing:
            return
        headers = {"x-slack-retry-num": str(request.retry_attempt)} if request.retry_attempt else {}
        outcome = await self._dispatcher.dispatch(request.payload, headers, "socket_mode")
        if not outcome.taken:
            return
        payload: dict[str, Any] | None = json.loads(outcome.body) if outcome.body else None
        answer = SocketModeResponse(envelope_id=request.envelope_id, payload=payload)
        try:
            await client.send_socket_mode_response(answer)
        except (ConnectionError, RuntimeError, AttributeError) as error:
            log.info("an acknowledgement was not sent; the event comes again", why=type(error).__name__)

    async def _hear(
        self, client: AsyncBaseSocketModeClient, message: Mapping[str, object], raw: str | None = None
    ) -> None:
        del client, raw
        if text_at(message, "type") == "events_api":
            self.heard_s = self._clock.monotonic()
            event = at(message, "payload", "event")
            self.echoes = self.echoes or bool(text_at(event, "bot_id"))

    # ------------------------------------------------------------------------------------- watchdog

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            now_s = self._clock.monotonic()
            if self.deaf(now_s) and now_s - self._renewed_s >= AGAIN_S:
                self._renewed_s = now_s
                log.warning("Slack's connections are open and silent; connecting anew")
                await asyncio.gather(*(self._renew(client) for client in self._clients), return_exceptions=True)

    def deaf(self, now_s: float) -> bool:
        """Whether a message of ours should have been heard by now, and nothing was."""
        posted_s = self._sender.posted_s
        return self.echoes and posted_s > self.heard_s and now_s - posted_s >= DEAF_S

    async def _renew(self, client: _Client) -> None:
        await client.connect_to_new_endpoint(force=True)


async def _close(client: _Client) -> None:
    await client.close()  # type: ignore[no-untyped-call]
