"""A conversation goes on in another place: what comes along, what stays, what the old place offers."""

from __future__ import annotations

import asyncio

from core.domain.decision import Policy
from core.domain.entities import Phase
from tests.engine.resuming import (
    AWAY,
    DM,
    HERE,
    REFUSED,
    bindings,
    carried,
    choose,
    identity,
    noticed,
    offered,
    press,
    resume,
    said,
    session,
    sessions,
    talk,
)
from tests.kit.scripted import ScriptedModel
from tests.kit.world import World


def script(world: World, *scripts: list[str | float | Exception | asyncio.Event]) -> ScriptedModel:
    """Tell the world's model what to do in its next calls."""
    assert isinstance(world.model, ScriptedModel)
    world.model.scripts = list(scripts)
    return world.model


async def shown(world: World, thread: str = HERE) -> str:
    """The newest text of ours in a thread."""
    return (await world.answers(thread))[-1]


async def labels(world: World, thread: str = HERE) -> list[str]:
    """The labels of all buttons in a thread, top down."""
    return [button.label for post in await world.posts(thread) for button in post.buttons]


async def test_a_running_answer_is_finished_where_it_began(world: World) -> None:
    """Moving in mid-answer takes no word away: the answer ends in its message, what comes next is at the new place."""
    gate = asyncio.Event()
    script(world, ["Once upon ", gate, "a time."], ["Next, here."])
    await world.say("alice", "story")
    await world.run(1.0)
    accepted = await world.command("alice", f"resume {(await session(world)).id}", thread="t2")
    assert said(accepted).startswith("It goes on here now.")
    await world.say("alice", "and then?", thread="t2")
    await world.run(1.0)
    gate.set()
    await world.settle()
    assert "Once upon a time." in await world.answers(HERE)
    assert (await world.answers("t2"))[-1] == "Next, here."
    assert "Next, here." not in await world.answers(HERE)


async def test_what_waits_comes_along(world: World) -> None:
    """A question that was queued behind a running answer is answered at the new place, and replies to nothing there."""
    gate = asyncio.Event()
    script(world, ["First", gate, "."], ["Second."])
    await world.say("alice", "one")
    await world.run(1.0)
    await world.say("alice", "two")
    await world.command("alice", f"resume {(await session(world)).id}", thread="t2")
    gate.set()
    await world.settle()
    assert "First." in await world.answers(HERE)
    (second,) = [post for post in await world.posts("t2") if post.text == "Second."]
    assert second.reply_to == ""


async def test_a_message_at_the_old_place_waits_for_the_choice(world: World) -> None:
    """Who writes in the thread that was left gets no answer from nowhere: it is kept until they choose."""
    model = script(world, ["Hello."])
    await talk(world, "hello")
    await resume(world, "alice", "", thread="t2")
    asked = len(model.requests)
    await talk(world, "are you there?")
    await talk(world, "hello?")
    assert len(model.requests) == asked
    assert [text.endswith("waits until you choose.") for text in await world.answers(HERE)].count(True) == 1
    assert (await shown(world)).endswith("What you write here waits until you choose.")
    assert await labels(world) == ["Bring it back here", "Start new here"]
    await talk(world, "on we go", thread="t2")
    assert "are you there?" not in str(model.requests[-1].messages)
    assert len(model.requests) == asked + 1


async def test_bringing_it_back_answers_what_waited(world: World) -> None:
    """After `Bring it back here` the conversation lives here again, and both messages get one answer, here."""
    model = script(world, ["Hello."], ["Here I am."])
    await talk(world, "hello")
    await resume(world, "alice", "", thread="t2")
    await talk(world, "are you there?")
    await talk(world, "hello?")
    await press(world, "alice", "Bring it back here")
    assert await shown(world) == "Here I am."
    last = model.requests[-1].messages[-1]["content"]
    assert [block["text"] for block in last] == ["are you there?", "hello?"]  # type: ignore[attr-defined]
    home = (await session(world)).home
    assert home.thread == "t1"
    assert (await shown(world, "t2")).startswith("This conversation continues in")


async def test_starting_new_takes_what_waited(world: World) -> None:
    """After `Start new here` a new conversation answers what waited; the old one goes on where it is."""
    model = script(world, ["Hello."], ["A fresh start."])
    await talk(world, "my secret word is plum")
    await resume(world, "alice", "", thread="t2")
    await talk(world, "hello?")
    await press(world, "alice", "Start new here")
    assert await shown(world) == "A fresh start."
    assert "plum" not in str(model.requests[-1].messages)
    old, new = await sessions(world)
    assert (old.home.thread, new.home.thread) == ("t2", "t1")
    await talk(world, "what is it?", thread="t2")
    assert "plum" in str(model.requests[-1].messages)


