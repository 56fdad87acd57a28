"""Claude behind the `Model` port: one call, one HTTP stream, no retries of its own.

Knows: how long silence may last, and that a call must end at once when nobody listens any more.
Must not know: conversations, attempts, what a person is told. The SDK itself is in
`claude_sdk`, which is imported when it is first needed: 1.2 s and some 80 MB (`facts/model.md` section 1).

The stream is read by a task of its own, so a slow listener never slows the provider down, and pieces that
arrived meanwhile come out as one. A watch counts *content*: pings reset the SDK's read timer and are
swallowed by it (`facts/model.md` section 2), so a server that only pings would otherwise hold a turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from core.drivers.claude_call import Call
from core.engine.ports import Clock, Finished, ModelRequest, Said

if TYPE_CHECKING:
    from core.drivers.claude_sdk import Connection

SILENCE_S = 60.0  # without any content while text is being written
THINKING_SILENCE_S = 300.0  # 16,000 tokens of thinking, which is not shown, at 60 a second
CONNECT_S = 5.0  # the SDK's own figure


class ClaudeModel:
    """Implements `core.engine.ports.Model` with Anthropic's SDK.

    `base_url` "" is the provider itself, else any server that speaks the Messages API. `models` are the ones
    that `check` asks for. The waits are seconds of `clock`; connecting takes at most `connect_s`.
    """

    name = "Claude"

    def __init__(
        self,
        api_key: SecretStr,
        base_url: str,
        clock: Clock,
        *,
        models: Sequence[str] = (),
        silence_s: float = SILENCE_S,
        thinking_silence_s: float = THINKING_SILENCE_S,
        connect_s: float = CONNECT_S,
    ) -> None:
        self._key = SecretStr(api_key.get_secret_value().strip())
        self._base_url = base_url
        self._clock = clock
        self._models = tuple(models)
        self._silence_s = silence_s
        self._thinking_silence_s = thinking_silence_s
        self._connect_s = connect_s
        self._connection: Connection | None = None

    async def warm(self) -> None:
        """Import the SDK in a thread and make the client, so that the first answer does not wait for it."""
        await self._connected()

    async def close(self) -> None:
        """Close the connections that are kept open for the next call."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def check(self) -> None:
        """Ask for each of `models`. Raises as `stream` does when a call would surely fail."""
        connection = await self._connected()
        for model in self._models:
            if problem := await connection.check(model, self._clock.now_ms):
                raise problem

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Yield `Said` as it arrives, then one `Finished`. Raises only what the port names."""
        connection = await self._connected()
        call = Call(clock=self._clock, model=request.model)
        reader = asyncio.create_task(connection.ask(request, call), name="claude-reader")
        watch = asyncio.create_task(self._watch(call), name="claude-watch")
        try:
            async for piece in call.pieces():
                yield piece
        finally:
            watch.cancel()
            reader.cancel()
            await asyncio.gather(watch, reader, return_exceptions=True)

    async def _watch(self, call: Call) -> None:
        """End the call when no content came for too long."""
        while True:
            limit_s = self._thinking_silence_s if call.thinking else self._silence_s
            left_s = call.last_content_s + limit_s - self._clock.monotonic()
            if left_s <= 0:
                call.end(call.cut("model_silent", f"no content for {limit_s:g} s"))
                return
            # Never longer than the shorter limit: it may come into force while the longer one is slept.
            await self._clock.sleep(min(left_s, self._silence_s))

    async def _connected(self) -> Connection:
        if self._connection is None:
            connect = await asyncio.to_thread(_load)
            if self._connection is None:  # another call may have been quicker
                self._connection = connect(
                    key=self._key,
                    base_url=self._base_url,
                    connect_s=self._connect_s,
                    read_s=self._thinking_silence_s + self._silence_s,
                )
        return self._connection


def _load() -> type[Connection]:
    from core.drivers.claude_sdk import Connection  # noqa: PLC0415 - see the head of the file

    return Connection
