"""Resume by a code, by a button, by `/resume`: who gets a conversation, and who gets nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.domain.decision import Choices
from core.domain.entities import Phase
from core.domain.leaving import TicketState
from tests.engine.resuming import (
    AWAY,
    DM,
    HERE,
    HOUR,
    MINUTE,
    REFUSED,
    carried,
    choose,
    code_in,
    everywhere,
    noticed,
    offered,
    pass_time,
    press,
    resume,
    said,
    session,
    sessions,
    talk,
    tickets,
)
from tests.kit.scripted import ScriptedModel
from tests.kit.world import World

WEEK = 7 * 24 * HOUR


def heard_by(world: World) -> str:
    """Everything that the last model call was given, as one text."""
    assert isinstance(world.model, ScriptedModel)
    return str(world.model.requests[-1].messages)


async def test_the_owner_goes_on_in_another_thread(world: World) -> None:
    """The code of the notice, typed in another thread, brings the whole conversation there."""
    code = await noticed(world)
    accepted = await resume(world, "alice", code, thread="t2")
    assert said(accepted) == "It goes on here now. Everything is kept."
    moved = await session(world)
    assert (moved.home.thread, moved.phase) == ("t2", Phase.ACTIVE)
    assert "continues in another thread in" in (await world.answers(HERE))[-1]
    assert "goes on here" in (await world.answers("t2"))[-1]
    assert "Resume" not in [button.label for post in await world.posts(HERE) for button in post.buttons]
    await talk(world, "What is my app called?", thread="t2")
    assert "My app is called Lumen." in heard_by(world)
    assert len(await sessions(world)) == 1


async def test_the_code_works_in_its_own_thread(world: World) -> None:
    """Whoever types the code where it stands is simply back, and the notice says so."""
    code = await noticed(world)
    assert said(await resume(world, "alice", code, thread=HERE)) == "It goes on here. Everything is kept."
    assert (await world.answers(HERE))[-1] == "Back: everything kept."
    assert (await session(world)).phase is Phase.ACTIVE


async def test_a_code_can_be_typed_as_a_message(world: World) -> None:
    """`resume CODE` in a thread works like the command, and the words enter no conversation."""
    code = await noticed(world)
    accepted = await world.say("alice", f"resume {code.lower()}", thread="t2")
    await world.settle()
    assert said(accepted) == "It goes on here now. Everything is kept."
    assert (await session(world)).next_seq == 3


async def test_one_text_for_every_code_that_opens_nothing(world: World) -> None:
    """Unknown, malformed, used, revoked, expired, not theirs: who does not own it gets one answer, byte by byte."""
    code = await noticed(world)
    first = await carried(world)
    second = await carried(world)
    said_to_bob = [
        said(await resume(world, "bob", code, thread="t5")),  # not yours
        said(await resume(world, "bob", second, thread="t5")),  # not yours, and private
        said(await resume(world, "bob", "ABCD-EFGH-JKMN-PQRS", thread="t5")),  # unknown
        said(await resume(world, "bob", "what?", thread="t5")),  # no code at all
    ]
    await resume(world, "alice", second, thread="t3")
    revoked = said(await resume(world, "carol", first, thread="t3"))
    used = said(await resume(world, "carol", second, thread="t4"))
    await pass_time(world, 48 * HOUR)
    expired = said(await resume(world, "carol", code, thread="t4"))
    expired_message = said(await world.say("carol", f"resume {code}", thread="t4"))
    by_id = said(await resume(world, "bob", (await session(world)).id, thread="t5"))
    locked = [said(await resume(world, "eve", f"ABCD-EFGH-JKMN-PQR{n}", thread="t6")) for n in range(8)]
    everything = {*said_to_bob, revoked, used, expired, expired_message, by_id, *locked}
    assert {each.encode() for each in everything} == {REFUSED.encode()}
    assert (await session(world)).home.thread == "t3"


async def test_an_owner_is_told_what_became_of_their_code(world: World) -> None:
    """Somebody types the code from their own notice and is told nothing, or is left without a way on."""
    code = await noticed(world)
    await pass_time(world, 25 * HOUR)
    await pass_time(world, 23 * HOUR)
    (notice,) = [each for each in await world.posts() if ":idle:" in each.key]
    assert "The code that stood here has expired." in notice.text
    assert "/resume" not in notice.text
    assert next(each.label for each in notice.buttons) == "Resume"
    accepted = await resume(world, "alice", code, thread="t3")
    assert said(accepted).startswith("That code has expired; your conversation has not.")
    await choose(world, "alice", accepted, "Resume", thread="t3")
    assert (await session(world)).home.thread == "t3"
    along = await carried(world, thread="t3")
    await resume(world, "alice", along, thread="t4")
    assert said(await resume(world, "alice", along, thread="t5")).startswith("That code was used")


async def test_a_notice_keeps_its_code_until_it_expires_and_no_longer(world: World) -> None:
    """The notice shows a dead code until the next step, or drops a live one; a return takes the look back."""
    code = await noticed(world)
    (ticket,) = await tickets(world)
    await pass_time(world, 25 * HOUR)
    assert code in (await world.posts())[-1].text
    assert (await session(world)).due_ms == ticket.expires_ms
    await press(world, "alice", "Resume")
    assert (await session(world)).code_until_ms is None
    await pass_time(world, 48 * HOUR)
    first = next(each for each in await world.posts() if ":idle:" in each.key)
    assert "expired" not in first.text


async def test_a_code_lives_for_48_hours_to_the_millisecond(world: World) -> None:
    """It works until the last moment, and not one later."""
    code = await noticed(world)
    (ticket,) = await tickets(world)
    assert ticket.expires_ms - ticket.issued_ms == 48 * 3_600_000
    world.clock.step_wall(ticket.expires_ms - world.clock.now_ms())
    assert said(await world.command("alice", f"resume {code}", thread="t2")).startswith("That code has expired")
    world.clock.step_wall(-1)
    assert said(await world.command("alice", f"resume {code}", thread="t2")).startswith("It goes on here")


async def test_a_new_code_revokes_the_older_one_of_its_kind(world: World) -> None:
    """One notice's code at a time, and one code to take along; neither takes the other's life."""
    first = await noticed(world)
    await talk(world, "back")
    await pass_time(world, 31 * MINUTE)
    second = await code_in(world)
    along = await carried(world)
    assert first != second
    assert said(await resume(world, "alice", first, thread="t2")).startswith("That code was used")
    assert sorted(each.state for each in await tickets(world)) == ["live", "live", "replaced"]
    assert said(await resume(world, "alice", second, thread="t2")) != REFUSED
    assert said(await resume(world, "alice", along, thread="t3")) != REFUSED


async def test_the_button_does_not_expire(world: World) -> None:
    """A week later the code is dead, and Resume still brings the conversation back."""
    await noticed(world)
    await pass_time(world, WEEK)
    assert (await session(world)).phase is Phase.EXPIRED
    await press(world, "alice", "Resume")
    assert (await session(world)).phase is Phase.ACTIVE


async def test_the_button_is_for_the_owner(world: World) -> None:
    """Somebody else who presses Resume is told why not, in private, and nothing changes."""
    await noticed(world)
    before, shown = await session(world), await world.answers(HERE)
    accepted = await press(world, "bob", "Resume")
    assert said(accepted) == "Only the person whose conversation this is can go on with it."
    assert (await session(world), await world.answers(HERE)) == (before, shown)


async def test_an_id_is_not_a_key(world: World) -> None:
    """Who knows a session's id, from a link or a log, gets nothing with it."""
    await noticed(world)
    before = await session(world)
    assert said(await resume(world, "bob", before.id, thread="t2")) == REFUSED
    assert said(await resume(world, "eve", before.id, thread=AWAY)) == REFUSED
    assert await session(world) == before
    await resume(world, "alice", before.id, thread="t2")
    assert (await session(world)).home.thread == "t2"


