"""A code of one's own on another account: continuing elsewhere, linking, and undoing it."""

from __future__ import annotations

import asyncio

from core.domain.events import Address, MessageReceived
from core.domain.keys import Audience
from core.domain.leaving import TicketState
from tests.engine.resuming import (
    AWAY,
    AWAY_DM,
    DM,
    HERE,
    HOUR,
    REFUSED,
    bindings,
    carried,
    choose,
    identity,
    links,
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
from tests.kit.world import World, author_at, place_of

ASKED = "I asked the person whose conversation this is, in its thread."


async def labels(world: World, thread: str = HERE) -> list[str]:
    """The labels of all buttons in a thread, top down."""
    return [button.label for post in await world.posts(thread) for button in post.buttons]


# --------------------------------------------------------------------------------- continue elsewhere


async def test_a_code_of_ones_own_links_at_once(world: World) -> None:
    """`Continue elsewhere`: typed in the other workspace it moves at once; the origin says where, and offers undo."""
    await talk(world, "My app is called Lumen.")
    accepted = await resume(world, "ally", await carried(world), thread=AWAY)
    assert "It goes on here now." in said(accepted)
    assert "linked" in said(accepted)
    assert [each.label for each in offered(accepted)] == ["Unlink"]
    moved = await session(world)
    assert (moved.home.workspace, moved.home.user) == ("away", "ally")
    assert (await world.answers(HERE))[-1] == "Continued in away, #general as @ally."
    assert await labels(world) == ["That wasn't me", "Bring it back here", "Start new here"]


async def test_only_the_owner_gets_a_code_to_take_along(world: World) -> None:
    """Nobody else can have a code made for my conversation."""
    await talk(world, "hello")
    found = await session(world)
    pressed = await world.press_id("bob", f"rj1:carry:{found.id}:0")
    assert said(pressed) == "Only the person whose conversation this is can go on with it."
    assert await tickets(world) == []


async def test_a_code_of_ones_own_in_a_public_place_asks_for_a_private_conversation(world: World) -> None:
    """A direct message that is carried into a channel elsewhere is confirmed there, and only then linked."""
    await talk(world, "secret plans", thread=f"home/{DM}/t1")
    code = await carried(world, thread=f"home/{DM}/t1")
    accepted = await resume(world, "ally", code, thread=AWAY)
    text = said(accepted)
    assert text.startswith("Here everybody in away could read this conversation. Go on here?")
    assert text.endswith("Say yes only if both are you.")
    assert await links(world) == []
    await choose(world, "ally", accepted, "Yes", thread=AWAY)
    assert (await session(world)).home.workspace == "away"
    assert len(await links(world)) == 1


async def test_a_direct_message_elsewhere_is_no_wider(world: World) -> None:
    """From one direct message to another nobody else can read along, so nothing is asked."""
    await talk(world, "secret plans", thread=f"home/{DM}/t1")
    code = await carried(world, thread=f"home/{DM}/t1")
    accepted = await resume(world, "ally", code, thread="away/dm:ally/t8")
    assert "It goes on here now." in said(accepted)


async def test_whoever_has_conversations_there_confirms_the_link(world: World) -> None:
    """Nobody shares their conversations by typing a code that somebody sent them: two pasts are joined by a yes."""
    await talk(world, "my own things", person="ally", thread="away/general/a1")
    await talk(world, "hello")
    accepted = await resume(world, "ally", await carried(world), thread=AWAY)
    assert said(accepted).startswith("This code belongs to a conversation of another account.")
    assert [each.label for each in offered(accepted)] == ["Yes, both are me", "No"]
    assert await links(world) == []
    assert [each.state for each in await tickets(world)] == [TicketState.LIVE]
    await choose(world, "ally", accepted, "Yes, both are me", thread=AWAY)
    assert len(await links(world)) == 1
    owners = {each.owner for each in await sessions(world)}
    assert owners == {await identity(world, "alice")}


async def test_a_confirmation_that_comes_too_late_opens_nothing(world: World) -> None:
    """The code was used elsewhere meanwhile, or two days went by: the yes meets the one refusal."""
    await talk(world, "my own things", person="ally", thread="away/general/a1")
    await talk(world, "hello")
    code = await carried(world)
    accepted = await resume(world, "ally", code, thread=AWAY)
    await resume(world, "alice", code, thread="t2")
    assert said(await choose(world, "ally", accepted, "Yes", thread=AWAY)) == "That is done already."
    second = await resume(world, "ally", await carried(world, thread="t2"), thread=AWAY)
    world.clock.step_wall(48 * 3_600_000)
    late = await world.press_id("ally", offered(second)[0].id, thread=AWAY)
    assert said(late) == REFUSED
    assert await links(world) == []


# ------------------------------------------------------------------------------------- that wasn't me


async def test_that_was_not_me_undoes_all_of_it(world: World) -> None:
    """One press: the accounts are apart, the conversation is back, no code works, the other reads nothing more."""
    await talk(world, "My app is called Lumen.")
    await resume(world, "ally", await carried(world), thread=AWAY)
    stolen_second = await carried(world, thread="t7")
    undone = await press(world, "alice", "That wasn't me")
    assert said(undone).startswith("Done.")
    back = await session(world)
    assert (back.home.workspace, back.home.thread, back.home.user) == ("home", "t1", "alice")
    assert await identity(world, "ally", "away") != back.owner
    assert said(await resume(world, "ally", stolen_second, thread=AWAY)) == REFUSED
    assert (await world.answers(HERE))[-1].startswith("That is undone: it is back here")
    assert (await world.answers(AWAY))[-1].startswith("This conversation has gone back to where it came from.")
    await talk(world, "what is the app called?", person="ally", thread=AWAY)
    assert isinstance(world.model, ScriptedModel)
    assert "Lumen" not in str(world.model.requests[-1].messages)
    await talk(world, "what is my app called?")
    assert "Lumen" in str(world.model.requests[-1].messages)


async def test_whoever_is_unlinked_is_answered_where_they_were(world: World) -> None:
    """A plain word of theirs in that thread meets silence, or opens what was taken from them."""
    await talk(world, "My app is called Lumen.")
    await resume(world, "ally", await carried(world), thread=AWAY)
    await press(world, "alice", "That wasn't me")
    mine = said(await world.command("ally", "sessions", thread=AWAY))
    assert "no words" not in mine
    place = place_of(AWAY)
    event = MessageReceived(
        source_keys=("local:plain",),
        author=author_at("ally", place),
        place=place,
        text="are you there?",
        ref="plain",
        address=Address.PLAIN,
    )
    await world.engine.accept(event)
    await world.settle()
    assert (await world.answers(AWAY))[-1] == "Hello."
    assert isinstance(world.model, ScriptedModel)
    assert "Lumen" not in str(world.model.requests[-1].messages)
    await talk(world, "what is my app called?")
    assert "Lumen" in str(world.model.requests[-1].messages)


async def test_what_was_pulled_over_goes_home_too(world: World) -> None:
    """Two more conversations were taken before it was noticed: they go home; what was begun there stays there."""
    for thread in ("t1", "t2", "t3"):
        await talk(world, f"about {thread}", thread=thread)
    ids = [each.id for each in await sessions(world)]
    await talk(world, "mine before", person="ally", thread="away/general/old")
    accepted = await resume(world, "ally", await carried(world), thread=AWAY)
    await choose(world, "ally", accepted, "Yes", thread=AWAY)
    await resume(world, "ally", ids[1], thread="away/general/t8")
    await resume(world, "ally", ids[2], thread="away/general/t9")
    await talk(world, "mine since", person="ally", thread="away/general/new")
    await press(world, "alice", "That wasn't me")
    found = {each.title: each for each in await sessions(world)}
    for thread in ("t1", "t2", "t3"):
        assert (found[f"about {thread}"].home.workspace, found[f"about {thread}"].home.thread) == ("home", thread)
        assert found[f"about {thread}"].owner == await identity(world, "alice")
    for thread in ("t2", "t3"):  # who reads there is not known here: nothing of it goes anywhere without a question
        assert found[f"about {thread}"].audience is Audience.DM
    for title in ("mine before", "mine since"):
        assert found[title].owner == await identity(world, "ally", "away")
        assert found[title].home.workspace == "away"
    homes = {each.id: str(each.home) for each in found.values()}
    bound = await bindings(world)
    assert all(bound[home] == each for each, home in homes.items())
    assert not any(key.startswith("local/away/") and owner in ids for key, owner in bound.items())


async def test_the_other_account_is_not_told_where_it_went(world: World) -> None:
    """No thread of the other account names the place that the conversation went back to."""
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread="away/corner/t7")
    await resume(world, "ally", (await session(world)).id, thread="away/nook/t8")
    await press(world, "alice", "That wasn't me")
    for thread in ("away/corner/t7", "away/nook/t8"):
        newest = [text for text in await world.answers(thread) if "It came from" not in text]
        assert newest
        assert not any("general" in text for text in newest), newest


