"""What the adapter remembers between two processes, and how it reads there.

Knows: the shape of what is remembered: gateway sessions, starts, what was told once. Must not know: where it is kept
(the app gives a `GatewayMemory`). Whatever is missing or of another release's shape reads as nothing: it saves time,
and everything works without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.codec import Json

SESSION_KEPT_MS = 3_600_000  # a session that is older is surely gone (docs: "after a few minutes")


class GatewayMemory(Protocol):
    """Small JSON values by key, durable when `put` returns."""

    async def get(self, key: str) -> Json:
        """The value under `key`; None when there is none."""
        ...

    async def put(self, key: str, value: Json) -> None:
        """Remember `value` in place of what was there. Raises `StoreError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A gateway session that another process can go on with. Everything up to `sequence` is in the inbox."""

    session: str
    sequence: int
    gateway: str
    app: str
    shard: int
    shards: int
    at_ms: int

    def plain(self) -> Json:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def session_key(shard: int) -> str:
    """Where a shard's session is kept."""
    return f"discord:session:{shard}"


def saved(value: Json) -> Saved | None:
    """What `Saved.plain` wrote; None for anything else."""
    if not isinstance(value, dict) or set(value) != set(Saved.__slots__):
        return None
    words = all(isinstance(value[name], str) and value[name] for name in ("session", "gateway", "app"))
    counts = all(isinstance(value[name], int) for name in ("sequence", "shard", "shards", "at_ms"))
    return Saved(**value) if words and counts else None  # type: ignore[arg-type]


def numbers(value: Json) -> list[int]:
    """A list of numbers; empty when it is anything else."""
    return [each for each in value if isinstance(each, int)] if isinstance(value, list) else []


def texts(value: Json) -> list[str]:
    """A list of texts; empty when it is anything else."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
