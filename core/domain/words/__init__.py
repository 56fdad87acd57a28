"""Every sentence that a person sees, one file per language; calm, short, no blame, no jargon.

Knows: codes and their sentences. Must not know: where a sentence is shown.
"""

from __future__ import annotations

from core.domain.words import de, en

LANGUAGES: dict[str, dict[str, str]] = {"en": en.WORDS, "de": de.WORDS}


def say(language: str, code: str, /, **values: object) -> str:
    """The sentence `code` in `language` (English where it is missing), filled with `values`."""
    table = LANGUAGES.get(language, en.WORDS)
    return table.get(code, en.WORDS[code]).format(**values)


def spoken_in(locale: str) -> str:
    """Which of our languages a locale such as `de-AT` or `en_US` is; "" for none of them."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else ""


def failure(language: str, code: str) -> str:
    """The sentence for a failure code; an unknown code gets the general one, which names the code."""
    known = f"failed.{code}"
    return say(language, known if known in en.WORDS else "failed.other", code=code)
