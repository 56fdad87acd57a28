"""Which performer carries out which effect.

Knows: the closed set of effects. Must not know: how any of them is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

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
from core.domain.events import Outcome
from core.engine.asking import Asking
from core.engine.calling import Calling
from core.engine.delivering import Delivering
from core.engine.erasing import Erasing
from core.engine.refreshing import Refreshing
from core.engine.summarizing import Summarizing


@dataclass(frozen=True, slots=True, kw_only=True)
class Performers:
    """All performers of one engine."""

    asking: Asking
    calling: Calling
    delivering: Delivering
    summarizing: Summarizing
    erasing: Erasing
    refreshing: Refreshing

    async def carry_out(self, row: EffectRow) -> Outcome:  # noqa: C901, PLR0911  (one arm for each effect)
        """Perform the effect and return its outcome; raises what the outside raises."""
        match row.effect:
            case AskModel() as effect:
                return await self.asking.perform(row, effect)
            case Deliver() as effect:
                return await self.delivering.deliver(row, effect)
            case ShowCard() as effect:
                return await self.delivering.show(row, effect)
            case FetchFile() as effect:
                return await self.delivering.fetch(row, effect)
            case Mark() as effect:
                return await self.delivering.mark(row, effect)
            case Summarize() as effect:
                return await self.summarizing.summarize(row, effect)
            case ReadThread() as effect:
                return await self.summarizing.read_thread(row, effect)
            case Erase() as effect:
                return await self.erasing.erase(row, effect)
            case CallTool() as effect:
                return await self.calling.perform(row, effect)
            case RefreshCredential() as effect:
                return await self.refreshing.refresh(row, effect)
            case _:
                assert_never(row.effect)
