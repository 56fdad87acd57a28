"""What a conversation is called, and who is told when that changes."""

from __future__ import annotations

import pytest

from core.domain.rules.titles import GREETING_CHARS, TITLE_MAX_CHARS, retitled


@pytest.mark.parametrize(
    ("title", "text", "now"),
    [
        ("", "hi", "hi"),
        ("hi", "How do I prune\n a heron?", "How do I prune a heron?"),
        ("hi", "yes", "hi"),
        ("hi", "", "hi"),
        ("x" * GREETING_CHARS, "How do I prune a heron?", "x" * GREETING_CHARS),
        ("", "y" * 200, "y" * TITLE_MAX_CHARS),
    ],
)
def test_a_greeting_gives_way_to_the_first_words_that_say_more(title: str, text: str, now: str) -> None:
    """A list of conversations that are all called "hi", or one whose name changes again and again."""
    assert retitled(title, text) == now
