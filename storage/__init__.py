"""What outlives the process: the store behind the ports of core, its schema, and the sealed credentials.

Knows: SQLite and files. Must not know: rules, platforms. `open_store` is the way in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from core.domain.codes import CodeKeys
from storage.migrate import prepare
from storage.sqlite import SqliteStore

__all__ = ["SqliteStore", "open_store"]


async def open_store(
    path: Path,
    *,
    max_page_count: int | None = None,
    on_point: Callable[[str], None] | None = None,
    code_keys: CodeKeys | None = None,
) -> SqliteStore:
    """Create or check the database at `path`, bring it to this release's schema and open it.

    Args:
        path: the database file; its folder must exist.
        max_page_count: refuse to grow beyond so many pages, as a full disk would (tests).
        on_point: called with the name of each crash point that is passed (crash harness).
        code_keys: the keys of resume codes; without them none can be issued.

    Raises:
        StoreDamaged: the file is damaged, not ours, or lost while its log remains; nothing was changed.
        StoreNewer: a newer release wrote it; nothing was changed.
        StoreFull: no room.
        StoreError: it cannot be opened for another reason.
    """
    await asyncio.to_thread(prepare, path, on_point=on_point)
    return await SqliteStore.open(path, max_page_count=max_page_count, on_point=on_point, code_keys=code_keys)
