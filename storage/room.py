"""Room on the disk: whoever writes is turned away before there is none left.

Knows: how much is free, and the floor under which nobody's new words are taken. Must not know: who asks.
On a disk that is really full even deleting and folding the log fail (facts/reliability.md), and the answers that are
being written have to be stored, too: the floor keeps room for both. It is looked at for every message, so the bot
takes work again by itself as soon as there is room.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.domain.errors import StoreFull
from storage.faults import ROOM_HINT

FLOOR_BYTES = 64 * 1024 * 1024  # a log at its longest
_SMALL_SHARE = 20  # ... but of a small disk only this part


class Room:
    """The room of one database's disk. `floor_bytes` may be set higher (tests)."""

    def __init__(self, database: Path) -> None:
        self.floor_bytes = 0
        self._folder = database.parent

    def shortage(self) -> str:
        """What is wrong, as a sentence for whoever runs us; "" while there is room."""
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        floor = self.floor_bytes or min(FLOOR_BYTES, disk.f_blocks * disk.f_frsize // _SMALL_SHARE)
        return f"only {free / 1e6:,.1f} MB are free where the database is" if free < floor else ""

    def ask(self) -> None:
        """Raise `StoreFull` when there is hardly any room left."""
        if short := self.shortage():
            raise StoreFull(code="store_full", detail=f"{short}; {ROOM_HINT}")
