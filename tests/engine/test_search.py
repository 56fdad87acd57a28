"""Search in one's own earlier conversations: found where it may be shown, offered in private where it may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.decision import Private
from tests.kit.scripted import ScriptedModel, Step, Use
from tests.kit.world import World

SEARCH = Use("search_my_conversations", {"query": "lumen launch"})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running house without tool servers."""
    world = await World.open(tmp_path / "rejoinder.db")
    yield world
    await world.close()


async def told(world: World, person: str, thread: str, use: Use = SEARCH) -> str:
    """What the model gets when it searches for somebody in a thread."""
    assert isinstance(world.model, ScriptedModel)
    scripts: list[list[Step]] = [[use], ["Found."]]
    world.model.scripts = list(scripts)
    await world.say(person, f"what did I say? {len(world.model.requests)}", thread=thread)
    await world.settle()
    content = world.model.requests[-1].messages[-1]["content"]
    assert isinstance(content, list)
    return str(content[0]["content"][0]["text"])


async def said(world: World, person: str, text: str, thread: str) -> None:
    """Somebody says something in a thread, and is answered."""
    await world.say(person, text, thread=thread)
    await world.settle()


async def test_what_was_said_in_public_is_found_in_public(world: World) -> None:
    """Alice asks in one thread for what she had said in another, and it is there, her own words and no others'."""
    await said(world, "alice", "The Lumen launch is on Friday.", "t1")
    await said(world, "bob", "My lumen launch is a secret of mine.", "t2")
    found = await told(world, "alice", "t3")
    assert "The Lumen launch is on Friday." in found
    assert "secret of mine" not in found


async def test_what_was_said_in_private_stays_there(world: World) -> None:
    """Alice asks in a channel for what she had said in her direct messages: it is counted, and hers to read alone."""
    await said(world, "alice", "The Lumen launch failed, canary-dm.", "home/dm:alice/d1")
    await said(world, "alice", "Lumen launch with canary-private.", "home/private-team/p1")
    found = await told(world, "alice", "t3")
    assert "canary" not in found
    assert "2 more of this person's conversations match" in found
    posts = await world.posts("t3")
    assert "canary" not in "".join(post.text for post in posts)
    assert any("I found 2 more" in post.text for post in posts)
    shown = await world.press("alice", "Show me in private", thread="t3")
    assert isinstance(shown.decision.reply, Private)
    assert "canary-dm" in shown.decision.reply.text
    assert "canary-private" in shown.decision.reply.text


async def test_nobody_else_sees_it_with_the_button(world: World) -> None:
    """Bob presses the button that was offered to Alice: he gets nothing of hers, and nothing of his own either."""
    await said(world, "alice", "The Lumen launch failed, canary-dm.", "home/dm:alice/d1")
    await told(world, "alice", "t3")
    shown = await world.press("bob", "Show me in private", thread="t3")
    assert isinstance(shown.decision.reply, Private)
    assert shown.decision.reply.text == "Only the person who asked can do that."


@pytest.mark.parametrize(
    ("origin", "here", "shown"),
    [
        ("home/dm:alice/d1", "home/dm:alice/d2", True),
        ("home/general/g1", "home/dm:alice/d2", True),
        ("home/private-team/p1", "home/dm:alice/d2", True),
        ("home/general/g1", "home/private-team/p2", True),
        ("home/private-team/p1", "home/private-other/p2", False),
        ("home/dm:alice/d1", "home/private-team/p2", False),
        ("home/private-team/p1", "home/general/g2", False),
        ("home/dm:alice/d1", "home/general/g2", False),
    ],
)
async def test_only_where_nobody_new_reads(world: World, origin: str, here: str, *, shown: bool) -> None:
    """The table of who can read where, cell by cell: a place with other readers gets no words of it."""
    await said(world, "alice", "The Lumen launch, canary.", origin)
    assert ("canary" in await told(world, "alice", here)) is shown


async def test_what_is_forgotten_is_not_found(world: World) -> None:
    """A conversation that Alice has forgotten is in no search any more."""
    await said(world, "alice", "The Lumen launch, canary.", "t1")
    await world.command("alice", "forget this", thread="t1")
    session = await world.store.read(lambda conn: conn.execute("SELECT id FROM session").fetchone()[0])
    await world.press_id("alice", f"rj1:forget_this:{session}:0")
    await world.settle()
    assert "canary" not in await told(world, "alice", "t2")


async def test_present_words_are_not_found_again(world: World) -> None:
    """What stands in the conversation itself is not quoted back as if it were from elsewhere."""
    await said(world, "alice", "The Lumen launch, canary.", "t1")
    assert "canary" not in await told(world, "alice", "t1")


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("Die Übergabe ist am Freitag", "übergabe", True),
        ("100% sicher", "100%", True),
        ("snake_case_name", "case_name", True),
        ("snakeXcase", "snake_case", False),
        ("nothing alike", "lumen launch date", False),
        ("lumen and more", "lumen launch", False),
        ("the launch date of lumen", "when is the lumen launch date", True),
    ],
)
async def test_words_are_matched_as_people_write_them(world: World, text: str, query: str, *, found: bool) -> None:
    """Upper and lower case, accents and signs find what was meant, and nothing else."""
    await said(world, "alice", text, "t1")
    use = Use("search_my_conversations", {"query": query})
    assert (text in await told(world, "alice", "t2", use)) is found
