"""The model's side of a turn: it replies, is cut, is stopped, is busy, refuses.

Knows: how a turn goes on and how it ends. The invariants:

* at most one open turn in a session, and at most one open model call for it;
* a turn ends exactly once, in ANSWERED, STOPPED or FAILED; its delivery, open all the while, tells which;
* a cut keeps what was said, and the next call goes on from it; three calls in a row without a new word end it;
* what a live view never showed (`stitch.undecided`) was not said: after a cut it is asked for again;
* a reply that asks for tools begins a round (`rounds`): the next call follows when all calls of the round are over;
* whatever waited meanwhile becomes the next turn in the same commit.

Must not know: how the model is called, how the answer is shown.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, View
from core.domain.entities import EffectState, Level, Message, Role, Session, Turn, TurnState
from core.domain.events import (
    HistoryLost,
    ModelBusy,
    ModelCut,
    ModelRefused,
    ModelReplied,
    ModelStopped,
    Usage,
)
from core.domain.prices import cost
from core.domain.rules import attempts, returning, rounds, tasks
from core.domain.rules.making import Making
from core.domain.rules.stitch import after, certain, stitch
from core.domain.stamp import Stamp
from core.domain.tokens import estimate
from core.domain.tooling import NUDGING

TELL_WAITING_MS = 20_000  # a shorter wait is not worth a word
CONTINUED_MAX = 4  # how often an answer goes on after the model's length limit
_ASKED_OTHERWISE = ("model_bound_thinking", "model_invalid")
_LENGTH_LIMITS = ("max_tokens", "model_context_window_exceeded", "pause_turn")


def on_replied(view: View, event: ModelReplied, stamp: Stamp) -> Decision:
    """The model finished: the turn is answered, or goes on after a length limit."""
    making, turn = _begin(view, stamp)
    making.careful = frozenset(event.careful)
    turn = _paid(making, turn, event.usage)
    text = stitch(turn.said, event.text)
    _pin(making, event)
    if event.stop_reason == "refusal":
        _fail(making, replace(turn, said=""), "model_refusal")
    elif event.calls:
        _use_tools(making, turn, event, text)
    elif not event.text.strip() and not ((turn.said or turn.before) and event.stop_reason == "end_turn"):
        nudged = replace(turn, activity=NUDGING if turn.rounds else "")
        _again(making, nudged, turn.said, "model_empty")
    elif _goes_on(turn, event):
        more = replace(turn, said=text, stitched=True, stalls=0, continued=turn.continued + 1)
        _ask(making, more)
    else:
        long = "cut_long" if event.stop_reason in _LENGTH_LIMITS else turn.finish_note
        whole = rounds.verbatim(turn) and not turn.task_id and not rounds.asks_for_tools(event.blocks)
        verbatim = event.blocks if whole else ""
        final = replace(turn, finish_note=long, model=event.model or turn.model)
        _end(making, final, TurnState.ANSWERED, text, blocks=verbatim, prefix=event.prefix if verbatim else "")
    return making.done()


def on_cut(view: View, event: ModelCut, stamp: Stamp) -> Decision:
    """The call ended early: go on from what was said."""
    making, turn = _begin(view, stamp)
    turn = _paid(making, turn, event.usage if event.usage.cost else _guess(view, making.session, event.text))
    _again(making, turn, _so_far(turn, event.text), event.code, blameless=event.blameless)
    return making.done()


def on_stopped(view: View, event: ModelStopped, stamp: Stamp) -> Decision:
    """The person pressed Stop: what was said is kept."""
    making, turn = _begin(view, stamp)
    turn = _paid(making, turn, event.usage if event.usage.cost else _guess(view, making.session, event.text))
    _end(making, turn, TurnState.STOPPED, _so_far(turn, event.text))
    return making.done()


def on_busy(view: View, event: ModelBusy, stamp: Stamp) -> Decision:
    """The model could not be asked: wait, say so once after 20 s, give up at the deadline."""
    making, turn = _begin(view, stamp)
    row = view.finishing
    assert row is not None  # noqa: S101  (the store loads it for every outcome)
    waiting = attempts.postpone(row, stamp.now_ms, event.retry_ms, event.code)
    if turn.state is TurnState.STOPPING:
        making.settle(Usage())
        _end(making, turn, TurnState.STOPPED, turn.said)
    elif waiting.state is EffectState.FAILED:
        making.settle(Usage())
        _fail(making, turn, event.code)
    else:
        before = view.turn or turn  # `_begin` has ended the wait; here it goes on
        since_ms = before.waiting_since_ms if before.waiting_since_ms is not None else stamp.now_ms
        told = before.told_waiting or waiting.not_before_ms - since_ms >= TELL_WAITING_MS
        making.put(
            waiting,
            replace(
                turn, waiting_since_ms=since_ms, retry_ms=waiting.not_before_ms, told_waiting=told, failure=event.code
            ),
        )
    return making.done()


def on_refused(view: View, event: ModelRefused, stamp: Stamp) -> Decision:
    """A definite no. History bound to another conversation is asked once more without signed thinking."""
    making, turn = _begin(view, stamp)
    making.settle(Usage())
    if turn.state is TurnState.STOPPING:
        _end(making, turn, TurnState.STOPPED, turn.said)
    elif event.code in _ASKED_OTHERWISE and not turn.stripped and tasks.may_strip(turn, event.code):
        _ask(making, replace(turn, stripped=True))
    else:
        _fail(making, turn, event.code)
    return making.done()


def on_history_lost(view: View, event: HistoryLost, stamp: Stamp) -> Decision:
    """The stored history cannot be read: an acknowledged fresh start; the original stays."""
    making, turn = _begin(view, stamp)
    making.settle(Usage())
    fresh = turn.level is not Level.FRESH and not turn.step_id
    if event.turn_id == turn.id and fresh and turn.state is TurnState.OPEN:
        tokens = sum(each.tokens for each in event.messages)
        making.session = replace(making.session, fresh_from_seq=turn.first_seq, level=Level.FRESH, tokens=tokens)
        if event.messages:  # the model reads what the person reads
            note = returning.level_line(view, making.session, Level.FRESH)
            making.put(replace(event.messages[0], note=note))
        _ask(making, replace(turn, level=Level.FRESH, finish_note="fresh"))
    elif turn.state is TurnState.STOPPING:
        _end(making, turn, TurnState.STOPPED, turn.said)
    else:
        _fail(making, turn, "history_unreadable")
    return making.done()


def stop(making: Making, turn: Turn) -> None:
    """End a turn whose model call is not running."""
    _end(making, replace(turn, failure=""), TurnState.STOPPED, turn.said)


def go_on(making: Making, turn: Turn) -> None:
    """All calls of the newest round are over: the model is asked again, with their results."""
    if turn.step_id and not tasks.runs(making, turn):
        _end(making, turn, TurnState.STOPPED, "")
    elif turn.round_tokens > rounds.TURN_TOKENS_MAX:
        _end(making, replace(turn, finish_note="rounds_max"), TurnState.ANSWERED, "")
    else:
        _ask(making, turn)


def leave(making: Making, turn: Turn, note: str) -> None:
    """End a turn that waited for its person, with an honest remark; `rounds.close` has closed its calls."""
    _end(making, replace(turn, finish_note=note), TurnState.ANSWERED, "", next_turn=False)


def again(making: Making, turn: Turn) -> None:
    """A failed turn is open again: the same message goes on from where it stopped."""
    _ask(making, making.reopen(turn))
    making.deliver(turn)


def _pin(making: Making, event: ModelReplied) -> None:
    """From now on this conversation is answered with these tools: its signed thinking is bound to them."""
    if event.tools is not None:
        making.put(event.tools)
        making.session = replace(making.session, tools=event.tools.digest)


def _use_tools(making: Making, turn: Turn, event: ModelReplied, text: str) -> None:
    """The reply begins a round of the tool loop, unless the person has stopped it or it has had enough of them."""
    turn = replace(turn, model=event.model or turn.model)
    if turn.state is TurnState.STOPPING:
        _end(making, turn, TurnState.STOPPED, text)
    elif turn.rounds >= rounds.ROUNDS_MAX:
        _end(making, replace(turn, finish_note="rounds_max"), TurnState.ANSWERED, text)
    else:
        turn, waits = rounds.begin(making, turn, event, text)
        if waits:
            making.put(turn)
            tasks.follow(making, turn)
        else:
            go_on(making, turn)


def _begin(view: View, stamp: Stamp) -> tuple[Making, Turn]:
    assert view.session is not None  # noqa: S101  (an outcome's session and turn exist: it finishes their effect)
    assert view.turn is not None  # noqa: S101
    turn = replace(view.turn, waiting_since_ms=None, retry_ms=None, told_waiting=False, failure="")
    return Making(view, stamp, view.session), turn


def _goes_on(turn: Turn, event: ModelReplied) -> bool:
    """Whether the answer only reached the model's length limit. A plan is whole or nothing."""
    limited = event.stop_reason in _LENGTH_LIMITS and turn.continued < CONTINUED_MAX
    return limited and turn.state is TurnState.OPEN and not tasks.plans(turn)


