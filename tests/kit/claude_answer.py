"""One answer of the loopback Messages API, event by event, up to its scripted fault.

Knows: the stream's events in the API's order, and how a connection breaks. Must not know: which fault is due.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from tests.kit.claude_rules import sign
from tests.kit.claude_script import Behaviour, Fault, text_of

SENTINEL_S = 3600.0  # how long a hanging answer hangs; the client is expected to give up
_PING_S = 0.02


@dataclass(slots=True, kw_only=True)
class Call:
    """One request and what became of it. `at` is monotonic seconds; headers as received, names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, object]
    at: float = field(default_factory=time.monotonic)
    status: int = 0
    fault: str = ""
    sent: str = ""  # visible text that was written to the socket
    finished: bool = False  # message_stop was written
    failing: bool = False  # everything before a fault within the answer was written
    gone: bool = False  # the client closed before it was finished

    @property
    def question(self) -> str:
        """The text of the last user message."""
        messages = self.body.get("messages")
        return text_of(messages[-1].get("content")) if isinstance(messages, list) and messages else ""


class Answer:
    """One streamed answer: events in the API's order, up to the scripted fault."""

    def __init__(self, request: web.Request, call: Call, behaviour: Behaviour, changed: Callable[[], None]) -> None:
        self._request = request
        self._changed = changed
        self._call = call
        self._behaviour = behaviour
        self._response = web.StreamResponse(
            headers={"content-type": "text/event-stream; charset=utf-8", "request-id": request_id(call)}
        )
        self._blocks = 0

    async def write(self, text: str) -> web.StreamResponse:
        """Write the answer, or as much of it as the behaviour allows."""
        wanted = self._behaviour
        await self._response.prepare(self._request)
        await self._event("message_start", message=_message(self._call, [], None, output_tokens=1))
        if wanted.fault is Fault.AFTER_START:
            close(self._request, reset=False)
            return self._response
        for _ in range(wanted.pings):
            await self._event("ping")
        if wanted.fault is Fault.SILENT_THINKING:
            await self._start({"type": "thinking", "thinking": "", "signature": ""})
            return await self._fail(wanted.fault)
        if wanted.thinking:
            await self._thinking(wanted.thinking)
        cut = wanted.after if _within(wanted.fault) else len(text)
        if text:
            await self._text(text[:cut], stop=cut >= len(text) and not _within(wanted.fault))
        if _within(wanted.fault):
            return await self._fail(wanted.fault)
        for block in wanted.blocks:
            await self._block(block)
        await self._end(text)
        return self._response

    async def _thinking(self, thinking: str) -> None:
        """A block as the newest models send it: text, then one signature."""
        messages = self._call.body["messages"]
        signature = sign(self._call.body, messages if isinstance(messages, list) else [])
        await self._start({"type": "thinking", "thinking": "", "signature": ""})
        await self._delta({"type": "thinking_delta", "thinking": thinking})
        await self._delta({"type": "signature_delta", "signature": signature})
        await self._stop()

    async def _text(self, text: str, *, stop: bool) -> None:
        await self._start({"type": "text", "text": ""})
        for start in range(0, len(text), self._behaviour.chunk):
            if self._behaviour.delay_ms:
                await asyncio.sleep(self._behaviour.delay_ms / 1000)
            chunk = text[start : start + self._behaviour.chunk]
            await self._delta({"type": "text_delta", "text": chunk})
            self._call.sent += chunk
        if stop:
            await self._stop()

    async def _block(self, block: Mapping[str, object]) -> None:
        """Any other block; a tool's input goes in pieces of JSON, as text does."""
        if block.get("type") == "tool_use":
            await self._start({**block, "input": {}})
            whole, size = json.dumps(block.get("input", {})), self._behaviour.chunk
            for start in range(0, len(whole), size):
                await self._delta({"type": "input_json_delta", "partial_json": whole[start : start + size]})
        else:
            await self._start(block)
        await self._stop()

    async def _end(self, text: str) -> None:
        usage = {"output_tokens": _tokens(text + self._behaviour.thinking)}
        await self._event(
            "message_delta",
            delta={"stop_reason": self._behaviour.stop_reason, "stop_sequence": None},
            usage=usage,
        )
        await self._event("message_stop")
        self._call.finished = True
        await self._response.write_eof()

    async def _fail(self, fault: Fault) -> web.StreamResponse:
        self._call.failing = True
        self._changed()
        match fault:
            case Fault.RST | Fault.FIN:
                await asyncio.sleep(0.01)  # let the kernel hand over what was written: a reset discards the rest
                close(self._request, reset=fault is Fault.RST)
            case Fault.EARLY_END:
                await self._response.write_eof()
            case Fault.NO_STOP_REASON:
                await self._event("message_stop")
                await self._response.write_eof()
            case Fault.ERROR_EVENT:
                await self._event("error", error={"type": self._behaviour.error_type, "message": "Overloaded"})
                await self._response.write_eof()
            case Fault.BAD_JSON:
                await self._raw(b'event: content_block_delta\ndata: {"type": "content_block_del\n\n')
            case Fault.BAD_SSE:
                await self._raw(b"event: content_block_delta\ndata: \xff\xfe\xfa\n\n")
            case Fault.BAD_EVENT:
                await self._event("content_block_delta", index=99)
            case Fault.PINGS:
                while True:
                    await self._event("ping")
                    await asyncio.sleep(_PING_S)
            case _:
                await asyncio.sleep(SENTINEL_S)
        return self._response

    async def _start(self, block: Mapping[str, object]) -> None:
        await self._event("content_block_start", index=self._blocks, content_block=dict(block))

    async def _delta(self, delta: Mapping[str, object]) -> None:
        await self._event("content_block_delta", index=self._blocks, delta=dict(delta))

    async def _stop(self) -> None:
        await self._event("content_block_stop", index=self._blocks)
        self._blocks += 1

    async def _event(self, name: str, **data: object) -> None:
        await self._raw(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())

    async def _raw(self, data: bytes) -> None:
        await self._response.write(data)


def _within(fault: Fault) -> bool:
    """Whether the fault comes after some text."""
    return fault is not Fault.NONE


def whole(call: Call, behaviour: Behaviour, text: str) -> dict[str, object]:
    """The answer to a request that does not stream."""
    content: list[Mapping[str, object]] = [{"type": "text", "text": text}] if text else []
    return _message(call, [*content, *behaviour.blocks], behaviour.stop_reason, output_tokens=_tokens(text))


def _message(
    call: Call, content: Sequence[Mapping[str, object]], stop_reason: str | None, *, output_tokens: int
) -> dict[str, object]:
    usage = {
        "input_tokens": _tokens(json.dumps(call.body.get("messages"))),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }
    return {
        "id": request_id(call).replace("req", "msg"),
        "type": "message",
        "role": "assistant",
        "model": call.body["model"],
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def request_id(call: Call) -> str:
    """What stands in the `request-id` header."""
    return f"req_{id(call):x}"


def _tokens(text: str) -> int:
    return -(-len(text.encode()) // 4)


def close(request: web.Request, *, reset: bool) -> None:
    """Close the connection under a request, with FIN or with RST."""
    transport = request.transport
    if transport is None:
        return
    if reset:
        plug = transport.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
