"""The one file that talks to the `anthropic` package: requests out, events in.

Knows: the SDK's calls and events (`facts/model.md` sections 1-4). Must not know: silence, retries, turns.
Importing it costs 1.2 s and some 80 MB; `claude` does so when first needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

import anthropic
import httpx2
from anthropic.lib.streaming import AsyncMessageStream, ParsedMessageStreamEvent
from anthropic.types import MessageParam, OutputConfigParam, ThinkingConfigAdaptiveParam, ToolUnionParam
from pydantic import SecretStr

from core.domain.errors import OutsideError
from core.drivers.claude_call import Call
from core.drivers.claude_faults import Reporter
from core.drivers.claude_inputs import WholeInputs
from core.engine.ports import Finished, ModelRequest

if TYPE_CHECKING:
    from anthropic import AsyncStream, Omit
    from anthropic.types import RawMessageStreamEvent

Effort = Literal["low", "medium", "high", "xhigh", "max"]

# Before 4.6 there is neither adaptive thinking nor, but for one model, effort: both are a 400 there.
_PLAIN_MODELS = (
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-2",
    "claude-opus-4-5",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Connection:
    """One client with its pool of connections. `read_s` is a last resort behind the watch for silence."""

    def __init__(self, *, key: SecretStr, base_url: str, connect_s: float, read_s: float) -> None:
        timeout = httpx2.Timeout(read_s, connect=connect_s)
        local = urlsplit(base_url).hostname in _LOOPBACK
        self._reporter = Reporter(key)
        self._client = anthropic.AsyncAnthropic(
            api_key=key.get_secret_value(),
            base_url=base_url or None,
            timeout=timeout,
            max_retries=0,  # retries are ours: durable and visible (DESIGN section 4)
            open_telemetry=False,  # spans would carry what people say
            # A proxy of the environment stands before the internet, not before this machine.
            http_client=anthropic.DefaultAsyncHttpxClient(timeout=timeout, trust_env=False) if local else None,
        )

    async def close(self) -> None:
        """Close the pool."""
        await self._client.close()

    async def ask(self, request: ModelRequest, call: Call) -> None:
        """Read one streaming call into `call`, whatever happens; only cancellation passes through."""
        try:
            last: Finished | OutsideError = await self._read(request, call)
        except Exception as error:  # noqa: BLE001 - the rim: whatever an SDK raises becomes one of our errors here
            last = self._reporter.translate(error, call)
        call.end(last)

    async def _read(self, request: ModelRequest, call: Call) -> Finished | OutsideError:
        raw = await self._client.messages.create(
            stream=True,
            model=request.model,
            max_tokens=request.max_tokens,
            messages=cast("list[MessageParam]", [dict(message) for message in request.messages]),
            system=request.system or anthropic.omit,
            tools=cast("list[ToolUnionParam]", json.loads(request.tools)) if request.tools else anthropic.omit,
            cache_control={"type": "ephemeral"},  # automatic breakpoint at the last block, five minutes
            thinking=_thinking(request.model),
            output_config=_effort(request),
            metadata={"user_id": request.asker} if request.asker else anthropic.omit,
        )
        whole = cast("AsyncStream[RawMessageStreamEvent]", WholeInputs(raw))
        stream: AsyncMessageStream[None] = AsyncMessageStream(whole, output_format=anthropic.not_given)
        async with stream:
            call.begun = True
            call.beat()
            stopped = False
            async for event in stream:
                _take(event, call)
                stopped = stopped or event.type == "message_stop"
            return _finish(stream, call, stopped=stopped)

    async def check(self, model: str, now_ms: Callable[[], int]) -> OutsideError | None:
        """Ask whether the key may use `model`; give the problem, None when there is none."""
        try:
            await self._client.models.retrieve(model)
        except anthropic.NotFoundError as error:
            if error.type is None:  # not the provider's own 404: a server without this list; nothing is known
                return None
            return self._reporter.refusal(error, now_ms())
        except Exception as error:  # noqa: BLE001 - the rim, as in `ask`
            return self._reporter.before(error, now_ms())
        return None


def _thinking(model: str) -> ThinkingConfigAdaptiveParam | Omit:
    return anthropic.omit if model.startswith(_PLAIN_MODELS) else {"type": "adaptive"}


def _effort(request: ModelRequest) -> OutputConfigParam | Omit:
    if request.model.startswith(_PLAIN_MODELS):
        return anthropic.omit
    config: OutputConfigParam = {"effort": cast("Effort", request.effort)}
    if request.schema:
        config["format"] = {"type": "json_schema", "schema": json.loads(request.schema)}
    return config


def _take(event: ParsedMessageStreamEvent[None], call: Call) -> None:
    """Every event is a sign of life but pings, which the SDK swallows."""
    call.beat()
    if event.type == "text":
        call.say(event.text)
    elif event.type == "content_block_start":
        call.thinking = event.content_block.type in ("thinking", "redacted_thinking")
    elif event.type == "content_block_stop":
        call.thinking = False
    elif event.type == "message_start":
        call.count(event.message.usage)
    elif event.type == "message_delta":
        call.count(event.usage)


def _finish(stream: AsyncMessageStream[None], call: Call, *, stopped: bool) -> Finished | OutsideError:
    """A stream that ends cleanly without `message_stop` was cut by somebody on the way."""
    if not stopped:
        return call.cut("model_cut", f"the stream ended early ({stream.request_id or 'no request id'})")
    message = stream.current_message_snapshot
    if message.stop_reason is None:
        return call.cut("model_cut", f"no stop reason ({stream.request_id or 'no request id'})")
    blocks = [block.to_dict(warnings=False) for block in message.content]
    return Finished(
        stop_reason=message.stop_reason,
        blocks=json.dumps(blocks, ensure_ascii=False, separators=(",", ":")),
        model=message.model,
        usage=call.usage(),
        request_id=stream.request_id or "",
    )
