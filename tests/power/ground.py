"""The product's store on a disk that loses power.

Knows: how the product sets its connection, and how its writer and reads are put on apsw. Must not know: stories.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from storage.sqlite import SqliteStore
from storage.writer import OnPoint
from tests.crash.still import Borrowed, Busy, Inline, assemble
from tests.power.disk import Disk, DiskVfs
from tests.power.shim import open_on

_NAMES = itertools.count()


class Powered:
    """Implements `Ground`. Each opening draws from `chance` after how many writes the power goes, up to `writes_most`.

    `cuts` openings end like that; later ones stay alive. `on_cut` is told at once.
    """

    def __init__(self, pragmas: Mapping[str, str], chance: random.Random, *, cuts: int, writes_most: int) -> None:
        self.disk = Disk(chance)
        self.on_cut: Callable[[], None] = lambda: None
        self.syncs = 0
        self._pragmas = dict(pragmas)
        self._chance = chance
        self._cuts = cuts
        self._writes_most = writes_most
        self._vfs: DiskVfs | None = None

    async def open(self, kind: type[SqliteStore], path: Path, busy: Busy, on_point: OnPoint) -> SqliteStore:
        """See `Ground`; reads share the writing connection, which is alone on its disk."""
        cut_at = self._chance.randint(1, self._writes_most) if self._cuts > 0 else None
        self._cuts -= 1
        self.disk = Disk(self._chance, cut_at, on_cut=self.on_cut)
        name = f"power{next(_NAMES)}"
        self._vfs = DiskVfs(name, self.disk)
        conn = await Inline.open(lambda: open_on(name, path, self._pragmas))
        return await assemble(kind, path, (conn, await Borrowed.of(conn)), busy, on_point)

    def died(self) -> None:
        """See `Ground`: the files are what the platter held."""
        self.disk.cut()
        self.disk.restore()
        self.end()

    def end(self) -> None:
        """Every connection is closed."""
        self.syncs += self.disk.syncs
        if self._vfs is not None:
            self._vfs.unregister()
            self._vfs = None
