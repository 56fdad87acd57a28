"""The door to a model.

Knows: what a model must do. Must not know: who implements it.
A call raises only `Refused`, `NotSent` or `Ambiguous` (`core.domain.errors`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.domain.errors import Ambiguous
from core.domain.events import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One model call. `messages` are Messages-API messages; content blocks stay verbatim JSON values."""

    model: str
    system: str
    messages: tuple[Mapping[str, object], ...]
    max_tokens: int = 16_000
    effort: str = "medium"
    schema: str = ""  # JSON text of the schema that the answer has to follow, "" for free text
    tools: str = ""  # JSON text of the list of tools; "" = none
    asker: str = ""  # pseudonymous id of the asking person, for the provider's abuse tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """More visible text of the answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The call ended as the API says. `blocks` is the content verbatim (JSON text)."""

    stop_reason: str
    blocks: str
    model: str
    usage: Usage
    request_id: str = ""


class Cut(Ambiguous):
    """A model call that ended early, after it may have begun. `usage` is what we know that it had spent by then."""

    def __init__(self, *, code: str, detail: str = "", usage: Usage | None = None) -> None:
        super().__init__(code=code, detail=detail)
        self.usage = usage or Usage()


class Model(Protocol):
    """A model. Stands for one provider; never retries by itself."""

    name: str

    def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Yield `Said` as it arrives, then exactly one `Finished`.

        Raises `NotSent` (429, 529, refused connection, 5xx before the first event: nothing was spent; `retry_ms` from
        Retry-After), `Refused` (`model_auth`, `model_permission`, `model_unknown`, `model_billing`,
        `model_spend_limit`, `model_too_long`, `model_invalid`, `model_bound_thinking`), or `Cut` (`model_cut`,
        `model_silent`, `model_error`: cut, clean early end, error event, silence, malformed chunk) once the request
        was on its way. Closing the iterator ends the call at once.
        """
        ...

    async def check(self) -> None:
        """Raise as `stream` does when a call would surely fail (doctor); None otherwise."""
        ...
