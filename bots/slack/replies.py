"""Immediate answers to one person: in the acknowledgement, in a modal, in the Home, or in a direct message.

Knows: an ephemeral message vanishes in agent threads, and every thread that we answer in is one; so a private answer
goes where the person surely sees it. A trigger opens a modal for three seconds. A sentence that only repeats what a
changed message already says is not shown: nobody wants to close a window that says "Stopping." A resume code is put
into a sentence here, while it is sent, and nowhere else.
Must not know: what was decided and why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

import structlog

from bots.slack import files, ids, limits, render
from bots.slack.adapter import SlackPlatform
from bots.slack.heard import Desk
from bots.slack.interactions import ORIGIN, Origin
from bots.slack.render import View
from bots.slack.words import own, spelled
from core.codec import Json
from core.domain.decision import Choices, Decision, Form, Nothing, Private
from core.domain.entities import Card, Turn
from core.domain.errors import OutsideError, Refused
from core.engine.handover import Exporter

Ack = dict[str, Json]
_DONE_S = 2.0  # what running answers may take when the process ends

log = structlog.get_logger("rejoinder.slack")


class Replies:
    """Shows what a decision says to whoever acted. `give` returns what belongs into the acknowledgement."""

    def __init__(self, platform: SlackPlatform, language: str, export: Exporter | None = None) -> None:
        self._platform = platform
        self._language = language
        self._export = export
        self._running: set[asyncio.Task[None]] = set()

    def give(self, decision: Decision, desk: Desk) -> Ack | None:
        """Show the decision's reply."""
        match decision.reply:
            case Nothing():
                return None
            case Private() as given:
                return self._private(replace(given, text=self._told(given.text)), desk, decision)
            case Form() as given:
                return self._form(given, desk)
            case Choices() as given:
                return self._choices(replace(given, text=self._told(given.text)), desk)

    def _told(self, text: str) -> str:
        return spelled(self._platform.reveal(text))

    def tell(self, text: str, desk: Desk) -> Ack | None:
        """Show a sentence that no decision has made."""
        return self._private(Private(text=text), desk, Decision())

    # --------------------------------------------------------------------------------------- kinds

    def _private(self, given: Private, desk: Desk, decision: Decision) -> Ack | None:
        if given.export:
            self.run(self._hand_over(given, desk))
        elif _says_itself(given, desk, decision):
            return None
        view = render.notice(own(self._language, "title"), given.text, given.buttons, _origin(desk))
        if desk.submitted:
            return {"response_action": "update", "view": view}
        if desk.slash and not ids.is_direct(desk.channel):
            blocks = [*render.sections(given.text), *render.rows(given.buttons, in_message=False)]
            return {"response_type": "ephemeral", "text": render.fallback(given.text), "blocks": blocks}
        if desk.trigger:
            self.run(self._open(view, desk, lambda: self._write(given, desk)))
        else:
            self.run(self._write(given, desk))
        return None

    def _form(self, given: Form, desk: Desk) -> Ack | None:
        view = render.form(given, _origin(desk), own(self._language, "close"))
        if desk.submitted:
            return {"response_action": "push", "view": view}
        typed = own(self._language, "form", title=given.title, id=given.submit.id)
        if desk.trigger:
            self.run(self._open(view, desk, lambda: self._write(Private(text=typed), desk)))
        else:
            self.run(self._write(Private(text=typed), desk))
        return None

    def _choices(self, given: Choices, desk: Desk) -> Ack | None:
        title, choose, go = (own(self._language, name) for name in ("title", "choose", "go"))
        view = render.choices(given, choose, go, _origin(desk))
        view["title"] = {"type": "plain_text", "text": title}
        if desk.submitted:
            return {"response_action": "push", "view": view}
        if desk.trigger:
            self.run(self._open(view, desk, lambda: self._list(given, desk)))
        else:
            self.run(self._list(given, desk))
        return None

    # ---------------------------------------------------------------------------------------- ways

    async def _open(self, view: View, desk: Desk, otherwise: Callable[[], Coroutine[None, None, None]]) -> None:
        """A modal: in place of the one that was clicked in, else a new one; a message when there can be none."""
        sender = self._platform.sender
        form = "submit" in view
        try:
            if desk.view not in ("", "home") and not form:
                await sender.call("views.update", view_id=desk.view, view=view)
            elif desk.view not in ("", "home"):
                await sender.call("views.push", trigger_id=desk.trigger, view=view)
            else:
                await sender.call("views.open", trigger_id=desk.trigger, view=view)
        except OutsideError as error:
            log.info("a modal was not shown", code=error.code)
            await otherwise()

    async def _write(self, given: Private, desk: Desk) -> None:
        """A message that only this person can read."""
        await self._post(desk, given.text, render.answer(given.text, given.buttons))

    async def _list(self, given: Choices, desk: Desk) -> None:
        """A list in a message; choosing is pressing."""
        meant = f"{ORIGIN}{_origin(desk)}"  # where it was asked for, not where only this person reads
        chosen: Json = {"type": "actions", "block_id": meant, "elements": [render.select(given.options)]}
        await self._post(desk, given.text, [*render.answer(given.text, ()), chosen])

    async def _post(self, desk: Desk, text: str, blocks: render.Blocks) -> None:
        channel, thread = await self._private_place(desk)
        if channel:
            await self._platform.sender.attempt(
                "chat.postMessage",
                channel=channel,
                thread_ts=thread,
                text=render.fallback(text),
                blocks=blocks,
                unfurl_links=False,
                unfurl_media=False,
            )

    async def _private_place(self, desk: Desk) -> tuple[str, str]:
        """Where only this person reads: the thread itself when it is in their direct conversation, else there."""
        if ids.is_direct(desk.channel):
            return desk.channel, desk.thread
        try:
            return await self._platform.directory.direct(desk.user), ""
        except Refused as error:
            log.info("no direct conversation could be opened", code=error.code)
            return desk.user, ""  # chat.postMessage takes a person, too
        except OutsideError as error:
            log.info("somebody cannot be told privately", code=error.code)
            return "", ""

    async def _hand_over(self, given: Private, desk: Desk) -> None:
        """The person's own files, in the direct conversation."""
        if self._export is None:
            return
        channel, thread = await self._private_place(desk)
        if not channel:
            return
        try:
            for each in await self._export(given.export):
                await files.hand_over(self._platform.sender, channel, thread, each.name, each.body)
        except OutsideError as error:
            log.warning("an export was not handed over", code=error.code)

    # --------------------------------------------------------------------------------- in the background

    def run(self, doing: Coroutine[None, None, None]) -> None:
        """Do it after the acknowledgement; what goes wrong is logged, nobody waits for it."""
        task = asyncio.create_task(_noted(doing), name="slack reply")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    @property
    def busy(self) -> int:
        """How many answers are on their way."""
        return len(self._running)

    async def close(self) -> None:
        """Let what is on its way arrive, for a moment."""
        if self._running:
            _, late = await asyncio.wait(tuple(self._running), timeout=_DONE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _noted(doing: Coroutine[None, None, None]) -> None:
    try:
        await doing
    except Exception:  # a listener's last line of defence: seen in the log
        log.exception("a private answer failed")


def _origin(desk: Desk) -> Origin:
    return Origin(channel=desk.channel, thread=desk.thread)


def _says_itself(given: Private, desk: Desk, decision: Decision) -> bool:
    """Whether it has changed a message that stands before the person's eyes, so that the sentence adds nothing."""
    there = not (desk.slash or desk.submitted or desk.view)
    short = len(given.text) <= limits.LABEL_MAX_CHARS and not given.buttons
    return there and short and any(isinstance(each, Card | Turn) for each in decision.changes)
