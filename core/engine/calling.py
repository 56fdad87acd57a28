"""The performer of CallTool: one call, made with the right of whoever asked, which is looked at again here.

Knows: what is checked before a call and what follows from a 401. Between the model's wish and the call there may be
hours, a restart and a changed server, so nothing of the right to call is taken from before.
Must not know: MCP, OAuth, what becomes of the turn.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from core.domain.decision import Policy
from core.domain.effects import CallTool
from core.domain.entities import EffectRow
from core.domain.errors import Refused
from core.domain.events import ApprovalMissing, Outcome, SignInNeeded, ToolReturned
from core.domain.rules.allowed import serves
from core.domain.rules.tool_texts import content, instead
from core.domain.tooling import Auth, CallState, ToolKind
from core.engine.points import Point
from core.engine.tool_ports import CONNECT, Asked, Bearer, Tool, ToolAnswer, ToolReads, Unauthorized, Vault
from core.engine.toolbox import Toolbox

_STRICTNESS = tuple(ToolKind)


class Calling:
    """Makes tool calls. Raises what a server's call raises. `slow(turn)` waits, then shows that a tool is used."""

    def __init__(
        self,
        store: ToolReads,
        toolbox: Toolbox,
        vault: Vault | None,
        policy: Policy,
        *,
        slow: Callable[[str], Awaitable[None]],
        point: Point,
    ) -> None:
        self._store = store
        self._slow = slow
        self._policy = policy
        self._toolbox = toolbox
        self._vault = vault
        self._point = point

    async def perform(self, row: EffectRow, effect: CallTool) -> Outcome:
        """Judge the call once more, then make it."""
        del row
        asked = await self._store.asked(effect.call_id)
        tool = await self._toolbox.find(asked.call.server, asked.call.tool)
        refused = self._refused(asked, tool)
        if tool is None or refused:
            return _failed(asked, refused or "tool_not_allowed")
        kind = max(asked.call.kind, tool.kind, key=_STRICTNESS.index)
        if kind.asks and not (asked.call.approved or asked.permitted):
            return ApprovalMissing(turn_id=asked.turn.id, call_id=asked.call.id, kind=kind)
        arguments = _arguments(asked.call.input)
        if arguments is None:
            return _failed(asked, "tool_bad_input")
        telling = asyncio.ensure_future(self._slow(asked.turn.id))
        try:
            self._point("tool.before_call")
            answer = await self._made(asked, tool, arguments)
            self._point("tool.after_call")
        finally:
            telling.cancel()
        if answer is None:
            return SignInNeeded(turn_id=asked.turn.id, call_id=asked.call.id, server=tool.server)
        return ToolReturned(
            turn_id=asked.turn.id,
            call_id=asked.call.id,
            content=answer.content,
            is_error=answer.is_error,
            hidden=answer.hidden,
        )

    async def _made(self, asked: Asked, tool: Tool, arguments: Mapping[str, object]) -> ToolAnswer | None:
        """What the call gave; None when its person has to sign in first."""
        if not tool.server:
            return await self._toolbox.builtin(tool.tool).run(asked, arguments)
        auth = self._toolbox.auth(tool.server)
        if auth in (Auth.NONE, Auth.TOKEN):
            return await self._call(tool, arguments, None)
        return await self._with_login(asked, tool, arguments, auth)

    async def _with_login(
        self, asked: Asked, tool: Tool, arguments: Mapping[str, object], auth: Auth
    ) -> ToolAnswer | None:
        if self._vault is None:
            raise Refused(code="tool_denied", detail=f"{tool.server} needs a login, and there is no vault")
        owner = asked.asker.identity if auth is Auth.OAUTH and asked.asker is not None else ""
        answer = await self._as_owner(owner, tool, arguments, self._vault)
        if answer is None and not owner:
            # Nobody can be asked to sign in for the program itself: whoever runs it has to see to its settings.
            raise Refused(code="tool_denied", detail=f"{tool.server} does not accept this program's own login")
        return answer

    async def _as_owner(
        self, owner: str, tool: Tool, arguments: Mapping[str, object], vault: Vault
    ) -> ToolAnswer | None:
        """The call with a bearer of the owner's, renewed once; None when there is none that is accepted."""
        bearer = await vault.bearer(owner, tool.server)
        if bearer is None:
            return None
        try:
            return await self._call(tool, arguments, bearer)
        except Unauthorized:
            renewed = await vault.renew(bearer)
        with suppress(Unauthorized):
            return None if renewed is None else await self._call(tool, arguments, renewed)
        return None

    async def _call(self, tool: Tool, arguments: Mapping[str, object], bearer: Bearer | None) -> ToolAnswer:
        tools = self._toolbox.tools
        if tools is None:
            raise Refused(code="tool_not_allowed", detail=tool.server)
        if tool.tool == CONNECT and tool.name.endswith(f"__{CONNECT}") and not await self._listed(tool):
            seen = await tools.look(tool.server, bearer)
            names = ", ".join(each.name for each in seen)
            return ToolAnswer(content=content(f"Signed in at {tool.server}. Its tools: {names or 'none'}."))
        return await tools.call(tool.server, tool.tool, arguments, bearer)

    def _refused(self, asked: Asked, tool: Tool | None) -> str:
        """Why the call is not made; "" when it may be."""
        if asked.call.state is not CallState.PENDING:
            return "stopped"  # it was stopped in the moment in which it began
        if asked.asker is None:
            return "asker_gone"
        if not serves(self._policy, asked.turn.place, asked.session.audience, asked.call.asker):
            return "asker_not_served"
        return "tool_not_allowed" if tool is None else ""

    async def _listed(self, tool: Tool) -> bool:
        """Whether the server itself has a tool of this name."""
        tools = self._toolbox.tools
        known = await tools.offered() if tools is not None else ()
        return any((each.server, each.tool) == (tool.server, tool.tool) for each in known)


def _arguments(text: str) -> Mapping[str, object] | None:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _failed(asked: Asked, code: str) -> ToolReturned:
    return ToolReturned(
        turn_id=asked.turn.id, call_id=asked.call.id, content=instead(code), is_error=True, failure=code
    )
