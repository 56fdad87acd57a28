"""Parked, never reset: the idle timeline and the return, through the whole house."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.decision import Form, Policy, Private
from core.domain.entities import Phase, Session
from core.domain.errors import Refused
from core.engine.ports import Post
from storage.rows import SESSION
from tests.kit.scripted import ScriptedModel
from tests.kit.world import World

MINUTE = 60.0
HOUR = 60 * MINUTE


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running house with an empty store."""
    world = await World.open(tmp_path / "rejoinder.db")
    yield world
    await world.close()


async def session_of(world: World) -> Session:
    """The only session."""
    rows = await world.store.read(lambda conn: conn.execute(SESSION.select).fetchall())
    return SESSION.decode(rows[0])


async def pass_time(world: World, seconds: float) -> None:
    """Let time pass, then let the alarm ring."""
    await world.clock.leap(seconds)
    await world.engine.ring()
    await world.settle()


async def notice(world: World) -> Post:
    """The newest post of ours with a Resume button, or the last one."""
    return [post for post in await world.posts() if not post.author][-1]


async def talk(world: World, *texts: str) -> None:
    """Alice says something and is answered."""
    for text in texts:
        await world.say("alice", text)
        await world.settle()


async def test_a_quiet_thread_gets_one_notice_that_is_edited_later(world: World) -> None:
    """One calm notice after 30 minutes; parking and expiry edit it, nobody is pinged twice."""
    await talk(world, "My app is called Lumen.")
    await pass_time(world, 31 * MINUTE)
    first = await notice(world)
    assert "park this conversation" in first.text
    assert [button.label for button in first.buttons[:3]] == ["Resume", "Keep open 24 h", "End"]
    await pass_time(world, 30 * MINUTE)
    second = await notice(world)
    assert (second.id, "parked" in second.text) == (first.id, True)
    await pass_time(world, 24 * HOUR)
    third = await notice(world)
    assert third.id == first.id
    assert (await session_of(world)).phase is Phase.EXPIRED
    assert len(await world.posts()) == 3  # the question, the answer, the notice


async def test_a_notice_comes_also_after_an_answer_that_took_longer_than_the_warning(world: World) -> None:
    """Whoever waited half an hour for an answer, and was asked about in between, never got a notice at all."""
    gate = asyncio.Event()
    assert isinstance(world.model, ScriptedModel)
    world.model.scripts = [["Here it is.", gate]]
    await world.say("alice", "Think about it.")
    await world.run(2.0)
    await world.clock.leap(31 * MINUTE)
    await world.engine.ring()  # it works: the step is postponed
    gate.set()
    await world.settle()
    await pass_time(world, MINUTE)
    assert "park this conversation" in (await notice(world)).text


async def test_a_message_brings_it_back_with_everything(world: World) -> None:
    """Coming back within a day, nothing is lost, and the notice says so without a new post."""
    await talk(world, "My app is called Lumen.")
    await pass_time(world, 61 * MINUTE)
    assert isinstance(world.model, ScriptedModel)
    await talk(world, "What is it called?")
    texts = [post.text for post in await world.posts() if not post.author]
    assert "Back: everything kept." in texts
    sent = str(world.model.requests[-1].messages)
    assert "My app is called Lumen." in sent
    assert "I have everything that was said here." in sent


async def test_an_expired_session_goes_on_from_a_summary_and_says_so(world: World) -> None:
    """After a day the model gets a summary and the last messages; person and model are told in the same words."""
    await talk(world, *(f"Point {n}: the code word is number{n}." for n in range(12)))
    await pass_time(world, 61 * MINUTE)
    await pass_time(world, 25 * HOUR)
    assert isinstance(world.model, ScriptedModel)
    await talk(world, "Where were we?")
    line = "I have a summary of our conversation and the last 6 messages word for word."
    told = await notice_with(world, line)
    assert [button.label for button in told.buttons] == ["Show summary", "That's wrong"]
    sent = str(world.model.requests[-1].messages)
    assert line in sent
    assert "<summary>" in sent
    assert "number0" in sent  # pinned as a fact
    assert len(world.model.requests[-1].messages) < 12


