"""The engine's doors to tools and to the logins that they need; the docstrings are the contract.

Knows: what tool servers, a vault and the store must do for a tool call. Must not know: MCP, OAuth, SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from core.domain.decision import Found
from core.domain.entities import Person, Session, Turn
from core.domain.errors import Refused
from core.domain.tooling import Auth, ToolCall, ToolKind

CONNECT = "connect"  # stands for the tools of a server that nobody has signed in at yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool as it is offered. `name` is unique among all; `server` "" is built in; `schema` is JSON Schema."""

    name: str
    server: str
    tool: str
    kind: ToolKind
    description: str
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "object"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """What a call gave. `content` is the JSON text of a `tool_result`'s content, already capped."""

    content: str
    is_error: bool = False
    hidden: int = 0  # a search: conversations that match and must not be shown where it was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """What opens a server for one person. `version` grows with every renewal."""

    token: SecretStr
    credential_id: str
    version: int


class Unauthorized(Refused):
    """The server does not accept the bearer (401). Nothing was done."""


class Tools(Protocol):
    """All configured tool servers. A call raises only `Refused`, `NotSent` or `Ambiguous`; codes begin with "tool_"."""

    @property
    def servers(self) -> Mapping[str, Auth]:
        """The configured servers, and how each knows who calls."""
        ...

    async def offered(self) -> tuple[Tool, ...]:
        """The tools of every server whose list is known; waits a little for lists that were never fetched yet."""
        ...

    async def look(self, server: str, bearer: Bearer | None) -> tuple[Tool, ...]:
        """Fetch the list of a server anew, now, as whoever the bearer is. Raises as `call` does."""
        ...

    async def call(self, server: str, tool: str, arguments: Mapping[str, object], bearer: Bearer | None) -> ToolAnswer:
        """Make one call. Raises `Unauthorized` for a bearer that is not accepted.

        Raises `NotSent` when nothing can have happened, `Ambiguous` when it may have. Cancelling it ends the call.
        """
        ...


class Vault(Protocol):
    """The logins of people at tool servers."""

    async def bearer(self, owner: str, server: str) -> Bearer | None:
        """A bearer that is fresh enough; None: the person has to sign in. Raises `NotSent` while it cannot be told."""
        ...

    async def renew(self, bearer: Bearer) -> Bearer | None:
        """After a 401: one forced refresh. None: the person has to sign in. Raises `NotSent`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call with everything that its right to be made is judged by. `asker` None: that person is forgotten."""

    call: ToolCall
    turn: Turn
    session: Session
    asker: Person | None
    permitted: bool  # [Always here] stands now


class ToolReads(Protocol):
    """What tools read of the store."""

    async def asked(self, call_id: str) -> Asked:
        """Raises `KeyError` for an unknown call."""
        ...

    async def search(self, identity: str, query: str, *, here: str, limit: int) -> tuple[Found, ...]:
        """A person's own conversations that hold words of `query`, best first, whoever may read them.

        Of the session `here` only what is not sent to the model any more.
        """
        ...
