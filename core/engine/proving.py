"""The engine's door to a platform's own sign-in: whose browser is this?

Knows: what is asked and what is answered, one account. Must not know: how a platform does it. What the platform gives
for it is used for this one question and kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.domain.keys import PersonKey
from core.domain.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One browser's way to its platform and back. `state` and `nonce` come back with it; `workspace` may be ""."""

    state: Secret
    nonce: Secret
    redirect: str
    workspace: str


class Prover(Protocol):
    """One platform. `close` it at the end."""

    @property
    def platform(self) -> str:
        """Its name, as in `PersonKey`."""
        ...

    async def door(self, asking: Asking) -> str:
        """The address of its sign-in page. Raises `NotSent`, `Refused`."""
        ...

    async def account(self, asking: Asking, code: Secret) -> PersonKey:
        """Who the browser that came back with `code` is there. Raises `NotSent`, `Refused`."""
        ...

    async def close(self) -> None:
        """End the connections."""
        ...
