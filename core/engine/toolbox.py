"""The tools of a model call: the built-in ones and those of the servers, as one list with a digest.

Knows: what is sent to the model, and which tool a name of it means. A conversation keeps the list that it began with,
because signed thinking is bound to it; a list that lacks a whole server is renewed with the next question.
Must not know: how a call is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.domain.rules.recall import SYSTEM
from core.domain.tasking import ADD_STEPS
from core.domain.tooling import Auth, ToolKind, ToolList, Wanted
from core.engine.builtin import Builtin
from core.engine.tool_ports import CONNECT, Tool, Tools

DESCRIPTION_CHARS = 160  # of a tool, where a plan is made: it is chosen there and not used
_SEPARATOR = "__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The tools of one model call: the list as sent, what its names mean now, and whether it is a new pin."""

    list: ToolList
    prefix: str
    known: Mapping[str, Tool]
    new: bool
    for_steps: tuple[Tool, ...] = ()  # offered to the steps of tasks only

    def only(self, allowed: Callable[[str], bool]) -> Shown:
        """Those of the tools that are allowed, for a call that is no part of the conversation: nothing is pinned."""
        listed = [*json.loads(self.list.tools or "[]"), *(_plain(each) for each in self.for_steps)]
        kept = [each for each in listed if allowed(str(each["name"]))]
        text = json.dumps(kept, ensure_ascii=False, separators=(",", ":")) if kept else ""
        chosen = ToolList(digest=_digest(text), tools=text)
        known = {name: tool for name, tool in self.known.items() if allowed(name)}
        return Shown(list=chosen, prefix=prefix_of(chosen), known=known, new=False)

    @property
    def careful(self) -> tuple[str, ...]:
        """The names of the tools that a person is asked for before they run."""
        return tuple(name for name, tool in self.known.items() if tool.kind.asks)

    def told(self) -> str:
        """The tools in words, a line each."""
        return "\n".join(f"- {each['name']}: {_line(each)}" for each in json.loads(self.list.tools or "[]"))

    def wanted(self, blocks: str) -> tuple[Wanted, ...]:
        """The calls that a reply asks for."""
        found = [each for each in json.loads(blocks or "[]") if each.get("type") == "tool_use"]
        return tuple(self._wanted(each) for each in found)

    def _wanted(self, block: Mapping[str, object]) -> Wanted:
        name = str(block.get("name", ""))
        tool = self.known.get(name)
        return Wanted(
            use_id=str(block.get("id", "")),
            name=name,
            server="" if tool is None else tool.server,
            tool=name if tool is None else tool.tool,
            input=json.dumps(block.get("input", {}), ensure_ascii=False),
            kind=None if tool is None else tool.kind,
        )


class Toolbox:
    """Everything that can be offered to the model."""

    def __init__(self, builtins: Sequence[Builtin], tools: Tools | None) -> None:
        self._builtins = {each.tool.tool: each for each in builtins}
        self._doors_made: dict[str, Tool] = {}
        self._last: tuple[tuple[Tool, ...], ToolList] | None = None
        self.tools = tools

    async def shown(self, pinned: ToolList | None, *, mid_turn: bool) -> Shown:
        """The list for a call of a session that has `pinned`; `mid_turn`: rounds of its turn were made with that."""
        offered = await self.offered()
        for_steps = tuple(each for each in offered if not each.server and each.tool == ADD_STEPS)
        current = self._listed(tuple(each for each in offered if each not in for_steps))
        keep = pinned is not None and (mid_turn or not _lacks(pinned, current))
        chosen = pinned if keep and pinned is not None else current
        return Shown(
            list=chosen,
            prefix=prefix_of(chosen),
            known={each.name: each for each in offered},
            new=pinned is None or chosen.digest != pinned.digest,
            for_steps=for_steps,
        )

    def _listed(self, offered: tuple[Tool, ...]) -> ToolList:
        """The list as it is sent; made anew only when a tool of it is another one, for it can be long."""
        known, made = self._last or ((), None)
        same = len(known) == len(offered) and all(old is new for old, new in zip(known, offered, strict=True))
        if made is None or not same:
            made = _listed(offered)
            self._last = (offered, made)
        return made

    async def offered(self) -> tuple[Tool, ...]:
        """All tools as they are known now."""
        theirs = await self.tools.offered() if self.tools is not None else ()
        return (*(each.tool for each in self._builtins.values()), *theirs, *self._doors(theirs))

    async def find(self, server: str, tool: str) -> Tool | None:
        """The tool as it is now; None when it is not there, or not allowed."""
        for each in await self.offered():
            if (each.server, each.tool) == (server, tool):
                return each
        return None

    def builtin(self, tool: str) -> Builtin:
        """Raises `KeyError`."""
        return self._builtins[tool]

    def auth(self, server: str) -> Auth:
        """How the server knows who calls."""
        return self.tools.servers.get(server, Auth.NONE) if self.tools is not None else Auth.NONE

    def _doors(self, theirs: Sequence[Tool]) -> tuple[Tool, ...]:
        """A way in at servers whose tools nobody has seen yet, because nobody has signed in there."""
        servers = self.tools.servers if self.tools is not None else {}
        seen = {each.server for each in theirs}
        return tuple(
            self._doors_made.setdefault(name, _door(name))
            for name, auth in servers.items()
            if auth is Auth.OAUTH and name not in seen
        )


def _door(server: str) -> Tool:
    return Tool(
        name=f"{server}{_SEPARATOR}{CONNECT}",
        server=server,
        tool=CONNECT,
        kind=ToolKind.READ,
        description=f"Sign the person in at {server}. Use it when they ask for something there.",
        schema={"type": "object", "properties": {}},
    )


def prefix_of(tools: ToolList) -> str:
    """What signed thinking is bound to, besides the messages: system prompt and tools."""
    return hashlib.sha256(f"{SYSTEM}\n{tools.tools}".encode()).hexdigest()[:16]


def _listed(tools: Sequence[Tool]) -> ToolList:
    text = json.dumps([_plain(each) for each in tools], ensure_ascii=False, separators=(",", ":"))
    return ToolList(digest=_digest(text), tools=text)


def _plain(tool: Tool) -> dict[str, object]:
    """A tool as the Messages API takes it."""
    return {"name": tool.name, "description": tool.description, "input_schema": tool.schema}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _line(tool: Mapping[str, object]) -> str:
    return " ".join(str(tool.get("description", "")).split())[:DESCRIPTION_CHARS]


def _names(tools: ToolList) -> frozenset[str]:
    return frozenset(str(each["name"]) for each in json.loads(tools.tools))


def _servers(names: frozenset[str]) -> frozenset[str]:
    return frozenset(each.partition(_SEPARATOR)[0] for each in names if _SEPARATOR in each)


def _lacks(pinned: ToolList, current: ToolList) -> bool:
    """Whether a whole server is missing in `pinned`, or it still offers a way in at one that is open by now."""
    if pinned.digest == current.digest:
        return False
    before, now = _names(pinned), _names(current)
    doors = {each for each in before if each.endswith(f"{_SEPARATOR}{CONNECT}")}
    return bool(_servers(now) - _servers(before) or doors - now)
