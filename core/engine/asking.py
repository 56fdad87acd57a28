"""The performer of AskModel: one streamed call, its text drafted and shown as it comes.

Knows: how a conversation becomes a request, how a call ends. It never waits for a draft to be saved.
Must not know: which model it is, how the answer is delivered.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial

from core.domain.decision import Policy
from core.domain.effects import AskModel
from core.domain.entities import EffectRow
from core.domain.errors import Ambiguous, HistoryUnreadable, NotSent, Refused
from core.domain.events import (
    HistoryLost,
    ModelBusy,
    ModelCut,
    ModelRefused,
    ModelReplied,
    ModelStopped,
    Outcome,
    Usage,
)
from core.domain.rules import briefing, tasks
from core.domain.rules.budget import ANSWER_TOKENS_MAX
from core.domain.rules.planning import SCHEMA
from core.domain.rules.recall import SYSTEM, compose
from core.domain.rules.stitch import after, stitch, undecided
from core.engine.live import LiveAnswer, LiveAnswers
from core.engine.points import Point
from core.engine.ports import Finished, Model, ModelRequest, Said, Store
from core.engine.toolbox import Shown, Toolbox

STOP = "stop"
DRAIN = "drain"
_WHOLE = ("tool_use", "end_turn")  # of other ends the last call may be half a one


@dataclass(slots=True)
class _Heard:
    """What one call has said so far, and how it ended."""

    before: str  # what the finished rounds of the turn said
    said: str  # by earlier calls of this round
    tools: Shown
    plans: bool = False  # a task
    more: str = ""
    finished: Finished | None = None


class Asking:
    """Calls the model for turns. `interrupt` ends a running call early."""

    def __init__(
        self, store: Store, model: Model, policy: Policy, live: LiveAnswers, toolbox: Toolbox, *, point: Point
    ) -> None:
        self._store = store
        self._model = model
        self._policy = policy
        self._live = live
        self._toolbox = toolbox
        self._point = point
        self._interrupts: dict[str, asyncio.Future[str]] = {}
        self._early: dict[str, str] = {}

    def interrupt(self, effect_id: str, why: str) -> None:
        """End a running call: `STOP` (the person) or `DRAIN` (we shut down)."""
        waiting = self._interrupts.get(effect_id)
        if waiting is None:
            # Claimed in the same group commit and not begun yet: it is ended as soon as it begins.
            self._early[effect_id] = why
        elif not waiting.done():
            waiting.set_result(why)

    def over(self, effect_id: str) -> None:
        """The outcome of the effect is stored: an interrupt that came too late means nothing any more."""
        self._early.pop(effect_id, None)

    def running(self) -> tuple[str, ...]:
        """The effects whose call is running."""
        return tuple(self._interrupts)

    async def perform(self, row: EffectRow, effect: AskModel) -> Outcome:
        """One call, from the stored conversation to its outcome; raises nothing of the outside."""
        interrupt = self._interrupts[row.id] = asyncio.get_running_loop().create_future()
        if (why := self._early.pop(row.id, None)) is not None:
            interrupt.set_result(why)
        try:
            return await self._ask(row, effect.turn_id, interrupt)
        finally:
            del self._interrupts[row.id]
            self._live.forget_draft(row.id)

    async def _ask(self, row: EffectRow, turn_id: str, interrupt: asyncio.Future[str]) -> Outcome:
        try:
            request, live, tools = await self._prepare(turn_id)
        except HistoryUnreadable:
            return await self._lost(row, turn_id)
        heard = _Heard(before=live.turn.before, said=live.turn.said, tools=tools, plans=tasks.plans(live.turn))
        self._point("model.before_call")
        reading = asyncio.create_task(self._read(request, row.id, heard, live))
        try:
            await asyncio.wait((reading, interrupt), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                with suppress(asyncio.CancelledError, Ambiguous, NotSent, Refused):
                    await reading
                return self._interrupted(turn_id, heard, interrupt.result())
            return self._outcome(turn_id, heard, reading)
        finally:
            reading.cancel()
            self._point("model.after_call")

    async def _lost(self, row: EffectRow, turn_id: str) -> Outcome:
        """The history cannot be read; perhaps the question can."""
        turn = (await self._store.delivery(turn_id)).turn
        most = turn.last_seq - turn.first_seq + 1
        try:
            own = await self._store.history(row.session_id, turn.first_seq, turn.last_seq, most)
        except HistoryUnreadable:
            own = ()
        return HistoryLost(turn_id=turn_id, messages=own)

    async def _prepare(self, turn_id: str) -> tuple[ModelRequest, LiveAnswer, Shown]:
        told = await self._store.conversation(turn_id, self._policy.recall_budget_tokens)
        live = self._live.get(turn_id) or self._live.open(told.turn, after(told.turn.before, told.turn.said))
        live.turn = told.turn
        tools = await self._toolbox.shown(told.tools, mid_turn=told.turn.rounds > 0)
        last, budget = "", self._policy.recall_budget_tokens
        if told.work is not None:
            tools = tools.only(partial(briefing.allowed, told.turn, told.work))
            last = briefing.told(told.turn, told.work, budget, tools.told())
        messages = compose(
            told.messages,
            told.turn,
            files=told.files,
            prefix=tools.prefix,
            whole=told.whole,
            summary=told.summary,
            named=told.session.home.user == "",
            last=last,
            loops=told.loops,
        )
        request = ModelRequest(
            model=self._policy.model,
            system=SYSTEM,
            messages=messages,
            max_tokens=ANSWER_TOKENS_MAX,
            schema=SCHEMA if tasks.plans(told.turn) and not told.turn.stripped else "",
            tools="" if tasks.plans(told.turn) else tools.list.tools,
            asker=hashlib.sha256(told.session.owner.encode()).hexdigest()[:32],
        )
        return request, live, tools

    async def _read(self, request: ModelRequest, effect_id: str, heard: _Heard, live: LiveAnswer) -> None:
        async with aclosing(self._model.stream(request)) as stream:
            async for each in stream:
                if isinstance(each, Finished):
                    heard.finished = each
                    return
                self._say(each, effect_id, heard, live)

    def _say(self, each: Said, effect_id: str, heard: _Heard, live: LiveAnswer) -> None:
        heard.more += each.text
        self._live.draft(effect_id, each.text)
        if not undecided(heard.said, heard.more):
            live.show(after(heard.before, stitch(heard.said, heard.more) if heard.said else heard.more))
        self._point("model.said")

    def _outcome(self, turn_id: str, heard: _Heard, reading: asyncio.Task[None]) -> Outcome:
        """How the call ended by itself."""
        try:
            reading.result()
        except Refused as error:
            return ModelRefused(turn_id=turn_id, code=error.code)
        except NotSent as error:
            if not heard.more:
                return ModelBusy(turn_id=turn_id, code=error.code, retry_ms=error.retry_ms)
            return ModelCut(turn_id=turn_id, text=heard.more, code=error.code)
        except Ambiguous as error:
            usage = getattr(error, "usage", Usage())
            return ModelCut(turn_id=turn_id, text=heard.more, code=error.code, usage=usage)
        done = heard.finished
        if done is None:
            return ModelCut(turn_id=turn_id, text=heard.more, code="model_cut")
        return ModelReplied(
            turn_id=turn_id,
            text=heard.more,
            blocks=done.blocks,
            prefix=heard.tools.prefix,
            stop_reason=done.stop_reason,
            model=done.model,
            usage=done.usage,
            calls=heard.tools.wanted(done.blocks) if done.stop_reason in _WHOLE else (),
            tools=heard.tools.list if heard.tools.new else None,
            careful=heard.tools.careful if heard.plans else (),
        )

    def _interrupted(self, turn_id: str, heard: _Heard, why: str) -> Outcome:
        if why == STOP:
            return ModelStopped(turn_id=turn_id, text=heard.more)
        return ModelCut(turn_id=turn_id, text=heard.more, code=why, blameless=True)
