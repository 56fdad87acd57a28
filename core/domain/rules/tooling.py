"""The tool loop of a turn (being built)."""

from __future__ import annotations

from collections.abc import Sequence

from core.domain.decision import Decision, View
from core.domain.events import SignInNeeded, ToolReturned
from core.domain.rules.making import Making
from core.domain.stamp import Stamp
from core.domain.tooling import ToolCall


def on_returned(view: View, event: ToolReturned, stamp: Stamp) -> Decision:
    raise NotImplementedError


def on_sign_in_needed(view: View, event: SignInNeeded, stamp: Stamp) -> Decision:
    raise NotImplementedError


def go_on(making: Making, calls: Sequence[ToolCall]) -> None:
    raise NotImplementedError


def leave(making: Making, calls: Sequence[ToolCall]) -> None:
    raise NotImplementedError
