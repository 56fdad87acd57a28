"""A tool's input as the model streams it -> the same, whole and of text that can be sent and stored.

Knows: the SDK reads each piece of an input at once and gives the whole answer up when one cannot be read, as half of a
character (a lone surrogate, written as an escape) cannot. So the pieces are kept until the input has ended, what
stands for half a character becomes U+FFFD, and the SDK gets it in one piece. An input that is no JSON at all goes on
as it is: the call ends as before. Must not know: tools.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2
from anthropic import AsyncStream
from anthropic.types import (
    InputJSONDelta,
    RawContentBlockDeltaEvent,
    RawContentBlockStopEvent,
    RawMessageStreamEvent,
)


class WholeInputs:
    """A raw stream as the SDK's accumulator takes it. Every event passes on time: it is a sign of life."""

    def __init__(self, raw: AsyncStream[RawMessageStreamEvent]) -> None:
        self._raw = raw
        self._inputs: dict[int, str] = {}

    @property
    def response(self) -> httpx2.Response:
        """The response that carries the stream."""
        return self._raw.response

    async def close(self) -> None:
        """Let go of the connection."""
        await self._raw.close()

    async def __aiter__(self) -> AsyncIterator[RawMessageStreamEvent]:
        async for event in self._raw:
            if isinstance(event, RawContentBlockStopEvent) and (text := self._inputs.pop(event.index, "")):
                yield _delta(event.index, whole(text))
            if isinstance(event, RawContentBlockDeltaEvent) and isinstance(event.delta, InputJSONDelta):
                self._inputs[event.index] = self._inputs.get(event.index, "") + event.delta.partial_json
                yield _delta(event.index, "")
            else:
                yield event


def _delta(index: int, text: str) -> RawContentBlockDeltaEvent:
    delta = InputJSONDelta(partial_json=text, type="input_json_delta")
    return RawContentBlockDeltaEvent(delta=delta, index=index, type="content_block_delta")


def whole(text: str) -> str:
    """The input without halves of characters; as it is when it is no JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    plain = json.dumps(found, ensure_ascii=False)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
