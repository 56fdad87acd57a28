"""Answers that change nothing.

Knows: words by their code, in the language of whoever acts. Must not know: why that is all.
"""

from __future__ import annotations

from core.domain.decision import Decision, Private, View
from core.domain.words import say


def private(view: View, code: str, **values: object) -> Decision:
    """One sentence that only the acting person sees, and nothing else."""
    return Decision(reply=Private(text=say(view.policy.language, code, **values)))
