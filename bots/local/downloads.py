"""Links to files that a person asked for: each works once, for ten minutes, and is in memory only.

Knows: tokens and whose everything they stand for; the file itself is made when it is fetched. Must not know: HTTP,
what is in a file.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from core.engine.handover import JSON_NAME, MARKDOWN_NAME

KEPT_S = 600.0
KEPT_COUNT = 1_000  # of all people; a person needs two
TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One link."""

    name: str
    url: str


class Downloads:
    """All links that work now. `monotonic` gives seconds of a clock that never steps."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._open: OrderedDict[str, tuple[float, str, str]] = OrderedDict()

    def offer(self, identity: str) -> tuple[Download, ...]:
        """New links to everything of this identity."""
        return tuple(self._new(identity, name) for name in (MARKDOWN_NAME, JSON_NAME))

    def take(self, token: str) -> tuple[str, str] | None:
        """Identity and file name of a link that works; it works no more."""
        since, identity, name = self._open.pop(token, (float("-inf"), "", ""))
        return (identity, name) if since >= self._monotonic() - KEPT_S else None

    def _new(self, identity: str, name: str) -> Download:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._open[token] = (self._monotonic(), identity, name)
        if len(self._open) > KEPT_COUNT:
            self._open.popitem(last=False)
        return Download(name=name, url=f"/api/export/{token}")
