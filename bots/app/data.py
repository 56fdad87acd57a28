"""The data directory: its lock, its key, its database; what has to be there before anything is wired.

Knows: what a first start makes, and that an empty history never begins in silence. Must not know: what runs on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.domain.codes import CodeKeys
from core.domain.errors import StoreDamaged, StoreError
from core.drivers.clock import SystemClock
from core.settings import Settings
from storage.faults import KEY_NAME
from storage.lock import DataLock
from storage.migrate import prepare
from storage.sealing import Keys, load_keys


@contextmanager
def locked(settings: Settings) -> Iterator[DataLock]:
    """Be the only process on the data directory, and on the database's folder if that is another one.

    Gives the lock of the database's folder. Raises `StoreLocked`, which names the holder, or `StoreError`.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    now_ms = SystemClock().now_ms()
    with DataLock.acquire(settings.data_dir, now_ms=now_ms) as lock:
        if settings.database.parent.resolve() == settings.data_dir.resolve():
            yield lock
            return
        with DataLock.acquire(settings.database.parent, now_ms=now_ms) as other:
            yield other


def keys_of(settings: Settings) -> Keys:
    """The keys of the settings, else of the key file, which is made when there is none."""
    secret = settings.secret_key
    return load_keys(settings.data_dir, None if secret is None else secret.get_secret_value())


def begin(settings: Settings) -> bool:
    """Make the database of a first start, before its key: a key without a database tells that one was lost.

    Returns whether it was a first start. Raises `StoreDamaged` for a lost one, for an empty history never begins in
    silence; otherwise as `prepare`.
    """
    if lost := lost_database(settings):
        raise StoreDamaged(code="store_lost", detail=lost)
    if settings.database.exists():
        return False
    prepare(settings.database)
    return True


def lost_database(settings: Settings) -> str:
    """What to do when a database was here and is gone; "" when all is well."""
    key = settings.data_dir / KEY_NAME
    if settings.database.exists() or settings.secret_key is not None or not key.exists():
        return ""
    return (
        f"{settings.database} is gone, but {key} shows that there was one: bring it back, or a backup with "
        f"`rejoinder restore FILE`; to begin with an empty history, put {KEY_NAME} elsewhere first"
    )


def codes_of(keys: Keys) -> CodeKeys:
    """The keys of resume codes: of the oldest root key, so that a code that stands in a thread outlives a new one."""
    oldest = keys.oldest
    return CodeKeys(derive=oldest.derive("resume code"), lookup=oldest.derive("resume code lookup"))


def must_exist(settings: Settings) -> None:
    """Raise `StoreError` when there is no database yet."""
    if not settings.database.exists():
        ways = "`rejoinder run` makes it, `rejoinder restore FILE` brings one back"
        raise StoreError(code="store_missing", detail=f"there is no database {settings.database} yet; {ways}")
