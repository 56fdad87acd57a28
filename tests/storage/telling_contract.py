"""The contract of the `Store` port: what performers write while they work, and what they read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.entities import (
    Draft,
    FileCopy,
    FileRef,
    Part,
    Role,
    TurnState,
)
from core.domain.errors import HistoryUnreadable
from core.engine.ports import Claim, Store
from tests.kit.store import (
    Script,
    accept,
    answering,
    done,
    given,
    message,
    replied,
    session,
    started,
    turn,
)


class TellingContract:
    """What is kept of a running answer, and what a model is told."""

    # --- drafts, parts, deliveries ----------------------------------------------------------------

    async def test_a_running_answer_is_what_was_said_and_its_drafts(self, store: Store) -> None:
        """After a crash the words that people have already read are gone."""
        await given(store, *answering(), replace(turn(), said="Once "))
        await started(store)
        await store.progress([Draft(effect_id="e1", n=0, text="upon ")], [Part(turn_id="t1", n=0, ref="m1", start=0)])
        await store.progress([Draft(effect_id="e1", n=1, text="a time")], [])
        delivery = await store.delivery("t1")
        assert delivery.text == "Once upon a time"
        assert delivery.parts == (Part(turn_id="t1", n=0, ref="m1", start=0),)
        assert await store.draft_of("e1") == "upon a time"
        assert await store.draft_of("unknown") == ""

    async def test_the_outcome_ends_the_draft_and_a_late_one_is_ignored(self, store: Store) -> None:
        """The end of an old draft stands behind the finished answer."""
        await given(store, *answering())
        await started(store)
        await store.progress([Draft(effect_id="e1", n=0, text="draft")], [])
        answered = Script(
            turn(state=TurnState.ANSWERED, answer_seq=2),
            message(2, "the answer", role=Role.ASSISTANT, turn_id="t1"),
            replace(session(), next_seq=3),
        )
        await accept(store, replied("t1"), answered, finishes=Claim(effect_id="e1", boot="b1", attempt=1))
        await store.progress([Draft(effect_id="e1", n=1, text="late")], [])
        assert await store.draft_of("e1") == ""
        assert (await store.delivery("t1")).text == "the answer"

    async def test_parts_are_brought_up_to_date_while_the_delivery_is_open(self, store: Store) -> None:
        """After a restart the answer is posted again below itself."""
        await given(store, *answering())
        await started(store)
        part = Part(turn_id="t1", n=0, ref="m1", start=0)
        await store.progress([], [part])
        await store.progress([], [replace(part, confirmed_chars=7, final=True)])
        assert (await store.delivery("t1")).parts == (replace(part, confirmed_chars=7, final=True),)
        await accept(store, done(), Script(), finishes=Claim(effect_id="e2", boot="b1", attempt=1))
        await store.progress([], [replace(part, ref="late")])
        assert (await store.delivery("t1")).parts[0].ref == "m1"

    async def test_the_same_draft_twice_is_the_same_draft(self, store: Store) -> None:
        """A draft that is saved again after a full disk stands there twice."""
        await given(store, *answering())
        await started(store)
        for _ in range(2):
            await store.progress([Draft(effect_id="e1", n=0, text="once")], [])
        assert await store.draft_of("e1") == "once"

    async def test_what_is_unknown_is_a_key_error(self, store: Store) -> None:
        """A performer waits for ever for something that does not exist."""
        for call in (store.delivery("t"), store.conversation("t", 1), store.card("s", "k")):
            with pytest.raises(KeyError):
                await call

    # --- conversations ----------------------------------------------------------------------------

    async def test_a_conversation_is_the_newest_within_the_budget(self, store: Store) -> None:
        """The model forgets the last words, or gets more than it can take."""
        rows = [message(seq, f"m{seq}", tokens=10) for seq in range(1, 201)]
        await given(
            store, replace(session(), next_seq=202), *rows, message(201, turn_id="t1"), turn(first=201, last=201)
        )
        told = await store.conversation("t1", 35)
        assert [each.seq for each in told.messages] == [199, 200, 201]
        assert not told.whole
        told = await store.conversation("t1", 10_000)
        assert [each.seq for each in told.messages] == list(range(1, 202))
        assert told.whole
        assert told.turn == turn(first=201, last=201)
        assert told.session == replace(session(), next_seq=202)

    async def test_a_fresh_start_hides_what_was_before_it(self, store: Store) -> None:
        """After an acknowledged fresh start the model still gets the old words."""
        rows = [message(seq) for seq in range(1, 5)]
        await given(store, replace(session(), next_seq=5, fresh_from_seq=3), *rows, turn(first=4, last=4))
        told = await store.conversation("t1", 1_000)
        assert [each.seq for each in told.messages] == [3, 4]
        assert told.whole

    async def test_the_turns_own_messages_are_always_there(self, store: Store) -> None:
        """A question that is longer than the budget is not asked at all."""
        rows = [message(1), message(2, tokens=900, turn_id="t1"), message(3, tokens=900, turn_id="t1")]
        await given(store, replace(session(), next_seq=4), *rows, turn(first=2, last=3))
        told = await store.conversation("t1", 100)
        assert [each.seq for each in told.messages] == [2, 3]
        assert not told.whole

    async def test_what_the_model_refused_is_not_told_again(self, store: Store) -> None:
        """One refused question makes every later one be refused."""
        refused = turn("t0", first=2, last=2, state=TurnState.FAILED, failure="model_refusal")
        rows = [message(1), message(2, turn_id="t0"), message(3, turn_id="t1")]
        await given(store, replace(session(), next_seq=4), *rows, refused, turn(first=3, last=3))
        told = await store.conversation("t1", 1_000)
        assert [each.seq for each in told.messages] == [1, 3]
        assert told.whole
        again = await store.conversation("t0", 1_000)
        assert 2 in [each.seq for each in again.messages]

    async def test_files_come_with_the_messages_that_are_told(self, store: Store) -> None:
        """The model does not see an attachment."""
        ref = FileRef(id="f1", handle="h", name="a.txt", media_type="text/plain", size_bytes=3)
        copies = [
            FileCopy(file_id=each, session_id="s1", media_type="text/plain", data="YWJj") for each in ("f1", "f9")
        ]
        await given(store, replace(session(), next_seq=2), message(1, files=(ref,)), turn(), *copies)
        assert (await store.conversation("t1", 1_000)).files == {"f1": copies[0]}

    async def test_a_message_may_be_put_again(self, store: Store) -> None:
        """An answer that goes on is refused, or stands there twice."""
        await given(store, replace(session(), next_seq=2), message(1, "half"), turn())
        await given(store, message(1, "whole"))
        assert [each.text for each in (await store.conversation("t1", 1_000)).messages] == ["whole"]

    async def test_broken_blocks_are_an_unreadable_history(self, store: Store) -> None:
        """A damaged history ends in an internal error instead of an acknowledged fresh start."""
        await given(store, replace(session(), next_seq=2), message(1, role=Role.ASSISTANT, blocks='[{"type":'), turn())
        with pytest.raises(HistoryUnreadable):
            await store.conversation("t1", 1_000)

    async def test_text_that_is_no_text_is_stored_all_the_same(self, store: Store) -> None:
        """A message with half an emoji in it can never be stored and is delivered for ever."""
        odd = "half \ud83d, whole \ud83d\ude00, nul \x00"
        await given(store, replace(session(), next_seq=2), message(1, odd), turn())
        told = await store.conversation("t1", 1_000)
        assert told.messages[0].text == "half \ufffd, whole \U0001f600, nul \x00"