def _paid(making: Making, turn: Turn, usage: Usage) -> Turn:
    """The call that ends is paid for, and the turn knows it."""
    making.settle(usage)
    return replace(turn, cost=turn.cost + usage.cost)


def _so_far(turn: Turn, more: str) -> str:
    """What a call that did not finish leaves behind; blank space alone is nothing, and so is half a plan."""
    if tasks.plans(turn):
        return ""
    text = certain(turn.said, more)
    return text if text.strip() else ""


def _again(making: Making, turn: Turn, text: str, code: str, *, blameless: bool = False) -> None:
    """Go on from `text`; a call that brought no new word counts as a stall, unless it was our own doing."""
    grew = len(text.rstrip()) > len(turn.said.rstrip())
    stalls = 0 if grew else turn.stalls if blameless else turn.stalls + 1
    turn = replace(turn, said=text, stitched=bool(text), stalls=stalls)
    if turn.state is TurnState.STOPPING:
        _end(making, turn, TurnState.STOPPED, text)
    elif not blameless and stalls >= (attempts.DEATHS_MAX if code == attempts.DIED else attempts.ATTEMPTS_MAX):
        _fail(making, turn, code)
    else:
        at_once = grew or blameless or code == attempts.DIED
        _ask(making, turn, pause_ms=0 if at_once else attempts.backoff_ms(stalls))


