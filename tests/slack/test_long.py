"""Answers that last longer than a stream lives, and answers that fill several messages."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kit.scripted import Step
from tests.kit.slack_state import StreamState
from tests.kit.slack_world import GENERAL, SlackWorld

PARAGRAPH = "This is paragraph {n} of a long answer, and it says a few words about nothing in particular.\n\n"
CODE = "```python\ndef f{n}(a, b):\n    return a < b and b > {n}  # <!-- {n} -->\n```\n\n"


def text_of(paragraphs: int, *, code_every: int = 7) -> str:
    """A long text with code blocks in it."""
    parts = [CODE.format(n=n) if n % code_every == 3 else PARAGRAPH.format(n=n) for n in range(paragraphs)]
    return "".join(parts).rstrip()


def steps(text: str, *, every: int, pause: float) -> list[Step]:
    """The text in pieces, with pauses between them."""
    found: list[Step] = []
    for at in range(0, len(text), every):
        found += [text[at : at + every], pause]
    return found


def plain(shown: Sequence[str]) -> str:
    """What a reader reads, in one: fences that only bridge two messages removed, entities and joiners undone."""
    joined = "\n".join(each.strip("\n") for each in shown)
    joined = html.unescape(joined).replace("\u2060", "")
    joined = re.sub(r"\n```\n```(?:python)?\n", "\n", joined)
    return re.sub(r"\s+", " ", joined).strip()


def balanced(text: str) -> bool:
    """Whether every code block that begins in a message ends in it."""
    return len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0


async def test_a_stream_of_twenty_minutes_arrives_whole(world: SlackWorld) -> None:
    """A slow answer outlives four streams: nothing is lost, nothing is said twice, every code block is closed."""
    text = text_of(60)
    world.script(steps(text, every=25, pause=5.0))
    root = world.ask("a very slow story")
    await world.settle(seconds=2_400)
    shown = world.answers(root)
    assert plain(shown) == plain([text])
    assert len(shown) >= 4
    assert all(balanced(each) for each in shown)
    ends = {each.stream.state for each in world.ours(root) if each.stream is not None}
    assert ends == {StreamState.STOPPED}, "a stream died of old age"
    assert world.server.slack.status(GENERAL, root) == "active"
    assert "active" not in world.server.slack.sessions[GENERAL, root].history[:-1], "looked idle in between"


async def test_a_stream_that_falls_silent_is_ended_in_time(world: SlackWorld) -> None:
    """The model says nothing for ten minutes in mid-answer: the stream is ended by a timer and the answer goes on."""
    world.script(["The first half.\n\n", 600.0, "The second half."])
    root = world.ask("go")
    await world.settle(seconds=900)
    assert plain(world.answers(root)) == "The first half. The second half."
    (first, *_) = world.ours(root)
    assert first.stream is not None
    assert first.stream.state is StreamState.STOPPED


async def test_a_stream_that_never_said_a_word_is_replaced(world: SlackWorld) -> None:
    """The model is silent for ten minutes before its first word: there is one message in the end."""
    world.script([600.0, "Here it is."])
    root = world.ask("go")
    await world.settle(seconds=900)
    assert world.answers(root) == ["Here it is."]


async def test_forty_thousand_characters_arrive_whole(world: SlackWorld) -> None:
    """A very long answer stands complete and in order, in as few messages as Slack allows."""
    text = text_of(480)
    assert len(text) >= 40_000
    world.script(steps(text, every=400, pause=0.05))
    root = world.ask("everything")
    await world.settle()
    shown = world.answers(root)
    assert plain(shown) == plain([text])
    assert all(balanced(each) for each in shown)
    assert all(len(each) <= 16_000 for each in shown)
    assert 4 <= len(shown) <= 6


async def test_forty_thousand_characters_without_streams(world: SlackWorld) -> None:
    """Where Slack refuses streams the same answer arrives in ordinary messages."""
    world.server.slack.agent = False
    text = text_of(480)
    world.script(steps(text, every=4_000, pause=0.5))
    root = world.ask("everything")
    await world.settle(seconds=900)
    shown = world.answers(root)
    assert plain(shown) == plain([text])
    assert all(balanced(each) for each in shown)


async def test_an_answer_that_only_needs_escaping_fits(world: SlackWorld) -> None:
    """Twelve thousand ampersands: harmless, whole, and no longer than Slack takes."""
    text = "&<" * 11_000
    world.script([text])
    root = world.ask("noise")
    await world.settle()
    shown = "".join(world.answers(root))
    assert html.unescape(shown).count("&") + html.unescape(shown).count("<") >= 22_000


async def test_an_expired_stream_goes_on(world: SlackWorld) -> None:
    """The process was frozen for six minutes: the stream has died meanwhile, the answer has not."""
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("go")
    await world.run(3.0)
    await world.clock.leap(400)
    gate.set()
    await world.settle()
    assert plain(world.answers(root)) == "The first half and the second."


@pytest.mark.parametrize("offset", [900, 5_000, 9_000, 14_000])
async def test_a_crash_in_a_long_answer_loses_and_doubles_nothing(tmp_path: Path, offset: int) -> None:
    """Killed after so many characters, wherever that is in the message: whole and once, after the restart."""
    text = text_of(200)
    world = await SlackWorld.open(tmp_path, [*steps(text[:offset], every=300, pause=0.5), asyncio.Event()])
    try:
        root = world.ask("everything")
        await world.run(offset / 300 * 0.5 + 4.0, step=0.5)
        await world.reborn(steps(text[offset:], every=2_000, pause=0.5))
        await world.settle(seconds=600)
        shown = world.answers(root)
        assert plain(shown) == plain([text])
        assert all(balanced(each) for each in shown)
        assert world.streaming() == []
    finally:
        await world.close()
