"""From a payload to a committed event, and only then to the acknowledgement.

Knows: the order look up -> parse -> commit -> answer. `take` returns what belongs into the acknowledgement; when it
raises, the payload must not be acknowledged, so that Slack brings it again. What cannot be understood is acknowledged.
Must not know: Bolt, sockets, HTTP.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from bots.slack import ids, interactions, render, typed, wire
from bots.slack.adapter import SlackPlatform
from bots.slack.directory import Hint
from bots.slack.heard import (
    Arrived,
    Deleted,
    Edited,
    HomeOpened,
    Ignored,
    Revoked,
    StopPressed,
)
from bots.slack.ids import Me, Ref
from bots.slack.interactions import Origin
from bots.slack.lanes import Lanes
from bots.slack.payload import Payload, at, text_at
from bots.slack.replies import Ack, Replies
from bots.slack.roots import Roots
from bots.slack.words import own, spelled
from bots.slack.words_in import mentioned
from bots.slack.writing import Reader
from core.domain.decision import Decision, Private
from core.domain.entities import Session
from core.domain.errors import Closing, StoreError
from core.domain.events import Author, ButtonPressed, CommandIssued, Event, MessageChanged, MessageReceived
from core.domain.keys import Audience, ButtonId
from core.domain.rules.titles import title_of
from core.domain.words import say
from core.engine.ports import Intake

_CHANGES_KEPT = 2_000
_NAMES_MAX = 12  # people asked for by one payload

log = structlog.get_logger("rejoinder.slack")


class Receiver:
    """Takes payloads."""

    def __init__(self, platform: SlackPlatform, intake: Intake, replies: Replies, language: str) -> None:
        self._platform = platform
        self._intake = intake
        self._replies = replies
        self._roots = Roots(platform, language)
        self._lanes = Lanes()
        self._changes: OrderedDict[str, float] = OrderedDict()  # when messages were changed last, as far as we heard
        self._language = language
        platform.stopped = self._stream_stopped

    async def take(self, body: Payload) -> Ack | None:
        """Commit what a payload says. Raises when it must come again: `StoreError`, `Closing`."""
        me = await self._platform.identity.get()
        hint = _hint(body)
        async with self._lanes.enter(hint.channel or text_at(body, "user", "id")):
            directory = self._platform.directory
            await directory.know(_people(body, me))
            audience = await directory.audience(hint) if hint.channel else Audience.DM
            heard = wire.parse(body, me, directory.names, audience)
            match heard:
                case Arrived():
                    return await self._arrived(heard)
                case HomeOpened():
                    await self._home(heard, me)
                case StopPressed():
                    await self._stop(heard)
                case Edited() | Deleted():
                    await self._changed(heard)
                case Revoked():
                    log.error("the workspace has thrown us out; everything is kept", code=heard.reason)
                    self._platform.sender.dead = heard.reason
                case Ignored():
                    log.debug("nothing for us", why=heard.why)
        return None

    async def arrived(self, heard: Arrived) -> None:
        """Commit what was said while we were away. Raises `StoreError`, `Closing`."""
        async with self._lanes.enter(heard.event.place.channel):
            await self._arrived(heard)

    # ---------------------------------------------------------------------------------- what it says

    async def _arrived(self, heard: Arrived) -> Ack | None:
        self._note(heard)
        heard, root = await self._roots.give(heard)
        event, desk = self._known(heard).event, heard.desk
        try:
            accepted = await self._intake.accept(event)
        except (StoreError, Closing) as error:
            if not desk.trigger:
                raise  # Slack brings messages again, but neither clicks nor commands
            log.warning("a click or command was not taken", code=error.code)
            self._replies.run(self._roots.settle(root, Decision()))
            return self._replies.tell(self._refusal(error), desk)
        if root is not None:
            self._replies.run(self._roots.settle(root, accepted.decision))
        if accepted.duplicate:
            return None
        if isinstance(event, MessageReceived) and event.root:
            self._platform.sessions.begun(event.place, title_of(event.text))
        self._name_threads(accepted.decision)
        return self._replies.give(self._helping(event, accepted.decision), desk)

    async def changed(self, heard: Edited | Deleted) -> None:
        """The same for what was changed while we were away. Raises `StoreError`, `Closing`."""
        async with self._lanes.enter(heard.place.channel):
            await self._changed(heard)

    async def _changed(self, heard: Edited | Deleted) -> None:
        """A message reads otherwise now; perhaps what it gave its name to does, too. What is older comes too late."""
        at_s = float(heard.at) if isinstance(heard, Edited) else math.inf
        if at_s < self._changes.get(heard.ref, 0.0):
            return
        text = heard.text if isinstance(heard, Edited) else ""
        accepted = await self._intake.accept(MessageChanged(place=heard.place, ref=heard.ref, text=text))
        self._changes[heard.ref] = at_s
        if len(self._changes) > _CHANGES_KEPT:
            self._changes.popitem(last=False)
        self._name_threads(accepted.decision)

    def _name_threads(self, decision: Decision) -> None:
        """Slack shows a thread under the title of its conversation."""
        for each in decision.changes:
            if isinstance(each, Session) and each.id in decision.titled and each.home.platform == ids.PLATFORM:
                self._replies.run(self._platform.sessions.titled(each.home.place, each.home.user, each.title))

    def _helping(self, event: Event, decision: Decision) -> Decision:
        """Help says how commands are typed in threads, too."""
        reply = decision.reply
        if not (isinstance(event, CommandIssued) and event.name == typed.HELP and isinstance(reply, Private)):
            return decision
        return replace(decision, reply=replace(reply, text=f"{reply.text}\n\n{own(self._language, 'help')}"))

    def _known(self, heard: Arrived) -> Arrived:
        """The event with what is known now of who acts."""
        return replace(heard, event=replace(heard.event, author=self._profile(heard.event.author)))

    def _profile(self, author: Author) -> Author:
        directory, user = self._platform.directory, author.key.user
        return replace(author, guest=user in directory.guests, locale=directory.locale(user))

    def _refusal(self, error: StoreError | Closing) -> str:
        code = "refused.closing" if isinstance(error, Closing) else "refused.full"
        return say(self._language, code)

    def _note(self, heard: Arrived) -> None:
        """What memory keeps of who talks where; after a restart the next message brings it back."""
        event, desk = heard.event, heard.desk
        if ids.is_direct(desk.channel):
            self._platform.directory.met(desk.user, desk.channel)
        if isinstance(event, MessageReceived):
            self._platform.lost.talks(event.place, Reader(user=desk.user, team=desk.team))

    async def _home(self, heard: HomeOpened, me: Me) -> None:
        """Show a person their conversations. Nobody waits for it, so nothing here refuses the acknowledgement."""
        self._platform.directory.met(heard.author.key.user, heard.channel)
        event = CommandIssued(
            source_keys=heard.source_keys,
            author=self._profile(heard.author),
            place=ids.place(me.team, heard.channel),
            name="sessions",
            audience=Audience.DM,
            unasked=True,
        )
        try:
            accepted = await self._intake.accept(event)
        except (StoreError, Closing) as error:
            log.warning("a Home was not shown", code=error.code)
            return
        if accepted.duplicate:
            return
        reply, origin = accepted.decision.reply, Origin(channel=heard.channel)
        if isinstance(reply, Private):
            text = spelled(self._platform.reveal(reply.text))
            view = render.home(own(self._language, "home"), text, reply.buttons, origin)
        else:
            view = render.home(own(self._language, "outside"), "", (), origin)
        self._replies.run(self._publish(heard.author.key.user, view))

    async def _publish(self, user: str, view: render.View) -> None:
        await self._platform.sender.attempt("views.publish", user_id=user, view=view)

    async def _stop(self, heard: StopPressed) -> None:
        """Slack's own Stop: of the turn that is being written there, else of whatever runs for this person."""
        place = heard.place
        turn_id = self._platform.answers.turn_at(place.channel, heard.streams, place.thread)
        event: ButtonPressed | CommandIssued
        if turn_id:
            button = ButtonId(verb="stop", subject=turn_id)
            event = ButtonPressed(source_keys=heard.source_keys, author=heard.author, place=place, button=button)
        else:
            event = CommandIssued(source_keys=heard.source_keys, author=heard.author, place=place, name="stop")
        accepted = await self._intake.accept(event)
        log.info("stopped by Slack's own button", duplicate=accepted.duplicate)

    def _stream_stopped(self, turn_id: str, reader: Reader, ref: Ref) -> None:
        """A stream says that it was stopped, perhaps before the event does: the same act, so the same source key."""
        self._replies.run(self._stop_turn(turn_id, reader, ref))

    async def _stop_turn(self, turn_id: str, reader: Reader, ref: Ref) -> None:
        me = await self._platform.identity.get()
        event = ButtonPressed(
            source_keys=(ids.stop_key(ref.channel, ref.ts),),
            author=self._profile(
                Author(
                    key=ids.person(me.team, reader.user),
                    name=self._platform.directory.names.get(reader.user, reader.user),
                )
            ),
            place=ids.place(me.team, ref.channel, ref.thread),
            button=ButtonId(verb="stop", subject=turn_id),
        )
        await self._intake.accept(event)


Take = Callable[[Payload], Awaitable[Ack | None]]


def _people(body: Payload, me: Me) -> list[str]:
    """Whose names a payload needs."""
    event = at(body, "event")
    users = [text_at(event, "user"), text_at(body, "user", "id"), text_at(body, "user_id")]
    users += [*mentioned(text_at(event, "text")), *mentioned(text_at(body, "text"))]
    return [each for each in dict.fromkeys(users) if each and each != me.user][:_NAMES_MAX]


def _hint(body: Payload) -> Hint:
    """Where a payload comes from, as far as it says."""
    event = at(body, "event")
    channel = text_at(event, "channel") or interactions.place_in(body)[0]
    return Hint(
        channel=channel if ids.is_id(channel) else "",
        kind=text_at(event, "channel_type"),
        shared=body.get("is_ext_shared_channel") is True,
    )