def _ask(making: Making, turn: Turn, *, pause_ms: int = 0) -> None:
    """The turn goes on with another call, or ends here when nobody can pay for it."""
    asked = making.ask(turn, not_before_ms=making.now_ms + pause_ms)
    if asked.state is TurnState.FAILED:
        _end(making, asked, TurnState.FAILED, asked.said)
    else:
        making.put(asked)
        tasks.follow(making, asked)


def _fail(making: Making, turn: Turn, code: str) -> None:
    _end(making, replace(turn, failure=code), TurnState.FAILED, turn.said)


def _end(
    making: Making,
    turn: Turn,
    state: TurnState,
    text: str,
    *,
    blocks: str = "",
    prefix: str = "",
    next_turn: bool = True,
) -> None:
    """The turn is over: its text becomes a message of the history, what waited becomes the next turn.

    `text` is what its last model call said; the finished rounds of the tool loop stand before it.
    """
    turn = replace(turn, state=state, said="" if state is TurnState.ANSWERED else text)
    turn = replace(turn, activity="", awaits_since_ms=None)
    seen = after(turn.before, text)
    if turn.step_id:
        making.put(turn)
        tasks.on_step_over(making, turn, seen)
        return
    if seen or turn.rounds:
        turn = _store_answer(making, turn, seen, blocks or rounds.last_words(turn, text), prefix)
    if state is TurnState.ANSWERED:
        recovered_ms = making.now_ms if turn.stitched else making.session.recovered_ms
        making.session = replace(
            making.session,
            exchanges=making.session.exchanges + 1,
            recovered_ms=recovered_ms,
            asked_back=seen.rstrip().endswith("?"),
        )
        if making.session.tokens > making.view.policy.recall_budget_tokens:
            returning.write_summary(making)
    making.put(turn)
    if turn.task_id:
        tasks.on_answer_over(making, turn)
    if next_turn:
        tasks.next_turn(making)


def _store_answer(making: Making, turn: Turn, text: str, blocks: str, prefix: str) -> Turn:
    """A repeated turn puts its answer in the place where it stood; a new one at the end."""
    seq = turn.answer_seq if turn.answer_seq is not None else making.session.next_seq
    message = Message(
        session_id=making.session.id,
        seq=seq,
        role=Role.ASSISTANT,
        text=text,
        created_ms=making.now_ms,
        blocks=blocks,
        prefix=prefix,
        tokens=estimate(text) + turn.round_tokens,
        turn_id=turn.id,
    )
    if turn.answer_seq is None:
        making.add(message)
    else:
        making.put_again(message)
    return replace(turn, answer_seq=seq)


def _guess(view: View, session: Session, text: str) -> Usage:
    """What a call that died has cost: the prompt was read, the text was written."""
    tokens_in = min(session.tokens, view.policy.recall_budget_tokens)
    tokens_out = estimate(text)
    price = cost(view.policy.model, tokens_in, tokens_out, 0, 0) if view.policy.model_vendor else 0
    return Usage(tokens_in=tokens_in, tokens_out=tokens_out, cost=price)
