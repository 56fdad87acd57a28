"""The immediate answer to an interaction: in time, once, to the acting person only.

Knows: how each kind of interaction may be answered (docs: interactions/receiving-and-responding), and that Discord
waits 3 s. Must not know: what was decided. What takes longer than a second is deferred and followed up; a form cannot
be, so it asks to press again. Whatever cannot be told any more is not lost: it was committed before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import assert_never

import structlog

from bots.discord import ids, render
from bots.discord.faults import UNKNOWN_INTERACTION, Denied
from bots.discord.render import Body
from bots.discord.rest import Rest
from bots.discord.wire_acts import Act, Kind
from bots.discord.words import say
from core.domain.decision import Choices, Form, Nothing, Private, Reply
from core.domain.errors import OutsideError
from core.engine.ports import Clock

DEFER_S = 1.0
ANSWER_S = 2.0  # a callback that takes longer comes too late
WAITS_MS = 3_000  # so long Discord waits for it, then it tells the person that nothing came (docs: interactions)
_MESSAGE, _DEFERRED, _DEFERRED_UPDATE, _CHOICES, _MODAL = 4, 5, 6, 8, 9

log = structlog.get_logger("rejoinder.discord")


class Replying:
    """Answers interactions. `reveal` fills in what no disk holds, at the moment of sending."""

    def __init__(self, rest: Rest, clock: Clock, reveal: render.Reveal, language: str) -> None:
        self._rest = rest
        self._clock = clock
        self._reveal = reveal
        self._language = language

    async def waits(self, act: Act) -> bool | None:
        """Whether somebody still waits for the answer to an act that comes late; None: it does not come late.

        A replay tells again what was done while we were away. Only Discord knows: its clock and ours differ. Who waits
        sees that it is worked on from here on.
        """
        if self._clock.now_ms() - ids.made_ms(act.id) < WAITS_MS:
            return None
        try:
            await self._defer(act)
        except Denied as no:
            return no.number != UNKNOWN_INTERACTION
        except OutsideError as error:
            log.info("discord_not_answered", code=error.code, kind=act.kind.value)
        return True

    async def answer(self, act: Act, deciding: Awaitable[Reply], *, deferred: bool = False) -> None:
        """Answer with what is decided; defers when the decision takes longer than a second, and was not yet."""
        if deferred:
            try:
                await self._later(act, await deciding)
            except OutsideError as error:
                log.info("discord_not_answered", code=error.code, kind=act.kind.value)
            return
        task = asyncio.ensure_future(deciding)
        waiting = asyncio.create_task(self._clock.sleep(DEFER_S))
        try:
            await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        try:
            if task.done():
                await self._first(act, task.result())
                return
            await self._defer(act)
            await self._later(act, await task)
        except OutsideError as error:
            log.info("discord_not_answered", code=error.code, kind=act.kind.value)

    async def complete(self, act: Act, found: list[tuple[str, str]]) -> None:
        """Offer completions."""
        try:
            await self._callback(act, _CHOICES, render.completions(found))
        except OutsideError as error:
            log.debug("discord_not_completed", code=error.code)

    # -------------------------------------------------------------------------------------- inside

    async def _first(self, act: Act, reply: Reply) -> None:
        match reply:
            case Nothing():
                if act.kind is Kind.COMMAND:
                    done = Private(text=say(act.locale or self._language, "done"))
                    await self._callback(act, _MESSAGE, self._shown(done))
                else:
                    await self._callback(act, _DEFERRED_UPDATE)
            case Private() | Choices():
                await self._callback(act, _MESSAGE, self._shown(reply))
            case Form():
                await self._callback(act, _MODAL, render.form(reply))
            case _:
                assert_never(reply)

    async def _defer(self, act: Act) -> None:
        if act.kind is Kind.COMMAND:
            await self._callback(act, _DEFERRED, {"flags": render.EPHEMERAL})
        else:
            await self._callback(act, _DEFERRED_UPDATE)

    async def _later(self, act: Act, reply: Reply) -> None:
        """After a deferral: a command's answer is filled in or taken away, a press gets a message of its own."""
        path = f"/webhooks/{act.app}/{act.token}"
        if isinstance(reply, Nothing):
            if act.kind is Kind.COMMAND:
                await self._rest.call("DELETE", f"{path}/messages/@original")
            return
        if isinstance(reply, Form):
            reply = Private(text=say(act.locale or self._language, "late"))
        body = self._shown(reply)
        if act.kind is Kind.COMMAND:
            changed = {key: value for key, value in body.items() if key != "flags"}
            await self._rest.call("PATCH", f"{path}/messages/@original", changed)
        else:
            await self._rest.call("POST", path, body)

    def _shown(self, reply: Private | Choices) -> Body:
        if isinstance(reply, Choices):
            return render.choices(reply, self._language)
        return render.private(Private(text=self._reveal(reply.text), buttons=reply.buttons), self._language)

    async def _callback(self, act: Act, kind: int, data: Body | None = None) -> None:
        body: Body = {"type": kind} if data is None else {"type": kind, "data": data}
        path = f"/interactions/{act.id}/{act.token}/callback"
        await self._rest.call("POST", path, body, patience_s=ANSWER_S)
