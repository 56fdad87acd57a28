"""The few sentences that are Slack's alone, in every language; and how commands are called here. Pure.

Knows: what only this platform has to say; names of slash commands belong to the whole workspace, so there are two of
ours, and where our sentences name `/sessions` one has to type `/rejoinder sessions`. Must not know: who reads it.
Everything else is in `core.domain.words`.
"""

from __future__ import annotations

import re

from core.domain.rules.commands import COMMANDS

_OURS = "|".join(name for name in COMMANDS if name != "resume")
_COMMAND = re.compile(rf"(?m)(^|(?<=[`\s(]))/(?=(?:{_OURS})(?:[`\s:.,;)]|$))")

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Rejoinder",
        "close": "Close",
        "choose": "Choose",
        "go": "Go on",
        "home": "*Your conversations*\nWrite to me in the Messages tab, or mention me in a channel.",
        "outside": "I am not here for you in this workspace. Whoever runs me decides for whom I am.",
        "root": "A conversation goes on here.",
        "gap": "I was away, and Slack does not let me read what was said here meanwhile. Nothing that I have is lost.",
        "lost": "I can no longer write in <#{channel}> ({code}). Everything we said there is kept.",
        "help": "In a thread, where Slack has no slash commands, write `@Rejoinder sessions` instead.",
        "form": "Slack did not open the window “{title}”. Press once more, or send me your words as a message that "
        "begins with `{id}`.",
        "late": "This was not done in time. Please try again.",
    },
    "de": {
        "title": "Rejoinder",
        "close": "Schließen",
        "choose": "Auswählen",
        "go": "Weiter",
        "home": "*Deine Gespräche*\nSchreib mir im Reiter Nachrichten, oder erwähne mich in einem Kanal.",
        "outside": "In diesem Workspace bin ich nicht für dich da. Wer mich betreibt, entscheidet, für wen ich da bin.",
        "root": "Hier geht ein Gespräch weiter.",
        "gap": "Ich war weg, und Slack lässt mich nicht lesen, was hier inzwischen gesagt wurde. Was ich habe, bleibt.",
        "lost": "In <#{channel}> kann ich nicht mehr schreiben ({code}). Alles, was wir dort sagten, bleibt erhalten.",
        "help": "In Threads, wo es bei Slack keine Slash-Befehle gibt, schreib stattdessen `@Rejoinder sessions`.",
        "form": "Slack hat das Fenster „{title}“ nicht geöffnet. Drück noch einmal, oder schick mir deine Worte als "
        "Nachricht, die mit `{id}` anfängt.",
        "late": "Das war nicht rechtzeitig fertig. Bitte versuch es noch einmal.",
    },
}
LANGUAGES = tuple(_WORDS)


def own(language: str, sentence: str, **values: object) -> str:
    """The sentence of this name; English where a language has none."""
    found = _WORDS.get(language, _WORDS["en"])[sentence]
    return found.format(**values) if values else found


def spelled(text: str) -> str:
    """A sentence of ours with the commands as one types them in Slack; never an answer of the model."""
    return _COMMAND.sub("/rejoinder ", text)
