"""A model that does what a test tells it, in process: the `Model` port without a socket.

Knows: scripts, one per call, the last one repeated. Must not know: what is tested.
A script is a list of steps: text to say, a pause in seconds of the clock, an error to raise, a gate to wait at, or a
tool to ask for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from core.domain.events import Usage
from core.engine.ports import Clock, Finished, ModelRequest, Said


@dataclass(frozen=True, slots=True)
class Use:
    """The model asks for a tool."""

    name: str
    input: object = field(default_factory=dict)  # an object, as a rule
    id: str = ""  # "": one of its own


Step = str | float | Exception | asyncio.Event | Use


class ScriptedModel:
    """Implements `Model`; `requests` holds every request it was given."""

    name = "scripted"

    def __init__(self, clock: Clock, scripts: Sequence[Sequence[Step]] = (("Hello.",),)) -> None:
        self.requests: list[ModelRequest] = []
        self.scripts: list[Sequence[Step]] = list(scripts)
        self._clock = clock

    async def check(self) -> None:
        """Always ready."""

    def script_for(self, request: ModelRequest) -> Sequence[Step]:
        """What this call plays."""
        del request
        return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Play the next script."""
        self.requests.append(request)
        script = self.script_for(request)
        text = ""
        stop_reason = "end_turn"
        uses: list[dict[str, object]] = []
        for step in script:
            if isinstance(step, float):
                await self._clock.sleep(step)
            elif isinstance(step, Exception):
                raise step
            elif isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, Use):
                stop_reason = "tool_use"
                use_id = step.id or f"toolu_{len(self.requests)}_{len(uses)}"
                uses.append({"type": "tool_use", "id": use_id, "name": step.name, "input": step.input})
            elif step.startswith("<stop_reason>"):
                stop_reason = step.removeprefix("<stop_reason>")
            else:
                text += step
                yield Said(text=step)
        usage = Usage(tokens_in=10, tokens_out=len(text), cost=len(text))
        yield Finished(
            stop_reason=stop_reason,
            blocks=json.dumps([*([{"type": "text", "text": text}] if text or not uses else []), *uses]),
            model=request.model,
            usage=usage,
        )
