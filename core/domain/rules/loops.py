"""Finished rounds of the tool loop as messages of a request: what the model said and asked for, then the results.

Knows: every `tool_use` must be followed by its result in the very next message (facts/model.md 2). Calls belong to the
tools of a round by their order. A call without a result, whatever became of it, gets one that says so. What a model
must not say, but may (an input that is no object, an id twice), is mended: it would be refused for ever after.
Must not know: what else stands in the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.domain.rules.tool_texts import instead
from core.domain.tooling import Round, ToolCall

Block = dict[str, object]
_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Rounds of some turns, and their calls."""

    rounds: tuple[Round, ...] = ()
    calls: tuple[ToolCall, ...] = ()

    def by_turn(self, wanted: Callable[[str], bool]) -> Mapping[str, list[tuple[str, list[Block]]]]:
        """By turn, its rounds as (role, blocks), oldest first; of the turns that are `wanted`."""
        by_round: dict[tuple[str, int], list[ToolCall]] = {}
        for call in sorted(self.calls, key=lambda each: each.n):
            by_round.setdefault((call.turn_id, call.round), []).append(call)
        found: dict[str, list[tuple[str, list[Block]]]] = {}
        ids: set[object] = set()
        for each in sorted(self.rounds, key=lambda row: row.n):
            if wanted(each.turn_id):
                said = [_fitting(block, ids) for block in json.loads(each.blocks)]
                results = _results(said, by_round.get((each.turn_id, each.n), []))
                found.setdefault(each.turn_id, []).extend((("assistant", said), ("user", results)))
        return found


NO_LOOPS = Loops()


def _fitting(block: Block, ids: set[object]) -> Block:
    """The block as it may be sent; `ids` are those of the calls before it."""
    if block.get("type") != "tool_use":
        return block
    name = block.get("id")
    if not (isinstance(name, str) and _ID.fullmatch(name)) or name in ids:
        name = f"call_{len(ids)}"
    ids.add(name)
    given = block.get("input")
    return {**block, "id": name, "input": given if isinstance(given, dict) else {}}


def _results(said: Sequence[Block], calls: Sequence[ToolCall]) -> list[Block]:
    uses = [each for each in said if each.get("type") == "tool_use"]
    return [_result(use, calls[n] if n < len(calls) else None) for n, use in enumerate(uses)]


def _result(use: Block, call: ToolCall | None) -> Block:
    given = call is not None and call.over and call.result != ""
    told = call.result if call is not None and given else instead("interrupted")
    failed = call is None or not given or call.is_error
    block: Block = {"type": "tool_result", "tool_use_id": use.get("id"), "content": json.loads(told)}
    return {**block, "is_error": True} if failed else block