async def test_resume_alone_takes_the_only_conversation(world: World) -> None:
    """With one conversation there is nothing to choose: `/resume` brings it here."""
    await talk(world, "hello")
    accepted = await resume(world, "alice", "", thread="t2")
    assert said(accepted) == "It goes on here now. Everything is kept."
    assert (await session(world)).home.thread == "t2"


async def test_resume_alone_asks_when_there_are_several(world: World) -> None:
    """With several, one chooses; the choice names title, place and age, never a code."""
    for thread in ("t1", "t2", "t3"):
        await talk(world, f"about {thread}", thread=thread)
    accepted = await resume(world, "alice", "", thread="t4")
    assert isinstance(accepted.decision.reply, Choices)
    assert [each.label for each in offered(accepted)] == [
        f"about {thread} (#general, just now)" for thread in ("t3", "t2", "t1")
    ]
    await choose(world, "alice", accepted, "about t2", thread="t4")
    assert [each.home.thread for each in await sessions(world)] == ["t1", "t4", "t3"]


async def test_resume_alone_prefers_what_sleeps_here(world: World) -> None:
    """In a parked thread `/resume` means the conversation of this thread."""
    await noticed(world, thread="t1")
    await talk(world, "another", thread="t2")
    assert said(await resume(world, "alice", "", thread="t1")) == "It goes on here. Everything is kept."


async def test_resume_alone_with_nothing(world: World) -> None:
    """Nobody is sent in circles: with no conversation one is told how to begin."""
    assert said(await resume(world, "alice", "", thread="t1")).startswith("There is nothing to resume.")
    await talk(world, "hello")
    assert said(await resume(world, "alice", "", thread="t1")).startswith("There is nothing to resume.")