async def test_an_answer_for_the_other_account_is_cut(world: World) -> None:
    """Undone in mid-answer: the other account reads no further word, and nothing it asked is answered."""
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread=AWAY)
    gate = asyncio.Event()
    assert isinstance(world.model, ScriptedModel)
    world.model.scripts = [["The secret ", gate, "is plum."], ["No."]]
    await world.say("ally", "tell me", thread=AWAY)
    await world.run(1.0)
    await world.say("ally", "and more", thread=AWAY)
    await press_now(world, "alice", "That wasn't me")
    gate.set()
    await world.settle()
    assert not any("plum" in text for text in await world.answers(AWAY))
    assert len(world.model.requests) == 2
    assert not any("No." in text for text in await world.answers(HERE))


async def press_now(world: World, person: str, label: str) -> None:
    """Press and let the clock stand."""
    await world.press(person, label)
    await world.flush()


async def test_either_side_can_undo(world: World) -> None:
    """Who was tricked into typing somebody's code can unlink their own account again."""
    await talk(world, "hello")
    accepted = await resume(world, "ally", await carried(world), thread=AWAY)
    undone = await choose(world, "ally", accepted, "Unlink", thread=AWAY)
    assert said(undone).startswith("Done.")
    assert (await session(world)).home.workspace == "home"
    assert await identity(world, "ally", "away") != await identity(world, "alice")


