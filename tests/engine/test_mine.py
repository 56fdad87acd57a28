"""What people can know about their own conversations, and choose for themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.decision import Policy
from core.domain.entities import Phase
from core.domain.leaving import Notices
from core.domain.rules.commands import COMMANDS
from core.domain.rules.telling import clock
from core.domain.words import LANGUAGES, say
from storage.rows import PREFERENCE
from tests.engine.resuming import AWAY, HOUR, MINUTE, offered, pass_time, press, rows, said, session, talk
from tests.kit.scripted import ScriptedModel
from tests.kit.world import World

DAY = 24 * HOUR


async def command(world: World, text: str, person: str = "alice", thread: str = "t1") -> str:
    """What a command is answered with."""
    return said(await world.command(person, text, thread=thread))


# ---------------------------------------------------------------------------------------- /sessions


async def test_sessions_lists_mine_everywhere_and_nobody_elses(world: World) -> None:
    """Somebody who comes back does not find the conversation that they left elsewhere."""
    await talk(world, "Trip to Rome", thread="t1")
    await talk(world, "Tax return", thread="home/dm:alice/t5")
    await talk(world, "Secret of bob", person="bob", thread="t2")
    told = await command(world, "sessions", thread="t9")
    assert "**Trip to Rome** · #general · " in told
    assert "**Tax return** · direct message · " in told
    assert "bob" not in told
    labels = [each.label for each in offered(await world.command("alice", "sessions", thread="t9"))]
    assert labels == ["Resume “Tax return”", "Resume “Trip to Rome”"]


async def test_sessions_shows_first_what_waits_then_what_is_parked(world: World) -> None:
    """The one conversation that needs somebody is buried under others."""
    await talk(world, "Parked one", thread="t1")
    await pass_time(world, 2 * HOUR)
    await talk(world, "Fresh one", thread="t2")
    await talk(world, "Asked one", thread="t3")
    for text in ("a", "b"):
        await world.say_later("alice", text, thread="t3")
    await world.engine.caught_up("local")
    await world.settle()
    told = await command(world, "sessions", thread="t9")
    order = [told.index(each) for each in ("Waiting for you", "Asked one", "Parked", "Parked one", "Going on", "Fresh")]
    assert order == sorted(order)
    assert "2 hours ago" in told


async def test_sessions_shows_ten_and_says_how_many_are_older(world: World) -> None:
    """A long list is cut without a word, or does not fit."""
    for n in range(13):
        await talk(world, f"Topic number {n}", thread=f"t{n}")
    accepted = await world.command("alice", "sessions", thread="t99")
    assert said(accepted).count("**Topic") == 10
    assert "3 more are older" in said(accepted)
    assert len(offered(accepted)) == 10
    assert "**Topic number 0**" in await command(world, "sessions number 0", thread="t99")
    assert "None of your conversations" in await command(world, "sessions zebra", thread="t99")


async def test_a_title_is_shown_as_it_was_written(world: World) -> None:
    """Somebody's own words turn into markup, links or a resume code in the list."""
    await talk(world, "a *bold* [link](http://x) {code:01ARZ3NDEKTSV4RRFFQ69G5FAV:1}")
    told = world.local.reveal(await command(world, "sessions", thread="t9"))
    assert r"a \*bold\* \[link\](http://x) \{code:" in told


async def test_resume_in_the_list_brings_it_here(world: World) -> None:
    """The list is only to look at."""
    await talk(world, "Trip to Rome", thread="t1")
    await pass_time(world, 2 * HOUR)
    accepted = await world.command("alice", "sessions", thread="t9")
    await world.press_id("alice", offered(accepted)[0].id, thread="t9")
    await world.settle()
    assert any("#general" in each for each in await world.answers("t9"))


async def test_somebody_new_has_none(world: World) -> None:
    """A newcomer gets an empty list without a word."""
    assert await command(world, "sessions") == "You have no conversations with me yet."
    assert await command(world, "export") == "You have no conversations with me yet."


