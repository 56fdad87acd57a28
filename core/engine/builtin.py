"""Tools that need no server: date and time, search in one's own earlier conversations, and what begins a task.

Knows: what each is called, what it takes, what it gives. What begins a task or adds to one is decided by the rules
(`core.domain.rules.beginning`), with the commit of its result. Must not know: SQL, MCP.
A built-in tool raises nothing: what it cannot do is its result.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.domain.decision import Found
from core.domain.errors import OutsideError
from core.domain.keys import Audience, Place
from core.domain.rules import finding
from core.domain.rules.planning import SCHEMA
from core.domain.rules.tool_texts import content
from core.domain.tasking import ADD_STEPS, START_TASK
from core.domain.tooling import ToolKind
from core.engine.ports import Clock, Platform
from core.engine.tool_ports import Asked, Tool, ToolAnswer, ToolReads

SEARCH_MAX = 20  # conversations that are looked at for who may read them
AUDIENCE_S = 5.0  # a platform that does not say in time who can read a place lets nothing be shown
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Builtin:
    """A tool and what it does."""

    tool: Tool
    run: Callable[[Asked, Mapping[str, object]], Awaitable[ToolAnswer]]


def now(clock: Clock) -> Builtin:
    """The date and time."""

    async def run(_asked: Asked, arguments: Mapping[str, object]) -> ToolAnswer:
        name = str(arguments.get("timezone") or "UTC")
        try:
            zone = UTC if name.upper() == "UTC" else ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ToolAnswer(content=content(f"There is no time zone {name[:60]!r}."), is_error=True)
        at = datetime.fromtimestamp(clock.now_ms() / 1000, tz=zone)
        text = f"{_WEEKDAYS[at.weekday()]}, {at:%Y-%m-%d %H:%M:%S} ({name}, UTC{at:%z})"
        return ToolAnswer(content=content(text))

    tool = Tool(
        name="now",
        server="",
        tool="now",
        kind=ToolKind.READ,
        description="The present date and time. Without a time zone it is UTC; the person's own zone is not known "
        "unless they have said it.",
        schema={
            "type": "object",
            "properties": {"timezone": {"type": "string", "description": "IANA name, for example Europe/Berlin"}},
        },
    )
    return Builtin(tool=tool, run=run)


def search(store: ToolReads, platforms: Mapping[str, Platform]) -> Builtin:
    """Search in the asking person's own earlier conversations."""

    async def run(asked: Asked, arguments: Mapping[str, object]) -> ToolAnswer:
        query = str(arguments.get("query") or "").strip()
        if not query or asked.asker is None:
            return ToolAnswer(content=content("A search needs words to look for."), is_error=True)
        found = await store.search(asked.asker.identity, query, here=asked.session.id, limit=SEARCH_MAX)
        readers = Readers(platforms)
        reads = await readers.widest(asked.turn.place, asked.session.audience)
        shown, hidden = [], 0
        for each in await asyncio.gather(*(readers.as_it_is(one) for one in found)):
            if each.session_id == asked.session.id or finding.may_show(each, asked.turn.place, reads):
                shown.append(each)
            else:
                hidden += 1
        return ToolAnswer(content=content(finding.told(shown, hidden, query)), hidden=hidden)

    tool = Tool(
        name="search_my_conversations",
        server="",
        tool="search_my_conversations",
        kind=ToolKind.READ,
        description="Search in earlier conversations of the person who is asking, with you, in other threads. "
        "Use it when they refer to something that is not in this conversation. What it finds is quoted material.",
        schema={
            "type": "object",
            "properties": {"query": {"type": "string", "description": "The words to look for"}},
            "required": ["query"],
        },
    )
    return Builtin(tool=tool, run=run)


def start_task() -> Builtin:
    """Begin a long task, as `/task` does."""
    tool = Tool(
        name=START_TASK,
        server="",
        tool=START_TASK,
        kind=ToolKind.READ,
        description="Begin a long task that is planned, worked on step by step in the background, and answered in a "
        "message of its own. Use it only when the person asks for something that takes many steps, not for a question "
        "that you can answer now.",
        schema={
            "type": "object",
            "properties": {"goal": {"type": "string", "description": "What is to be done, complete in itself"}},
            "required": ["goal"],
        },
    )
    return Builtin(tool=tool, run=_decided_by_rules)


def add_steps() -> Builtin:
    """Add steps to the task that is being worked on."""
    tool = Tool(
        name=ADD_STEPS,
        server="",
        tool=ADD_STEPS,
        kind=ToolKind.READ,
        description="Add steps at the end of the plan of this task, when it turns out to need more than was planned.",
        schema={**json.loads(SCHEMA)},
    )
    return Builtin(tool=tool, run=_decided_by_rules)


async def _decided_by_rules(_asked: Asked, _arguments: Mapping[str, object]) -> ToolAnswer:
    return ToolAnswer(content=content("Taken."))


class Readers:
    """Who can read a place, now; what a platform does not tell is taken for the worse."""

    def __init__(self, platforms: Mapping[str, Platform]) -> None:
        self._platforms = platforms

    async def widest(self, place: Place, known: Audience) -> Audience:
        """The wider of what is known and what is true now: for the place where words would be shown."""
        now = await self._ask(place)
        if now is None:
            return Audience.SHARED
        return now if now.wider_than(known) else known

    async def as_it_is(self, found: Found) -> Found:
        """The conversation with the narrower of both: a channel may have become private since."""
        now = await self._ask(found.home.place)
        if now is None:
            return replace(found, audience=Audience.DM)
        return replace(found, audience=now) if found.audience.wider_than(now) else found

    async def _ask(self, place: Place) -> Audience | None:
        platform = self._platforms.get(place.platform)
        if platform is None:
            return None
        try:
            async with asyncio.timeout(AUDIENCE_S):
                return await platform.audience(place)
        except (OutsideError, TimeoutError):
            return None
