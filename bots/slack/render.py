"""Answers, cards, replies and the Home -> Block Kit. Pure.

Knows: `markdown` blocks in messages, mrkdwn sections elsewhere; a text fallback beside every block; buttons that only
one person shall see; menus for buttons of lesser weight; the limits. Everything is untrusted text: see `safe`.
Must not know: the Web API, what a button does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bots.slack import limits
from bots.slack.interactions import CHOOSE, Origin
from bots.slack.mrkdwn import mrkdwn
from bots.slack.safe import escaped, fitted
from core.codec import Json
from core.domain.decision import Choices, Form
from core.domain.entities import Button, ButtonStyle, Card
from core.domain.keys import ButtonId
from core.domain.rules.split import next_start, part_text

Blocks = list[Json]
View = dict[str, Json]

BLOCKS_REFUSED = "slack_blocks"  # the code of a message whose blocks are taken in none of its forms
PLACEHOLDER = "…"  # a message must have a text; this one stands until there is one
_CUT = "…"
_GOES_ON = frozenset({"task_pause", "task_stop"})  # the buttons of a task that waits for nobody


# ------------------------------------------------------------------------------------------ messages


def answer(text: str, buttons: Sequence[Button], most: int = limits.ANSWER_MAX_CHARS) -> Blocks:
    """An answer, or a piece of one, of at most `most` characters."""
    return [{"type": "markdown", "text": fitted(text.strip("\n") or PLACEHOLDER, most)}, *rows(buttons)]


def rows(buttons: Sequence[Button], *, in_message: bool = True) -> Blocks:
    """Buttons in rows; those of lesser weight in a menu at the end."""
    unique = list({each.id: each for each in buttons}.values())
    menu = [each for each in unique if each.in_menu][: limits.MENU_MAX]
    elements = [_button(each, in_message=in_message) for each in unique if each not in menu]
    if menu:
        elements.append(_menu(menu))
    found: Blocks = []
    for start in range(0, len(elements), limits.ROW_MAX):
        found.append({"type": "actions", "elements": elements[start : start + limits.ROW_MAX]})
    return found


def card(given: Card) -> Blocks:
    """A card as it stands now."""
    return answer(given.text, given.buttons, limits.UPDATE_MAX_CHARS)


def plainer(text: str, blocks: Blocks) -> list[tuple[str, Blocks]]:
    """The same message where Slack takes no such blocks: with the oldest kinds of them, then without any.

    A plan is not in here: see `plan`.
    """
    if any(isinstance(each, dict) and each["type"] == "plan" for each in blocks):
        return []
    words = "\n".join(str(each["text"]) for each in blocks if isinstance(each, dict) and each["type"] == "markdown")
    rest = [_for_everybody(each) for each in blocks if isinstance(each, dict) and each["type"] != "markdown"]
    return [(text, [*sections(words), *rest]), (short(mrkdwn(words), limits.UPDATE_MAX_CHARS) or text, [])]


def _for_everybody(block: Json) -> Json:
    """Buttons that all can see; whoever presses one is asked for their right to it anyway."""
    if not isinstance(block, dict) or block.get("type") != "actions":
        return block
    elements = block["elements"]
    given = [each for each in elements if isinstance(each, dict)] if isinstance(elements, list) else []
    found: list[Json] = [
        {name: value for name, value in each.items() if name != "visible_to_user_ids"} for each in given
    ]
    return {**block, "elements": found}


def fallback(text: str) -> str:
    """What a notification or a screen reader says instead of the blocks."""
    flat = " ".join(text.split())
    return escaped(short(flat, limits.FALLBACK_MAX_CHARS // 5)) or PLACEHOLDER


def cut(text: str, start: int, most: int) -> int | None:
    """Where a message of at most `most` characters that begins at `start` has to end; None when all fits."""
    return next_start(text, start, most)


def stretch(text: str, start: int, end: int | None = None) -> str:
    """The characters from `start` to `end` as a message of their own, with balanced fences."""
    return part_text(text, start, end) if start or end is not None else text


def _button(given: Button, *, in_message: bool) -> Json:
    element: dict[str, Json] = {
        "type": "button",
        "action_id": given.id,
        "value": given.id,
        "text": _plain(given.label, limits.LABEL_MAX_CHARS),
    }
    if given.style is not ButtonStyle.PLAIN:
        element["style"] = given.style.value
    if given.for_user and in_message:
        element["visible_to_user_ids"] = [given.for_user]
    return element


def _menu(buttons: Sequence[Button]) -> Json:
    return {"type": "overflow", "action_id": f"menu:{buttons[0].id}", "options": _options(buttons)}


def _options(buttons: Iterable[Button]) -> list[Json]:
    return [{"text": _plain(each.label, limits.LABEL_MAX_CHARS), "value": each.id} for each in buttons]


def _plain(text: str, most: int) -> Json:
    return {"type": "plain_text", "text": short(" ".join(text.split()), most) or PLACEHOLDER, "emoji": False}


def short(text: str, most: int) -> str:
    """At most `most` characters, with a sign where something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + _CUT


