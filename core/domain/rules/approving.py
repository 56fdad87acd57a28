"""`[Approve] [Deny] [Always here]`: a tool that changes something runs only when its person says so.

Knows: only who asked may answer, by the account that they asked with or a linked one; a card shows the tool and what
it is given, so that a person approves what they see: shortened, and with everything defused that could look like
something else than text. What was answered once is not answered again: the call's row counts, not the card.
Must not know: how a call is made, or what its result is.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from core.domain.decision import View
from core.domain.entities import Button, ButtonStyle, Forgotten, Turn
from core.domain.keys import ButtonId, Place
from core.domain.rules.making import Making
from core.domain.rules.outcomes import newest
from core.domain.rules.telling import quoted
from core.domain.tooling import CallState, Permit, ToolCall
from core.domain.words import say

APPROVE, DENY, ALWAYS, ASK_AGAIN = "call_approve", "call_deny", "call_always", "call_ask_again"
ARGUMENTS_MAX_CHARS = 900
_LABEL_MAX_CHARS = 48
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.-]+")
# What could hide or reorder text: controls but line breaks, bidirectional marks, invisible spaces, tag characters.
_TRICKS = re.compile(
    "[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def label(call: ToolCall) -> str:
    """The tool as a person reads it; its name is the server's word, so only plain characters of it are shown."""
    tool = _NOT_PLAIN.sub("_", call.tool)[:_LABEL_MAX_CHARS]
    return f"{call.server}: {tool}" if call.server else tool


def arguments(call: ToolCall) -> str:
    """What the tool is given, as a block of code that nothing in it can end, ping, preview or hide."""
    try:
        shown = json.dumps(json.loads(call.input), ensure_ascii=False, indent=1)
    except ValueError:
        shown = call.input
    shown = _TRICKS.sub("\ufffd", shown).replace("`", "\u02cb").replace("{code:", "{code\u00b7")
    left = len(shown) - ARGUMENTS_MAX_CHARS
    if left > 0:
        half = ARGUMENTS_MAX_CHARS // 2
        shown = f"{shown[:half]}\n… ({left}) …\n{shown[-half:]}"
    return f"```\n{shown}\n```"


def ask(making: Making, turn: Turn, call: ToolCall) -> None:
    """Show the card that asks."""
    _put(making, turn, call, key_of(call), "approval.ask", (APPROVE, DENY, ALWAYS))


def ask_whether(making: Making, turn: Turn, call: ToolCall) -> None:
    """Show the card of a call that may have happened: `[It happened] [Run again] [Skip]`."""
    _put(making, turn, call, key_of(call, unsure=True), "unsure.ask", ("call_happened", "call_rerun", "call_skip"))


def _put(making: Making, turn: Turn, call: ToolCall, key: str, code: str, verbs: tuple[str, ...]) -> None:
    language = making.view.policy.language
    text = for_step(making, turn) + _text(language, code, call)
    making.card(making.new_card(key, text, buttons(language, call, verbs), place=_place(making, turn)))


def key_of(call: ToolCall, *, unsure: bool = False) -> str:
    """The key of the call's card."""
    return f"unsure:{call.id}" if unsure else f"approval:{call.id}"


def may_answer(view: View, call: ToolCall) -> bool:
    """Whether the acting person is who asked."""
    person = view.person
    return person is not None and (person.key == call.asker or call.asker in view.accounts)


def settled(making: Making, call: ToolCall, code: str, *, undo: bool = False) -> None:
    """The call's card says what was decided; `undo`: with the button that takes an [Always here] back."""
    language = making.view.policy.language
    for card in making.view.cards:
        if card.key in (key_of(call), key_of(call, unsure=True)) and card.buttons:
            left = buttons(language, call, (ASK_AGAIN,)) if undo else ()
            making.card(newest(card, text=_text(language, code, call), buttons=left))


def withdraw(making: Making, call: ToolCall) -> None:
    """Nobody waits for an answer any more: the card says so."""
    settled(making, call, "approval.over")


def permit(call: ToolCall, now_ms: int) -> Permit:
    """What [Always here] stores."""
    return Permit(session_id=call.session_id, account=call.asker, server=call.server, tool=call.tool, at_ms=now_ms)


def take_back(making: Making, call: ToolCall) -> None:
    """[Ask me again]: the tool is asked for from now on."""
    making.put(Forgotten(permits=(permit(call, 0),)))
    settled(making, call, "approval.asks_again")


def approved(call: ToolCall) -> ToolCall:
    """The call as it may run."""
    return replace(call, state=CallState.PENDING, approved=True)


def buttons(language: str, call: ToolCall, verbs: tuple[str, ...]) -> tuple[Button, ...]:
    """Buttons about a call, for who asked."""
    styles = {APPROVE: ButtonStyle.PRIMARY, DENY: ButtonStyle.DANGER}
    return tuple(
        Button(
            id=str(ButtonId(verb=verb, subject=call.id)),
            label=say(language, f"button.{verb}"),
            style=styles.get(verb, ButtonStyle.PLAIN),
            for_user=call.asker.user,
        )
        for verb in verbs
    )


def _place(making: Making, turn: Turn) -> Place:
    """Where a question about a turn is asked: where its answer stands; of a step's, where the conversation lives."""
    return making.session.home.place if turn.step_id else turn.place


def for_step(making: Making, turn: Turn) -> str:
    """For which step of a task it is asked, "" for an answer."""
    work = making.works.get(turn.task_id)
    step = work.step(turn.step_id) if work is not None else None
    if work is None or step is None:
        return ""
    title = quoted(step.title)
    return say(making.view.policy.language, "task.for_step", n=step.n, of=len(work.steps), title=title) + "\n"


def _text(language: str, code: str, call: ToolCall) -> str:
    return f"{say(language, code, tool=label(call))}\n{arguments(call)}"
