"""Answers while they grow: edited at a calm rhythm, the newest text only, the final one always.

Knows: one desk per channel, because Discord counts edits per channel; 1.25 s between two edits there, in turn for every
answer that grows (measured, facts/discord.md section 5: faster is slower, for the bucket then blocks for seconds). The
first text goes at once. An edit that is under way is never cancelled: it would land after the final text (trap 9). The
final text waits only for that one, and finds a token, because drafts never take the last. Must not know: what an
answer is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from bots.discord.render import Body
from bots.discord.sender import Sender, Standing
from core.domain.errors import NotSent, OutsideError
from core.domain.files import AnswerFile
from core.engine.ports import Clock

RHYTHM_S = 1.25
_LEAST_S, _MOST_S = 0.05, 10.0
FORGOTTEN_S = 300.0  # an answer that got neither text nor end for so long does not slow the others down any more

log = structlog.get_logger("rejoinder.discord")


@dataclass(slots=True)
class _Draft:
    """One growing message. `wanted` is what it shall read next, None when it reads so already."""

    wanted: Body | None = None
    shown: Body | None = None
    touched: float = 0.0
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def keep(self, body: Body) -> None:
        """It could not be written now: later, unless something newer has come."""
        if self.wanted is None:
            self.wanted = body


@dataclass(slots=True)
class _Desk:
    """The growing messages of one channel, the longest waiting first."""

    drafts: dict[str, _Draft] = field(default_factory=dict)
    next_at: float = 0.0
    worker: asyncio.Task[None] | None = None
    busy: bool = False  # an edit is under way


class Editor:
    """`write` hands over a text, `settle` makes the final one stand."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self._desks: dict[str, _Desk] = {}

    def write(self, channel: str, message: str, body: Body) -> None:
        """The message shall read so, soon; a later text takes the place of this one."""
        desk = self._desks.setdefault(channel, _Desk())
        draft = desk.drafts.setdefault(message, _Draft())
        draft.touched = self._clock.monotonic()
        draft.wanted = None if body == draft.shown else body
        if draft.wanted is not None and desk.worker is None:
            desk.worker = asyncio.create_task(self._work(channel, desk), name=f"discord-editor:{channel}")

    def standing(self, channel: str, message: str, body: Body) -> None:
        """The message reads so already (it was posted like this)."""
        desk = self._desks.setdefault(channel, _Desk())
        desk.drafts[message] = _Draft(shown=body, touched=self._clock.monotonic())

    async def settle(self, channel: str, message: str, body: Body, files: Sequence[AnswerFile] = ()) -> Standing:
        """Return when the message reads so and has these files; nothing older comes after. Raises what an edit does."""
        desk = self._desks.get(channel)
        draft = desk.drafts.get(message, _Draft()) if desk else _Draft()
        draft.wanted = None
        async with draft.writing:
            try:
                return await self._sender.edit(channel, message, body, files)
            finally:
                if desk is not None:
                    desk.drafts.pop(message, None)
                    self._tidy(channel, desk)

    async def close(self) -> None:
        """Let what is under way arrive, and write nothing more."""
        workers = []
        for desk in self._desks.values():
            desk.drafts.clear()
            if desk.worker is not None:
                workers.append(desk.worker)
                if not desk.busy:
                    desk.worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def abandon(self) -> None:
        """Stop at once, for tests."""
        workers = [desk.worker for desk in self._desks.values() if desk.worker is not None]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    # -------------------------------------------------------------------------------------- inside

    async def _work(self, channel: str, desk: _Desk) -> None:
        """Write what is wanted, one message after the other, until nothing is."""
        try:
            while (found := self._next(desk)) is not None:
                pause_s = desk.next_at - self._clock.monotonic()
                if pause_s > 0:
                    await self._clock.sleep(pause_s)
                    continue  # something newer, or the end, may have come meanwhile
                message, draft = found
                desk.busy, before = True, draft.shown
                pause_s = await self._write(channel, message, draft)
                desk.busy = False
                if draft.shown is not before and message in desk.drafts:
                    desk.drafts[message] = desk.drafts.pop(message)  # it had its turn: to the end of the queue
                desk.next_at = self._clock.monotonic() + pause_s
        finally:
            desk.worker = None
            self._tidy(channel, desk)

    async def _write(self, channel: str, message: str, draft: _Draft) -> float:
        """Write what is wanted; returns how long the desk rests then, seconds."""
        async with draft.writing:
            body, draft.wanted = draft.wanted, None
            if body is None:
                return 0.0
            try:
                await self._sender.draft(channel, message, _changes(body, draft.shown))
                draft.shown = body
            except NotSent as error:
                draft.keep(body)
                return self._until(error.retry_ms)
            except OutsideError as error:
                # A draft is no promise: the final text tries for itself, and tells when it cannot stand.
                log.info("discord_draft", code=error.code, channel=channel)
        return RHYTHM_S

    def _until(self, retry_ms: int | None) -> float:
        """No token is free now: the very moment when there is one, not a whole beat later."""
        wait_s = RHYTHM_S if retry_ms is None else (retry_ms - self._clock.now_ms()) / 1000
        return min(max(wait_s, _LEAST_S), _MOST_S)

    def _next(self, desk: _Desk) -> tuple[str, _Draft] | None:
        now = self._clock.monotonic()
        for message in [name for name, each in desk.drafts.items() if now - each.touched > FORGOTTEN_S]:
            del desk.drafts[message]
        return next(((name, each) for name, each in desk.drafts.items() if each.wanted is not None), None)

    def _tidy(self, channel: str, desk: _Desk) -> None:
        if not desk.drafts and desk.worker is None and self._desks.get(channel) is desk:
            del self._desks[channel]


def _changes(body: Body, shown: Body | None) -> Body:
    """What an edit has to say: components only when they are others."""
    if shown is not None and shown.get("components") == body.get("components"):
        return {key: value for key, value in body.items() if key != "components"}
    return body