async def test_what_waits_is_nobody_elses(world: World) -> None:
    """Somebody else in the thread can neither bring my conversation back nor take my waiting words into theirs."""
    model = script(world, ["Hello."])
    await talk(world, "hello")
    await resume(world, "alice", "", thread="t2")
    await talk(world, "my waiting words")
    before = len(model.requests)
    for label in ("Start new here", "Bring it back here"):
        assert said(await press(world, "bob", label)).startswith("Only the person")
    assert len(model.requests) == before
    assert len(await sessions(world)) == 1
    assert await labels(world) == ["Bring it back here", "Start new here"]


async def test_starting_new_before_writing(world: World) -> None:
    """`Start new here` with nothing waiting: the next message begins a conversation."""
    await talk(world, "hello")
    await resume(world, "alice", "", thread="t2")
    await press(world, "alice", "Start new here")
    await talk(world, "fresh")
    assert [each.home.thread for each in await sessions(world)] == ["t2", "t1"]


async def test_the_command_new_at_the_old_place_means_this_place(world: World) -> None:
    """`/new` in the thread that was left begins anew there and does not end the conversation elsewhere."""
    await talk(world, "hello")
    await resume(world, "alice", "", thread="t2")
    await world.command("alice", "new")
    await talk(world, "fresh")
    old, new = await sessions(world)
    assert (old.phase, old.home.thread) == (Phase.ACTIVE, "t2")
    assert new.home.thread == "t1"


async def test_who_lives_there_is_parked_and_named(world: World) -> None:
    """Moving into a thread with a conversation of mine parks that one, says which, and loses nothing of it."""
    await talk(world, "about apples", thread="t1")
    await talk(world, "about pears", thread="t2")
    accepted = await resume(world, "alice", (await session(world)).id, thread="t2")
    assert said(accepted).endswith("“about pears” that was here is parked; `/sessions` shows it.")
    assert "about pears" in await shown(world, "t2")
    apples, pears = await sessions(world)
    assert (apples.home.thread, apples.phase, pears.phase) == ("t2", Phase.ACTIVE, Phase.PARKED)
    assert (await bindings(world))[str(apples.home)] == apples.id
    await resume(world, "alice", pears.id, thread="t2")
    apples, pears = await sessions(world)
    assert (apples.phase, pears.phase) == (Phase.PARKED, Phase.ACTIVE)
    assert (await bindings(world))[str(pears.home)] == pears.id


async def test_an_answer_that_runs_at_the_destination_is_finished(world: World) -> None:
    """Parking who lives at the destination does not cut the answer that is being written there."""
    gate = asyncio.Event()
    await talk(world, "about apples", thread="t1")
    script(world, ["Pears ", gate, "are ripe."])
    await world.say("alice", "about pears", thread="t2")
    await world.run(1.0)
    await world.command("alice", f"resume {(await session(world)).id}", thread="t2")
    gate.set()
    await world.settle()
    assert "Pears are ripe." in await world.answers("t2")


async def test_a_thread_that_is_somebody_elses_is_not_taken(world: World) -> None:
    """Where a thread has one conversation for all, mine cannot push theirs out."""
    world = await world.reborn(policy=Policy(shared_threads=True))
    await talk(world, "ours", person="bob", thread="t2")
    await talk(world, "mine", thread="t1")
    before = await sessions(world)
    accepted = await resume(world, "alice", before[1].id, thread="t2")
    assert said(accepted) == "Somebody else's conversation lives here. Start a new thread and resume there."
    assert await sessions(world) == before


async def test_a_participant_brings_a_shared_thread_back(world: World) -> None:
    """In a thread that shares its conversation, whoever takes part may press Resume; a passer-by may not."""
    world = await world.reborn(policy=Policy(shared_threads=True))
    await talk(world, "hello all")
    await talk(world, "me too", person="bob")
    await noticed(world)
    assert said(await press(world, "carol", "Resume")).startswith("Only the person")
    assert (await session(world)).phase is Phase.WARNED
    await press(world, "bob", "Resume")
    assert (await session(world)).phase is Phase.ACTIVE


async def test_a_private_code_links_nobody_in_a_shared_thread(world: World) -> None:
    """A participant who brings the owner's private code does not become the owner by it."""
    world = await world.reborn(policy=Policy(shared_threads=True))
    await talk(world, "hello all")
    await talk(world, "me too", person="bob")
    code = await carried(world)
    assert said(await resume(world, "bob", code, thread=HERE)) == REFUSED
    assert await identity(world, "bob") != await identity(world, "alice")
    assert said(await resume(world, "alice", code, thread=HERE)) != REFUSED


