"""Codes in other people's hands and on other accounts: a question first, and what becomes of it."""

from __future__ import annotations

import asyncio

from core.domain.decision import Policy
from core.domain.entities import Phase
from core.domain.leaving import ClaimState, TicketState
from tests.engine.resuming import (
    AWAY,
    DM,
    HERE,
    HOUR,
    MINUTE,
    REFUSED,
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
    assert card.startswith("@ally brought the code of this conversation and wants to go on with it in away, #general.")
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


async def test_a_new_notice_takes_no_question_back(world: World) -> None:
    """Alice comes back, the next notice has a new code, and the question that still stands there says no by itself."""
    await asked(world)
    await talk(world, "back")
    await pass_time(world, 31 * MINUTE)
    assert [each.state for each in await tickets(world)] == [TicketState.REPLACED, TicketState.LIVE]
    assert said(await press(world, "alice", "Allow")) == "Allowed."
    assert (await session(world)).home.workspace == "away"
    assert (await tickets(world))[0].state is TicketState.USED


async def test_a_code_that_was_replaced_asks_nothing_new(world: World) -> None:
    """A code from an older notice, found later, puts questions to the owner, or opens something."""
    code = await noticed(world)
    await talk(world, "back")
    await pass_time(world, 31 * MINUTE)
    assert said(await resume(world, "ally", code, thread=AWAY)) == REFUSED
    assert await claims(world) == []


async def test_what_was_revoked_cannot_be_allowed(world: World) -> None:
    """After [That wasn't me] an older question, whose code a notice had replaced, still moves a conversation."""
    await asked(world)
    await talk(world, "back")
    await pass_time(world, 31 * MINUTE)
    await world.store.submit(lambda conn: conn.execute("UPDATE ticket SET state = 'revoked'").rowcount)
    assert said(await press(world, "alice", "Allow")).startswith("This question is settled")
    assert (await session(world)).home.workspace == "home"


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


async def test_a_crash_in_the_middle_keeps_the_question(world: World) -> None:
    """Killed after the claim: the next start shows the question, and Allow works."""
    code = await noticed(world)
    await world.command("ally", f"resume {code}", thread=AWAY)
    world = await world.reborn()
    await world.settle()
    await press(world, "alice", "Allow")
    assert (await session(world)).home.workspace == "away"
    assert len(await links(world)) == 1


# ------------------------------------------------------------- the world has changed since the question


async def test_a_yes_of_an_account_that_was_unlinked_meanwhile(world: World) -> None:
    """The right to say yes is looked at when it is said: an account that was unlinked in between gets nothing."""
    await talk(world, "hello")
    await talk(world, "secret plans", thread=f"home/{DM}/t5")
    await resume(world, "ally", await carried(world), thread=AWAY)
    secret = (await sessions(world))[1]
    question = await resume(world, "ally", secret.id, thread="away/general/t9")
    assert [each.label for each in offered(question)] == ["Yes, everybody in away can read it", "No"]
    await press(world, "alice", "That wasn't me")
    assert said(await choose(world, "ally", question, "Yes", thread="away/general/t9")) == REFUSED
    assert (await sessions(world))[1].home == secret.home


async def test_a_yes_of_somebody_who_turned_out_to_be_another(world: World) -> None:
    """Who is known at the origin as somebody else by now cannot be linked to a second person."""
    await talk(world, "my own things", person="bobby", thread="away/general/b1")
    await talk(world, "hello")
    await talk(world, "bob's things", person="bob", thread="t5")
    question = await resume(world, "bobby", await carried(world), thread="away/general/b2")
    bobs = await resume(world, "bobby", await carried(world, thread="t5", person="bob"), thread="away/general/b3")
    await choose(world, "bobby", bobs, "Yes", thread="away/general/b3")
    assert await identity(world, "bobby", "away") == await identity(world, "bob")
    assert said(await choose(world, "bobby", question, "Yes", thread="away/general/b2")) == REFUSED
    assert (await session(world)).home.workspace == "away"  # bobby's own, the oldest
    assert [each.home.workspace for each in await sessions(world)] == ["away", "home", "away"]


async def test_the_owner_cannot_say_yes_for_the_other_account(world: World) -> None:
    """Two accounts become one only if the other one agrees as well."""
    await talk(world, "my own things", person="ally", thread="away/general/a1")
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread=AWAY)
    (claim,) = await claims(world)
    pressed = await world.press_id("alice", f"rj1:allow:{claim.id}:0")
    assert said(pressed) == "This button belongs to something that is no longer there."
    assert await links(world) == []


async def test_a_destination_that_was_taken_meanwhile(world: World) -> None:
    """Somebody else's conversation began in that thread: neither Allow nor Yes pushes it out."""
    world = await world.reborn(policy=Policy(shared_threads=True))
    await talk(world, "my own things", person="ally", thread="away/general/a1")
    code = await noticed(world)
    await resume(world, "zoe", code, thread="away/general/z")
    question = await resume(world, "ally", await carried(world), thread="away/general/a")
    for thread in ("z", "a"):
        await talk(world, "ours", person="carol", thread=f"away/general/{thread}")
    homes = [each.home for each in await sessions(world)]
    assert said(await press(world, "alice", "Allow")).startswith("Somebody else's conversation lives there.")
    yes = await choose(world, "ally", question, "Yes", thread="away/general/a")
    assert said(yes).startswith("Somebody else's conversation lives here.")
    assert [each.home for each in await sessions(world)] == homes
    assert await links(world) == []
