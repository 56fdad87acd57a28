"""What Slack calls a thread in its list: the title of its conversation, and another one when that changes."""

from __future__ import annotations

from bots.slack.sessions import REFUSED_S
from tests.kit.slack_people import MENTION
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL, SlackWorld

RENAME = "agents.sessions.rename"


def title(world: SlackWorld, root: str, channel: str = GENERAL) -> str:
    """The title in Slack's list."""
    return world.server.slack.sessions[channel, root].title


def renamings(world: SlackWorld) -> int:
    """How often Slack was asked to rename a thread."""
    return sum(each.method == RENAME for each in world.server.calls)


async def test_a_greeting_is_no_title_for_long(world: SlackWorld) -> None:
    """The list says "hi" for ever, or another name after every message."""
    root = world.ask("hi")
    await world.settle()
    assert title(world, root) == "hi"
    for text in ("How do I prune a heron?", "And in winter, when there is snow?"):
        world.people.say(ALICE, GENERAL, text, root)
        await world.settle()
        assert title(world, root) == "How do I prune a heron?"
    assert renamings(world) == 1


async def test_what_was_taken_back_does_not_stay_in_the_title(world: SlackWorld) -> None:
    """Alice changes her first message, then takes it back; the list still shows what it said."""
    root = world.ask("the password is swordfish")
    await world.settle()
    world.people.edit(GENERAL, root, f"{MENTION} the password is secret")
    await world.settle()
    assert title(world, root) == "the password is secret"
    world.people.remove(GENERAL, root)
    await world.settle()
    assert "password" not in title(world, root)


async def test_a_conversation_takes_its_title_along(world: SlackWorld) -> None:
    """A conversation goes on in another thread, and the list shows that one without a name."""
    root = world.ask("How do I prune a heron?")
    await world.settle()
    await world.pass_time(1_860.0)
    code = next(word.strip("`*.") for each in world.answers(root) for word in each.split() if word.count("-") == 3)
    there = world.people.say(ALICE, DM, f"resume {code}")
    await world.settle()
    world.people.say(ALICE, DM, "and in winter?", there)
    await world.settle()
    assert title(world, there, DM) == "How do I prune a heron?"


async def test_a_new_conversation_in_a_thread_has_a_title_of_its_own(world: SlackWorld) -> None:
    """Alice begins anew in her thread, and it is still called after what she has left."""
    root = world.ask("How do I prune a heron?")
    await world.settle()
    world.ask("new", thread=root)
    await world.settle()
    world.ask("What do herons eat in winter?", thread=root)
    await world.settle()
    assert title(world, root) == "What do herons eat in winter?"


async def test_a_thread_that_begins_with_a_task_is_called_after_it(world: SlackWorld) -> None:
    """A task's thread has no name in the list."""
    root = world.ask("/task compare three herons")
    await world.settle()
    assert title(world, root) == "compare three herons"


async def test_two_people_in_a_thread_do_not_pull_at_its_name(world: SlackWorld) -> None:
    """Alice and Bob talk with the bot in one thread, and its name changes with whoever spoke last."""
    root = world.ask("How do I prune a heron?")
    await world.settle()
    world.ask("What do herons eat in winter?", user=BOB, thread=root)
    await world.settle()
    world.people.say(ALICE, GENERAL, "And in spring, when it rains?", root)
    await world.settle()
    assert title(world, root) == "How do I prune a heron?"
    assert renamings(world) == 0


async def test_a_name_that_people_gave_stays(world: SlackWorld) -> None:
    """Alice gives the thread a name in Slack, and the next message, or the next start, takes it away."""
    root = world.ask("How do I prune a heron?")
    await world.settle()
    world.server.slack.sessions[GENERAL, root].title = "Herons"
    world.people.say(ALICE, GENERAL, "And in winter, when there is snow?", root)
    await world.settle()
    await world.reborn()
    world.people.say(ALICE, GENERAL, "And in spring, when it rains?", root)
    await world.settle()
    assert title(world, root) == "Herons"
    assert renamings(world) == 0


async def test_a_death_in_between_does_no_harm(world: SlackWorld) -> None:
    """Killed before Slack was told of the other title: the next change is told all the same."""
    root = world.ask("hi")
    await world.settle()
    await world.reborn()
    world.people.say(ALICE, GENERAL, "How do I prune a heron?", root)
    await world.settle()
    assert title(world, root) == "How do I prune a heron?"


async def test_a_slack_without_sessions_is_left_alone(world: SlackWorld) -> None:
    """Where Slack knows no sessions every message costs a call that is refused."""
    world.server.slack.agent = False
    root = world.ask("hi")
    await world.settle()
    for text in ("How do I prune a heron?", "And in winter, when there is snow?", "And in spring?"):
        world.people.say(ALICE, GENERAL, text, root)
        await world.settle(seconds=REFUSED_S)
    assert len(world.answers(root)) == 4
    assert renamings(world) <= 1
    assert sum(each.method == "agents.sessions.setStatus" for each in world.server.calls) == 1
