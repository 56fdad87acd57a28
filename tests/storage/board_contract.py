"""The contract of the `Board` port. A subclass gives the fixture `board`."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.domain.entities import Button, FileCopy, FileRef
from core.domain.keys import Place
from core.domain.outline import Line, Outline
from core.domain.tasking import StepState
from core.engine.ports import Board, Post
from tests.kit.store import NOW_MS, PLACE


def post(name: str, **more: object) -> Post:
    """A post of Ann's; `more` are its other fields."""
    plain = Post(id=f"id-{name}", key=f"key-{name}", place=PLACE, author="ann", text=name, state="done")
    return replace(plain, **more)  # type: ignore[arg-type]


class BoardContract:
    """What every board does."""

    async def test_the_same_key_is_the_same_post(self, board: Board) -> None:
        """An answer that is posted again after a crash stands there twice."""
        first = await board.put(post("a"))
        again = await board.put(post("a", id="other", text="other"))
        assert again == first == post("a", n=first.n)
        assert await board.thread(PLACE, 9) == (first,)

    async def test_of_many_equal_posts_at_once_one_stands(self, board: Board) -> None:
        """A double click posts twice."""
        stood = await asyncio.gather(*(board.put(post("a", id=f"id-{n}")) for n in range(20)))
        assert len({each.id for each in stood}) == 1

    async def test_every_field_comes_back(self, board: Board) -> None:
        """A post loses its buttons or its files."""
        files = (FileRef(id="f", handle="h", name="n", media_type="m", size_bytes=3),)
        full = post(
            "a",
            buttons=(Button(id="b", label="Stop"),),
            reply_to="r",
            created_ms=5,
            taken=False,
            mark="seen",
            files=files,
        )
        stored = await board.put(full)
        assert stored == replace(full, n=stored.n)
        assert await board.get("id-a") == await board.find("key-a") == stored

    async def test_posts_stand_in_their_order(self, board: Board) -> None:
        """A conversation is shown out of order, or its end is missing."""
        stored = [await board.put(post(f"p{n}", created_ms=NOW_MS - n)) for n in range(6)]
        await board.put(post("elsewhere", place=replace(PLACE, thread="t2")))
        assert await board.thread(PLACE, 4) == tuple(stored[2:])
        assert [each.n for each in stored] == sorted(each.n for each in stored)

    async def test_an_edit_changes_what_it_may(self, board: Board) -> None:
        """A stream does not move, or an edit moves a post elsewhere."""
        stored = await board.put(post("a"))
        now = replace(stored, text="b \ud83d", state="streaming", mark="working", buttons=(Button(id="b", label="x"),))
        await board.edit(replace(now, author="other", key="other", place=replace(PLACE, thread="t2")))
        assert await board.get("id-a") == replace(now, text="b \ufffd")
        with pytest.raises(KeyError):
            await board.edit(post("unknown"))

    async def test_the_steps_of_a_card_are_kept_and_changed(self, board: Board) -> None:
        """After a reload of the page, the steps of a task stand where they were, or nowhere."""
        steps = Outline(title="goal", lines=(Line(n=1, title="one", state=StepState.RUNNING),), foot="Working.")
        stored = await board.put(post("a", author="", card=True, outline=steps))
        assert (await board.get("id-a")) == stored
        done = replace(steps, lines=(replace(steps.lines[0], state=StepState.DONE, detail="2 s"),), foot="Done.")
        await board.edit(replace(stored, outline=done))
        assert await board.get("id-a") == replace(stored, outline=done)
        await board.edit(replace(stored, outline=None))
        assert await board.get("id-a") == replace(stored, outline=None)

    async def test_a_thread_that_begins_with_a_card_is_called_by_its_first_line(self, board: Board) -> None:
        """The list shows the signs of Markdown, or what the bot says of its progress."""
        await board.put(post("**compare 2\\*3 apples**\n\nI make a plan.", author="", card=True))
        (line,) = await board.threads("home", 9)
        assert line.title == "compare 2*3 apples"

    async def test_what_the_engine_has_not_taken_is_found(self, board: Board) -> None:
        """What was said just before a crash is never answered."""
        for name in ("a", "b", "c"):
            await board.put(post(name, taken=False))
        await board.put(post("bot", author="", taken=False))
        await board.take("id-b")
        await board.take("unknown")
        assert [each.id for each in await board.untaken()] == ["id-a", "id-c"]

    async def test_threads_are_listed_by_workspace_latest_first(self, board: Board) -> None:
        """The list on the left is in a random order, or shows other workspaces."""
        there = replace(PLACE, thread="t2")
        away = Place(platform="local", workspace="away", channel="general", thread="t1")
        await board.put(post("first  words\nhere", created_ms=1))
        await board.put(post("b", place=there, author="bob", created_ms=2))
        await board.put(post("c", place=away))
        await board.put(post("d", created_ms=3, author=""))
        lines = await board.threads("home", 9)
        assert [(each.place, each.title, each.last_ms, each.opener) for each in lines] == [
            (PLACE, "first words here", 3, "ann"),
            (there, "b", 2, "bob"),
        ]
        assert len(await board.threads("home", 1)) == 1
        assert await board.threads("nowhere", 9) == ()

    async def test_files_come_with_their_post(self, board: Board) -> None:
        """An attachment cannot be opened."""
        copy = FileCopy(file_id="f", session_id="", media_type="text/plain", data="YWJj")
        await board.put(post("a"), [copy])
        assert await board.file("f") == copy
        assert await board.file("unknown") is None
        assert await board.get("unknown") is None
        assert await board.find("unknown") is None

    async def test_files_come_with_an_edit(self, board: Board) -> None:
        """The file of an answer is lost, an old one is given, or one hangs on a post that was forgotten."""
        stored = await board.put(post("a", author=""))
        ref = FileRef(id="id-a.0", handle="id-a.0", name="r.csv", media_type="text/csv", size_bytes=3)
        for data in ("YWJj", "eHl6"):
            copy = FileCopy(file_id="id-a.0", session_id="", media_type="text/csv", data=data)
            await board.edit(replace(stored, files=(ref,)), [copy])
            assert await board.get("id-a") == replace(stored, files=(ref,))
            assert await board.file("id-a.0") == copy
        lost = FileCopy(file_id="gone.0", session_id="", media_type="text/csv", data="YWJj")
        with pytest.raises(KeyError):
            await board.edit(post("gone"), [lost])
        assert await board.file("gone.0") is None

    async def test_time_moves_forward_only(self, board: Board) -> None:
        """`Let time pass` sets the clock back."""
        assert await board.time_offset_ms() == 0
        assert await board.let_time_pass(1_000) == 1_000
        assert await board.let_time_pass(500) == 1_500
        for wrong in (0, -1):
            with pytest.raises(ValueError, match="forward"):
                await board.let_time_pass(wrong)
        assert await board.time_offset_ms() == 1_500

    async def test_half_a_character_anywhere_is_no_error(self, board: Board) -> None:
        """A post with half an emoji in it can never be stored, found or edited."""
        half = "x\ud83d"
        place = replace(PLACE, thread=half)
        copy = FileCopy(file_id=half, session_id="", media_type=half, data="")
        odd = post("a", id=half, key=half, text=half, author=half, place=place, reply_to=half, mark=half)
        first = await board.put(odd, [copy])
        assert (await board.put(odd, [copy])).n == first.n
        for found in (await board.find(half), await board.get(half), (await board.thread(place, 9))[0]):
            assert found is not None
            assert (found.n, found.text, found.place) == (first.n, "x\ufffd", place)
        await board.edit(odd)
        await board.take(half)
        assert await board.file(half) is not None
        assert len(await board.threads("home", 9)) == 1
