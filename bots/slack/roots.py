"""A thread for a conversation that is to go on where there is none: in a channel's composer, from the Home.

Knows: a conversation lives in a thread, a thread needs a root message, and Slack names it only when it stands. So the
root is posted before the engine is asked, and taken away again if nothing came of it.
Must not know: who may bring a conversation where.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from bots.slack import ids, render
from bots.slack.adapter import SlackPlatform
from bots.slack.heard import Arrived
from bots.slack.ids import Ref
from bots.slack.words import own
from core.domain.decision import Choices, Decision, Form, Private
from core.domain.entities import Binding
from core.domain.errors import OutsideError
from core.domain.keys import Place
from core.domain.leaving import MoveClaim

ROOT_S = 1.5  # of the three seconds that Slack waits

log = structlog.get_logger("rejoinder.slack")


class Roots:
    """Opens threads."""

    def __init__(self, platform: SlackPlatform, language: str) -> None:
        self._platform = platform
        self._language = language

    async def give(self, heard: Arrived) -> tuple[Arrived, Ref | None]:
        """The event in a thread of its own, and the thread's root; as it is when it has one or none can be had."""
        place = heard.event.place
        if not heard.moves or place.thread:
            return heard, None
        try:
            root = await asyncio.wait_for(self._open(heard), ROOT_S)
        except (OutsideError, TimeoutError) as error:
            log.warning("no thread could be opened", code=getattr(error, "code", "timeout"))
            return heard, None
        there = ids.place(place.workspace, root.channel, root.ts)
        desk = replace(heard.desk, channel=root.channel, thread=root.ts)
        return replace(heard, event=replace(heard.event, place=there), desk=desk), root

    async def _open(self, heard: Arrived) -> Ref:
        place, user = heard.event.place, heard.desk.user
        channel = place.channel
        if channel == user or not heard.desk.channel:  # from the Home: there is no channel
            channel = await self._platform.directory.direct(user)
        text = own(self._language, "root")
        key = f"root:{heard.event.source_keys[-1]}"
        at = ids.place(place.workspace, channel)
        return await self._platform.posts.post(at, key, text, render.answer(text, ()))

    async def settle(self, root: Ref | None, decision: Decision) -> None:
        """Take the root away again when no conversation goes on there, or may."""
        if root is None or _needed(root, decision):
            return
        try:
            await self._platform.posts.delete(root)
        except OutsideError as error:
            log.info("a root was not taken away", code=error.code)


def _needed(root: Ref, decision: Decision) -> bool:
    reply = decision.reply
    if isinstance(reply, Form | Choices) or (isinstance(reply, Private) and reply.buttons):
        return True  # a question: the answer may bring it here
    return any(_bound_to(each) == (root.channel, root.ts) for each in decision.changes)


def _bound_to(row: object) -> tuple[str, str] | None:
    place: Place | None = None
    if isinstance(row, Binding) and row.session_id:
        place = row.key.place
    elif isinstance(row, MoveClaim):
        place = row.dest.place
    return None if place is None else (place.channel, place.thread)
