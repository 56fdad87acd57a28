"""The one loop: accept -> commit -> perform -> accept.

Knows: the order of things. An event is committed before anybody acts on it; an effect is committed as started before
the outside is touched; its outcome is an event like any other and is taken only while its claim still holds. Start-up
is nothing special: what other boots had started becomes outcomes, then the loop runs.
Must not know: rules, platforms, SQL.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import TypeVar

import structlog

from core.domain import events
from core.domain.codes import CodeKeys
from core.domain.decide import decide
from core.domain.decision import Policy
from core.domain.effects import AskModel, CallTool, Erase
from core.domain.entities import EffectRow, EffectState, Entity
from core.domain.errors import Ambiguous, Closing, NotSent, Refused, StoreError, StoreFull
from core.domain.events import Event, Outcome
from core.domain.rules.attempts import DIED
from core.domain.stamp import Stamp
from core.engine.asking import DRAIN, STOP, Asking
from core.engine.bell import Bell
from core.engine.books import Books
from core.engine.builtin import add_steps, now, search, start_task
from core.engine.calling import Calling
from core.engine.delivering import Delivering
from core.engine.drafts import Drafts
from core.engine.erasing import Erasing
from core.engine.intake import lane_of, understood
from core.engine.lanes import Lanes
from core.engine.live import LiveAnswers
from core.engine.performing import Performers
from core.engine.points import Point, nowhere
from core.engine.ports import Accepted, Claim, Clock, Decide, Model, Platform, Store
from core.engine.refreshing import Refreshing
from core.engine.running import Running
from core.engine.summarizing import Summarizing
from core.engine.tool_ports import Tools, Vault
from core.engine.toolbox import Toolbox

T = TypeVar("T")

RETRY_STORE_S = 1.0  # an outcome that finds the disk full waits and tries again
SETTLING_S = 0.05  # a drain looks this often whether anything still moves
DRAIN_COMMIT_S = 3.0  # what an interrupted call needs to store its text
SLOW_TOOL_S = 1.5  # a call that is quicker is not told of: every edit costs, on the platforms most
SWEEP_S = 5.0  # the dispatcher looks at the store at least this often, whatever it was told

log = structlog.get_logger(__name__)


def _never(_due_ms: int) -> None:
    """The alarm of an engine that is only rung by hand."""


class Engine:
    """Accepts events and carries effects out. One per process; the data directory's lock sees to that."""

    def __init__(  # noqa: PLR0913  (one argument for each port, named at the only place that wires)
        self,
        *,
        store: Store,
        model: Model,
        platforms: Mapping[str, Platform],
        clock: Clock,
        policy: Policy,
        boot: str,
        code_keys: CodeKeys | None = None,
        refreshing: Refreshing | None = None,
        ring_at: Callable[[int], None] = _never,
        tools: Tools | None = None,
        vault: Vault | None = None,
        point: Point = nowhere,
        decide: Decide = decide,
    ) -> None:
        self._books = Books(store)
        self.counts = self._books.counts
        self._store = store
        self._clock = clock
        self._policy = policy
        self._boot = boot
        self._point = point
        self._code_keys = code_keys
        self._decide = decide
        self._live = LiveAnswers()
        toolbox = Toolbox((now(clock), search(store, platforms), start_task(), add_steps()), tools)
        self._asking = Asking(store, model, policy, self._live, toolbox, point=point)
        self._performers = Performers(
            asking=self._asking,
            calling=Calling(store, toolbox, vault, policy, slow=self._tell_slow, point=point),
            delivering=Delivering(store, platforms, policy, self._live, clock, point),
            summarizing=Summarizing(store, model, platforms, policy, point),
            erasing=Erasing(store, platforms, policy, self.quiet, point),
            refreshing=refreshing or Refreshing(),
        )
        self._bell = Bell(store, clock, self.accept, ring_at)
        self._drafts = Drafts(store, self._live, clock, self.counts, point)
        self._lanes = Lanes()
        self._running = Running()
        self._tasks: set[asyncio.Task[object]] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._pending = True  # the store may hold effects that nobody performs yet
        self._closing = False
        self._performing = False

    # ----------------------------------------------------------------------------------- accept

    async def accept(self, event: Event, *, finishes: Claim | None = None) -> Accepted:
        """Commit the event and set going what follows. Raises `StoreFull`, and `Closing` for arrivals in a drain.

        A typed resume code becomes its digest before anything of the event is stored.
        A caller that is cancelled loses only the answer: the commit and what follows from it go on.
        """
        if self._closing and isinstance(event, events.Arrival):
            self._books.turned_away(event)
            raise Closing(code="closing")
        event = understood(event, self._code_keys, self._policy.bot_name)
        try:
            return await asyncio.shield(self._spawn(self._accept(event, finishes)))
        except StoreFull:
            self._books.turned_away(event)
            raise

    async def _accept(self, event: Event, finishes: Claim | None) -> Accepted:
        async with self._lanes.enter(lane_of(event)):
            self._point("accept.before_commit")
            accepted = await self._store.accept(
                event,
                Stamp(now_ms=self._clock.now_ms(), seed=secrets.token_hex(16)),
                self._decide,
                policy=self._policy,
                boot=self._boot,
                finishes=finishes,
                room=self._room(),
            )
            self._point("accept.after_commit")
        self._books.taken(event, accepted)
        self._follow(accepted)
        return accepted

    def _follow(self, accepted: Accepted) -> None:
        """Set going what a commit has decided."""
        changes = accepted.decision.changes
        self._live.sync(changes)
        self._bell.plan(changes)
        calls = {row.id for row in changes if isinstance(row, EffectRow) and isinstance(row.effect, CallTool)}
        for effect_id in accepted.decision.stop:
            if effect_id in calls:
                self._running.interrupt(effect_id)
            else:
                self._asking.interrupt(effect_id, STOP)
        for row in accepted.started:
            self._perform(row)
        if self._leaves_pending(changes, accepted):
            self._pending = True
        if self._pending:
            self._wake.set()

    @staticmethod
    def _leaves_pending(changes: tuple[Entity, ...], accepted: Accepted) -> bool:
        started = {row.id for row in accepted.started}
        return any(
            isinstance(row, EffectRow) and row.state is EffectState.PENDING and row.id not in started for row in changes
        )

    async def ring(self) -> None:
        """Ask every session whose timer has rung; then set the alarm to the next one. See `Bell.ring`."""
        await self._bell.ring()

    async def time_passed(self, ms: int) -> None:
        """`Let time pass` has moved the wall clock by `ms`: what is due now is looked at now."""
        await self._bell.time_passed(ms)

    async def recount(self) -> None:
        """Somebody else has forgotten something. See `Books.recount`."""
        await self._books.recount()

    async def caught_up(self, platform: str) -> None:
        """A platform has told everything that was said while we were away."""
        for session_id in await self._store.holding(platform):
            await self.accept(events.CaughtUp(session_id=session_id))

    # ----------------------------------------------------------------------------------- perform

    async def start(self) -> None:
        """Turn what other boots had started into outcomes, then run."""
        await self._bell.begin(wake_unused=self._policy.retention_ms is not None)
        await self._books.begin()
        self._point("recover.before")
        orphans = await self._store.orphans(self._boot)
        await asyncio.gather(*(self._recover(row) for row in orphans))
        self._point("recover.after")
        if orphans:
            log.info("recovered", effects=len(orphans))
        self._performing = True
        _ = self._spawn(self._dispatch())
        self._ticking = self._spawn(self._drafts.keep_saving())

    async def _recover(self, row: EffectRow) -> None:
        outcome: Outcome
        if isinstance(row.effect, AskModel):
            said = await self._store.draft_of(row.id)
            outcome = events.ModelCut(turn_id=row.effect.turn_id, text=said, code=DIED)
        else:
            outcome = events.EffectStumbled(session_id=row.session_id, code=DIED)
        self.counts["recovered"] += 1
        await self.accept(outcome, finishes=Claim(effect_id=row.id, boot=row.boot, attempt=row.attempt))

    async def _dispatch(self) -> None:
        """Claim what is due; sleep until something is due, something changes, or the sweep's time."""
        while not self._closing:
            self._wake.clear()
            # One time for both questions: what becomes due between them would be neither claimed nor waited for.
            now_ms = self._clock.now_ms()
            try:
                rows = await self._claim(now_ms)
                due_ms = None if rows else await self._store.next_effect_ms(now_ms)
            except StoreError as error:
                log.warning("effects wait for the store", code=error.code)
                rows, due_ms = (), now_ms + int(RETRY_STORE_S * 1000)
            if not rows:
                self._pending = due_ms is not None
                await self._wait(due_ms if due_ms is not None and due_ms > now_ms else None)

    async def _claim(self, now_ms: int) -> tuple[EffectRow, ...]:
        room = self._room()
        rows = await self._store.claim(boot=self._boot, now_ms=now_ms, room=room)
        for row in rows:
            self._perform(row)
        return rows

    async def _wait(self, due_ms: int | None) -> None:
        pause_s = SWEEP_S
        if due_ms is not None:
            pause_s = min(SWEEP_S, max(0, due_ms - self._clock.now_ms()) / 1000)
        sleeping = asyncio.create_task(self._clock.sleep(pause_s))
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    def _room(self) -> dict[str, int]:
        if self._closing or not self._performing:
            return {}
        return self._running.room()

    def _perform(self, row: EffectRow) -> None:
        def ended() -> None:
            if self._pending:
                self._wake.set()

        self._running.start(row, self._run(row), ended)

    async def _tell_slow(self, turn_id: str) -> None:
        """A tool takes long enough to be told of."""
        await self._clock.sleep(SLOW_TOOL_S)
        if (live := self._live.get(turn_id)) is not None:
            live.touch()

    def quiet(self, session_ids: Collection[str], but: str = "") -> None:
        """These sessions are forgotten: nothing goes on for them, no text of theirs stays in memory."""
        self._running.end(session_ids, but)
        self._live.forget(session_ids)

    async def _run(self, row: EffectRow) -> None:
        """Perform one effect; whatever happens becomes an outcome."""
        outcome = await self._outcome(row)
        _tell(row, outcome)
        self._point("outcome.before_accept")
        claim = Claim(effect_id=row.id, boot=row.boot, attempt=row.attempt)
        while True:
            try:
                await self.accept(outcome, finishes=claim)
            except StoreError as error:
                log.warning("outcome waits for the store", effect=row.id, code=error.code)
                await self._clock.sleep(RETRY_STORE_S)
            except Exception:
                # A rule is broken. The effect stays started, so the next boot tries again with a mended rule.
                self.counts["broken"] += 1
                log.exception("outcome not accepted", effect=row.id, outcome=type(outcome).__name__)
                return
            else:
                self._asking.over(row.id)
                if isinstance(row.effect, Erase):
                    await self._books.recount()
                return

    async def _outcome(self, row: EffectRow) -> Outcome:
        try:
            return await self._performers.carry_out(row)
        except NotSent as error:
            return events.EffectWaits(session_id=row.session_id, code=error.code, retry_ms=error.retry_ms)
        except Ambiguous as error:
            return events.EffectStumbled(session_id=row.session_id, code=error.code)
        except Refused as error:
            return events.EffectRefused(session_id=row.session_id, code=error.code)
        except StoreError as error:
            return self._stumbled(row, error.code)
        except Exception:
            log.exception("performer failed", effect=row.id, kind=type(row.effect).__name__)
            return self._stumbled(row, "internal")

    @staticmethod
    def _stumbled(row: EffectRow, code: str) -> Outcome:
        if isinstance(row.effect, AskModel):
            return events.ModelCut(turn_id=row.effect.turn_id, text="", code=code)
        return events.EffectStumbled(session_id=row.session_id, code=code)

    # ------------------------------------------------------------------------------------- the end

    async def drain(self, seconds: float) -> None:
        """Stop intake, let turns finish for `seconds`, then checkpoint the rest for the next boot."""
        self._closing = True
        self._bell.stop()
        self._wake.set()
        await self._begun()
        await self._settle(seconds)
        for effect_id in self._asking.running():
            self._asking.interrupt(effect_id, DRAIN)
        await self._settle(DRAIN_COMMIT_S)

    async def _begun(self) -> None:
        """What was being claimed or accepted when intake stopped is performed now; nothing more begins after it."""
        under_way = [task for task in self._tasks if task is not self._ticking]
        if under_way:
            await asyncio.wait(under_way)

    async def _settle(self, seconds: float) -> None:
        """Wait for what moves. A delivery whose call waits, for a pause or a busy model, would only use up the time."""
        end = asyncio.get_running_loop().time() + seconds
        while moving := self._running.moving(self._performers.delivering.idle):
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.wait(moving, timeout=min(left, SETTLING_S), return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """End everything that runs and save what is unsaved; the store stays open."""
        await self._end_all()
        await self._drafts.save()

    async def abandon(self) -> None:
        """End everything at once and save nothing: what a crash does, for tests."""
        await self._end_all()

    @property
    def idle(self) -> bool:
        """Whether no effect is being performed."""
        return not self._running

    async def _end_all(self) -> None:
        """Cancel everything, and what a commit that was under way has begun meanwhile."""
        self._closing = True
        self._bell.stop()
        while tasks := (*self._running.tasks(), *self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, coroutine: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _tell(row: EffectRow, outcome: Outcome) -> None:
    """What people are told in the thread, whoever runs this finds in the log: the code, and no words of anybody."""
    kind = type(row.effect).__name__
    match outcome:
        case events.ModelRefused() | events.EffectRefused():
            log.warning("refused", effect=row.id, kind=kind, code=outcome.code)
        case events.ModelBusy() | events.EffectWaits():
            log.info("waits", effect=row.id, kind=kind, code=outcome.code)
        case events.ModelCut(blameless=False) | events.EffectStumbled():
            log.info("stumbled", effect=row.id, kind=kind, code=outcome.code)
        case _:
            pass
