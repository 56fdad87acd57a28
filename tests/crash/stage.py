"""One data file through several lives: carries acts out, dies where the fuse says, and comes back.

Knows: what people do and when they do it again. Must not know: what must hold afterwards (see `checker`).
People behave as clients do: what was not acknowledged is sent again under the same key. Nothing here sleeps: the
clock is moved by hand, and a step is over when every task waits for the clock and no call of the store is open.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import assert_never

from bots.local import ids, wire
from bots.local.adapter import LocalPlatform
from bots.local.chat import LocalChat
from bots.local.wire import Attachment, Pressing, Saying
from core.domain.entities import FileCopy, FileRef
from core.domain.errors import Closing
from core.domain.keys import Place
from core.engine.ports import Post
from tests.crash import doings
from tests.crash.acts import (
    Act,
    Arm,
    Away,
    Carry,
    Choose,
    Command,
    Drain,
    Leap,
    Look,
    Mishaps,
    Press,
    Redeliver,
    Repeated,
    Say,
    Swapped,
    Wait,
    Wobbles,
)
from tests.crash.fuse import Died, Fuse, Spot
from tests.crash.life import House, Life
from tests.crash.still import StillClock
from tests.crash.talker import Talker
from tests.crash.workshop import ToolTalker, Workshop

STEP_S = 0.3  # of the clock; a draft tick comes every second step
SETTLE_S = 200.0
CHANNEL = "general"
TASK = "/task "


@dataclass(slots=True, kw_only=True)
class Spoken:
    """A message of a person, and what was told about it."""

    say: Say
    key: str
    sent: str = ""  # the key that the client sends: no words, for keys outlive their messages
    acknowledged: bool = False
    refused: int = 0
    held: bool = False  # it was still on the board when a process started
    swapped: bool = False  # delivered before or after its time
    forgotten: bool = False  # its author has had it deleted
    is_goal: bool = False  # of a task


@dataclass(slots=True, kw_only=True)
class _Pressed:
    message: str
    button: str
    key: str


@dataclass(slots=True)
class Stage:
    """One story in `path`, whose `n`-th life ends at `spots[n]`. `play` the acts, check, then `end` the last life."""

    path: Path
    spots: Mapping[int, Spot] = field(default_factory=dict)
    house: House = field(default_factory=House)
    clock: StillClock = field(default_factory=StillClock)
    spoken: list[Spoken] = field(default_factory=list)
    lives: list[Fuse] = field(default_factory=list)
    deaths: int = 0
    stops: int = 0
    anew: int = 0  # how often a step of a task was begun anew
    wrong: list[str] = field(default_factory=list)
    model: Talker = field(init=False)
    rooms: dict[str, Place] = field(default_factory=dict)  # where the threads of the story stand
    code: str = ""  # what stood on the notice when it was first used
    leapt: set[int] = field(default_factory=set)
    workshop: Workshop = field(init=False)
    _life: Life | None = None
    _presses: dict[int, _Pressed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A story begins with a model that has said nothing."""
        self.model = ToolTalker(self.clock) if self.house.tools else Talker(self.clock)
        self.workshop = Workshop(self.clock)

    # ------------------------------------------------------------------------------- lives

    @property
    def fuse(self) -> Fuse:
        """The fuse of the present life."""
        return self.lives[-1]

    @property
    def life(self) -> Life:
        """The present life."""
        assert self._life is not None
        return self._life

    @property
    def chat(self) -> LocalChat:
        """The people's side of the present life."""
        return self.life.chat

    @property
    def local(self) -> LocalPlatform:
        """The platform's side of the present life."""
        return self.life.local

    async def live(self) -> None:
        """Start, and start again, until a life survives its start."""
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # tasks of the dead
        while True:
            self.lives.append(Fuse(self.spots.get(len(self.lives)), listener=self.model.on_point))
            try:
                await self._boot()
            except BaseException:
                if not self.fuse.dead:
                    raise
                await self.bury()
            else:
                return

    async def _boot(self) -> None:
        self._life = await Life.open(self.house, self.path, self.clock, self.model, self.workshop, fuse=self.fuse)
        try:
            taken = await self.life.start()
        finally:
            for each in self.spoken:
                each.held = each.held or each.key in self.life.untaken
        self.wrong += [f"a dead process's {kind} was taken" for kind in taken]
        self.model.recorded(await self.life.results())
        self.alive()

    def die(self) -> None:
        """Die now, whatever is under way."""
        self.fuse.kill()

    async def bury(self) -> None:
        """What a death leaves: no task runs on, nothing more is written."""
        self.fuse.kill()
        self.deaths += 1
        if self._life is not None:
            await self._life.bury()
        self._life = None
        self.house.ground.died()

    async def end(self) -> None:
        """Close the last life."""
        if self._life is not None:
            await self._life.end()
            self._life = None

    def alive(self) -> None:
        """Raise `Died` when the process is dead."""
        if self.fuse.dead:
            raise Died

    # -------------------------------------------------------------------------------- acts

    async def play(self, acts: tuple[Act, ...]) -> None:
        """Carry out all acts, whatever happens in between, and let everything come to its end."""
        await self.live()
        for n, act in enumerate(acts):
            while not await self._survives(partial(self.act, act, n)) and isinstance(act, Repeated):
                pass
        while not await self._survives(self.settle):
            pass

    async def _survives(self, deed: Callable[[], Awaitable[None]]) -> bool:
        """Do something in which the process may die; False when it did (and lives again)."""
        try:
            await deed()
            self.alive()
        except BaseException:
            if not self.fuse.dead:
                raise
            await self.bury()
            await self.live()
            return False
        return True

    async def act(self, act: Act, n: int = 0) -> None:  # noqa: C901 -- one arm for each act
        """Carry out one act, the `n`-th of the story. Raises what dying in it raises."""
        match act:
            case Say():
                await self._say(self._note(act))
            case Press():
                await self._press(n, act)
            case Command() | Choose() | Carry() | Leap() | Look():
                await doings.do(self, act, n)
            case Redeliver():
                await self._redeliver(act)
            case Swapped():
                await self._swapped(act)
            case Wait():
                await self.wait(act.seconds)
            case Away():
                await self._away(act)
            case Drain():
                await self._drain()
            case Arm():
                self.fuse.arm(act.point, act.more)
            case Mishaps():
                self.model.mishaps.extend(act.of)
            case Wobbles():
                self.life.wobbles.extend(act.of)
            case _:
                assert_never(act)

    def _note(self, say: Say) -> Spoken:
        for each in self.spoken:
            if each.say == say:
                return each
        sent = f"m{len(self.spoken)}"
        key = ids.message_key(ids.person_key(say.workspace, say.person), sent)
        self.rooms.setdefault(say.thread, room(say.workspace, ids.derived_id(key)))
        self.spoken.append(Spoken(say=say, key=key, sent=sent))
        return self.spoken[-1]

    def note_goal(self, command: Command, key: str) -> None:
        """A goal becomes a message when its steps are over, whatever is said meanwhile."""
        say = Say(text=command.text.removeprefix(TASK), person=command.person, thread=command.thread)
        if all(each.say != say for each in self.spoken):
            key = ids.command_key(ids.person_key(say.workspace, say.person), key)
            self.spoken.append(Spoken(say=say, key=key, sent=key, swapped=True, is_goal=True))

    async def _say(self, spoken: Spoken) -> None:
        say, place = spoken.say, self.rooms[spoken.say.thread]
        begins = place.thread == ids.derived_id(spoken.key)
        saying = Saying(
            person=say.person,
            workspace=place.workspace,
            channel=CHANNEL,
            text=say.text,
            thread=None if begins else place.thread,
            key=spoken.sent,
            files=_attachments(say),
        )
        try:
            await self.chat.say(saying)
        except Closing:
            spoken.refused += 1
        else:
            self.alive()
            spoken.acknowledged = True

    async def _press(self, n: int, act: Press) -> None:
        pressed = self._presses.get(n)
        if pressed is None:
            place = self.rooms.get(act.thread)
            for post in reversed(await self.local.posts(place) if place is not None else ()):
                for button in post.buttons:
                    if button.label.startswith(act.label) and pressed is None:
                        pressed = _Pressed(message=post.id, button=button.id, key=f"p{n}")
        if pressed is None:
            return
        self._presses[n] = pressed
        self.stops += act.label in ("Stop", "Pause")
        if act.label == "Retry":
            self.anew += 1
            self.model.anew()
        await self.chat.press(
            Pressing(person=act.person, message=pressed.message, button=pressed.button, key=pressed.key)
        )

    async def _redeliver(self, act: Redeliver) -> None:
        """A platform knows nothing of our board: it delivers the event itself once more."""
        said = [each for each in self.spoken if each.acknowledged]
        if len(said) >= act.back:
            await self._deliver(said[-act.back])

    async def _deliver(self, spoken: Spoken) -> None:
        post = await self.local.by_key(spoken.key) or self._post(spoken)[0]
        opener = await self.local.opener(post)
        await self.life.engine.accept(wire.message_received(post, opener=opener))
        await self.local.take(post)
        self.alive()
        spoken.acknowledged = True

    async def _swapped(self, act: Swapped) -> None:
        said = [self._note(act.first), self._note(act.second)]
        for each in said:
            each.swapped = True
            post, files = self._post(each)
            await self.local.put(post, files)
        for each in reversed(said):
            await self._deliver(each)

    async def _away(self, act: Away) -> None:
        """People write to the platform's server while the process is down."""
        for say in act.said:
            spoken = self._note(say)
            post, files = self._post(spoken)
            await self.local.put(post, files)
        self.alive()
        await self.bury()
        await self.live()

    def _post(self, spoken: Spoken) -> tuple[Post, tuple[FileCopy, ...]]:
        post_id = ids.derived_id(spoken.key)
        post = Post(
            id=post_id,
            key=spoken.key,
            place=self.rooms[spoken.say.thread],
            author=spoken.say.person,
            text=spoken.say.text,
            state="done",
            created_ms=self.clock.now_ms(),
            taken=False,
        )
        attachments = _attachments(spoken.say)
        refs = tuple(
            FileRef(
                id=ids.file_id(post_id, n),
                handle=ids.file_id(post_id, n),
                name=each.name,
                media_type=each.media_type,
                size_bytes=each.size_bytes,
            )
            for n, each in enumerate(attachments)
        )
        files = tuple(
            FileCopy(file_id=ref.id, session_id="", media_type=ref.media_type, data=each.data)
            for ref, each in zip(refs, attachments, strict=True)
        )
        return replace(post, files=refs), files

    async def _drain(self) -> None:
        life = self.life
        await life.engine.drain(0)
        self.alive()
        await life.engine.close()
        self.alive()
        await life.store.close()
        self._life = None
        await self.live()

    # -------------------------------------------------------------------------------- time

    async def wait(self, seconds: float) -> None:
        """Let time pass. Raises `Died`."""
        for _ in range(max(1, round(seconds / STEP_S))):
            await self.clock.advance(STEP_S)
            self.alive()

    async def settle(self) -> None:
        """Let time pass until nothing is open any more. Raises `Died`."""
        await self.clock.busy.still()
        for _ in range(round(SETTLE_S / STEP_S)):
            if self.life.engine.idle and await self.life.store.next_effect_ms(self.clock.now_ms()) is None:
                self.alive()  # the dead are still, too
                return
            await self.wait(STEP_S)
        raise AssertionError("something is still open")


def room(workspace: str, thread: str) -> Place:
    """A thread's place."""
    return Place(platform=ids.PLATFORM, workspace=workspace, channel=CHANNEL, thread=thread)


def _attachments(say: Say) -> tuple[Attachment, ...]:
    if not say.file:
        return ()
    data = base64.b64encode(say.file.encode()).decode()
    return (Attachment(name="notes.txt", media_type="text/plain", data=data, size_bytes=len(say.file)),)
