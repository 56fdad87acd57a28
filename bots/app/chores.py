"""What an operator asks for and only the holder of the lock may do: forget, backup, rotate-keys, restore, migrate.

Knows: how each is done, by the running program or by a command alone. Must not know: the command line, the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bots.app.data import keys_of, locked, must_exist
from bots.control import Command, Progress
from core.domain.errors import StoreError
from core.drivers.clock import SystemClock
from core.engine.ports import Clock
from core.settings import Settings
from storage import SqliteStore, open_store
from storage.backup import Contents, backup, may_replace, verify
from storage.faults import KEY_NAME
from storage.forget import forget
from storage.migrate import inspect, prepare
from storage.restore import restore
from storage.vault import SealedVault, change_key


class Chores:
    """What an operator asks for and only the holder of the lock may do: the running program, or a command alone.

    Each takes its argument and a callback for how far it is; it returns a sentence, or raises `RejoinderError` or
    `OSError`.
    """

    def __init__(self, settings: Settings, store: SqliteStore, seal: SealedVault, clock: Clock) -> None:
        self.commands: Mapping[str, Command] = {
            "forget": self.forget,
            "backup": self.backup,
            "rotate-keys": self.rotate_keys,
        }
        self._settings = settings
        self._store = store
        self._seal = seal
        self._clock = clock

    async def forget(self, name: str, progress: Progress) -> str:
        """Delete a session or an owner for good."""
        del progress
        done = await forget(self._store, name, now_ms=self._clock.now_ms())
        what = f"{done.kind} {done.key}: {done.rows} rows deleted"
        if done.hits:
            detail = f"{what}, but a scan still finds {done.hits} traces in the files; stop the bot and forget again"
            raise StoreError(code="forget_unproven", detail=detail)
        return f"Forgot {what}; a scan for {done.needles} of their texts and ids finds nothing in the files."

    async def backup(self, target: str, progress: Progress) -> str:
        """Write a sealed backup to the file `target`, and open it again to be sure."""
        path, loop = Path(target), asyncio.get_running_loop()

        def on_loop(done: int, total: int) -> None:
            loop.call_soon_threadsafe(progress, done, 2 * total)

        def verifying(done: int, total: int) -> None:
            loop.call_soon_threadsafe(progress, total + done, 2 * total)

        def work() -> Contents:
            may_replace(path)
            now_ms = self._clock.now_ms()
            made = backup(self._settings.database, path, self._seal.keys, now_ms=now_ms, progress=on_loop)
            verify(path, self._seal.keys, self._settings.database.parent, progress=verifying)
            return made

        made = await asyncio.to_thread(work)
        where = "the setting REJOINDER_SECRET_KEY" if self._settings.secret_key else self._settings.data_dir / KEY_NAME
        return f"Backup {path}: {_inside(made)}, verified. It opens only with {where}: keep a copy of that elsewhere."

    async def rotate_keys(self, argument: str, progress: Progress) -> str:
        """Seal every login with the newest key; with a key file, put a new one in front first."""
        del argument
        folder = self._settings.data_dir if self._settings.secret_key is None else None
        done = await change_key(self._store, self._seal, folder, progress)
        where = KEY_NAME if folder else "REJOINDER_SECRET_KEY"
        newest = (
            f"Key {self._seal.keys.key_id.hex()} is the newest in {where}; {done.sealed} logins were sealed with it."
        )
        lost = f" {done.lost} opened with none of the keys: those people sign in anew." if done.lost else ""
        return f"{newest}{lost} Older keys stay there: backups and resume codes that were made with them need them."


def _inside(contents: Contents) -> str:
    rows = contents.counts
    return f"{rows.get('session', 0)} sessions, {rows.get('message', 0)} messages, {contents.size_bytes:,} bytes"


async def alone(settings: Settings, command: str, argument: str, progress: Progress) -> str:
    """Do a chore without a running program. Raises `StoreLocked` when there is one."""
    must_exist(settings)
    with locked(settings):
        keys = keys_of(settings)
        store = await open_store(settings.database)
        try:
            await store.bind_key(keys)
            clock = SystemClock(await store.board.time_offset_ms())
            chores = Chores(settings, store, SealedVault(keys), clock)
            return await chores.commands[command](argument, progress)
        finally:
            await store.close()


def restored(settings: Settings, source: Path, progress: Progress, *, only_verify: bool) -> str:
    """Put a backup in the place of the database, or only open and check it."""
    key = settings.data_dir / KEY_NAME
    if settings.secret_key is None and not key.exists():
        detail = f"{key} is missing: bring the key that the backup was sealed with there, or set REJOINDER_SECRET_KEY"
        raise StoreError(code="key_missing", detail=detail)
    if only_verify:
        return f"{source} is whole: {_inside(verify(source, keys_of(settings), settings.data_dir, progress=progress))}."
    with locked(settings) as lock:
        done = restore(source, settings.database, keys_of(settings), lock, progress=progress)
    kept = f" The damaged database is kept as {done.set_aside}." if done.set_aside else ""
    stay = f" What was forgotten since ({done.tombstones}) stays forgotten." if done.tombstones else ""
    return f"Restored {_inside(done.contents)}.{stay}{kept}"


def migrated(settings: Settings) -> str:
    """Bring the database to this release's schema."""
    must_exist(settings)
    with locked(settings):
        before = inspect(settings.database)
        prepare(settings.database)
        after = inspect(settings.database)
    return f"{settings.database} had schema {before} and has schema {after}, the newest this release knows."
