"""What people do in the built-in chat: say, press, read. The engine commits before anybody is answered.

Knows: the order post -> accept -> take, and that the same key gets the same answer. Must not know: HTTP. A
message is on the board before the engine is asked, so nothing is lost between the two: a post that the
engine has not taken is taken at the next start (`LocalPlatform.catch_up`) or when the client repeats it
under its key. A command is never on the board: it may hold a resume code. It is echoed to its author only,
from memory.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from bots.local import body, ids, render, wire
from bots.local.adapter import LocalPlatform
from bots.local.body import bad
from bots.local.downloads import Download, Downloads
from bots.local.once import Once
from bots.local.render import Shown
from bots.local.whispers import WHISPER_PREFIX, Whisper
from bots.local.wire import Pressing, Saying
from core.domain.decision import Nothing, Private, Reply
from core.domain.entities import Button, FileCopy, FileRef
from core.domain.errors import Refused
from core.domain.keys import PersonKey, Place
from core.domain.words import say
from core.engine.ports import Accepted, AnswerState, Intake, Post

_KEY_BYTES = 16  # a key made for a sender that sent none


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a button was pressed."""

    place: Place
    buttons: tuple[Button, ...]


class LocalChat:
    """People's side of the chat, on a platform and an engine's intake."""

    def __init__(self, platform: LocalPlatform, intake: Intake, language: str = "en") -> None:
        self.platform = platform
        self.downloads = Downloads(platform.clock.monotonic)
        self._intake = intake
        self._language = language
        self._once: Once[Shown] = Once(platform.clock.monotonic)

    async def say(self, saying: Saying) -> Shown:
        """Take a message or a command; returns `{thread, message, reply?}`.

        Raises `BadInput`, and what `Intake.accept` raises.
        """
        place = await self._place(saying)
        person = ids.person_key(place.workspace, saying.person)
        key = saying.key or secrets.token_hex(_KEY_BYTES)
        source = ids.message_key(person, key)
        known = await self.platform.by_key(source)
        if known is not None:
            return await self._once.do(source, lambda: self._accept_post(known))
        if saying.is_command or wire.typed_code(saying):
            source = ids.command_key(person, key)
            return await self._once.do(source, lambda: self._command(saying.text, person, place, source))
        post = self._post(saying, place, source)
        files = tuple(
            FileCopy(file_id=ref.id, session_id="", media_type=ref.media_type, data=given.data)
            for ref, given in zip(post.files, saying.files, strict=True)
        )
        return await self._once.do(source, lambda: self._message(post, files))

    async def press(self, pressing: Pressing) -> Shown:
        """Take a button press; returns `{reply}`. Raises `BadInput`, and what `Intake.accept` raises."""
        wire.button_id(pressing)
        spot = await self._spot(pressing)
        person = ids.person_key(spot.place.workspace, pressing.person)
        source = ids.press_key(person, pressing.key or secrets.token_hex(_KEY_BYTES))
        return await self._once.do(source, lambda: self._pressed(pressing, spot, person, source))

    async def threads(self, workspace: str, person: str) -> Shown:
        """The threads that `person` can read in a workspace, latest first."""
        lines = await self.platform.threads(workspace, person)
        return {"workspace": workspace, "threads": [render.thread_line(line) for line in lines]}

    async def thread(self, thread: str, person: str) -> Shown:
        """A thread as `person` sees it. Raises `BadInput` when there is none that this person can read."""
        place = await self._readable(thread, person)
        posts = await self.platform.posts(place)
        lines = self.platform.whispers.inside(ids.person_key(place.workspace, person), place)
        return {
            "thread": thread,
            "workspace": place.workspace,
            "channel": ids.shown_channel(place),
            "messages": render.in_order(posts, lines, person),
        }

    async def file(self, message: str, index: str, person: str) -> tuple[str, str, bytes]:
        """A file of an answer: name, media type, bytes. Raises `BadInput` when this person can read none there."""
        post = await self.platform.post(body.storable(message, "message"))
        number = int(index) if index.isascii() and index.isdigit() and len(index) == 1 else -1
        if post is None or post.author or not 0 <= number < len(post.files):
            raise _unknown_file()
        if not (await self.platform.rooms.readable_by(post.place))(person):
            raise _unknown_file()
        ref = post.files[number]
        try:
            return ref.name, ref.media_type, await self.platform.fetch_file(ref.handle, wire.FILE_MAX_BYTES)
        except Refused as error:  # it was forgotten a moment ago
            raise _unknown_file() from error

    # --------------------------------------------------------------------------------- messages

    async def _message(self, post: Post, files: tuple[FileCopy, ...]) -> Shown:
        return await self._accept_post(await self.platform.put(post, files))

    async def _accept_post(self, post: Post) -> Shown:
        answer: Shown = {"thread": post.place.thread, "message": post.id}
        if post.taken:
            return answer
        opener = await self.platform.opener(post)
        filled = await self.platform.filled(post)
        accepted = await self._intake.accept(wire.message_received(post, opener=opener, filled=filled))
        await self.platform.take(post)
        person = ids.person_key(post.place.workspace, post.author)
        reply = await self._say_privately(accepted.decision.reply, person, post.place, post.key)
        return answer if reply["kind"] == "nothing" else answer | {"reply": reply}

    def _post(self, saying: Saying, place: Place, source: str) -> Post:
        post_id = ids.derived_id(source)
        refs = tuple(
            FileRef(
                id=ids.file_id(post_id, index),
                handle=ids.file_id(post_id, index),
                name=given.name,
                media_type=given.media_type,
                size_bytes=given.size_bytes,
            )
            for index, given in enumerate(saying.files)
        )
        return Post(
            id=post_id,
            key=source,
            place=place if place.thread else replace(place, thread=post_id),
            author=saying.person,
            text=saying.text,
            state=AnswerState.DONE.value,
            created_ms=self.platform.clock.now_ms(),
            taken=False,
            files=refs,
        )

    async def _place(self, saying: Saying) -> Place:
        """Where it was said; `thread` is "" for what begins a new one."""
        asked = Place(
            platform=ids.PLATFORM,
            workspace=saying.workspace or ids.WORKSPACES[0],
            channel=ids.board_channel(saying.person, saying.channel),
        )
        if saying.thread is None:
            return asked
        place = await self._readable(saying.thread, saying.person, private_too=saying.is_command)
        same_workspace = saying.workspace in (None, place.workspace)
        if not same_workspace or place.channel != asked.channel:
            raise _unknown_thread()
        return place

    async def _readable(self, thread: str, person: str, *, private_too: bool = True) -> Place:
        root = await self.platform.root(body.storable(thread, "thread"))
        if root is not None:
            sees = await self.platform.rooms.readable_by(root.place)
            if sees(person):
                return root.place
        elif private_too:
            place = self.platform.whispers.place_of(person, thread)
            if place is not None:
                return place
        raise _unknown_thread()

    # ------------------------------------------------------------------- commands and buttons

    async def _command(self, text: str, person: PersonKey, place: Place, source: str) -> Shown:
        message_id = WHISPER_PREFIX + ids.derived_id(source)
        place = place if place.thread else replace(place, thread=ids.derived_id(source))
        event = wire.command_issued(text, key=person, place=place, source_key=source)
        before = await self._newest(place)
        await self.platform.whisper(
            Whisper(
                id=message_id,
                to=person,
                place=place,
                author=person.user,
                text=text,
                created_ms=self.platform.clock.now_ms(),
                after_n=before,
            )
        )
        accepted = await self._intake.accept(event)
        reply = await self._reply(accepted, person, place, source)
        return {"thread": place.thread, "message": message_id, "reply": reply}

    async def _pressed(self, pressing: Pressing, spot: Spot, person: PersonKey, source: str) -> Shown:
        # Whose it is, the engine decides, and says so; here it counts only whether the button stands there.
        if all(each.id != pressing.button for each in spot.buttons):
            return {"reply": await self._say_privately(self._told("button_gone"), person, spot.place, source)}
        event = wire.button_pressed(pressing, key=person, place=spot.place, source_key=source)
        accepted = await self._intake.accept(event)
        return {"reply": await self._reply(accepted, person, spot.place, source)}

    async def _spot(self, pressing: Pressing) -> Spot:
        message = body.storable(pressing.message, "message")
        line = self.platform.whispers.find(pressing.person, message)
        if line is not None:
            return Spot(place=line.place, buttons=line.buttons)
        if message.startswith(WHISPER_PREFIX):
            raise bad("gone", say(self._language, "private.answer_gone"))
        post = await self.platform.post(message)
        if post is None or not (await self.platform.rooms.readable_by(post.place))(pressing.person):
            raise bad("unknown_message", "There is no such message, or you cannot see it.")
        return Spot(place=post.place, buttons=post.buttons)

    # ---------------------------------------------------------------------------------- replies

    async def _reply(self, accepted: Accepted, person: PersonKey, place: Place, source: str) -> Shown:
        given = accepted.decision.reply
        if accepted.duplicate and isinstance(given, Nothing):
            given = self._told("done_and_gone")
        return await self._say_privately(given, person, place, source)

    async def _say_privately(self, given: Reply, person: PersonKey, place: Place, source: str) -> Shown:
        offered: tuple[Download, ...] = ()
        if isinstance(given, Private):
            given = replace(given, text=self.platform.reveal(given.text))
            offered = self.downloads.offer(given.export) if given.export else ()
        message_id = f"{WHISPER_PREFIX}{ids.derived_id(source)}r"
        if not isinstance(given, Nothing):
            await self.platform.whisper(
                Whisper(
                    id=message_id,
                    to=person,
                    place=place,
                    author="",
                    text=given.text if isinstance(given, Private) else "",
                    buttons=render.reply_buttons(given),
                    downloads=offered,
                    created_ms=self.platform.clock.now_ms(),
                    after_n=await self._newest(place),
                    shown=isinstance(given, Private),
                )
            )
        reply = render.reply(given, person.user, message_id)
        return reply | {"downloads": render.downloads(offered)} if offered else reply

    def _told(self, code: str) -> Private:
        return Private(text=say(self._language, f"private.{code}"))

    async def _newest(self, place: Place) -> int:
        posts = await self.platform.posts(place, limit=1)
        return posts[-1].n if posts else 0


def _unknown_file() -> Exception:
    return bad("unknown_file", "There is no such file, or you cannot see it.")


def _unknown_thread() -> Exception:
    return bad("unknown_thread", "There is no such thread, or you cannot see it.")
