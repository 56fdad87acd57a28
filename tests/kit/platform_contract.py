"""What every platform adapter must do: one suite for the `Platform` port, run for each adapter.

Knows: the port's docstrings. Must not know: any platform. A test module of an adapter makes a `Stage` fixture and a
class that inherits `PlatformContract`:

    class TestSlack(PlatformContract): ...

with a fixture `stage` that gives a running platform, a person who speaks on it, and a reader of what stands there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import pytest

from core.domain.effects import MarkKind
from core.domain.entities import Button, Card
from core.domain.errors import Refused
from core.domain.files import AnswerFile
from core.domain.keys import Audience, ButtonId, PersonKey, Place
from core.engine.ports import AnswerState, Piece, Platform, Unreadable

TURN = "01J0000000000000000000TVRN"
SESSION = "01J000000000000000000SESSN"
CARD = "01J0000000000000000000CARD"


@dataclass(slots=True)
class Seen:
    """One message of the bot as a reader sees it: plain text, and the labels of its buttons."""

    text: str
    buttons: list[str] = field(default_factory=list)


class Stage(Protocol):
    """A running platform and people on it."""

    platform: Platform
    person: PersonKey

    async def say(self, text: str, *, file: bytes | None = None) -> tuple[Place, str, str]:
        """The person writes a message that begins a thread; its place, its ref, and the handle of its file."""
        ...

    async def write(self, ref: str, piece: Piece) -> str:
        """`write_answer`, which may take its time; returns what it returns."""
        ...

    async def seen(self, place: Place) -> list[Seen]:
        """The bot's messages there, once everything that was sent has arrived."""
        ...

    async def files(self, place: Place) -> list[tuple[str, bytes]]:
        """The bot's files there: names and bytes."""
        ...

    async def forget_everything(self) -> None:
        """Another process takes over: the platform's memory is empty, what stands on its server stays."""
        ...

    def now_ms(self) -> int:
        """The wall clock."""
        ...


def piece(text: str, state: AnswerState = AnswerState.DONE, *, n: int = 0, buttons: tuple[Button, ...] = ()) -> Piece:
    """A part of an answer."""
    return Piece(turn_id=TURN, n=n, text=text, state=state, buttons=buttons)


def with_file(text: str, *files: AnswerFile) -> Piece:
    """The last part of a finished answer that has files."""
    return Piece(turn_id=TURN, n=0, text=text, state=AnswerState.DONE, files=files)


def card(place: Place, text: str, *labels: str) -> Card:
    """A card with buttons."""
    buttons = tuple(Button(id=str(ButtonId(verb=label.lower(), subject=CARD)), label=label) for label in labels)
    return Card(id=CARD, session_id=SESSION, key="idle:0", place=place, text=text, buttons=buttons)


