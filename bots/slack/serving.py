"""Slack as the wiring sees it: its port, its routes, its coming and going.

Knows: the order preflight -> catch up -> listen, and that a Slack that cannot be reached must not keep the rest of the
program from starting: then it is tried on in the background. Must not know: payloads, calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web

from bots.slack import preflight
from bots.slack.adapter import Reveal, SlackPlatform
from bots.slack.bolt import Dispatcher
from bots.slack.boots import Boots
from bots.slack.catch_up import AGAIN_READS_MAX, CatchUp, Homes
from bots.slack.http import SignedRequests
from bots.slack.intake import Receiver
from bots.slack.payload import Payload
from bots.slack.replies import Ack, Replies
from bots.slack.sockets import PING_S, Sockets
from core.domain.errors import Closing, NotSent, OutsideError, StoreError
from core.engine.handover import Exporter
from core.engine.ports import Clock, Intake
from core.settings import Settings

WORKED_S = 2.0  # who lives on for so long after the first event is not in a crash loop
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

log = structlog.get_logger("rejoinder.slack")


def _as_it_is(text: str) -> str:
    return text


class Slack:
    """One workspace. `homes` tells where conversations live, `export` makes a person's files."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        reveal: Reveal = _as_it_is,
        export: Exporter | None = None,
        homes: Homes | None = None,
        ping_s: float = PING_S,
    ) -> None:
        token, app_token, secret = settings.slack_bot_token, settings.slack_app_token, settings.slack_signing_secret
        self._token = token.get_secret_value() if token else ""
        self._app_token = app_token.get_secret_value() if app_token else ""
        self._settings = settings
        self._clock = clock
        self._homes = homes
        self._ping_s = ping_s
        self.platform = SlackPlatform(
            self._token, clock, api_url=settings.slack_api_url or "", language=settings.language, reveal=reveal
        )
        self.replies = Replies(self.platform, settings.language, export)
        self.sockets: Sockets | None = None
        self._signed = SignedRequests(secret.get_secret_value(), clock) if secret else None
        self._boots = Boots(settings.data_dir)
        self._later: asyncio.Task[None] | None = None
        self._proving: asyncio.Task[None] | None = None
        self._closing = False

    def routes(self) -> Sequence[web.RouteDef]:
        """The signed requests, in HTTP mode."""
        return self._signed.routes() if self._signed is not None else ()

    async def connect(self, intake: Intake) -> None:
        """See `Served`. Raises `Refused` when a token is not accepted."""
        pause_s = self._boots.begin(self._clock.now_ms())
        if pause_s:
            log.warning("the last starts ended in a crash; waiting before Slack is called", seconds=pause_s)
            await self._clock.sleep(pause_s)
        try:
            await self._begin(intake, late=True)
        except NotSent as error:
            log.warning("Slack cannot be reached; trying on in the background", code=error.code)
            self._later = asyncio.create_task(self._begin_later(intake), name="slack connect")

    async def _begin_later(self, intake: Intake) -> None:
        for attempt in range(1 << 30):
            await self._clock.sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
            try:
                await self._begin(intake, late=False)
            except NotSent:
                continue
            except (OutsideError, StoreError, Closing) as error:
                log.error("Slack is not served", code=error.code, detail=error.detail)  # noqa: TRY400
            return

    async def _begin(self, intake: Intake, *, late: bool) -> None:
        """Check, catch up, listen."""
        checked = await preflight.check(self.platform.sender, self.platform.identity, self._app_token)
        if checked.missing:
            log.warning("some of Slack will not work", missing=preflight.missing_told(checked.missing))
        receiver = Receiver(self.platform, intake, self.replies, self._settings.language)
        begun_ms = self._clock.now_ms()
        reads = await self._catch_up(receiver, self._missed_since_ms(begun_ms), late=late)
        if self._closing:
            return
        take = self._noting(receiver.take)
        dispatcher = Dispatcher(self.platform.sender, self.platform.identity, self._token, take)
        if self._signed is not None:
            self._signed.dispatcher = dispatcher
        else:
            self.sockets = Sockets(self._app_token, self.platform.sender, dispatcher, self._clock, ping_s=self._ping_s)
            await self.sockets.open()
        if reads <= AGAIN_READS_MAX:  # what was said between the reading and the listening
            await self._catch_up(receiver, begun_ms, late=False)

    def _missed_since_ms(self, now_ms: int) -> int:
        age_ms = int(self._settings.catch_up_age.total_seconds() * 1000)
        return max(self._boots.heard_ms, now_ms - age_ms)

    async def _catch_up(self, receiver: Receiver, since_ms: int, *, late: bool) -> int:
        """Read what was said since then; how many places that took."""
        if self._homes is None:
            return 0
        try:
            report = await CatchUp(self.platform, receiver, self._homes, self._settings.language, late=late).run(
                since_ms
            )
        except (StoreError, Closing) as error:
            log.warning("what was said meanwhile is left for the next start", code=error.code)
        except OutsideError as error:
            log.warning("what was said meanwhile cannot be read", code=error.code)
        else:
            return report.reads
        return AGAIN_READS_MAX + 1

    def _noting(self, take: Callable[[Payload], Awaitable[Ack | None]]) -> Callable[[Payload], Awaitable[Ack | None]]:
        """The same, noting that Slack was heard."""

        async def noted(body: Payload) -> Ack | None:
            answer = await take(body)
            self._boots.heard(self._clock.now_ms())
            if self._proving is None and not self._closing:
                self._proving = asyncio.create_task(self._prove(), name="slack worked")
            return answer

        return noted

    async def _prove(self) -> None:
        await self._clock.sleep(WORKED_S)
        self._boots.worked(self._clock.now_ms())

    async def disconnect(self) -> None:
        """Take nothing more in; what is not acknowledged comes again at the next start."""
        self._closing = True
        for task in (self._later, self._proving):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._signed is not None:
            self._signed.dispatcher = None
        if self.sockets is not None:
            await self.sockets.close()

    def trouble(self) -> str:
        """See `Served`."""
        code = self.platform.sender.dead or (self.sockets.refused if self.sockets is not None else "")
        return f"Slack does not accept our token ({code}); `rejoinder doctor` says what to do." if code else ""

    def end_streams(self) -> None:
        """Nothing of ours is an endless response."""

    async def close(self) -> None:
        """End everything, after the engine's last post."""
        await self.disconnect()
        await self.replies.close()
        await self.platform.close()
        self._boots.end(self._clock.now_ms())
