"""What a tool call costs between two calls of the model, over the bare call of the same server.

Knows: the driver, the engine, a real server over HTTP. Bare is `Client.call_tool` of the `mcp` package on an open
connection. Ours is the time from the end of a reply that asks for one tool to the beginning of the next model call:
store the round, commit the call as started, judge it, make it, store its result, compose the next request.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator

from mcp.client.client import Client

from core.domain.events import Usage
from core.drivers.mcp_tools import McpTools
from core.engine.ports import Finished, ModelRequest, Said
from tests.bench.house import House, Talker
from tests.bench.measure import median, percentile
from tests.bench.report import Gate, Report, Rows, Setup
from tests.kit.tools import ToolProcess, connected, http

_ROUNDS = 20  # of one turn
_WORD = {"word": "abc"}
_WARM = 3  # rounds that are not counted: the connection is opened


class _Asker(Talker):
    """Asks for one tool after the other, then says a word."""

    def __init__(self) -> None:
        super().__init__(["Done."], pace_s=0.0)
        self.gaps_ms: list[float] = []
        self._ended_s = 0.0
        self._round = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Ask, and note how long it took until the result was here."""
        if self._round > _WARM:
            self.gaps_ms.append((time.perf_counter() - self._ended_s) * 1000)
        self._round += 1
        if self._round > _ROUNDS:
            self._round = 0
            yield Said(text="Done.")
            yield Finished(stop_reason="end_turn", blocks="[]", model=request.model, usage=Usage())
            return
        use = {"type": "tool_use", "id": f"u{self._round}", "name": "kit__look_up", "input": _WORD}
        self._ended_s = time.perf_counter()
        yield Finished(stop_reason="tool_use", blocks=json.dumps([use]), model=request.model, usage=Usage())


async def run(setup: Setup) -> Report:
    """The bare call, the driver's and the house's, by turns: what disturbs one disturbs the others."""
    turns = 3 if setup.quick else 12
    server = ToolProcess(setup.folder / "calls")
    bare: list[float] = []
    driven: list[float] = []
    model = _Asker()
    try:
        server.wait()
        tools = await connected(kit=http(server.url))
        house = await House.open(setup.folder / "tools.db", model, tools=tools)
        for n in range(turns):
            bare += await _bare(server.url)
            driven += await _driven(tools)
            await house.turn(f"p{n}", "go")
        await house.close()
        await tools.close()
    finally:
        server.kill()
    added = median(model.gaps_ms) - median(bare)
    rows = (("bare", bare), ("the driver", driven), ("between two model calls", model.gaps_ms))
    return Report(
        name="tools",
        tables=(
            Rows(
                title="One tool call (ms)",
                columns=("", "median", "p95"),
                rows=tuple((name, median(times), percentile(times, 0.95)) for name, times in rows),
            ),
        ),
        gates=(Gate(name="added time per tool call, median", figure=added, limit=5, ambition=3, unit="ms"),),
        notes=(f"{len(model.gaps_ms)} calls of the house, each durable twice: as started, and with its result.",),
    )


async def _bare(url: str) -> list[float]:
    async with Client(url, cache=None) as client:
        return [await _timed_bare(client) for _ in range(_ROUNDS)][_WARM:]


async def _timed_bare(client: Client) -> float:
    start_s = time.perf_counter()
    await client.call_tool("look_up", _WORD)
    return (time.perf_counter() - start_s) * 1000


async def _driven(tools: McpTools) -> list[float]:
    times = []
    for _ in range(_ROUNDS):
        start_s = time.perf_counter()
        await tools.call("kit", "look_up", _WORD, None)
        times.append((time.perf_counter() - start_s) * 1000)
    return times[_WARM:]
