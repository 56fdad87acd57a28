"""Commands that are typed as a message, because Slack refuses slash commands in threads. Pure.

Knows: `resume CODE` counts anywhere, if the rest is exactly a code; every other command word needs a mention, and its
words must be a command and nothing else: "@bot help me with this" is a question, not a call for help. A task has any
number of words, so it needs its slash: "@bot /task compare these vendors", or "!task ..." where nobody else is.
Where Slack opens no window, a form is filled by a message that begins with the id of its button.
Must not know: what a command does.
"""

from __future__ import annotations

import re

from core.domain.codes import typed
from core.domain.errors import BadInput
from core.domain.keys import ButtonId
from core.domain.rules.commands import COMMANDS

RESUME = "resume"
HELP = "help"
TASK = "task"
# Commands that take words: the most words that still read as a command.
_WORDS = {"sessions": 3, "notices": 2, "forget": 1}
_WORD = re.compile(r"[/!]?([a-z]{2,20})(?:[ \t]+([^\n]*))?", re.IGNORECASE)
_TASK = re.compile(r"[/!]task(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_FORM = re.compile(r"`?(rj1:[a-z_]{1,30}:[0-9A-Z]{26}:\d{1,9})`?\s+(.+)", re.DOTALL)
FORMS = frozenset({"correct", "task_changed"})  # the buttons that a form is sent with
_OTHER_FIRST = re.compile(r"\s*(?:<@[A-Z0-9]{2,40}(?:\|[^<>\n]*)?>|<!subteam\^)")


def without_mention(said: str, bot: str) -> str:
    """The text without the mention of the bot that it begins with."""
    return re.sub(rf"^\s*(?:<@{re.escape(bot)}(?:\|[^<>\n]*)?>[\s,:]*)+", "", said)


def begins_with_mention(said: str) -> bool:
    """Whether a message without a mention of the bot begins with a mention of somebody."""
    return _OTHER_FIRST.match(said) is not None


def command(text: str, *, mentioned: bool, bare_mention: bool) -> tuple[str, str] | None:
    """Name and rest of a command; None when it is a message.

    Args:
        text: without the leading mention, decoded.
        mentioned: whether it is surely for the bot (a mention, or alone with it).
        bare_mention: whether it began with a mention of the bot.
    """
    text = text.strip().strip("`*").strip()  # pasted with its formatting
    task = _TASK.fullmatch(text)
    if mentioned and task is not None:
        return TASK, (task[1] or "").strip()
    code = typed(text.lstrip("!"), "")
    if code is not None:
        return RESUME, code
    if not (mentioned and bare_mention):
        return None
    return _verb(text) if text else (HELP, "")


def filled(text: str) -> tuple[ButtonId, str] | None:
    """The form that a message fills, and with what; None when it is no such message."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    try:
        button = ButtonId.parse(found[1])
    except BadInput:
        return None
    return (button, found[2].strip()) if button.verb in FORMS else None


def _verb(text: str) -> tuple[str, str] | None:
    word = _WORD.fullmatch(text)
    if word is None:
        return None
    name, rest = word[1].lower(), (word[2] or "").strip()
    known = name in COMMANDS or name == RESUME
    return (name, rest) if known and len(rest.split()) <= _WORDS.get(name, 0) else None
