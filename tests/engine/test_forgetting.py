"""Forgetting for good, through the whole house: 0 canaries in any file, whatever runs or dies meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.domain.entities import Phase
from core.domain.errors import BadInput
from core.engine.points import Point
from core.engine.ports import Post
from storage.rows import LINK, PERSON, PREFERENCE, SPEND, SUMMARY, TICKET
from tests.engine.resuming import (
    AWAY,
    HOUR,
    MINUTE,
    code_in,
    everywhere,
    offered,
    pass_time,
    press,
    resume,
    rows,
    said,
    sessions,
)
from tests.kit.scripted import ScriptedModel
from tests.kit.world import World, place_of

CANARY = "zanzibar-canary"
_KEYS = itertools.count()
DEADLY: set[str] = set()  # the point at which the process dies now


class Died(BaseException):
    """The process is gone at a named point."""


async def forget(world: World, what: str = "this", person: str = "alice", thread: str = "t1") -> str:
    """Ask for it, confirm, and let it happen."""
    accepted = await world.command(person, f"forget {what}", thread=thread)
    button = next(each for each in offered(accepted) if each.label == "Forget for good")
    done = await world.press_id(person, button.id, thread=thread)
    await world.settle()
    return said(done)


async def traces(world: World, words: str = CANARY) -> list[str]:
    """The files that still hold these words."""
    return await everywhere(world, words)


async def talk(world: World, text: str, *, person: str = "alice", thread: str = "t1") -> None:
    """Somebody says something and is answered. The delivery's key says nothing: keys outlive their messages."""
    await world.say(person, text, thread=thread, key=f"k{next(_KEYS)}")
    await world.settle()


async def lived_in(world: World) -> None:
    """A conversation with everything that one can have: summary, notice, code, move, correction."""
    world_model(world).scripts = [[f"An answer about {CANARY}-answer."]]
    await talk(world, f"My app is called {CANARY}, never forget it.")
    await pass_time(world, 31 * MINUTE)
    await resume(world, "alice", await code_in(world), thread="t5")
    await world.settle()
    await talk(world, f"More about {CANARY}.", thread="t5")
    await pass_time(world, 25 * HOUR)
    await talk(world, f"Back to {CANARY}.", thread="t5")
    await press(world, "alice", "That's wrong", thread="t5")
    session = (await sessions(world))[0]
    await world.press_id("alice", f"rj1:correct:{session.id}:0", thread="t5", value=f"It is {CANARY}-corrected")
    await world.settle()


def world_model(world: World) -> ScriptedModel:
    """The scripted model of a world."""
    assert isinstance(world.model, ScriptedModel)
    return world.model


# ---------------------------------------------------------------------------------------- this


async def test_it_is_asked_once_and_kept_on_keep(world: World) -> None:
    """A slip of the finger deletes a conversation."""
    await talk(world, f"About {CANARY}")
    accepted = await world.command("alice", "forget")
    assert f"Forget “About {CANARY}” for good? That deletes its 2 messages, yours and mine" in said(accepted)
    keep = next(each for each in offered(accepted) if each.label == "Keep")
    assert said(await world.press_id("alice", keep.id)) == "Kept. Nothing was deleted."
    assert len(await world.posts()) == 2


async def test_nothing_is_left_of_a_conversation_in_any_file(world: World) -> None:
    """After `/forget this` words, summaries, notices or codes are still on the disk."""
    await talk(world, "words of bob", person="bob", thread="t5")
    await lived_in(world)
    assert await traces(world) == ["rejoinder.db"]
    assert (await forget(world, thread="t5")).startswith("Forgotten.")
    assert await traces(world) == []
    (bobs,) = await sessions(world)
    assert {each.session_id for each in await rows(world, TICKET)} == {bobs.id}
    assert CANARY not in str(await rows(world, SUMMARY))
    assert [each.text for each in await world.posts("t5")][:2] == ["words of bob", "Hello."]
    assert await world.posts("t1") == ()


