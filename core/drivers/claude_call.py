"""One model call while it runs: what it has said, what it has spent, when it last gave a sign of life.

Knows: pieces, tokens, time. Must not know: the SDK and its events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from core.domain.errors import OutsideError
from core.domain.events import Usage
from core.domain.prices import cost
from core.engine.ports import Clock, Cut, Finished, Said

_BYTES_PER_TOKEN = 3  # the house's estimate (DESIGN section 3)


class Reported(Protocol):
    """Token counts as the Messages API reports them, at the start and at the end; absent = unchanged."""

    @property
    def input_tokens(self) -> int | None:
        """Uncached prompt tokens."""
        ...

    @property
    def output_tokens(self) -> int | None:
        """All tokens written so far, thinking included."""
        ...

    @property
    def cache_read_input_tokens(self) -> int | None:
        """Prompt tokens read from the cache."""
        ...

    @property
    def cache_creation_input_tokens(self) -> int | None:
        """Prompt tokens written to the cache."""
        ...


class Call:
    """The mailbox between the task that reads the stream and the one that listens."""

    def __init__(self, *, clock: Clock, model: str) -> None:
        self.model = model
        self.begun = False  # the provider has answered 200: from here on tokens are spent
        self.thinking = False  # a thinking block is open: long silence is normal
        self.last_content_s = clock.monotonic()
        self._clock = clock
        self._box: asyncio.Queue[Said | Finished | OutsideError] = asyncio.Queue()
        self._usage = Usage()
        self._said_bytes = 0

    def now_ms(self) -> int:
        """Wall-clock milliseconds, for times that the provider names relative to now."""
        return self._clock.now_ms()

    def beat(self) -> None:
        """Note a sign of life that is content."""
        self.last_content_s = self._clock.monotonic()

    def say(self, text: str) -> None:
        """Pass visible text on."""
        if text:
            self._said_bytes += len(text.encode(errors="replace"))
            self._box.put_nowait(Said(text=text))

    def end(self, last: Finished | OutsideError) -> None:
        """Pass the end on; what comes after it is not heard."""
        self._box.put_nowait(last)

    def count(self, reported: Reported) -> None:
        """Take the provider's latest counts, which are totals."""
        known = self._usage
        self._usage = Usage(
            tokens_in=_latest(reported.input_tokens, known.tokens_in),
            tokens_out=_latest(reported.output_tokens, known.tokens_out),
            cache_read=_latest(reported.cache_read_input_tokens, known.cache_read),
            cache_write=_latest(reported.cache_creation_input_tokens, known.cache_write),
        )

    def usage(self) -> Usage:
        """What the provider reported, with its cost."""
        return self._priced(self._usage.tokens_out)

    def cut(self, code: str, detail: str) -> Cut:
        """The error of a call that ended early. The final count never came: what was said is estimated."""
        spent = -(-self._said_bytes // _BYTES_PER_TOKEN)
        return Cut(code=code, detail=detail, usage=self._priced(max(self._usage.tokens_out, spent)))

    def _priced(self, tokens_out: int) -> Usage:
        known = self._usage
        return Usage(
            tokens_in=known.tokens_in,
            tokens_out=tokens_out,
            cache_read=known.cache_read,
            cache_write=known.cache_write,
            cost=cost(self.model, known.tokens_in, tokens_out, known.cache_read, known.cache_write),
        )

    async def pieces(self) -> AsyncGenerator[Said | Finished, None]:
        """Everything said, neighbouring texts joined, then the end. Raises the error that ended the call."""
        while True:
            text, last = self._drain(await self._box.get())
            if text:
                yield Said(text=text)
            if isinstance(last, Finished):
                yield last
                return
            if last is not None:
                raise last

    def _drain(self, first: Said | Finished | OutsideError) -> tuple[str, Finished | OutsideError | None]:
        text, piece = "", first
        while isinstance(piece, Said):
            text += piece.text
            if self._box.empty():
                return text, None
            piece = self._box.get_nowait()
        return text, piece


def _latest(reported: int | None, known: int) -> int:
    return known if reported is None else reported