# -------------------------------------------------------------------------------------------- modals


def sections(text: str, most: int = 20) -> Blocks:
    """Markdown as sections of mrkdwn, at most `most` of them."""
    found: list[str] = []
    start: int | None = 0
    while start is not None and len(found) < most:
        following = cut(text, start, limits.SECTION_MAX_CHARS // 2)
        found.append(mrkdwn(stretch(text, start, following)))
        start = following
    bodies = (short(each, limits.SECTION_MAX_CHARS) for each in found if each.strip())
    return [{"type": "section", "text": {"type": "mrkdwn", "text": each}} for each in bodies]


def notice(title: str, text: str, buttons: Sequence[Button], origin: Origin) -> View:
    """A modal that tells something, with buttons."""
    blocks = [*sections(text), *rows(buttons, in_message=False)]
    return _modal(title, blocks or sections(PLACEHOLDER), origin)


def form(given: Form, origin: Origin, close: str) -> View:
    """A modal with fields; submitting it presses the form's button."""
    blocks: Blocks = [
        {
            "type": "input",
            "block_id": each.id,
            "optional": True,
            "label": _plain(each.label, 150),
            "element": {
                "type": "plain_text_input",
                "action_id": each.id,
                "multiline": each.long,
                "max_length": min(each.max_chars, limits.INPUT_MAX_CHARS),
            },
        }
        for each in given.fields
    ]
    view = _modal(given.title, blocks, origin)
    view["callback_id"] = given.submit.id
    view["submit"] = _plain(given.submit.label, limits.TITLE_MAX_CHARS)
    view["close"] = _plain(close, limits.TITLE_MAX_CHARS)
    return view


def choices(given: Choices, title: str, submit: str, origin: Origin) -> View:
    """A modal with a list; submitting it presses the chosen button."""
    blocks: Blocks = [
        *sections(given.text),
        {
            "type": "input",
            "block_id": "choice",
            "label": _plain(title, 150),
            "element": select(given.options),
        },
    ]
    view = _modal(title, blocks, origin)
    view["callback_id"] = CHOOSE
    view["submit"] = _plain(submit, limits.TITLE_MAX_CHARS)
    return view


def select(options: Sequence[Button]) -> Json:
    """A list to choose from; in a message choosing is pressing."""
    return {"type": "static_select", "action_id": CHOOSE, "options": _options(options[: limits.OPTIONS_MAX])}


def _modal(title: str, blocks: Blocks, origin: Origin) -> View:
    return {
        "type": "modal",
        "title": _plain(title, limits.TITLE_MAX_CHARS),
        "blocks": blocks[: limits.VIEW_BLOCKS_MAX],
        "private_metadata": str(origin),
    }


def home(greeting: str, text: str, buttons: Sequence[Button], origin: Origin) -> View:
    """A person's Home: their conversations, each with its button."""
    told: Blocks = [{"type": "divider"}, *sections(text)] if text else []
    blocks: Blocks = [*sections(greeting), *told, *rows(buttons, in_message=False)]
    return {"type": "home", "blocks": blocks[: limits.VIEW_BLOCKS_MAX], "private_metadata": str(origin)}


# --------------------------------------------------------------------------------------------- status


def session_status(given: Card) -> str:
    """What a card makes of Slack's agent session: "suspended", "closed", "active"; "" = nothing."""
    verbs = frozenset(_verbs(given.buttons))
    kind = given.key.partition(":")[0]
    if kind == "idle":
        if not verbs:
            return "active"
        return "closed" if verbs == {"resume"} else "suspended"
    if kind == "task" and verbs and verbs <= _GOES_ON:
        return ""
    if kind in ("mailbag", "approval", "unsure", "login", "task", "claim", "moved"):
        return "suspended" if verbs else "active"
    return ""


def _verbs(buttons: Iterable[Button]) -> Iterator[str]:
    for each in buttons:
        if not each.in_menu:
            yield ButtonId.parse(each.id).verb