class PlatformContract:
    """Inherit from it, and give a fixture `stage`."""

    # ----------------------------------------------------------------------------------- answers

    async def test_an_answer_that_grows_is_one_message(self, stage: Stage) -> None:
        """Opened, written again and again, finished: a reader sees one message with the last text."""
        place, ref, _ = await stage.say("hello")
        key = f"{TURN}:0"
        at = await stage.platform.open_answer(place, key, ref, piece("", AnswerState.STREAMING))
        for text in ("One ", "One two ", "One two three"):
            at = await stage.platform.write_answer(at, piece(text, AnswerState.STREAMING))
        await stage.platform.write_answer(at, piece("One two three."))
        assert await stage.seen(place) == [Seen("One two three.")]

    async def test_an_answer_that_is_final_at_once_is_one_message(self, stage: Stage) -> None:
        """A short answer is opened with its whole text."""
        place, ref, _ = await stage.say("hello")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("All of it."))
        await stage.platform.write_answer(at, piece("All of it."))
        assert await stage.seen(place) == [Seen("All of it.")]

    async def test_the_latest_text_wins(self, stage: Stage) -> None:
        """A text that is no continuation of what stands replaces it."""
        place, ref, _ = await stage.say("hello")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("Please wait.", AnswerState.STREAMING))
        at = await stage.platform.write_answer(at, piece("Please wait.", AnswerState.STREAMING))
        await stage.platform.write_answer(at, piece("Here it is."))
        assert await stage.seen(place) == [Seen("Here it is.")]

    async def test_writing_the_same_twice_changes_nothing(self, stage: Stage) -> None:
        """An outcome that was not written down is written again."""
        place, ref, _ = await stage.say("hello")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("", AnswerState.STREAMING))
        at = await stage.platform.write_answer(at, piece("Done."))
        await stage.platform.write_answer(at, piece("Done."))
        assert await stage.seen(place) == [Seen("Done.")]

    async def test_a_file_hangs_in_the_thread_once(self, stage: Stage) -> None:
        """However often it is written, by however many processes: a reader sees the words and each file once."""
        place, ref, _ = await stage.say("hello")
        report = AnswerFile(name="report.csv", media_type="text/csv", text="a,b\n" * 1_000)
        script = AnswerFile(name="größe.py", media_type="text/plain", text="print('<!channel> @everyone ü')\n")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("Wait.", AnswerState.STREAMING))
        at = await stage.platform.write_answer(at, piece("Wait, soon.", AnswerState.STREAMING))
        for _ in range(2):
            for _ in range(2):
                at = await stage.write(at, with_file("Here it is.", report, script))
            await stage.forget_everything()
        assert await stage.seen(place) == [Seen("Here it is.")]
        assert sorted(await stage.files(place)) == sorted((each.name, each.data) for each in (report, script))

    async def test_another_process_finishes_the_same_message(self, stage: Stage) -> None:
        """A new process knows nothing but the ref, and completes the message."""
        place, ref, _ = await stage.say("hello")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("", AnswerState.STREAMING))
        at = await stage.platform.write_answer(at, piece("The first half ", AnswerState.STREAMING))
        await stage.forget_everything()
        at = await stage.platform.write_answer(at, piece("The first half and", AnswerState.STREAMING))
        await stage.platform.write_answer(at, piece("The first half and the second."))
        assert await stage.seen(place) == [Seen("The first half and the second.")]

    async def test_a_message_whose_ref_was_lost_is_found(self, stage: Stage) -> None:
        """The process died between the post and the note of it: looking first finds it, and there is no second one."""
        place, ref, _ = await stage.say("hello")
        key, since_ms = f"{TURN}:0", stage.now_ms()
        await stage.platform.open_answer(place, key, ref, piece("", AnswerState.STREAMING))
        await stage.forget_everything()
        found = await stage.platform.find(place, key, since_ms)
        assert isinstance(found, str)
        await stage.platform.write_answer(found, piece("Done."))
        assert await stage.seen(place) == [Seen("Done.")]

    async def test_buttons_of_an_answer_are_there(self, stage: Stage) -> None:
        """A failed answer offers to try again."""
        place, ref, _ = await stage.say("hello")
        again = Button(id=str(ButtonId(verb="again", subject=TURN)), label="Try again")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("", AnswerState.STREAMING))
        await stage.platform.write_answer(at, piece("It failed.", AnswerState.FAILED, buttons=(again,)))
        assert await stage.seen(place) == [Seen("It failed.", ["Try again"])]

    async def test_parts_stand_in_their_order(self, stage: Stage) -> None:
        """A long answer is several parts, each as long as the platform says; it may need several messages for one."""
        place, ref, _ = await stage.say("hello")
        most = stage.platform.limits.max_text_chars - 100
        texts = [f"part {n} " + f"{n}" * (most - 7) for n in range(2)]
        for n, text in enumerate(texts):
            at = await stage.platform.open_answer(place, f"{TURN}:{n}", ref, piece("", AnswerState.STREAMING, n=n))
            await stage.platform.write_answer(at, piece(text, n=n))
        assert "".join([each.text for each in await stage.seen(place)]) == "".join(texts)

    async def test_a_stopped_answer_keeps_its_text(self, stage: Stage) -> None:
        """Stop keeps what was said."""
        place, ref, _ = await stage.say("hello")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("", AnswerState.STREAMING))
        at = await stage.platform.write_answer(at, piece("So far", AnswerState.STREAMING))
        await stage.platform.write_answer(at, piece("So far. Stopped.", AnswerState.STOPPED))
        assert await stage.seen(place) == [Seen("So far. Stopped.")]

    # ------------------------------------------------------------------------------------- cards

    async def test_a_card_is_posted_once_and_edited(self, stage: Stage) -> None:
        """A notice is one message, whatever becomes of it."""
        place, _, _ = await stage.say("hello")
        ref = await stage.platform.show(place, "k", card(place, "Quiet here.", "Resume", "End"), "")
        assert await stage.seen(place) == [Seen("Quiet here.", ["Resume", "End"])]
        again = await stage.platform.show(place, "k", card(place, "Back."), ref)
        assert again == ref
        assert await stage.seen(place) == [Seen("Back.")]

    async def test_a_card_is_found_under_its_key(self, stage: Stage) -> None:
        """Look first: what was posted under a key is found, what was not is not."""
        place, _, _ = await stage.say("hello")
        since_ms = stage.now_ms()
        assert await stage.platform.find(place, "k", since_ms) is None
        ref = await stage.platform.show(place, "k", card(place, "Quiet here."), "")
        assert await stage.platform.find(place, "k", since_ms) == ref
        assert await stage.platform.find(place, "another", since_ms) is None
        await stage.forget_everything()
        assert await stage.platform.find(place, "k", since_ms) == ref

    async def test_a_private_place_is_one_for_cards(self, stage: Stage) -> None:
        """A notice that somebody wants to read alone."""
        place = await stage.platform.open_private(stage.person)
        if place is None:
            pytest.skip("no such thing there")
        assert await stage.platform.audience(place) is Audience.DM
        await stage.platform.show(place, "k", card(place, "For you alone."), "")
        assert Seen("For you alone.") in await stage.seen(place)

    # ----------------------------------------------------------------------------------- reading

    async def test_a_thread_is_read_oldest_first(self, stage: Stage) -> None:
        """What people and the bot said there, in order, and who they are."""
        place, ref, _ = await stage.say("hello there")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("Hi."))
        await stage.platform.write_answer(at, piece("Hi."))
        await stage.seen(place)
        heard = await stage.platform.read_thread(place, 100)
        assert not isinstance(heard, Unreadable)
        assert [(each.text, each.is_bot) for each in heard] == [("hello there", False), ("Hi.", True)]
        assert heard[0].ref == ref
        assert heard[0].user == stage.person.user
        last = await stage.platform.read_thread(place, 1)
        assert not isinstance(last, Unreadable)
        assert [each.text for each in last] == ["Hi."]

    async def test_who_can_read_is_known(self, stage: Stage) -> None:
        """The audience of a place is one of four."""
        place, _, _ = await stage.say("hello")
        assert await stage.platform.audience(place) in Audience

    async def test_files_are_capped(self, stage: Stage) -> None:
        """A file is given as it is, and never above the cap."""
        _, _, handle = await stage.say("look", file=b"0123456789")
        assert await stage.platform.fetch_file(handle, 10) == b"0123456789"
        with pytest.raises(Refused) as refused:
            await stage.platform.fetch_file(handle, 9)
        assert refused.value.code == "too_large"

    # ------------------------------------------------------------------------------------ the rest

    async def test_signs_are_best_effort(self, stage: Stage) -> None:
        """A sign may be put twice; nothing else happens."""
        place, ref, _ = await stage.say("hello")
        for mark in (*MarkKind, MarkKind.SEEN):
            await stage.platform.mark(ref, mark)
        assert await stage.seen(place) == []

    async def test_what_is_no_message_of_ours_is_refused(self, stage: Stage) -> None:
        """A ref out of another world is a definite no, not an error of ours."""
        with pytest.raises(Refused):
            await stage.platform.write_answer("no such message", piece("Hi."))

    async def test_forgetting_never_fails(self, stage: Stage) -> None:
        """Memory of a place is dropped, also of one that is not known."""
        place, ref, _ = await stage.say("hello")
        await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("Hi."))
        await stage.platform.forgotten((place, Place(platform="x", workspace="y", channel="z")), stage.now_ms())