async def test_an_ended_conversation_comes_back_by_an_explicit_resume(world: World) -> None:
    """After End a message starts anew, but Resume still finds the old one, and the new one is parked."""
    await noticed(world)
    await press(world, "alice", "End")
    await talk(world, "something new")
    old, new = await sessions(world)
    assert (old.phase, new.phase) == (Phase.CLOSED, Phase.ACTIVE)
    accepted = await press(world, "alice", "Resume")
    assert "“something new” that was here is parked" in said(accepted)
    old, new = await sessions(world)
    assert (old.phase, new.phase) == (Phase.ACTIVE, Phase.PARKED)
    await talk(world, "which one?")
    assert "My app is called Lumen." in heard_by(world)
    assert "something new" not in heard_by(world)


async def test_a_forgotten_conversation_does_not_come_back(world: World) -> None:
    """What was erased is not reachable by a code or button that was given out before."""
    code = await noticed(world)
    erased = replace(await session(world), phase=Phase.ERASED)
    await world.store.submit(lambda conn: conn.execute("UPDATE session SET phase = 'erased'"))
    assert said(await resume(world, "alice", code, thread="t2")) == REFUSED
    assert said(await resume(world, "alice", erased.id, thread="t2")) == REFUSED
    assert (await session(world)).home == erased.home


async def test_a_private_place_is_named_before_it_is_left(world: World) -> None:
    """What was said in a direct message comes into a channel only after a yes that names who can read there."""
    await talk(world, "secret plans", thread=f"home/{DM}/t1")
    accepted = await resume(world, "alice", "", thread="t2")
    assert said(accepted) == "Here everybody in home could read this conversation. Go on here?"
    assert [each.label for each in offered(accepted)] == ["Yes, everybody in home can read it", "No"]
    assert (await session(world)).home.channel == DM
    declined = await choose(world, "alice", accepted, "No", thread="t2")
    assert said(declined) == "All right. Nothing was moved."
    assert said(await choose(world, "alice", accepted, "Yes", thread="t2")) == "That is done already."
    again = await resume(world, "alice", "", thread="t2")
    await choose(world, "alice", again, "Yes", thread="t2")
    assert (await session(world)).home.channel == "general"


async def test_the_confirmation_is_the_movers_own(world: World) -> None:
    """Nobody else can say yes for me, not even with the button's id."""
    await talk(world, "secret plans", thread=f"home/{DM}/t1")
    accepted = await resume(world, "alice", "", thread="t2")
    other = await world.press_id("bob", offered(accepted)[0].id, thread="t2")
    assert said(other) == "Only the person who was asked can answer that."
    assert (await session(world)).home.channel == DM


@pytest.mark.parametrize("kind", ["owner", "strangers"])
async def test_fifty_at_once_have_one_winner(world: World, kind: str) -> None:
    """20 codes, each brought by 50 at the same moment: every code is used exactly once."""
    await bring_all(world, 20, 50, kind)


async def bring_all(world: World, count: int, times: int, kind: str) -> None:
    """So many codes, each brought so many times at once, by the "owner" or by "strangers"."""
    codes = []
    for n in range(count):
        thread = f"s{n}"
        await talk(world, f"conversation {n}", thread=thread)
        codes.append(await carried(world, thread=thread))

    async def bring(code: str, n: int) -> bool:
        who, where = ("alice", f"w{n}") if kind == "owner" else (f"x{n}-{code[:4].lower()}", f"away/general/w{n}")
        told = said(await world.command(who, f"resume {code}", thread=where))
        return told != REFUSED and not told.startswith("That code was used")

    results = await asyncio.gather(*(bring(code, n) for n in range(times) for code in codes))
    await world.settle()
    for at in range(count):
        assert sum(results[at::count]) == 1
    assert [each.state for each in await tickets(world)] == [TicketState.USED] * count


async def test_no_code_is_in_any_file_or_log(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever copies the disk, or reads the log, finds no code: not the shown, the typed, the used or the wrong one."""
    caplog.set_level(0)
    shown = await noticed(world)
    along = await carried(world)
    wrong = "ABCD-EFGH-JKMN-PQR7"
    await resume(world, "alice", wrong, thread="t2")
    await world.say("alice", f"resume {wrong}", thread="t2", key="wrong")
    await resume(world, "alice", along, thread="t2")
    await resume(world, "eve", shown, thread=AWAY)
    await press(world, "alice", "Allow", thread="t2")
    assert await everywhere(world, "Lumen")
    logged = (caplog.text + "".join(capfd.readouterr())).replace("-", "").lower()
    for code in (shown, along, wrong):
        assert await everywhere(world, code) == []
        assert code.replace("-", "").lower() not in logged
