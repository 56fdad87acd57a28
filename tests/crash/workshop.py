"""A tool server that outlives the program, and a model that uses it: what was really made, and how often.

Knows: three tools (look: only reads; tidy: twice is once; make: once is once) and the questions that ask for them by
"[look]", "[tidy]", "[make]". Must not know: engine, store.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace

from core.domain.events import Usage
from core.domain.rules.tool_texts import content
from core.domain.tooling import Auth, ToolKind
from core.engine.ports import Clock, Finished, ModelRequest, Said
from core.engine.tool_ports import Bearer, Tool, ToolAnswer
from tests.crash.talker import Talker
from tests.kit.claude_script import read

_KINDS = {"look": ToolKind.READ, "tidy": ToolKind.IDEMPOTENT, "make": ToolKind.WRITE}
_ASKED = re.compile(r"\[(look|tidy|make)\]")
_PAUSE_S = 0.6
_TOOL_BLOCKS = ("tool_use", "tool_result")


class Workshop:
    """Implements `Tools`. `made` counts what really happened."""

    def __init__(self, clock: Clock) -> None:
        self.made: Counter[str] = Counter()
        self._clock = clock

    @property
    def servers(self) -> Mapping[str, Auth]:
        """One server, open to everybody."""
        return {"shop": Auth.NONE}

    async def offered(self) -> tuple[Tool, ...]:
        """All tools, at once."""
        return tuple(
            Tool(name=f"shop__{name}", server="shop", tool=name, kind=kind, description=name)
            for name, kind in _KINDS.items()
        )

    async def look(self, server: str, bearer: Bearer | None) -> tuple[Tool, ...]:
        """The same."""
        del server, bearer
        return await self.offered()

    async def call(self, server: str, tool: str, arguments: Mapping[str, object], bearer: Bearer | None) -> ToolAnswer:
        """It happens at the beginning; the answer takes a while."""
        del server, bearer
        self.made[f"{tool}:{arguments['of']}"] += 1
        await self._clock.sleep(_PAUSE_S)
        return ToolAnswer(content=content(f"{tool} is done"))


class ToolTalker(Talker):
    """Asks for every tool that a question names, side by side, and answers when all have returned."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Ask for tools first; with their results answer as `Talker` does."""
        messages, returned = _without_tools(request.messages)
        question, _, _ = read(messages)
        wanted = _ASKED.findall(question)
        if not wanted or returned:
            async for each in super().stream(replace(request, messages=tuple(messages))):
                yield each
            return
        self.calls[f"tools for {question}"] += 1
        await self._clock.sleep(_PAUSE_S)
        uses = [
            {"type": "tool_use", "id": f"u{n}", "name": f"shop__{tool}", "input": {"of": f"{question}#{n}"}}
            for n, tool in enumerate(wanted)
        ]
        yield Finished(
            stop_reason="tool_use", blocks=json.dumps(uses), model=request.model, usage=Usage(tokens_in=10, cost=1)
        )


def _without_tools(messages: Sequence[Mapping[str, object]]) -> tuple[list[Mapping[str, object]], bool]:
    """The request without its rounds of tools, and whether the last question's tools have returned."""
    plain: list[Mapping[str, object]] = []
    returned = False
    for message in messages:
        blocks = message["content"]
        assert isinstance(blocks, list)
        kept = [each for each in blocks if each["type"] not in _TOOL_BLOCKS]
        if len(kept) < len(blocks):
            returned = message["role"] == "user" and not kept
        elif message["role"] == "user" and not str(kept[0]["text"]).startswith("[Continue]"):
            returned = False
        if kept:
            plain.append({**message, "content": kept})
    return plain, returned
