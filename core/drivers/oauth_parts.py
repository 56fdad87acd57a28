"""What everything about logins is made of: one value that the vault and the way to sign in share.

Knows: the doors. Must not know: who uses which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.drivers.oauth_wire import Wire
from core.engine.points import Point, nowhere
from core.engine.ports import Clock
from core.engine.vault import CredentialRows, OAuthServer, Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`servers`: the tool servers that want a login, by name."""

    servers: Mapping[str, OAuthServer]
    rows: CredentialRows
    seal: Seal
    clock: Clock
    wire: Wire
    point: Point = nowhere