async def test_only_the_owner_can(world: World) -> None:
    """Somebody deletes another person's conversation."""
    await talk(world, f"About {CANARY}")
    await talk(world, "mine", person="bob", thread="t1")
    accepted = await world.command("alice", "forget this")
    sure = next(each for each in offered(accepted) if each.label == "Forget for good")
    assert said(await world.press_id("bob", sure.id)) == "Only the person whose conversation this is can do that."
    assert said(await world.command("carol", "forget this")).startswith("There is no conversation of yours here.")
    await world.settle()
    assert await traces(world) == ["rejoinder.db"]


async def test_what_runs_is_ended_and_brings_nothing_back(world: World) -> None:
    """The answer that was being written is finished, and stands there again."""
    gate = asyncio.Event()
    world_model(world).scripts = [[f"Half of {CANARY}", gate, f" and the rest of {CANARY}"], ["New."]]
    await world.say("alice", f"About {CANARY}", key="k-a")
    await world.run(1.0)
    await world.say("alice", f"And also {CANARY}, waiting", key="k-b")
    await forget(world)
    gate.set()
    await world.settle()
    assert await traces(world) == []
    assert await world.posts() == ()
    assert len(world_model(world).requests) == 1


@pytest.mark.parametrize(
    ("what", "seconds", "pays"),
    [("this", 0.1, False), ("this", 1.0, True), ("everything", 1.0, True)],
    ids=["this, not asked yet", "this, running", "everything, running"],
)
async def test_no_money_stays_reserved(world: World, what: str, seconds: float, *, pays: bool) -> None:
    """A forgotten question eats up a budget until midnight, or forgetting is the way around the budget."""
    world_model(world).scripts = [["Half", asyncio.Event()]]
    await world.say("alice", "A question", key="k-a")
    await world.run(seconds)
    reserved = max(each.reserved for each in await rows(world, SPEND))
    await forget(world, what)
    spends = await rows(world, SPEND)
    assert {each.reserved for each in spends} == {0}
    assert {each.settled for each in spends} == {reserved if pays else 0}


async def test_what_is_said_right_after_stays(world: World) -> None:
    """The deletion takes the first words of the new conversation along."""
    await talk(world, f"About {CANARY}")
    accepted = await world.command("alice", "forget this")
    sure = next(each for each in offered(accepted) if each.label == "Forget for good")
    await world.press_id("alice", sure.id)
    await world.clock.advance(0.01)
    await talk(world, "A new beginning")
    assert [each.text for each in await world.posts()] == ["A new beginning", "Hello."]
    assert [each.title for each in await sessions(world)] == ["A new beginning"]
    assert await traces(world) == []


async def test_a_repeated_delivery_brings_nothing_back(world: World) -> None:
    """A platform or a client sends the forgotten message again."""
    await world.say("alice", f"About {CANARY}", key="k1")
    await world.settle()
    await forget(world)
    with pytest.raises(BadInput, match="forgotten"):
        await world.say("alice", f"About {CANARY}", key="k1")
    later = await world.say_later("alice", "something else")
    assert not later.duplicate
    await world.settle()
    assert await traces(world) == []


async def test_a_card_that_stands_is_told_first(world: World) -> None:
    """A notice of a forgotten conversation goes on offering a button."""
    await talk(world, f"About {CANARY}")
    await pass_time(world, 31 * MINUTE)
    with world.local.hub.subscribed("alice") as page:
        await forget(world)
        seen = [each async for each in _now(page.events(0.01))]
    told = [each for each in seen if each.startswith("event: message")]
    assert any('"text":"Forgotten."' in each and '"buttons":[]' in each for each in told)
    assert any(each.startswith("event: forgotten") for each in seen)


async def _now(events: AsyncIterator[str]) -> AsyncIterator[str]:
    """The events that are there now."""
    async for each in events:
        if each.startswith(":"):
            return
        yield each


@pytest.mark.parametrize("name", ["accept.after_commit", "erase.before", "erase.after", "outcome.before_accept"])
async def test_a_death_while_forgetting_only_delays_it(world: World, name: str) -> None:
    """A crash leaves half of a conversation behind, for ever."""
    await lived_in(world)
    again = await world.reborn(point=_dying_at(name))
    accepted = await again.command("alice", "forget this", thread="t5")
    sure = next(each for each in offered(accepted) if each.label == "Forget for good")
    DEADLY.add(name)
    try:
        with contextlib.suppress(Died, asyncio.CancelledError):
            await again.press_id("alice", sure.id, thread="t5")
        for _ in range(20):
            await again.clock.advance(0.5)
            await again.flush()
    finally:
        DEADLY.clear()
    last = await again.reborn()
    await last.settle()
    assert await traces(last) == []
    assert await sessions(last) == []
    assert await last.posts("t5") == ()


