"""Codes in other people's hands and on other accounts: consent, linking, and undoing it."""

from __future__ import annotations

import asyncio

from core.domain.entities import Phase
from core.domain.leaving import ClaimState, TicketState
from tests.engine.resuming import (
    AWAY,
    AWAY_DM,
    DM,
    HERE,
    HOUR,
    MINUTE,
    REFUSED,
    bindings,
    carried,
    choose,
    claims,
    code_in,
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
from tests.kit.world import World

ASKED = "I asked the person whose conversation this is, in its thread."


async def asked(world: World, person: str = "ally", thread: str = AWAY) -> None:
    """A notice's code is brought by an account of the other workspace."""
    accepted = await resume(world, person, await noticed(world), thread=thread)
    assert said(accepted).startswith(ASKED)


async def labels(world: World, thread: str = HERE) -> list[str]:
    """The labels of all buttons in a thread, top down."""
    return [button.label for post in await world.posts(thread) for button in post.buttons]


# ------------------------------------------------------------------------------------------- claims


async def test_a_stranger_with_a_code_gets_a_question_not_a_conversation(world: World) -> None:
    """A code seen in a channel and typed elsewhere moves nothing and uses nothing up: the owner is asked."""
    before_text = "My app is called Lumen."
    await asked(world)
    assert (await session(world)).home.workspace == "home"
    assert [each.state for each in await tickets(world)] == [TicketState.LIVE]
    assert await links(world) == []
    card = (await world.answers(HERE))[-1]
    assert card.startswith(
        "@ally brought the code of this conversation and wants to go on with it in away, #general."
    )
    assert "everybody in away can read it" in card
    assert await world.answers(AWAY) == []
    await talk(world, "what is my app called?", person="ally", thread=AWAY)
    assert isinstance(world.model, ScriptedModel)
    assert before_text not in str(world.model.requests[-1].messages)


async def test_allow_uses_the_code_links_and_moves_in_one(world: World) -> None:
    """After Allow the conversation is there, the two accounts are one person, and the code is used."""
    await asked(world)
    assert said(await press(world, "alice", "Allow")) == "Allowed."
    moved = await session(world)
    assert (moved.home.workspace, moved.home.user, moved.phase) == ("away", "ally", Phase.ACTIVE)
    assert await identity(world, "ally", "away") == await identity(world, "alice") == moved.owner
    assert [each.state for each in await tickets(world)] == [TicketState.USED]
    assert [each.state for each in await claims(world)] == [ClaimState.ALLOWED]
    assert (await world.answers(HERE))[-1] == "Continued in away, #general as @ally."
    await talk(world, "what is my app called?", person="ally", thread=AWAY)
    assert isinstance(world.model, ScriptedModel)
    assert "My app is called Lumen." in str(world.model.requests[-1].messages)


async def test_only_the_owner_answers_the_question(world: World) -> None:
    """Somebody else in the channel can neither allow nor deny; nor can who asked."""
    await asked(world)
    for person, label in (("bob", "Allow"), ("bob", "Deny"), ("ally", "Allow")):
        assert said(await press(world, person, label)) == "Only the person who was asked can answer that."
    assert [each.state for each in await claims(world)] == [ClaimState.OPEN]
    assert (await session(world)).home.workspace == "home"


async def test_who_asked_cannot_allow_it_themselves(world: World) -> None:
    """The stranger's own account, with the button's id in hand, cannot say yes in the owner's place."""
    await asked(world)
    (claim,) = await claims(world)
    pressed = await world.press_id("ally", f"rj1:allow:{claim.id}:0", thread=AWAY)
    assert said(pressed) == "Only the person who was asked can answer that."
    confirmed = await world.press_id("ally", f"rj1:confirm:{claim.id}:0", thread=AWAY)
    assert said(confirmed) == "Only the person who was asked can answer that."
    assert (await session(world)).home.workspace == "home"


async def test_deny_is_said_when_they_ask_again(world: World) -> None:
    """After Deny nothing moved, and the same account hears a plain no instead of asking again and again."""
    await asked(world)
    assert said(await press(world, "alice", "Deny")) == "Denied. Nothing was moved."
    assert await labels(world) == ["Resume", "Keep open 24 h", "End", "No notices here", "No notices at all"]
    again = await resume(world, "ally", await code_in(world), thread=AWAY)
    assert said(again) == "The person whose conversation this is has said no."
    assert [each.state for each in await claims(world)] == [ClaimState.DENIED]
    assert (await session(world)).home.workspace == "home"


async def test_who_asked_can_take_it_back(world: World) -> None:
    """Somebody who was tricked into typing a code can leave it before their account is linked."""
    accepted = await resume(world, "ally", await noticed(world), thread=AWAY)
    withdrawn = await choose(world, "ally", accepted, "No, leave it", thread=AWAY)
    assert said(withdrawn) == "All right. Nothing was moved."
    assert [each.state for each in await claims(world)] == [ClaimState.VOID]
    assert "Allow" not in await labels(world)


async def test_at_most_three_questions_about_one_code(world: World) -> None:
    """A code that went round does not fill the owner's thread: three open questions, then others wait."""
    code = await noticed(world)
    answers = [said(await resume(world, f"x{n}", code, thread=f"away/general/x{n}")) for n in range(5)]
    assert [each.startswith(ASKED) for each in answers] == [True, True, True, False, False]
    assert (await labels(world)).count("Allow") == 3
    assert len(await claims(world)) == 3
    again = await resume(world, "x1", code, thread="away/general/x9")
    assert said(again).startswith(ASKED)
    assert len(await claims(world)) == 3
    assert (await claims(world))[1].dest.thread == "x9"


async def test_one_allow_settles_the_others(world: World) -> None:
    """After the first Allow the code is used: the other questions have no object, and cannot be allowed."""
    code = await noticed(world)
    for n in range(3):
        await resume(world, f"x{n}", code, thread=f"away/general/x{n}")
    others = [each.id for each in (await claims(world))[1:]]
    (first, *_) = await claims(world)
    await world.press_id("alice", f"rj1:allow:{first.id}:0")
    await world.settle()
    assert sorted(each.state for each in await claims(world)) == ["allowed", "void", "void"]
    for claim in others:
        assert said(await world.press_id("alice", f"rj1:allow:{claim}:0")) == "That is done already."
    assert (await session(world)).home.user == first.claimant.user
    assert len(await links(world)) == 1


async def test_three_allows_at_once_move_once(world: World) -> None:
    """Pressed three times at the same moment, or three questions allowed at once: one winner."""
    code = await noticed(world)
    for n in range(3):
        await resume(world, f"x{n}", code, thread=f"away/general/x{n}")
    ids = [each.id for each in await claims(world)]
    await asyncio.gather(*(world.press_id("alice", f"rj1:allow:{each}:0") for each in [*ids, *ids]))
    await world.settle()
    assert len(await links(world)) == 1
    assert [each.state for each in await claims(world)].count(ClaimState.ALLOWED) == 1


async def test_a_question_whose_code_was_replaced_is_void(world: World) -> None:
    """When the code was issued anew meanwhile, Allow on the old question moves nothing."""
    await asked(world)
    await talk(world, "back")
    await pass_time(world, 31 * MINUTE)
    pressed = await press(world, "alice", "Allow")
    assert said(pressed).startswith("This question is settled")
    assert (await session(world)).home.workspace == "home"
    assert await links(world) == []


async def test_a_late_allow_still_works(world: World) -> None:
    """The owner who answers on the third day answers a question that was asked in time."""
    await asked(world)
    await pass_time(world, 60 * HOUR)
    await press(world, "alice", "Allow")
    assert (await session(world)).home.workspace == "away"


async def test_a_member_who_is_known_here_is_no_stranger_elsewhere(world: World) -> None:
    """Bob, known at home, types Alice's code on his account in away: he is not asked for, he is refused."""
    await talk(world, "hi", person="bob", thread="t5")
    bobs = await carried(world, thread="t5", person="bob")
    await resume(world, "bobby", bobs, thread="away/general/b1")
    code = await noticed(world)
    assert said(await resume(world, "bobby", code, thread="away/general/b2")) == REFUSED
    assert await claims(world) == []


async def test_an_owner_elsewhere_needs_no_question(world: World) -> None:
    """Once linked, Alice's other account takes her conversations with a code or a button, without asking herself."""
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread=AWAY)
    code = await noticed(world, thread="t2")
    assert (
        said(await resume(world, "ally", code, thread="away/general/t9")) == "It goes on here now. Everything is kept."
    )
    assert await claims(world) == []


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
    assert (await world.answers(AWAY))[-1] == "This conversation has gone back to where it came from."
    await talk(world, "what is the app called?", person="ally", thread=AWAY)
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
    for title in ("mine before", "mine since"):
        assert found[title].owner == await identity(world, "ally", "away")
        assert found[title].home.workspace == "away"
    homes = {each.id: str(each.home) for each in found.values()}
    bound = await bindings(world)
    assert all(bound[home] == each for each, home in homes.items())
    assert not any(key.startswith("local/away/") and owner in ids for key, owner in bound.items())


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


async def test_a_crash_in_the_middle_keeps_the_question(world: World) -> None:
    """Killed after the claim: the next start shows the question, and Allow works."""
    code = await noticed(world)
    await world.command("ally", f"resume {code}", thread=AWAY)
    world = await world.reborn()
    await world.settle()
    await press(world, "alice", "Allow")
    assert (await session(world)).home.workspace == "away"
    assert len(await links(world)) == 1
