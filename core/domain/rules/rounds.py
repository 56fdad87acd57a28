"""One round of the tool loop: what a reply of the model asks for becomes calls, and is closed if nobody wants it.

Knows: a round is the reply verbatim and one `ToolCall` for each `tool_use` in it; a call is made at once, waits for
its person, or is over before it begins. How the person is asked is in `approving`. A call runs with the rights of
whoever asked, is made only once for a reply, and whatever ends a turn closes the calls that are not over, so that a
history never holds a `tool_use` without a result.
Must not know: servers, how a call is made, how a turn ends.
"""

from __future__ import annotations

import json
from dataclasses import replace

from core.domain.decision import View
from core.domain.effects import CallTool
from core.domain.entities import EffectRow, EffectState, Turn
from core.domain.events import ModelReplied
from core.domain.rules import approving, credentials
from core.domain.rules.making import Making
from core.domain.rules.stitch import after
from core.domain.rules.tool_texts import MAY_HAVE_HAPPENED, content, instead
from core.domain.tokens import estimate
from core.domain.tooling import FOR_PERSON, NUDGING, CallState, Round, ToolCall, Wanted

ROUNDS_MAX = 24  # a loop that has not come to an end by then hardly will
CALLS_MAX = 16  # side by side in one round
TURN_TOKENS_MAX = 200_000  # of all rounds of a turn: what they cost is paid again with every further call
TOOL_DEADLINE_MS = 10 * 60_000  # a busy server is waited for this long
_LABELS_MAX = 3  # tools that are named at once
_UNSURE = frozenset({"skipped", "interrupted", *MAY_HAVE_HAPPENED})


def verbatim(turn: Turn) -> bool:
    """Whether the reply that is here now stands in the history as it came: nothing was put together or nudged."""
    return not (turn.said or (turn.stitched and not turn.rounds) or turn.activity == NUDGING)


def asks_for_tools(blocks: str) -> bool:
    """Whether there is a `tool_use` in this content: nobody answers it where no round begins, so it is not kept."""
    return any(isinstance(each, dict) and each.get("type") == "tool_use" for each in json.loads(blocks or "[]"))


def last_words(turn: Turn, text: str) -> str:
    """The content of a turn's last call where it is not kept verbatim; a turn without rounds needs none."""
    return content(text) if turn.rounds and text.strip() else ""


def begin(making: Making, turn: Turn, event: ModelReplied, text: str) -> tuple[Turn, bool]:
    """Store the round and its calls; whether anything is to be waited for now."""
    blocks = event.blocks if verbatim(turn) else _patched(event.blocks, text)
    row = Round(
        turn_id=turn.id,
        n=turn.rounds,
        session_id=turn.session_id,
        text=text,
        blocks=blocks,
        prefix=event.prefix if verbatim(turn) else "",
        tokens=estimate(blocks),
    )
    calls = tuple(_call(making, turn, wanted, n) for n, wanted in enumerate(event.calls))
    making.put(row, *calls)
    for call in calls:
        if call.state is CallState.PENDING:
            issue(making, call)
        elif call.state is CallState.ASKING:
            approving.ask(making, turn, call)
    turn = replace(
        turn,
        before=after(turn.before, text),
        said="",
        stalls=0,
        continued=0,
        rounds=turn.rounds + 1,
        round_tokens=turn.round_tokens + row.tokens + sum(call.tokens for call in calls),
    )
    return at_work(turn, calls, making.now_ms), not all(call.over for call in calls)


def issue(making: Making, call: ToolCall) -> None:
    """Make the call."""
    making.effect(
        CallTool(turn_id=call.turn_id, call_id=call.id),
        deadline_ms=making.now_ms + TOOL_DEADLINE_MS,
        session_id=call.session_id,
    )