# --------------------------------------------------------------------------------------------- /why


async def test_why_tells_level_recovery_and_expiry(world: World) -> None:
    """Somebody asks how much is left and gets a guess."""
    assert "nothing to lose" in await command(world, "why")
    await talk(world, "Trip to Rome")
    assert await command(world, "why") == (
        "I have everything that was said here. No answer here was ever interrupted. "
        "It is parked at 17:00 UTC if nobody writes."
    )
    await pass_time(world, 61 * MINUTE)
    assert "Until 25 Nov, 16:00 UTC I go on with everything, after that from a summary." in await command(world, "why")
    await pass_time(world, DAY)
    told = await command(world, "why")
    assert told.startswith("I have a summary of our conversation")
    assert told.endswith("It is kept until you forget it.")
    assert await command(world, "why", person="bob") != told


async def test_why_knows_what_was_kept_open_and_when_it_is_quiet(world: World) -> None:
    """Somebody is told a time at which nothing happens."""
    await talk(world, "Trip to Rome")
    await pass_time(world, 31 * MINUTE)
    await press(world, "alice", "Keep open 24 h")  # at 16:31: warned a day later, parked half an hour after that
    assert "It is parked at 25 Nov, 17:01 UTC" in await command(world, "why")
    await pass_time(world, 24 * HOUR)
    await pass_time(world, 31 * MINUTE)
    assert (await session(world)).phase is Phase.PARKED
    expires = (await session(world)).due_ms or 0
    await world.clock.leap((expires - world.clock.now_ms()) / 1000 - 60)
    told = await command(world, "why")
    assert f"Until {clock(expires, world.clock.now_ms())} I go on with everything" in told
    night = await world.reborn(policy=Policy(quiet_hours=(15 * 60, 23 * 60)))
    await talk(night, "Back")
    told = await command(night, "why")
    await pass_time(night, 61 * MINUTE)
    assert (await session(night)).phase is Phase.ACTIVE
    assert "It is parked at 23:00 UTC" in told


async def test_why_counts_what_was_said_since_the_return(world: World) -> None:
    """After a return and ten exchanges somebody is told that six messages are known word for word."""
    for n in range(4):
        await talk(world, f"Point {n} of our plan.")
    await pass_time(world, 25 * HOUR)
    await talk(world, "Where were we?")
    for n in range(5):
        await talk(world, f"One more thing, {n}.")
    told = await command(world, "why")
    assert told.startswith("I have a summary of our conversation and the last 18 messages word for word.")
    assert isinstance(world.model, ScriptedModel)
    sent = sum(str(world.model.requests[-1].messages).count(each) for each in ("Point", "Hello.", "Where", "One more"))
    assert sent >= 17  # all but the last answer


async def test_why_tells_when_an_answer_was_finished_after_a_crash(world: World) -> None:
    """A recovery is kept from the person."""
    model = world.model
    assert isinstance(model, ScriptedModel)
    model.scripts = [["Once upon a time ", 60.0]]
    await world.say("alice", "story")
    await world.run(2.0)
    again = await world.reborn(model=ScriptedModel(world.clock, [["there was a bot."]]))
    await again.settle()
    await again.clock.leap(5 * MINUTE)
    assert "The last interrupted answer was finished 5 minutes ago." in await command(again, "why")


async def test_why_offers_to_continue_elsewhere(world: World) -> None:
    """Somebody who has to leave finds no way to take the conversation along."""
    await talk(world, "Trip to Rome")
    accepted = await world.command("alice", "why")
    assert [each.label for each in offered(accepted)] == ["Continue elsewhere"]


# ----------------------------------------------------------------------------------------- /notices


