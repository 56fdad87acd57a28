"""The built-in chat as a platform, on a real board."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bots.local import ids
from bots.local.adapter import LocalPlatform
from bots.local.rooms import readers
from core.domain.decision import Decision
from core.domain.effects import MarkKind
from core.domain.entities import Button, Card, FileCopy
from core.domain.errors import OutsideError, Refused, StoreFull
from core.domain.events import Event, MessageReceived
from core.domain.keys import Audience, Place
from core.engine.ports import Accepted, AnswerState, Claim, Piece, Post
from storage import open_store
from tests.kit.clock import ManualClock
from tests.kit.world import World

HERE = Place(platform="local", workspace="home", channel="general", thread="t")
STOP = Button(id="rj1:stop:T:0", label="Stop")


def piece(text: str, state: AnswerState = AnswerState.STREAMING, *buttons: Button) -> Piece:
    """A part of an answer."""
    return Piece(turn_id="T", n=0, text=text, state=state, buttons=buttons)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running house."""
    found = await World.open(tmp_path / "rejoinder.db")
    yield found
    await found.close()


@pytest.fixture
def platform(world: World) -> LocalPlatform:
    """Its chat."""
    return world.local


async def ask(platform: LocalPlatform, *, place: Place = HERE, author: str = "alice", text: str = "hi") -> Post:
    """A person's first post in a thread."""
    key = ids.message_key(ids.person_key(place.workspace, author), f"{place.thread}:{text}")
    post_id = place.thread if await platform.root(place.thread) is None else ids.derived_id(key)
    return await platform.put(
        Post(id=post_id, key=key, place=place, author=author, text=text, state="done", taken=False)
    )


async def test_opening_twice_is_one_message(platform: LocalPlatform) -> None:
    """After a crash the same answer would stand there twice."""
    await ask(platform)
    first = await platform.open_answer(HERE, "turn:0", "t", piece("", AnswerState.STREAMING, STOP))
    again = await platform.open_answer(HERE, "turn:0", "t", piece("Once", AnswerState.STREAMING, STOP))
    assert first == again == await platform.find(HERE, "turn:0", 0)
    posts = await platform.posts(HERE)
    assert [post.text for post in posts] == ["hi", "Once"]
    assert (posts[1].reply_to, posts[1].state, posts[1].buttons) == ("t", "streaming", (STOP,))


async def test_the_final_text_is_durable_and_the_streamed_is_not(platform: LocalPlatform, world: World) -> None:
    """Every word of an answer would cost a sync of the disk; or the finished one would be gone after a restart."""
    await ask(platform)
    ref = await platform.open_answer(HERE, "turn:0", "t", piece(""))
    await platform.write_answer(ref, piece("Once upon"))
    other = LocalPlatform(world.store.board, ManualClock())
    assert [post.text for post in await other.posts(HERE)] == ["hi", ""]
    assert await platform.write_answer(ref, piece("Once upon a time.", AnswerState.DONE)) == ref
    assert [(post.text, post.state) for post in await other.posts(HERE)][1] == ("Once upon a time.", "done")


async def test_an_answer_can_go_on_after_it_was_final(platform: LocalPlatform) -> None:
    """[Try again] would leave the failed state on the message while the new answer is being written."""
    await ask(platform)
    ref = await platform.open_answer(HERE, "turn:0", "t", piece(""))
    await platform.write_answer(ref, piece("Sorry.", AnswerState.FAILED))
    await platform.write_answer(ref, piece("On", AnswerState.STREAMING))
    assert [(post.text, post.state) for post in await platform.posts(HERE)][1] == ("On", "streaming")


async def test_a_card_is_posted_once_and_edited(platform: LocalPlatform) -> None:
    """Ten changes of a card would be ten messages."""
    await ask(platform)
    card = Card(id="C", session_id="S", key="idle:1", place=HERE, text="One", buttons=(STOP,))
    ref = await platform.show(HERE, "S:idle:1", card, "")
    assert await platform.show(HERE, "S:idle:1", replace(card, text="Two"), "") == ref
    assert await platform.show(HERE, "S:idle:1", replace(card, text="Three", buttons=()), ref) == ref
    posts = await platform.posts(HERE)
    assert [(post.text, post.buttons) for post in posts] == [("hi", ()), ("Three", ())]


async def test_a_post_where_nothing_is_yet_begins_the_thread(platform: LocalPlatform) -> None:
    """A session moved by a command would be shown in a thread that nobody can open."""
    empty = replace(HERE, thread="made-by-a-command")
    card = Card(id="C", session_id="S", key="moved:1", place=empty, text="Moved here.")
    assert await platform.show(empty, "S:moved:1", card, "") == "made-by-a-command"
    private = await platform.open_private(ids.person_key("home", "bob"))
    assert private is not None
    ref = await platform.show(private, "S:claim:1", card, "")
    assert (await platform.audience(private), private.channel) == (Audience.DM, "dm:bob")
    root = await platform.root(ref)
    assert root is not None
    assert root.place == replace(private, thread=ref)
    assert await platform.show(private, "S:claim:1", card, "") == ref


async def test_what_is_not_ours_is_refused(platform: LocalPlatform) -> None:
    """A mistake of ours would overwrite a person's words, or end in an error that no performer understands."""
    await ask(platform)
    for ref in ("t", "nowhere"):
        with pytest.raises(Refused) as refused:
            await platform.write_answer(ref, piece("x"))
        assert refused.value.code == "unknown_message"
    with pytest.raises(Refused):
        await platform.show(HERE, "k", Card(id="C", session_id="S", key="k", place=HERE, text="x"), "nowhere")
    await platform.mark("nowhere", MarkKind.SEEN)
    assert await platform.find(HERE, "never", 0) is None