def _dying_at(name: str) -> Point:
    def point(passed: str) -> None:
        if passed == name and name in DEADLY:
            raise Died(name)

    return point


# ----------------------------------------------------------------------------------- everything


async def test_everything_covers_all_places_links_and_words_elsewhere(world: World) -> None:
    """Something of a person stays: in a thread of somebody else, under a linked account, as a choice."""
    shared = await world.reborn(policy=replace(world.policy, shared_threads=True))
    await talk(shared, "Opened by bob", person="bob", thread="t1")
    await shared.say("alice", f"My part: {CANARY}-part", thread="t1", key="k-c")
    await shared.settle()
    again = await shared.reborn(policy=replace(shared.policy, shared_threads=False))
    await lived_in(again)
    await talk(again, f"{CANARY} at home", thread="home/dm:alice/t8")
    await again.command("alice", "notices dm")
    told = said(await again.command("alice", "forget everything"))
    assert "deletes your 3 conversations (home)" in told
    await forget(again, "everything")
    assert await traces(again) == []
    assert [each.title for each in await sessions(again)] == ["Opened by bob"]
    assert await rows(again, PREFERENCE) == []
    assert {each.name for each in await rows(again, PERSON)} == {"bob"}
    assert "Opened by bob" in [each.text for each in await again.posts("t1")]


async def test_linked_accounts_are_forgotten_with_what_they_had_before(world: World) -> None:
    """The other half of a person stays, or comes back with an old backup."""
    await talk(world, f"Own {CANARY} over there", thread="away/general/t6")
    await talk(world, f"About {CANARY}")
    await pass_time(world, 31 * MINUTE)
    await resume(world, "alice", await code_in(world), thread=AWAY)
    await press(world, "alice", "Allow")
    await world.settle()
    assert len(await rows(world, LINK)) == 1
    before = (await rows(world, LINK))[0].before
    await forget(world, "everything")
    assert await traces(world) == []
    assert await rows(world, LINK) == []
    stones = await world.store.read(lambda conn: conn.execute("SELECT key FROM tombstone").fetchall())
    assert (before,) in stones


async def test_after_everything_one_is_a_newcomer(world: World) -> None:
    """A forgotten person is known by name."""
    await talk(world, f"About {CANARY}")
    await forget(world, "everything")
    assert said(await world.command("alice", "sessions")) == "You have no conversations with me yet."
    await talk(world, "Hello again")
    assert [each.phase for each in await sessions(world)] == [Phase.ACTIVE]


async def test_heard_words_of_a_person_go_from_others_memories(world: World) -> None:
    """What somebody was heard saying stays in another person's conversation and its summary."""
    place = place_of("t1")
    post = Post(id="p1", key="k-p1", place=place, author="alice", text=f"I say {CANARY}", state="done")
    await world.store.board.put(post)
    await world.say("bob", "@rejoinder what do you think?", thread="t1")
    await _hear(world, f"I say {CANARY}-heard, 42 times")
    await world.settle()
    await talk(world, "mine", thread="t2")
    await pass_time(world, 2 * HOUR)
    assert await traces(world) == ["rejoinder.db"]
    await forget(world, "everything", thread="t2")
    assert await traces(world) == []
    summary = next(iter(await rows(world, SUMMARY)))
    assert summary.goal == ""


async def _hear(world: World, words: str) -> None:
    """Bob's conversation has heard alice say something."""

    def hear(conn: sqlite3.Connection) -> None:
        conn.execute(
            "INSERT INTO message SELECT"
            " NULL, (num << 24) + next_seq, 'heard', ?, 1, 'alice', '', '', 'p1', 5, '', '', '[]'"
            " FROM session",
            (words,),
        )
        conn.execute("UPDATE session SET next_seq = next_seq + 1")

    await world.store.submit(hear)
