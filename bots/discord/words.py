"""The few sentences that only Discord needs; everything else is said by the core. Pure.

Knows: codes and their sentences. Must not know: where one is shown.
"""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "done": "Done.",
        "late": "That took too long. Please do it once more.",
        "restarted": "I was restarted just then. If nothing has happened, please do it once more.",
        "broken": "Something went wrong with that. Nothing was lost; please try again.",
        "thinking": "…",
        "hint": "I see that you wrote something, but not what: in this server I can read only what mentions me. "
        "Mention me, reply to me, or choose Apps > Continue from here on your message.",
        "menu": "More",
        "choose": "Choose one",
        "starter": "{name} goes on with a conversation.",
        "starter_over": "Nothing goes on here.",
        "moved_to_dm": "I cannot write in this server, so we go on in our direct messages: {link}",
        "no_dm": "I cannot write in this server, and your direct messages are closed to me.",
        "not_for_me": "There is nothing in that message that I can go on from.",
        "gone": "The thread of our conversation was deleted. I still have the conversation: `/resume` goes on with it.",
        "code_title": "Go on elsewhere",
        "code_field": "Resume code",
        "thread": "Conversation",
        "option.resume": "a code, or one of your conversations",
        "option.ask": "what you want to know",
        "option.task": "what is to be done",
        "option.sessions": "words that it is about",
        "option.notices": "thread, dm, off, here on, here off",
        "option.forget": "this, or everything",
        "option.other": "what it is about",
        "command.resume": "go on with a conversation of yours, from here or elsewhere",
        "command.ask": "ask me something",
    },
    "de": {
        "done": "Erledigt.",
        "late": "Das hat zu lange gedauert. Bitte noch einmal.",
        "restarted": "Ich wurde gerade neu gestartet. Falls nichts geschehen ist, bitte noch einmal.",
        "broken": "Dabei ist etwas schiefgegangen. Nichts ist verloren; bitte noch einmal versuchen.",
        "thinking": "…",
        "hint": "Ich sehe, dass du etwas geschrieben hast, aber nicht, was: auf diesem Server kann ich nur lesen, was "
        "mich erwähnt. Erwähne mich, antworte mir, oder wähle bei deiner Nachricht Apps > Hier weitermachen.",
        "menu": "Mehr",
        "choose": "Bitte wählen",
        "starter": "{name} führt ein Gespräch weiter.",
        "starter_over": "Hier geht nichts weiter.",
        "moved_to_dm": "Auf diesem Server kann ich nicht schreiben; wir machen in unseren Direktnachrichten weiter: "
        "{link}",
        "no_dm": "Ich kann auf diesem Server nicht schreiben, und deine Direktnachrichten sind für mich geschlossen.",
        "not_for_me": "In dieser Nachricht ist nichts, von dem ich weitermachen kann.",
        "gone": "Der Thread unseres Gesprächs wurde gelöscht. Das Gespräch habe ich noch: `/resume` führt es weiter.",
        "code_title": "Anderswo weitermachen",
        "code_field": "Code zum Weitermachen",
        "thread": "Gespräch",
        "option.resume": "ein Code, oder eines deiner Gespräche",
        "option.ask": "was du wissen willst",
        "option.task": "was zu tun ist",
        "option.sessions": "Wörter, um die es ging",
        "option.notices": "thread, dm, off, here on, here off",
        "option.forget": "this, oder everything",
        "option.other": "worum es geht",
        "command.resume": "ein Gespräch weiterführen, von hier oder anderswo",
        "command.ask": "mich etwas fragen",
    },
}


def say(language: str, code: str, /, **values: object) -> str:
    """The sentence `code` in `language` (English where it is missing); a locale such as `de-AT` is its language."""
    table = WORDS.get(language.partition("-")[0].lower(), WORDS["en"])
    return table.get(code, WORDS["en"][code]).format(**values)
