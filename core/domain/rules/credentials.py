"""Logins at tool servers (being built)."""

from __future__ import annotations

from core.domain.decision import Decision, View
from core.domain.entities import Turn
from core.domain.events import SignedIn
from core.domain.rules.making import Making
from core.domain.stamp import Stamp
from core.domain.tooling import ToolCall


def ask(making: Making, turn: Turn, call: ToolCall) -> None:
    """Offer the call's person a way to sign in at its server."""
    raise NotImplementedError


def on_signed_in(view: View, event: SignedIn, stamp: Stamp) -> Decision:
    """A login has come to an end; what waited for it goes on."""
    raise NotImplementedError
