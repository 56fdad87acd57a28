"""One life of the program: started as bots/app/program.py starts it, ended calmly or buried.

Knows: which parts there are and in which order they start. Must not know: stories.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import assert_never

from bots.local import ids
from bots.local.adapter import LocalPlatform
from bots.local.chat import LocalChat
from core.domain.codes import reveal
from core.domain.decide import decide
from core.domain.decision import Policy
from core.domain.effects import (
    AskModel,
    CallTool,
    Deliver,
    Erase,
    FetchFile,
    Mark,
    ReadThread,
    RefreshCredential,
    ShowCard,
    Summarize,
)
from core.domain.entities import EffectRow
from core.domain.events import (
    CardShown,
    Delivered,
    EffectDone,
    FileFetched,
    ModelReplied,
    Outcome,
    ThreadRead,
    ToolReturned,
)
from core.engine.loop import Engine
from core.engine.ports import Claim, Intake, Model
from core.engine.tool_ports import Tools
from storage.migrate import prepare
from storage.sqlite import SqliteStore
from tests.crash.fuse import Died, Fuse
from tests.crash.shaky import Shaky, Wobble
from tests.crash.still import Busy, Ground, Kernel, StillClock
from tests.kit.world import KEYS

_BOOTS = itertools.count(1)
WHOLE = 100_000  # characters of one part: no answer here is longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """Where a fault can be planted: the store that the engine gets, the intake that the platform gets."""

    store: type[SqliteStore] = SqliteStore
    intake: Callable[[Engine], Intake] = lambda engine: engine


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """How the program is set up, and what it stands on."""

    policy: Policy = field(default_factory=Policy)
    part_chars: int = WHOLE
    tools: bool = False  # the model uses tools of a workshop
    faulty: Faulty = field(default_factory=Faulty)
    ground: Ground = field(default_factory=Kernel)


class Life:
    """`start` it; then `store`, `engine`, `local` and `chat` are what they are in the program."""

    def __init__(
        self, house: House, store: SqliteStore, clock: StillClock, model: Model, tools: Tools, *, fuse: Fuse
    ) -> None:
        self.house = house
        self.store = store
        self.fuse = fuse
        self.wobbles: deque[Wobble] = deque()
        self.local = LocalPlatform(store.board, clock, partial(reveal, KEYS))
        self.engine = Engine(
            store=store,
            model=model,
            platforms={ids.PLATFORM: Shaky(self.local, clock, self.wobbles, house.part_chars)},
            clock=clock,
            policy=house.policy,
            code_keys=KEYS,
            boot=f"boot-{next(_BOOTS)}",
            point=fuse.point,
            tools=tools if house.tools else None,
            decide=decide,
        )
        self.intake = house.faulty.intake(self.engine)
        self.chat = LocalChat(self.local, self.intake)
        self.untaken: frozenset[str] = frozenset()  # the keys of the posts that waited when it started

    @classmethod
    async def open(cls, house: House, path: Path, clock: StillClock, model: Model, tools: Tools, *, fuse: Fuse) -> Life:
        """Open the store; nothing runs yet."""
        clock.busy = Busy()
        prepare(path, on_point=fuse.point)
        store = await house.ground.open(house.faulty.store, path, clock.busy, fuse.point)
        return cls(house, store, clock, model, tools, fuse=fuse)

    async def start(self) -> list[str]:
        """Recover, then take what people said meanwhile; the results of the dead that were taken (none, that is)."""
        begun = await self.store.orphans("")
        await self.engine.start()
        self.untaken = frozenset(post.key for post in await self.store.board.untaken())
        await self.local.catch_up(self.intake)
        await self.engine.caught_up(ids.PLATFORM)
        return [type(row.effect).__name__ for row in begun if not await self._is_stale(row)]

    async def results(self) -> list[str]:
        """The results of steps that are stored."""
        sql = "SELECT result FROM step WHERE state = 'done'"
        return await self.store.read(lambda conn: [row[0] for row in conn.execute(sql)])

    async def _is_stale(self, row: EffectRow) -> bool:
        """Bring the result of a life that was thought dead."""
        claim = Claim(effect_id=row.id, boot=row.boot, attempt=row.attempt)
        return (await self.engine.accept(late_outcome(row), finishes=claim)).stale

    async def bury(self) -> None:
        """What a death leaves: no task runs on, nothing more is written."""
        await self.engine.abandon()
        with contextlib.suppress(Died):
            await self.store.close()
        self.store.peephole.close()

    async def end(self) -> None:
        """End calmly, and where nobody can die any more."""
        self.fuse.disarm()
        await self.engine.close()
        await self.store.close()


def late_outcome(row: EffectRow) -> Outcome:  # noqa: PLR0911 -- one arm for each effect
    """What a process that was thought dead says of an effect, too late."""
    match row.effect:
        case AskModel(turn_id=turn_id):
            return ModelReplied(
                turn_id=turn_id, text="Too late.", blocks="", prefix="", stop_reason="end_turn", model="zombie"
            )
        case Deliver(turn_id=turn_id):
            return Delivered(turn_id=turn_id, parts=())
        case ShowCard(card_key=key):
            return CardShown(session_id=row.session_id, card_key=key, version=99, ref="zombie")
        case FetchFile(file_id=file_id):
            return FileFetched(session_id=row.session_id, file_id=file_id, media_type="", problem="zombie")
        case ReadThread(turn_id=turn_id):
            return ThreadRead(session_id=row.session_id, turn_id=turn_id, unreadable=True)
        case CallTool(turn_id=turn_id, call_id=call_id):
            return ToolReturned(turn_id=turn_id, call_id=call_id, content='[{"type":"text","text":"zombie"}]')
        case Mark() | Summarize() | Erase() | RefreshCredential():
            return EffectDone(session_id=row.session_id)
        case _:
            assert_never(row.effect)