async def test_going_far_and_coming_back_tells_the_truth_everywhere(world: World) -> None:
    """After t1 -> t2 -> t3 -> t1 every thread says where the conversation is now, and exactly one place answers."""
    await talk(world, "hello")
    conversation = (await session(world)).id
    for thread in ("t2", "t3", "t1"):
        await resume(world, "alice", conversation, thread=thread)
    home = (await session(world)).home
    assert home.thread == "t1"
    living = [key for key, found in (await bindings(world)).items() if found == conversation and key == str(home)]
    assert len(living) == 1
    assert (await shown(world)).startswith("It is back here.")
    for thread in ("t2", "t3"):
        assert (await shown(world, thread)).startswith("This conversation continues in another thread")
    assert "Bring it back here" not in await labels(world)


async def test_every_thread_on_the_way_tells_the_present(world: World) -> None:
    """A thread that was left two moves ago says where the conversation is now, not where it went then."""
    await talk(world, "hello")
    conversation = (await session(world)).id
    await resume(world, "alice", conversation, thread="t2")
    await resume(world, "alice", conversation, thread=f"home/{DM}/t3")
    for thread in (HERE, "t2"):
        assert await shown(world, thread) == "This conversation continues in a direct message."


async def test_what_asks_something_comes_along(world: World) -> None:
    """The question about what arrived while I was away moves with the conversation and works at the new place."""
    script(world, ["Hello."], ["Both answered."])
    await talk(world, "hello")
    world = await world.reborn()
    for text in ("one", "two"):
        await world.say_later("alice", text)
    await world.engine.caught_up("local")
    await world.settle()
    assert "While I was away 2 messages arrived." in await world.answers(HERE)
    await resume(world, "alice", (await session(world)).id, thread="t2")
    assert "Answer all" in await labels(world, "t2")
    assert "Answer all" not in await labels(world)
    assert any(text.startswith("This went along to") for text in await world.answers(HERE))
    await press(world, "alice", "Answer all", thread="t2")
    assert (await world.answers("t2"))[-1] == "Both answered."


async def test_messages_of_the_old_place_do_not_get_into_the_bag(world: World) -> None:
    """What waits for a choice at the old place is not offered at the new one after a restart."""
    script(world, ["Hello."])
    await talk(world, "hello")
    await resume(world, "alice", "", thread="t2")
    await talk(world, "are you there?")
    world = await world.reborn()
    await world.say_later("alice", "said while you were away", thread="t2")
    await world.engine.caught_up("local")
    await world.settle()
    assert not any("While I was away" in text for text in await world.answers("t2"))
    assert (await world.answers("t2"))[-1] == "Hello."
    await press(world, "alice", "Bring it back here")
    assert (await shown(world)) == "Hello."


async def test_a_crash_around_a_move_leaves_one_living_place(world: World) -> None:
    """Killed right after the commit: the cards are shown by the next start, once each."""
    await talk(world, "hello")
    await world.command("alice", "resume", thread="t2")
    world = await world.reborn()
    await world.settle()
    assert len([text for text in await world.answers(HERE) if "continues in" in text]) == 1
    assert len([text for text in await world.answers("t2") if "goes on here" in text]) == 1


async def test_coming_back_from_a_direct_message_asks_first(world: World) -> None:
    """What was said in a direct message since does not get into the channel by `Bring it back here` alone."""
    await talk(world, "hello")
    conversation = (await session(world)).id
    await resume(world, "alice", conversation, thread=f"home/{DM}/t2")
    await talk(world, "now my secret", thread=f"home/{DM}/t2")
    await talk(world, "waiting question")
    asked = await press(world, "alice", "Bring it back here")
    assert said(asked) == "Here everybody in home could read this conversation. Go on here?"
    assert (await session(world)).home.channel == DM
    script(world, ["In the channel again."])
    await choose(world, "alice", asked, "Yes", thread=HERE)
    assert (await session(world)).home.channel == "general"
    assert await shown(world) == "In the channel again."


async def test_a_place_that_got_wider_is_asked_about_again(world: World) -> None:
    """A yes to `everybody in home` is not a yes to other organisations: the audience of the moment counts."""
    await talk(world, "secret plans", thread=f"home/{DM}/t1")
    asked = await resume(world, "alice", "", thread="t2")
    yes = offered(asked)[0]
    again = await world.press_id("alice", yes.id, thread="t2", shared=True)
    assert said(again) == "Here people of other organisations too could read this conversation. Go on here?"
    assert (await session(world)).home.channel == DM
    assert said(await world.press_id("alice", yes.id, thread="t2")) == "That is done already."


async def test_private_places_are_not_named_in_public(world: World) -> None:
    """The thread that was left does not tell everybody the name of a private channel."""
    await talk(world, "hello")
    await resume(world, "alice", "", thread="home/private-merger/t2")
    assert "merger" not in str(await world.answers(HERE))
    assert "a private place" in await shown(world)


async def test_elsewhere_is_named_with_its_workspace(world: World) -> None:
    """In another workspace the place is named so that one finds it."""
    await talk(world, "hello")
    await resume(world, "alice", await carried(world), thread=AWAY)
    assert "away, #general" in await shown(world)