async def test_nobody_else_can_undo(world: World) -> None:
    """A third person cannot take accounts apart, and a second press changes nothing."""
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread=AWAY)
    (link,) = await links(world)
    assert said(await world.press_id("bob", f"rj1:undo:{link.id}:0")) == "Only the person who asked can do that."
    assert (await session(world)).home.workspace == "away"
    await world.press_id("alice", f"rj1:undo:{link.id}:0")
    assert said(await world.press_id("alice", f"rj1:undo:{link.id}:0")) == "That is done already."


async def test_undo_is_for_48_hours(world: World) -> None:
    """Later the button says so and goes away; the conversation can still be brought back."""
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread=AWAY)
    await pass_time(world, 49 * HOUR)
    assert said(await press(world, "alice", "That wasn't me")).startswith("This could be undone for 48 hours.")
    assert await labels(world) == ["Bring it back here", "Start new here"]
    await press(world, "alice", "Bring it back here")
    assert (await session(world)).home.workspace == "home"


async def test_an_unlinked_account_is_a_stranger_again(world: World) -> None:
    """A code that the account got while it was linked is worth no more than in any stranger's hands."""
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread=AWAY)
    await press(world, "alice", "That wasn't me")
    code = await noticed(world, thread="t4")
    assert said(await resume(world, "ally", code, thread=AWAY)).startswith(ASKED)
    found = (await sessions(world))[-1]
    for thread in (AWAY, AWAY_DM):
        assert said(await resume(world, "ally", found.id, thread=thread)) == REFUSED
