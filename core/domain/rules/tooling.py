"""The tool loop of a turn (being built)."""

from __future__ import annotations

from core.domain.decision import Decision, View
from core.domain.events import SignInNeeded, ToolReturned
from core.domain.stamp import Stamp


def on_returned(view: View, event: ToolReturned, stamp: Stamp) -> Decision:
    raise NotImplementedError


def on_sign_in_needed(view: View, event: SignInNeeded, stamp: Stamp) -> Decision:
    raise NotImplementedError
