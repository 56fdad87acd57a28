"""What a person sees of an answer: its text, its state, its buttons.

Knows: a turn and everything said in it so far. The same function serves the live view, the final write and the
repair after a crash, so they cannot differ. Must not know: platforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from core.domain.entities import Button, ButtonStyle, Level, Turn, TurnState
from core.domain.files import AnswerFile
from core.domain.keys import ButtonId
from core.domain.rules.split import closing
from core.domain.rules.telling import hour
from core.domain.words import failure, say


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer as it shall stand. `final` texts do not change any more by themselves.

    `whole` is all of it as text; see `rules.attaching` for `files` and for the `sure_chars` of `text`.
    """

    text: str
    whole: str
    final: bool
    state: TurnState
    buttons: tuple[Button, ...]
    sure_chars: int
    files: tuple[AnswerFile, ...] = ()


_HEADS = ("fresh", "unread_thread")  # notes that stand before the answer
_REMARKS = ("cut_long", "rounds_max", "moved_on", "waited_long", "tool_failed")  # notes that stand under it


def present(turn: Turn, text: str, language: str) -> Shown:
    """The answer of `turn`, of which `text` has been said so far."""
    code = "fresh" if turn.level is Level.FRESH else turn.finish_note
    head = say(language, f"answer.{code}") + "\n\n" if code in _HEADS else ""
    foot = _foot(turn, text, language)
    body = head + text + (f"{closing(text)}\n\n_{foot}_" if foot and text else foot)
    return Shown(
        text=body,
        whole=body,
        sure_chars=len(body),
        final=turn.state.over,
        state=turn.state,
        buttons=_buttons(turn, language),
    )


def _foot(turn: Turn, text: str, language: str) -> str:
    match turn.state:
        case TurnState.STOPPED:
            return say(language, "answer.stopped" if text else "answer.stopped_empty")
        case TurnState.FAILED:
            return failure(language, turn.failure)
        case TurnState.ANSWERED:
            note, _, server = turn.finish_note.partition(":")
            if note in _REMARKS:
                return say(language, f"answer.{note}", server=server)
            return "" if text else say(language, "answer.empty")
        case TurnState.OPEN | TurnState.STOPPING:
            return _doing(turn, text, language)
        case _:
            assert_never(turn.state)


def _doing(turn: Turn, text: str, language: str) -> str:
    """What an answer that is not finished waits for."""
    if turn.told_waiting and turn.retry_ms is not None:
        why = "unreachable" if turn.failure == "model_unreachable" else "busy"
        return say(language, f"answer.{why}", model=_model_name(turn.model), time=hour(turn.retry_ms))
    what, _, which = turn.activity.partition(":")
    if what == "awaits":
        return say(language, f"answer.awaits_{which}")
    return say(language, "answer.calling", tools=which) if what == "calling" and not text else ""


def _buttons(turn: Turn, language: str) -> tuple[Button, ...]:
    if turn.state is TurnState.OPEN:
        stop = ButtonId(verb="stop", subject=turn.id)
        return (Button(id=str(stop), label=say(language, "button.stop"), for_user=turn.asker.user),)
    if turn.state is TurnState.FAILED and turn.failure != "model_refusal":
        again = ButtonId(verb="again", subject=turn.id)
        return (
            Button(
                id=str(again),
                label=say(language, "button.again"),
                style=ButtonStyle.PRIMARY,
                for_user=turn.asker.user,
            ),
        )
    return ()


def _model_name(model: str) -> str:
    return "Claude" if model.startswith("claude") else model
