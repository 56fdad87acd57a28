"""Answers, cards and replies -> what Discord's REST takes. Pure.

Knows: Discord's Markdown and components, and its limits (docs: resources/message, components/reference). Must not know:
REST, the engine. Nothing that a model or a person wrote can ping (`allowed_mentions` is empty) or unfold a preview
(SUPPRESS_EMBEDS); the text itself stays as it is, for Discord's Markdown is the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bots.discord import ids
from bots.discord.markdown import for_discord
from bots.discord.words import say
from core.codec import Json
from core.domain.decision import Choices, Form, Private
from core.domain.entities import Button, ButtonStyle
from core.domain.files import AnswerFile
from core.domain.keys import ButtonId

CONTENT_MAX_CHARS = 1_980  # of Discord's 2,000; the rest is for a mark that nobody sees
BUTTONS_PER_ROW, ROWS_MAX, OPTIONS_MAX = 5, 5, 25
LABEL_MAX_CHARS, OPTION_MAX_CHARS, TITLE_MAX_CHARS, MODAL_LABEL_MAX_CHARS = 80, 100, 45, 45
INPUT_MAX_CHARS, PLACEHOLDER_MAX_CHARS, THREAD_NAME_MAX_CHARS = 4_000, 150, 100

SUPPRESS_EMBEDS, EPHEMERAL, SUPPRESS_NOTIFICATIONS = 1 << 2, 1 << 6, 1 << 12
NO_PING: dict[str, Json] = {"parse": [], "replied_user": False}

_ROW, _BUTTON, _SELECT, _INPUT, _LABEL = 1, 2, 3, 4, 18
_STYLES = {ButtonStyle.PRIMARY: 1, ButtonStyle.PLAIN: 2, ButtonStyle.DANGER: 4}
_SHORT, _LONG = 1, 2

Body = dict[str, Json]
Reveal = Callable[[str], str]  # a sentence of ours, with what no disk holds filled in


def cut(text: str, most: int) -> str:
    """At most `most` characters, with an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def content(text: str, language: str = "en") -> str:
    """Words as a message takes them: never empty, never too long, and without the space that Discord takes away."""
    shown = for_discord(text)
    shown = cut((shown if len(shown) <= CONTENT_MAX_CHARS else text).strip(), CONTENT_MAX_CHARS)
    return shown or say(language, "thinking")


def body(text: str, buttons: Sequence[Button], *, key: str = "", language: str = "en") -> Body:
    """A message as it shall stand. `key` marks it, so that it is found again by its components."""
    return {
        "content": content(text, language),
        "components": components(buttons, key=key, language=language),
        "allowed_mentions": dict(NO_PING),
        "flags": SUPPRESS_EMBEDS,
    }


def with_files(body: Body, files: Sequence[AnswerFile]) -> Body:
    """The body of a message that has these files and no others; what an edit does not name is taken away."""
    if not files:
        return body
    return {**body, "attachments": [{"id": str(n), "filename": each.name} for n, each in enumerate(files)]}


def components(buttons: Sequence[Button], *, key: str = "", language: str = "en") -> list[Json]:
    """Rows of buttons, and a menu for those of lesser weight."""
    plain = [each for each in buttons if not each.in_menu]
    menu = [each for each in buttons if each.in_menu]
    room = ROWS_MAX - bool(menu)
    if len(plain) > room * BUTTONS_PER_ROW:
        plain, menu = [], [*plain, *menu]
    rows: list[Json] = [
        {"type": _ROW, "components": [_button(each) for each in plain[at : at + BUTTONS_PER_ROW]]}
        for at in range(0, len(plain), BUTTONS_PER_ROW)
    ]
    if menu:
        rows.append({"type": _ROW, "components": [_select(menu, say(language, "menu"))]})
    if rows and key:
        first = rows[0]
        assert isinstance(first, dict)  # noqa: S101  (made above)
        first["id"] = ids.mark(key)
    return rows


def _button(button: Button) -> Body:
    label = cut(button.label, LABEL_MAX_CHARS)
    return {"type": _BUTTON, "style": _STYLES[button.style], "label": label, "custom_id": button.id}


def _select(options: Sequence[Button], placeholder: str) -> Body:
    """A list in which choosing presses a button. Its own id is never routed: the chosen value is a button's id."""
    subject = ButtonId.parse(options[0].id).subject
    return {
        "type": _SELECT,
        "custom_id": str(ButtonId(verb="menu", subject=subject)),
        "placeholder": cut(placeholder, PLACEHOLDER_MAX_CHARS),
        "options": [{"label": cut(each.label, OPTION_MAX_CHARS), "value": each.id} for each in options[:OPTIONS_MAX]],
    }


# ------------------------------------------------------------------------------------- immediate answers


def private(reply: Private, language: str = "en") -> Body:
    """An answer that only the acting person sees."""
    return body(reply.text, reply.buttons, language=language) | {"flags": SUPPRESS_EMBEDS | EPHEMERAL}


def choices(reply: Choices, language: str = "en") -> Body:
    """A question with a list, for the acting person only."""
    rows: list[Json] = [{"type": _ROW, "components": [_select(reply.options, say(language, "choose"))]}]
    text = content(reply.text, language)
    flags = SUPPRESS_EMBEDS | EPHEMERAL
    return {"content": text, "components": rows, "allowed_mentions": dict(NO_PING), "flags": flags}


def form(reply: Form) -> Body:
    """A modal; submitting it presses the form's button with the fields as its value."""
    fields: list[Json] = [
        {
            "type": _LABEL,
            "label": cut(each.label, MODAL_LABEL_MAX_CHARS),
            "component": {
                "type": _INPUT,
                "custom_id": each.id,
                "style": _LONG if each.long else _SHORT,
                "max_length": max(1, min(each.max_chars, INPUT_MAX_CHARS)),
                "required": True,
            },
        }
        for each in reply.fields
    ]
    return {"custom_id": reply.submit.id, "title": cut(reply.title, TITLE_MAX_CHARS), "components": fields}


def completions(found: Iterable[tuple[str, str]]) -> Body:
    """What is offered while somebody types: label and value."""
    shown: list[Json] = [
        {"name": cut(" ".join(label.split()), OPTION_MAX_CHARS) or "…", "value": value}
        for label, value in list(found)[:OPTIONS_MAX]
        if 0 < len(value) <= OPTION_MAX_CHARS
    ]
    return {"choices": shown}


def thread_name(text: str, language: str = "en") -> str:
    """A name for a thread, from the first words that were said in it."""
    return cut(" ".join(text.split()), THREAD_NAME_MAX_CHARS) or say(language, "thread")
