"""A memory of gateway sessions without a disk."""

from __future__ import annotations

from core.codec import Json


class NoMemory:
    """Implements `bots.discord.memory.GatewayMemory`; remembers until the process ends."""

    def __init__(self) -> None:
        self._kept: dict[str, Json] = {}

    async def get(self, key: str) -> Json:
        """See `GatewayMemory`."""
        return self._kept.get(key)

    async def put(self, key: str, value: Json) -> None:
        """See `GatewayMemory`."""
        self._kept[key] = value