async def test_no_notices_means_none_and_they_come_back(world: World) -> None:
    """Somebody switches notices off and is reminded all the same, or never again."""
    assert "no notices" in await command(world, "notices off")
    await talk(world, "one")
    await pass_time(world, 2 * HOUR)
    assert len(await world.answers()) == 1
    assert "in its thread" in await command(world, "notices thread")
    await talk(world, "two")
    await pass_time(world, 31 * MINUTE)
    assert any("Quiet here" in each for each in await world.answers())


async def test_notices_here_are_switched_by_buttons(world: World) -> None:
    """The choice for one place is taken for all, or cannot be undone."""
    await talk(world, "one", thread="t1")
    await talk(world, "two", thread="t2")
    accepted = await world.command("alice", "notices", thread="t1")
    labels = {each.label: each.id for each in offered(accepted)}
    assert list(labels) == ["In a direct message", "No notices at all", "No notices here"]
    assert "Here you get none" in said(await world.press_id("alice", labels["No notices here"], thread="t1"))
    await pass_time(world, 31 * MINUTE)
    assert len(await world.answers("t1")) == 1
    assert any("Quiet here" in each for each in await world.answers("t2"))
    accepted = await world.command("alice", "notices", thread="t1")
    again = next(each for each in offered(accepted) if each.label == "Notices here again")
    assert "none" not in said(await world.press_id("alice", again.id, thread="t1"))


async def test_somebody_elses_choice_is_theirs(world: World) -> None:
    """Bob presses a button of alice's and silences her."""
    accepted = await world.command("alice", "notices")
    off = next(each for each in offered(accepted) if each.label == "No notices at all")
    assert said(await world.press_id("bob", off.id)) == "Only the person who asked can do that."
    assert await rows(world, PREFERENCE) == []


async def test_what_is_not_a_choice_is_told(world: World) -> None:
    """A slip of the pen is taken for a choice."""
    assert (await command(world, "notices of")).startswith("I know these:")


async def test_an_operators_off_is_told(world: World) -> None:
    """Somebody chooses notices and wonders why none come."""
    assert "switched notices off" not in await command(world, "notices thread")
    again = await world.reborn(policy=replace(world.policy, idle_notice=Notices.OFF))
    assert "switched notices off for everybody" in await command(again, "notices thread")


# --------------------------------------------------------------------------- /privacy, /help, words


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(), ("Anthropic", "until you forget it", "/forget everything")),
        (Policy(model_vendor=""), ("nobody", "same machine")),
        (Policy(retention_ms=30 * 24 * 3_600_000), ("30 days", "72 hours before")),
    ],
)
async def test_privacy_tells_what_is_true_of_this_installation(
    world: World, policy: Policy, words: tuple[str, ...]
) -> None:
    """The privacy text promises what the settings do not hold."""
    again = await world.reborn(policy=policy)
    told = await command(again, "privacy")
    assert all(each in told for each in words)


async def test_help_lists_every_command_in_every_language(world: World) -> None:
    """A command exists that nobody can find."""
    told = await command(world, "help")
    assert [line.split(":")[0] for line in told.splitlines()[1:]] == [f"/{name}" for name in COMMANDS]
    for language in LANGUAGES:
        assert all(say(language, f"command.{name}") for name in COMMANDS)


async def test_away_is_named_from_here(world: World) -> None:
    """Two conversations in two workspaces look the same in the list."""
    await talk(world, "Over there", thread=AWAY)
    assert "· #general ·" in await command(world, "sessions", thread="away/general/t1")


async def test_a_notice_can_come_as_a_direct_message(world: World) -> None:
    """Somebody asked for a direct message and everybody in the thread reads it instead, or nobody does."""
    await command(world, "notices dm")
    await talk(world, "one", thread="t1")
    await pass_time(world, 31 * MINUTE)
    assert len(await world.answers("t1")) == 1
    found = await world.store.board.threads("home", 9)
    (direct,) = [each.place for each in found if each.place.channel == "dm:alice"]
    assert "Quiet here" in (await world.local.posts(direct))[0].text