def at_work(turn: Turn, calls: tuple[ToolCall, ...], now_ms: int) -> Turn:
    """The turn as it says what it does while these calls are not over."""
    states = {call.state for call in calls}
    since_ms = turn.awaits_since_ms if turn.awaits_since_ms is not None else now_ms
    for state in (CallState.ASKING, CallState.SIGN_IN, CallState.UNKNOWN):
        if state in states:
            return replace(turn, activity=f"awaits:{state.value}", awaits_since_ms=since_ms)
    running = dict.fromkeys(approving.label(call) for call in calls if call.state is CallState.PENDING)
    named = ", ".join([*running][:_LABELS_MAX]) + (" …" if len(running) > _LABELS_MAX else "")
    return replace(turn, activity=f"calling:{named}" if running else "", awaits_since_ms=None)


def over(call: ToolCall, state: CallState, result: str, *, is_error: bool, failure: str = "") -> ToolCall:
    """The call with its result; nothing more becomes of it."""
    return replace(call, state=state, result=result, is_error=is_error, failure=failure, tokens=estimate(result))


def close(making: Making, turn: Turn, code: str, calls: tuple[ToolCall, ...]) -> tuple[Turn, tuple[str, ...]]:
    """Close the turn's own of `calls` that are not over; the turn, and the running effects to be interrupted."""
    stopped: list[str] = []
    running = {row.effect.call_id: row for row in making.view.open_effects if isinstance(row.effect, CallTool)}
    calls = tuple(call for call in calls if call.turn_id == turn.id)
    for call in calls:
        if call.over:
            continue
        row = running.get(call.id)
        if row is not None:
            making.put(replace(row, state=EffectState.DONE))
        if row is not None and row.state is EffectState.STARTED:
            stopped.append(row.id)
        reason = _reason(call, row, code)
        ended = over(call, CallState.SKIPPED, instead(reason), is_error=True, failure=reason)
        making.put(ended)
        turn = replace(turn, round_tokens=turn.round_tokens + ended.tokens)
        if call.state in FOR_PERSON:
            approving.withdraw(making, call)
    credentials.left(making, [call for call in calls if call.state is CallState.SIGN_IN], code)
    return turn, tuple(stopped)


def _reason(call: ToolCall, row: EffectRow | None, code: str) -> str:
    if row is not None and row.state is EffectState.STARTED:
        return f"{code}_running"
    return f"{code}_unknown" if call.state is CallState.UNKNOWN and code != "stopped" else code


def _call(making: Making, turn: Turn, wanted: Wanted, n: int) -> ToolCall:
    call = ToolCall(
        id=making.stamp.ulid(f"call:{n}"),
        turn_id=turn.id,
        session_id=turn.session_id,
        round=turn.rounds,
        n=n,
        use_id=wanted.use_id,
        server=wanted.server,
        tool=wanted.tool or wanted.name,
        input=wanted.input,
        asker=turn.asker,
        created_ms=making.now_ms,
    )
    if wanted.kind is None:
        return over(call, CallState.FAILED, instead("tool_unknown"), is_error=True, failure="tool_unknown")
    call = replace(call, kind=wanted.kind)
    if n >= CALLS_MAX:
        return over(call, CallState.FAILED, instead("tool_too_many"), is_error=True, failure="tool_too_many")
    return call if not call.kind.asks or permitted(making.view, call) else replace(call, state=CallState.ASKING)


def permitted(view: View, call: ToolCall) -> bool:
    """Whether its person lets this tool run here unasked; not when an earlier call of it may have happened unseen."""
    doubtful = any(
        (each.server, each.tool) == (call.server, call.tool) and each.failure in _UNSURE
        for each in view.calls
        if each.turn_id == call.turn_id
    )
    return not doubtful and any(
        (each.account, each.server, each.tool) == (call.asker, call.server, call.tool) for each in view.permits
    )


def _patched(blocks: str, text: str) -> str:
    """The content of a reply that went on after a cut: all its text, and the tools it asks for, without thinking."""
    kept = [each for each in json.loads(blocks or "[]") if each.get("type") == "tool_use"]
    said = [{"type": "text", "text": text}] if text.strip() else []
    return json.dumps([*said, *kept], ensure_ascii=False)
