"""The commands that Discord shows, made from the core's own list, and when they have to be sent again. Pure.

Knows: the shape of application commands (docs: interactions/application-commands). Must not know: REST, what a command
does. They are sent by one bulk PUT, only when their hash has changed: an unchanged set creates nothing, but new names
count against 200 a day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from bots.discord.words import WORDS, say
from core.codec import Json
from core.domain.words import en
from core.domain.words import say as say_core

RESUME, ASK, TASK, CONTINUE = "resume", "ask", "task", "Continue from here"
CODE, TEXT = "code", "text"

_CHAT, _MESSAGE, _STRING = 1, 3, 3
_GUILDS, _USERS = 0, 1  # installation: to a server, to a person
_IN_GUILD, _IN_DM, _IN_PRIVATE = 0, 1, 2  # where it can be used
_DESCRIPTION_MAX_CHARS, _CODE_MAX_CHARS = 100, 64
_OPTION_NAMES = {TASK: "goal", "sessions": "words", "notices": "where", "forget": "what"}
_WITHOUT = frozenset({"help", "new", "stop", "why", "export", "privacy"})


def payload(names: Iterable[str]) -> list[Json]:
    """Every command, in the order of the core's list; `names` are the core's commands."""
    wanted = [each for each in dict.fromkeys(names) if each not in (RESUME, ASK)]
    made: list[Json] = [_command(RESUME, _code()), _command(ASK, _option(TEXT, "option.ask", required=True))]
    for name in wanted:
        option = None if name in _WITHOUT else _option(option_name(name), f"option.{name}", required=name == TASK)
        made.append(_command(name, option))
    made.append({"type": _MESSAGE, "name": CONTINUE, **_where()})
    return made


def option_name(command: str) -> str:
    """What the only option of a command is called."""
    return {RESUME: CODE, ASK: TEXT}.get(command, _OPTION_NAMES.get(command, TEXT))


def digest(commands: list[Json], release: str) -> str:
    """Equal for equal commands, in every process; `release`: of the library that they were made for."""
    text = json.dumps([commands, release], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _command(name: str, option: Json) -> Json:
    described = {language: _described(language, name) for language in WORDS}
    return {
        "type": _CHAT,
        "name": name,
        "description": described["en"],
        "description_localizations": {language: text for language, text in described.items() if language != "en"},
        "options": [option] if option is not None else [],
        **_where(),
    }


def _described(language: str, name: str) -> str:
    known = f"command.{name}"
    text = say(language, known) if known in WORDS["en"] else ""
    if not text:
        text = say_core(language, known) if known in en.WORDS else name
    return text[:_DESCRIPTION_MAX_CHARS]


def _option(name: str, described: str, *, required: bool = False) -> Json:
    code = described if described in WORDS["en"] else "option.other"
    return {
        "type": _STRING,
        "name": name,
        "description": say("en", code),
        "description_localizations": {each: say(each, code) for each in WORDS if each != "en"},
        "required": required,
    }


def _code() -> Json:
    option = _option(CODE, "option.resume")
    assert isinstance(option, dict)  # noqa: S101  (made above)
    return option | {"autocomplete": True, "max_length": _CODE_MAX_CHARS}


def _where() -> dict[str, Json]:
    return {"integration_types": [_GUILDS, _USERS], "contexts": [_IN_GUILD, _IN_DM, _IN_PRIVATE]}
