"""What a conversation is called: its first words. Must not know: who shows it."""

from __future__ import annotations

TITLE_MAX_CHARS = 80
GREETING_CHARS = 12  # a title so short says "hi", not what it is about


def title_of(text: str) -> str:
    """The title of a conversation that begins with these words."""
    return " ".join(text.split())[:TITLE_MAX_CHARS]


def retitled(title: str, text: str) -> str:
    """The title once this was said, too: the first words, or after a mere greeting the first that say more."""
    new = title_of(text)
    return new if not title or len(title) < GREETING_CHARS <= len(new) else title
