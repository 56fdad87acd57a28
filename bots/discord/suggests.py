"""Who knows a person's own conversations: what the adapter needs for completions. Pure."""

from __future__ import annotations

from typing import Protocol

from core.domain.keys import PersonKey


class Suggests(Protocol):
    """A pure read: it enters no lane."""

    async def suggest(self, person: PersonKey, text: str) -> list[tuple[str, str]]:
        """(label, session id) of the person's resumable conversations that fit what is typed; the best first."""
        ...
