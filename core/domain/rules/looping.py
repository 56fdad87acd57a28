"""How a turn goes on while its tools run: to the next model call, or on waiting, or to an honest end.

Knows: when all calls of a round are over the model is asked again; calls that only their person can free wait for at
most a day, and are left when that person goes on without them. Must not know: why a call changed.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import View
from core.domain.effects import AskModel
from core.domain.entities import EffectRow, EffectState, Turn, TurnState
from core.domain.rules import answer, rounds, tasks
from core.domain.rules.making import Making
from core.domain.rules.tool_texts import SERVER_FAULTS, instead
from core.domain.tooling import CallState, ToolCall

DAY_MS = 24 * 3_600_000


def step(making: Making, turn: Turn, *changed: ToolCall) -> None:
    """Calls have changed: the model is asked when the round is over, else the turn says what it waits for."""
    now = {call.id: call for call in changed}
    before = {call.id: call for call in making.view.calls}
    for call in changed:
        if call.over and not before.get(call.id, call).over:
            turn = replace(turn, round_tokens=turn.round_tokens + call.tokens)
    making.put(*changed)
    calls = tuple(now.get(call.id, call) for call in making.view.calls if call.turn_id == turn.id)
    mine = tuple(call for call in calls if call.round == turn.rounds - 1)
    turn = rounds.at_work(turn, mine, making.now_ms)
    if all(call.over for call in mine):
        answer.go_on(making, turn)
    elif not turn.step_id and _left_to_person(mine) and _went_on(making.view, turn):
        _move_on(making, turn, calls)
        tasks.next_turn(making)
    else:
        making.put(turn)
        tasks.follow(making, turn)


def fail(making: Making, turn: Turn, call: ToolCall, code: str, *, result: str = "") -> None:
    """There is no result: the model is told why, and the person too when it was the server's fault."""
    told = result or instead(code, repeatable=call.kind.repeatable)
    if code in SERVER_FAULTS and not turn.finish_note:
        turn = replace(turn, finish_note=f"tool_failed:{call.server}")
    step(making, turn, rounds.over(call, CallState.FAILED, told, is_error=True, failure=code))


def go_on(making: Making, calls: tuple[ToolCall, ...]) -> None:
    """What these calls waited for is there (a login): they are made now."""
    pending = tuple(replace(call, state=CallState.PENDING) for call in calls)
    for call in pending:
        rounds.issue(making, call)
    _changed(making, pending)


def leave(making: Making, calls: tuple[ToolCall, ...]) -> None:
    """The person goes on without these calls: nothing was done, and the model is told so."""
    told = instead("without_login")
    _changed(
        making,
        tuple(rounds.over(call, CallState.SKIPPED, told, is_error=True, failure="without_login") for call in calls),
    )


def _changed(making: Making, calls: tuple[ToolCall, ...]) -> None:
    """Calls have changed that may be of several turns; only those that the view holds can be looked at whole."""
    held = {each.id: each for each in (*making.view.task_turns, making.view.turn) if each is not None}
    making.put(*(call for call in calls if call.turn_id not in held))
    for turn_id in dict.fromkeys(call.turn_id for call in calls if call.turn_id in held):
        step(making, held[turn_id], *(call for call in calls if call.turn_id == turn_id))


def make_way(making: Making) -> bool:
    """Whether the running turn waited for nobody but its person; then it is left, because the person went on."""
    turn = making.view.running
    if turn is None or not waits_only(making.view, turn):
        return False
    _move_on(making, turn, making.view.calls)
    return True


def waits_only(view: View, turn: Turn) -> bool:
    """Whether nothing of the turn moves before its person has decided."""
    mine = [call for call in view.calls if call.turn_id == turn.id and call.round == turn.rounds - 1]
    return turn.awaits_since_ms is not None and _left_to_person(tuple(mine))


def waited_long(making: Making) -> bool:
    """After a day nobody is waited for any more: the answer says so. Whether that was done."""
    turn = making.view.running
    if turn is None or turn.awaits_since_ms is None or making.now_ms - turn.awaits_since_ms < DAY_MS:
        return False
    turn, _ = rounds.close(making, turn, "waited_long", making.view.calls)
    answer.leave(making, turn, "waited_long")
    return True


def asking_of(view: View, turn: Turn) -> EffectRow | None:
    """The open model call of `turn`."""
    for each in view.open_effects:
        if isinstance(each.effect, AskModel) and each.effect.turn_id == turn.id:
            return each
    return None


def stop(making: Making, turn: Turn) -> None:
    """Nobody wants an open turn any more: a model call that runs is ended by its performer, everything else here."""
    asking = asking_of(making.view, turn)
    if asking is not None and asking.state is EffectState.STARTED:
        making.put(replace(turn, state=TurnState.STOPPING))
        making.interrupt(asking.id)
        return
    if asking is not None:
        making.put(replace(asking, state=EffectState.DONE))
        making.give_back(asking)
    elif turn.activity:
        turn, stopped = rounds.close(making, turn, "stopped", making.view.calls)
        for effect_id in stopped:
            making.interrupt(effect_id)
    answer.stop(making, turn)


def _move_on(making: Making, turn: Turn, calls: tuple[ToolCall, ...]) -> None:
    turn, _ = rounds.close(making, turn, "moved_on", calls)
    answer.leave(making, turn, "moved_on")


def _went_on(view: View, turn: Turn) -> bool:
    """Whether its person has written after they were asked; what they wrote before waits with the question."""
    asked_ms = turn.awaits_since_ms
    return asked_ms is not None and any(not each.held and each.received_ms > asked_ms for each in view.waiting)


def _left_to_person(calls: tuple[ToolCall, ...]) -> bool:
    return not any(call.state is CallState.PENDING for call in calls)
