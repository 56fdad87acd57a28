"""What people do by commands, buttons, lists, forms and menus: from the payload to the engine's commit and back.

Knows: which act becomes which event, and where it happens. Must not know: how an answer is sent (see `replying`). All
ways of going on with a conversation end in the same event, so none knows more than the others.

Where. In a thread or a direct conversation: there. In a channel that opens threads, going on with a conversation needs
a thread, and a thread needs a message: one of ours is posted first, its id names the place, and it is taken away again
when nothing came of it. In a server that only the person's own installation reaches we cannot write at all: what is
said goes to their direct messages, and the answer here says so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Protocol

import structlog

from bots.discord import commands, ids, render
from bots.discord.directory import Directory
from bots.discord.faults import Denied
from bots.discord.hearing import Hearing
from bots.discord.replying import Replying
from bots.discord.rooms import DM, GROUP, Room
from bots.discord.sender import Sender
from bots.discord.suggests import Suggests
from bots.discord.threads import Threads
from bots.discord.wire_acts import Act, Command, Kind, OnMessage, Press, as_press, asked, issued, pressed_at
from bots.discord.words import say
from core.domain.decision import Form, FormField, Nothing, Private, Reply
from core.domain.entities import Binding, Button, Session
from core.domain.errors import Closing, OutsideError, StoreError, StoreFull
from core.domain.events import Arrival
from core.domain.keys import Audience, ButtonId, PersonKey, Place
from core.domain.leaving import ClaimState, MoveClaim
from core.domain.words import say as say_core
from core.engine.ports import Accepted, Intake

SUGGEST_S = 0.5  # a completion that comes later is not looked at
GOES_ON = ("resume", "bring_back", "continue")  # buttons that bring a conversation to where they are pressed
CODE_BUTTON = ButtonId(verb="code", subject="typed")  # of our own form: it never reaches the core
_CODE_CHARS = 64
_DECLINED = (ClaimState.DENIED, ClaimState.VOID)

log = structlog.get_logger("rejoinder.discord")


class Opens(Protocol):
    """Opens direct messages."""

    async def open_private(self, person: PersonKey) -> Place | None:
        """See `Platform`."""
        ...


class Acting:
    """Takes interactions."""

    def __init__(
        self,
        *,
        directory: Directory,
        threads: Threads,
        sender: Sender,
        replying: Replying,
        hearing: Hearing,
        direct: Opens,
        language: str,
    ) -> None:
        self.intake: Intake | None = None
        self.suggests: Suggests | None = None
        self._directory = directory
        self._threads = threads
        self._sender = sender
        self._replying = replying
        self._hearing = hearing
        self._direct = direct
        self._language = language

    async def act(self, act: Command | OnMessage | Press) -> None:
        """Take an interaction and answer it."""
        self._directory.speaks(act.author.key.user, act.locale)
        if isinstance(act, Command) and act.kind is Kind.COMPLETION:
            await self._replying.complete(act, await self._suggestions(act))
            return
        if not (isinstance(act, Command) and act.name in (commands.ASK, commands.TASK)):
            await self._replying.answer(act, self._decide(act))
            return
        waits = await self._replying.waits(act)
        if waits is not False or await self._begun(act):
            await self._replying.answer(act, self._decide(act), deferred=waits is True)
        else:  # the person was told that nothing came of it, and has typed it anew: nobody wants it twice
            log.info("discord_too_late", command=act.name)

    async def _begun(self, act: Command) -> bool:
        """Whether something of it stands already: a process before us died over it, and it is waited for."""
        text = f"> {_typed_text(act)}"
        try:
            found = await self._sender.find(act.room.id, ids.interaction_key(act.id), ids.made_ms(act.id), content=text)
        except OutsideError:
            return False
        return found is not None and int(found.id) > int(act.id)

    async def _suggestions(self, act: Command) -> list[tuple[str, str]]:
        if self.suggests is None or act.focused != commands.CODE:
            return []
        try:
            typed = act.options.get(act.focused, "")
            return await asyncio.wait_for(self.suggests.suggest(act.author.key, typed), SUGGEST_S)
        except (StoreError, TimeoutError):
            return []

    async def _decide(self, act: Command | OnMessage | Press) -> Reply:
        """The reply to an act; never raises: somebody waits for it."""
        language = act.locale or self._language
        try:
            return await self._dispatch(act)
        except Closing:
            return Private(text=say_core(self._language, "refused.closing"))
        except StoreFull:
            return Private(text=say_core(self._language, "refused.full"))
        except (StoreError, OutsideError) as error:
            log.warning("discord_act_failed", code=error.code)
        except Exception:  # the adapter's listener: the person is told that it failed
            log.exception("discord_act_failed")
        return Private(text=say(language, "broken"))

    async def _dispatch(self, act: Command | OnMessage | Press) -> Reply:
        match act:
            case Press():
                return await self._press(act)
            case OnMessage():
                return await self._on_message(act)
            case Command():
                return await self._command(act)

    # ---------------------------------------------------------------------------------- what it is

    async def _command(self, act: Command) -> Reply:
        rest = _typed_text(act)
        if act.name == commands.ASK:
            return await self._begin(act, rest, lambda there, audience: asked(act, rest, there, audience))
        if act.name == commands.TASK:
            return await self._begin(act, rest, lambda there, audience: issued(act, act.name, rest, there, audience))
        if act.name == commands.RESUME:
            return await self._resume(act, rest)
        place, audience = await self._where(act)
        return await self._accept(issued(act, act.name, rest, place, audience), act)

    async def _resume(self, act: Act, code: str) -> Reply:
        if not code and await self._knows_nothing(act.author.key):
            return self._code_form(act)
        if act.foreign:
            return await self._in_private(act, lambda place: issued(act, "resume", code, place, Audience.DM))
        place, audience = await self._where(act)
        if not code:
            return await self._accept(issued(act, "resume", "", place, audience), act)
        return await self._going_on(act, place, audience, code=code)

    async def _press(self, act: Press) -> Reply:
        if act.button.verb == CODE_BUTTON.verb:
            return await self._resume(act, _typed(act.value))
        place, audience = await self._where(act)
        if act.button.verb in GOES_ON and act.foreign:
            return await self._in_private(act, lambda there: pressed_at(act, there, Audience.DM))
        if act.button.verb in GOES_ON:
            return await self._going_on(act, place, audience)
        accepted = await self._accepted(pressed_at(act, place, audience))
        await self._declined(accepted)
        return accepted.decision.reply

    async def _on_message(self, act: OnMessage) -> Reply:
        """Continue from here: our Resume button, a message that we could not read, or the thread's conversation."""
        place, audience = await self._where(act)
        if act.resume is not None:
            return await self._press(as_press(act, act.resume))
        if act.said is not None and act.said.user == act.author.key.user and not act.said.blank:
            spot = await self._hearing.spot(act.said)
            if spot.place.thread == act.said.id:
                self._threads.begins(act.said.id, act.said.content)
            return await self._accept(self._hearing.event(act.said, spot, also=ids.interaction_key(act.id)))
        if place.thread or place.workspace == ids.DIRECT:
            return await self._accept(issued(act, "resume", "", place, audience))
        return Private(text=say(act.locale or self._language, "not_for_me"))

    async def _begin(self, act: Command, text: str, event: Callable[[Place, Audience], Arrival]) -> Reply:
        """A question or a goal by command: a way to talk where we cannot read, and from servers that we are not in."""
        if act.foreign:
            return await self._in_private(act, lambda place: event(place, Audience.DM))
        place, audience = await self._where(act)
        if place.thread or place.workspace == ids.DIRECT or not text or not await self._opens_threads(act.room):
            return await self._accept(event(place, audience))
        starter = await self._starter(act, place, f"> {text}")
        self._threads.begins(starter.thread, text)
        self._directory.opened(starter.thread, act.author.key.user)
        accepted = await self._accepted(event(starter, audience))
        if not accepted.duplicate and not accepted.decision.changes:
            await self._sender.delete(starter.channel, starter.thread)  # it was refused: nothing begins here
        return accepted.decision.reply

    # ------------------------------------------------------------------------------------ where it is

    async def _where(self, act: Act) -> tuple[Place, Audience]:
        room = act.room
        if room.kind in (DM, GROUP) or not room.guild:
            return ids.direct(room.id), Audience.DM if room.kind == DM else Audience.PRIVATE
        if not act.foreign:
            room = await self._directory.spoken_in(room.id, room.guild)
        place = ids.room(room.guild, room.parent, room.id) if room.is_thread else ids.room(room.guild, room.id)
        return place, Audience.SHARED if act.foreign else await self._directory.readers(room)

    async def _opens_threads(self, room: Room) -> bool:
        if room.is_thread or not room.guild:
            return False
        return await self._directory.opens_threads(await self._directory.spoken_in(room.id, room.guild))

    async def _going_on(self, act: Act, place: Place, audience: Audience, *, code: str = "") -> Reply:
        """Bring a conversation to here. In a channel that means: to a new thread."""

        def event(there: Place) -> Arrival:
            if isinstance(act, Press) and not code:
                return pressed_at(act, there, audience)
            return issued(act, "resume", code, there, audience)

        if place.thread or not await self._opens_threads(act.room):
            return await self._accept(event(place))
        words = say(self._language, "starter", name=act.author.name)
        starter = await self._starter(act, place, words)
        self._directory.opened(starter.thread, act.author.key.user)
        self._threads.begins(starter.thread, words)
        accepted = await self._accepted(event(starter))
        if not accepted.duplicate and not _came_here(accepted, starter):
            await self._take_back(starter)
        return self._told(accepted, act)

    async def _starter(self, act: Act, place: Place, text: str) -> Place:
        """A message of ours to hang a thread on; the same interaction has one, whichever process sees it."""
        key = ids.interaction_key(act.id)
        made = await self._sender.post(place.channel, key, render.body(text, (), language=self._language), silent=True)
        return ids.room(place.workspace, place.channel, made.id)

    async def _take_back(self, starter: Place) -> None:
        """Nothing came of it. A message too many is no reason not to answer."""
        try:
            try:
                await self._sender.delete(starter.channel, starter.thread)
            except Denied:
                over = render.body(say(self._language, "starter_over"), (), language=self._language)
                await self._sender.edit(starter.channel, starter.thread, over)
        except OutsideError as error:
            log.info("discord_not_taken_back", code=error.code)

    async def _declined(self, accepted: Accepted) -> None:
        """Somebody thought better of it: the message that waited for a thread goes, if it is one of ours."""
        for row in accepted.decision.changes:
            if isinstance(row, MoveClaim) and row.state in _DECLINED and row.dest.platform == ids.PLATFORM:
                place = row.dest.place
                waits = place.thread and not self._directory.knows(place.thread)
                if waits and await self._sender.is_ours(place.channel, place.thread):
                    await self._take_back(place)

    async def _in_private(self, act: Act, event: Callable[[Place], Arrival]) -> Reply:
        """In the person's direct messages, because we cannot write where they are."""
        language = act.locale or self._language
        place = await self._direct.open_private(act.author.key)
        if place is None:
            return Private(text=say(language, "no_dm"))
        reply = await self._accept(event(place))
        if isinstance(reply, Nothing):
            return Private(text=say(language, "moved_to_dm", link=ids.link(place)))
        return reply

    # -------------------------------------------------------------------------------------- events

    async def _accept(self, event: Arrival, act: Act | None = None) -> Reply:
        return self._told(await self._accepted(event), act)

    def _told(self, accepted: Accepted, act: Act | None) -> Reply:
        """The reply. To a command that the process before had committed and died with, nobody knows it any more."""
        if accepted.duplicate and act is not None and act.kind is Kind.COMMAND:
            return Private(text=say(act.locale or self._language, "restarted"))
        return accepted.decision.reply

    async def _accepted(self, event: Arrival) -> Accepted:
        assert self.intake is not None  # noqa: S101  (nothing comes before `connect`)
        return await self.intake.accept(event)

    # ----------------------------------------------------------------------------------- the code form

    async def _knows_nothing(self, person: PersonKey) -> bool:
        """Whether the person surely has nothing to choose from, so that only a code can help."""
        if self.suggests is None:
            return False
        try:
            return not await asyncio.wait_for(self.suggests.suggest(person, ""), SUGGEST_S)
        except (StoreError, TimeoutError):
            return False

    def _code_form(self, act: Act) -> Reply:
        language = act.locale or self._language
        if act.kind is Kind.FORM:  # a form cannot answer a form
            return Private(text=say(language, "late"))
        field = FormField(id=commands.CODE, label=say(language, "code_field"), max_chars=_CODE_CHARS)
        submit = Button(id=str(CODE_BUTTON), label=say(language, "done"))
        return Form(title=say(language, "code_title"), submit=submit, fields=(field,))


def _typed_text(act: Command) -> str:
    """What was typed behind the command."""
    return act.options.get(commands.option_name(act.name), "").strip()


def _came_here(accepted: Accepted, place: Place) -> bool:
    """Whether a conversation lives here now, or may once its owner allows it."""
    for row in accepted.decision.changes:
        match row:
            case Binding() if row.session_id and row.key.place == place:
                return True
            case Session() if row.home.place == place:
                return True
            case MoveClaim() if row.dest.place == place:
                return True
            case _:
                pass
    return False


def _typed(value: str) -> str:
    """The code in a filled form of ours."""
    try:
        fields = json.loads(value)
    except ValueError:
        return ""
    return str(fields.get(commands.CODE, "")).strip() if isinstance(fields, dict) else ""
