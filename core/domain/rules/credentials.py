"""Logins at tool servers (being built)."""

from __future__ import annotations

from core.domain.decision import Decision, View
from core.domain.events import SignedIn
from core.domain.stamp import Stamp


def on_signed_in(view: View, event: SignedIn, stamp: Stamp) -> Decision:
    raise NotImplementedError