async def notice_with(world: World, words: str) -> Post:
    """The post of ours that contains `words`."""
    return next(post for post in await world.posts() if not post.author and words in post.text)


async def test_a_correction_wins(world: World) -> None:
    """The person corrects the summary, and the model gets the correction."""
    await talk(world, *(f"Point {n} matters." for n in range(8)))
    await pass_time(world, 61 * MINUTE)
    await pass_time(world, 25 * HOUR)
    await talk(world, "Hello again")
    shown = await world.press("alice", "Show summary")
    assert isinstance(shown.decision.reply, Private)
    asked = await world.press("alice", "That's wrong")
    assert isinstance(asked.decision.reply, Form)
    await world.press_id("alice", asked.decision.reply.submit.id, value="The name is Lumen, not Lumi.")
    assert isinstance(world.model, ScriptedModel)
    await talk(world, "And now?")
    assert "The name is Lumen, not Lumi." in str(world.model.requests[-1].messages)


async def test_somebody_else_cannot_read_the_summary(world: World) -> None:
    """What is remembered of my conversation is shown to me alone."""
    await talk(world, *(f"Secret {n}." for n in range(8)))
    await pass_time(world, 61 * MINUTE)
    await pass_time(world, 25 * HOUR)
    await talk(world, "Hello again")
    shown = await world.press("bob", "Show summary")
    assert isinstance(shown.decision.reply, Private)
    assert "Secret" not in shown.decision.reply.text


async def test_a_running_answer_blocks_the_notice(world: World) -> None:
    """While I am being answered nobody tells me that it is quiet here."""
    gate = asyncio.Event()
    assert isinstance(world.model, ScriptedModel)
    world.model.scripts = [["Long ", gate, "answer."]]
    await world.say("alice", "go")
    await world.run(1.0)
    await world.clock.leap(2 * HOUR)
    await world.engine.ring()
    assert (await session_of(world)).phase is Phase.ACTIVE
    gate.set()
    await world.settle()


async def test_overdue_by_long_is_parked_without_a_post(world: World) -> None:
    """After a weekend of downtime nobody is flooded with notices; the card comes with the return."""
    await talk(world, "hello")
    again = await world.reborn()
    await pass_time(again, 5 * HOUR)
    assert (await session_of(again)).phase is Phase.PARKED
    assert len(await again.posts()) == 2


async def test_keep_open_moves_the_notice_a_day(world: World) -> None:
    """One press and nobody parks the conversation for a day."""
    await talk(world, "hello")
    await pass_time(world, 31 * MINUTE)
    await world.press("alice", "Keep open 24 h")
    await pass_time(world, 23 * HOUR)
    assert (await session_of(world)).phase is Phase.ACTIVE
    await pass_time(world, 70 * MINUTE)
    assert (await session_of(world)).phase is Phase.WARNED


async def test_end_ends_the_notices(world: World) -> None:
    """After End nothing more is posted; the conversation is kept."""
    await talk(world, "hello")
    await pass_time(world, 31 * MINUTE)
    await world.press("alice", "End")
    await world.settle()
    await pass_time(world, 48 * HOUR)
    assert (await session_of(world)).phase is Phase.CLOSED
    assert "Ended" in (await notice(world)).text


async def test_a_failing_summariser_leaves_an_extract(tmp_path: Path) -> None:
    """When the cheap model is down the return still works, from an extract."""
    world = await World.open(tmp_path / "rejoinder.db", policy=replace(Policy(), recall_budget_tokens=30_000))
    try:
        assert isinstance(world.model, ScriptedModel)
        await talk(world, *(f"{n}: " + "my words " * 60 for n in range(12)))
        await world.clock.leap(61 * MINUTE)
        world.model.scripts = [[Refused(code="model_auth")]]
        await world.engine.ring()
        await world.settle()
        assert (await session_of(world)).phase in (Phase.WARNED, Phase.PARKED)
        await pass_time(world, 25 * HOUR)
        world.model.scripts = [["Hello."]]
        await talk(world, "back")
        assert "<summary>" in str(world.model.requests[-1].messages)
    finally:
        await world.close()