async def test_a_mark_is_seen(platform: LocalPlatform) -> None:
    """Nobody would know that a message was noticed while another one is answered."""
    await ask(platform)
    await platform.mark("t", MarkKind.SEEN)
    assert (await platform.posts(HERE))[0].mark == "seen"


async def test_a_thread_is_heard(platform: LocalPlatform) -> None:
    """The model would not know what people said before they addressed it."""
    await ask(platform)
    await platform.open_answer(HERE, "turn:0", "t", piece("Hello.", AnswerState.DONE))
    heard = await platform.read_thread(HERE, 10)
    assert isinstance(heard, tuple)
    assert [(each.author, each.user, each.text, each.is_bot) for each in heard] == [
        ("alice", "alice", "hi", False),
        ("Rejoinder", "", "Hello.", True),
    ]


async def test_files_are_fetched_up_to_the_cap(platform: LocalPlatform) -> None:
    """A file would be lost, or a huge one would fill the model's window."""
    copy = FileCopy(file_id="p.0", session_id="", media_type="text/plain", data=base64.b64encode(b"hello").decode())
    await platform.put(Post(id="p", key="k", place=HERE, author="alice", text="", state="done"), (copy,))
    assert await platform.fetch_file("p.0", 5) == b"hello"
    for handle, cap, code in (("p.0", 4, "too_large"), ("p.1", 9, "file_gone")):
        with pytest.raises(Refused) as refused:
            await platform.fetch_file(handle, cap)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("channel", "audience"),
    [("dm:alice", Audience.DM), ("private-team", Audience.PRIVATE), ("general", Audience.PUBLIC)],
)
async def test_who_can_read_there(platform: LocalPlatform, channel: str, audience: Audience) -> None:
    """A private history would be moved to a more visible place without asking."""
    assert await platform.audience(replace(HERE, channel=channel)) is audience


async def test_a_private_thread_is_read_by_whom_it_names(platform: LocalPlatform) -> None:
    """A private thread would be open to everybody, or nobody could be brought in."""
    place = replace(HERE, channel="private-team")
    post = await ask(platform, place=place, text="for us, @bob.")
    assert readers((post,)) == {"alice", "bob"}
    sees = await platform.rooms.readable_by(place)
    assert [name for name in ("alice", "bob", "carol") if sees(name)] == ["alice", "bob"]
    await ask(platform, place=place, author="bob", text="ask @carol")
    assert sees("carol")
    assert [line.opener for line in await platform.threads("home", "carol")] == ["alice"]
    assert await platform.threads("home", "dave") == ()


class Taker:
    """An intake that notes what it was given, and refuses some of it."""

    def __init__(self, *, full_from: int = 99, broken: str = "") -> None:
        self.texts: list[str] = []
        self.caught_up: list[bool] = []
        self._full_from = full_from
        self._broken = broken

    async def accept(self, event: Event, *, finishes: Claim | None = None) -> Accepted:
        """Take a message."""
        assert isinstance(event, MessageReceived)
        if event.text == self._broken:
            raise RuntimeError("this one cannot be decided")
        if len(self.texts) >= self._full_from:
            raise StoreFull(code="store_full")
        self.texts.append(event.text)
        self.caught_up.append(event.caught_up)
        return Accepted(decision=Decision())


async def test_what_was_not_taken_is_caught_up_in_order(platform: LocalPlatform) -> None:
    """A message that was stored right before a crash would never be answered."""
    for text in ("one", "two", "three"):
        await ask(platform, text=text)
    full = Taker(full_from=1)
    with pytest.raises(StoreFull):
        await platform.catch_up(full)
    rest = Taker(broken="two")
    assert await platform.catch_up(rest) == 1
    assert (full.texts, rest.texts, rest.caught_up) == (["one"], ["three"], [True])
    last = Taker()
    assert await platform.catch_up(last) == 1
    assert last.texts == ["two"]
    assert await platform.catch_up(last) == 0


async def test_a_full_board_is_tried_again_and_a_closed_one_is_told(tmp_path: Path) -> None:
    """An answer would be given up for good because the disk was full for a moment."""
    store = await open_store(tmp_path / "rejoinder.db")
    platform = LocalPlatform(store.board, ManualClock())
    await ask(platform)
    await store.close()
    with pytest.raises(OutsideError):
        await platform.open_answer(HERE, "turn:0", "t", piece("x"))


async def test_two_posts_into_an_empty_thread_have_one_root(platform: LocalPlatform) -> None:
    """A card and an answer in a thread that nobody wrote in yet would be found under a thread that does not exist."""
    first, second = await asyncio.gather(
        platform.open_answer(HERE, "T:0", "", piece("one")), platform.open_answer(HERE, "T:1", "", piece("two"))
    )
    assert first != second
    assert {post.id for post in await platform.posts(HERE)} == {first, second}
    root = await platform.root("t")
    assert root is not None
    assert root.id in (first, second)


async def test_a_forgotten_thread_gets_a_new_root(world: World) -> None:
    """What the bot says after everything was forgotten would stand in a thread that nobody can open."""
    platform = world.local
    ref = await platform.open_answer(HERE, "T:0", "", piece("before", AnswerState.DONE))
    await world.store.submit(lambda conn: conn.execute("DELETE FROM board_post WHERE id = ?", (ref,)).rowcount)
    await platform.forgotten([HERE], world.clock.now_ms() + 1)
    again = await platform.open_answer(HERE, "T:1", "", piece("after", AnswerState.DONE))
    assert (await platform.root("t")) is not None
    assert again == "t"
