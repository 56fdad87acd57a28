"""A task's card as Slack draws it itself: a `plan` of `task_card` blocks, its text and its buttons below.

Knows: Slack's own sources do not agree on `pending`: its reference and its SDK have it, its engineers report
`invalid_blocks` (slackapi/java-slack-sdk #1638). So there are three forms of a card: every step as a task card; those
that have begun as task cards and the rest as a list; and Markdown alone. What Slack refuses while it takes a plainer
form of the same card is not tried again before the next start, and said once in the log. Which step waits for somebody
has no status of its own: the words behind its title say it.
Must not know: what a task is, when its card changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import TypeVar

import structlog

from bots.slack import limits, render
from bots.slack.render import Blocks
from bots.slack.safe import fitted, lean
from core.codec import Json
from core.domain.entities import Card
from core.domain.errors import Refused
from core.domain.outline import Line, Outline
from core.domain.rules.telling import quoted
from core.domain.tasking import StepState

R = TypeVar("R")

_PENDING = "pending"
_STATUS = {
    StepState.WAITING: _PENDING,
    StepState.RUNNING: "in_progress",
    StepState.WAITING_FOR_YOU: "in_progress",
    StepState.DONE: "complete",
    StepState.SKIPPED: "complete",
    StepState.FAILED: "error",
    StepState.UNKNOWN: "error",
}

log = structlog.get_logger("rejoinder.slack")


class Form(StrEnum):
    """How a card is sent, the finest first."""

    STEPS = "steps"  # every step is a task card
    BEGUN = "begun"  # those that have not begun are a list
    PLAIN = "plain"  # no plan: Markdown


class Plans:
    """Sends cards in the finest form that Slack takes."""

    def __init__(self) -> None:
        self._refused: set[Form] = set()

    async def show(self, card: Card, send: Callable[[Blocks], Awaitable[R]]) -> R:
        """Send the card. Raises what `send` raises for its plainest form, and what is not about blocks at once."""
        refused: set[Form] = set()
        for form, blocks in forms(card):
            if form in self._refused:
                continue
            try:
                sent = await send(blocks)
            except Refused as error:
                if error.code != render.BLOCKS_REFUSED or form is Form.PLAIN:
                    raise
                if error.detail.startswith("invalid_blocks"):  # not: too long for once
                    refused.add(form)
            else:
                self._remember(refused)
                return sent
        raise Refused(code=render.BLOCKS_REFUSED)

    def _remember(self, refused: set[Form]) -> None:
        for form in sorted(refused):
            log.warning("Slack does not take plans in this form; a plainer one until the next start", form=form.value)
        self._refused |= refused


def forms(card: Card) -> list[tuple[Form, Blocks]]:
    """The card in every form that it can have, the finest first."""
    found: list[tuple[Form, Blocks]] = []
    outline = card.outline
    if outline is not None and outline.lines:
        begun = [each for each in outline.lines if each.state is not StepState.WAITING]
        if len(begun) < len(outline.lines):
            found.append((Form.STEPS, _blocks(card, outline, outline.lines, "")))
        if begun:
            found.append((Form.BEGUN, _blocks(card, outline, begun, _listed(outline.lines))))
    found.append((Form.PLAIN, render.card(card)))
    return found


def _blocks(card: Card, outline: Outline, lines: Iterable[Line], rest: str) -> Blocks:
    cards: list[Json] = [_task_card(each, card.id) for each in lines]
    plan: Json = {"type": "plan", "title": _words(outline.title, limits.PLAN_TITLE_MAX_CHARS), "tasks": cards}
    text = "\n\n".join(filter(None, (rest, outline.foot)))
    shown: Blocks = [{"type": "markdown", "text": fitted(text, limits.UPDATE_MAX_CHARS)}] if text else []
    return [plan, *shown, *render.rows(card.buttons)]


def _task_card(line: Line, card_id: str) -> Json:
    return {
        "type": "task_card",
        "task_id": f"{card_id}:{line.n}",
        "title": _words(_called(line), limits.STEP_TITLE_MAX_CHARS),
        "status": _STATUS[line.state],
    }


def _listed(lines: Iterable[Line]) -> str:
    """The steps that have not begun, as Markdown."""
    return "\n".join(f"- ○ {each.n}. {quoted(each.title, len(each.title))}" for each in lines if _waits(each))


def _waits(line: Line) -> bool:
    return line.state is StepState.WAITING


def _called(line: Line) -> str:
    return f"{line.n}. {line.title} ({line.detail})" if line.detail else f"{line.n}. {line.title}"


def _words(text: str, most: int) -> str:
    """Plain words, which nobody parses; should they be parsed all the same, they ping nobody."""
    return render.short(lean(text), most) or render.PLACEHOLDER
