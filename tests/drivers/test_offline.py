"""The offline demo model: what a newcomer sees who has no key, and that a cut answer is finished exactly."""

from __future__ import annotations

import asyncio
import json
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.prompt_words import CONTINUE_PREFIX
from core.domain.rules.stitch import stitch
from core.drivers.offline import OfflineModel
from core.engine.ports import Finished, ModelRequest, Said
from tests.kit.clock import ManualClock

LUMEN = ("My app is called Lumen.", "Noted.")
ASKS = [
    "Tell me a long story about lighthouses",
    "What is my app called?",
    "My cat is Kuro. She is seven.",
    "Show me some code",
    "make a list",
    "What can you do?",
    "What have I told you?",
    "count to 120",
    "Hello!",
    "Who won the cup in 1998?",
]
TOOLS = json.dumps([{"name": name} for name in ("now", "search_my_conversations", "kit__look_up")])


def request(*texts: str) -> ModelRequest:
    """Build a request whose messages are said in turn by the person and by the model."""
    messages = tuple(
        {"role": "assistant" if place % 2 else "user", "content": [{"type": "text", "text": text}]}
        for place, text in enumerate(texts)
    )
    return ModelRequest(model="any", system="", messages=messages)


async def hear(asked: ModelRequest) -> tuple[str, Finished]:
    """Listen to the end without waiting."""
    said, last = "", None
    async for piece in OfflineModel(ManualClock(), pace_s=0).stream(asked):
        if isinstance(piece, Said):
            said += piece.text
        else:
            last = piece
    assert last is not None
    return said, last


async def test_says_what_it_is_once() -> None:
    """Nobody takes the demo for Claude, and nobody reads the notice in every answer."""
    first, _ = await hear(request("Hello"))
    assert "offline demo model" in first
    assert "ANTHROPIC_API_KEY" in first
    second, _ = await hear(request("Hello", first, "Hello again"))
    assert "offline demo model" not in second


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is my app called?", "Lumen"),
        ("what's the name of my app", "Lumen"),
        ("Do you remember what the app was called?", "Lumen"),
        ("Remind me: when is the launch?", "Friday"),
        ("Who is the designer?", "Ana"),
        ("Where do we host it?", "Frankfurt"),
    ],
)
async def test_answers_with_the_earlier_words(question: str, answer: str) -> None:
    """Someone who comes back after days is shown the sentence that they wrote."""
    told = "The launch is on Friday. We host in Frankfurt; the designer is Ana."
    said, _ = await hear(request(*LUMEN, told, "Noted.", "What a day", "Yes.", question))
    assert answer in said


async def test_later_words_win() -> None:
    """A correction is believed."""
    said, _ = await hear(request(*LUMEN, "My app is now called Aurora.", "Noted.", "What is my app called?"))
    assert "Aurora" in said
    assert "Lumen" not in said


async def test_says_when_it_knows_nothing() -> None:
    """It invents nothing."""
    said, _ = await hear(request(*LUMEN, "What is the capital of France?"))
    assert "found nothing" in said


async def test_summary_in_the_note_is_used() -> None:
    """Someone who returns after a day, when only the summary is sent, is answered from that."""
    note = "[You have a summary of what was said before.\nThe app is called Lumen.]\nWhat is my app called?"
    said, _ = await hear(request(note))
    assert "> The app is called Lumen." in said


async def test_in_a_shared_conversation_it_hears_everybody() -> None:
    """Where a whole thread shares one conversation, the demo says that it got no text."""
    named = [f'[I have everything.]\n<message from="{name}">\n{text}\n</message>' for name, text in SHARED]
    said, _ = await hear(request(named[0], "Noted.", named[1]))
    assert "> My app is called Lumen." in said


SHARED = (("ann", "My app is called Lumen."), ("bob", "What is the app called?"))


async def test_several_messages_are_one_answer() -> None:
    """Three quick messages get one answer that goes into each of them."""
    messages = (
        {
            "role": "user",
            "content": [
                {"type": "text", "text": text} for text in ("My app is Lumen.", "What is my app?", "It is blue.")
            ],
        },
    )
    said, _ = await hear(ModelRequest(model="any", system="", messages=messages))
    assert said.count("> My app is Lumen.") == 2
    assert "> It is blue." in said


async def test_long_story_takes_its_time() -> None:
    """A story of 300 words or more streams for at least 5 s, in small pieces, so that it can be interrupted."""
    clock = ManualClock()
    pieces: list[str] = []

    async def tell() -> None:
        pieces.extend(
            [
                piece.text
                async for piece in OfflineModel(clock).stream(request(*LUMEN, "Tell me a long story"))
                if isinstance(piece, Said)
            ]
        )

    telling = asyncio.create_task(tell())
    await clock.advance(5)
    assert not telling.done()
    await clock.advance(10)
    await telling
    assert len("".join(pieces).split()) >= 300
    assert max(len(piece.split()) for piece in pieces) <= 3


async def test_markdown_where_asked() -> None:
    """Lists and code can be seen in the chat's own form."""
    assert "```python" in (await hear(request("Show me code")))[0]
    assert "\n- " in (await hear(request("Give me a list")))[0]


@pytest.mark.parametrize("ask", ASKS)
async def test_cut_answer_is_finished_exactly(ask: str) -> None:
    """Killed at any character, the answer reads as if nothing had happened: no word twice, none missing."""
    whole, last = await hear(request(*LUMEN, ask))
    assert json.loads(last.blocks) == [{"type": "text", "text": whole}]
    assert (await hear(request(*LUMEN, ask)))[0] == whole
    for cut in range(1, len(whole)):
        rest, last = await hear(request(*LUMEN, ask, whole[:cut], f"{CONTINUE_PREFIX} Go on."))
        assert whole[:cut] + rest == whole
    assert last.stop_reason == "end_turn"


async def test_cut_at_a_piece_survives_the_composer() -> None:
    """The composer strips the end of what was said; at the end of a piece there is nothing to strip."""
    asked = request(*LUMEN, "Tell me a long story")
    whole, said = (await hear(asked))[0], ""
    async for piece in OfflineModel(ManualClock(), pace_s=0).stream(asked):
        if isinstance(piece, Said):
            said += piece.text
            if said != whole:
                rest, _ = await hear(
                    request(*LUMEN, "Tell me a long story", said.rstrip(), f"{CONTINUE_PREFIX} Go on.")
                )
                assert stitch(said, rest) == whole


async def test_two_cuts_are_two_pairs() -> None:
    """Killed twice, it still ends right, however the two halves are sent."""
    whole, _ = await hear(request("Tell me a long story"))
    go_on = f"{CONTINUE_PREFIX} Go on."
    rest, _ = await hear(request("Tell me a long story", whole[:90], go_on, whole[90:333], go_on))
    assert rest == whole[333:]


async def test_finished_answer_continues_with_nothing() -> None:
    """Killed after the last word, nothing is added."""
    whole, _ = await hear(request("Hello"))
    rest, last = await hear(request("Hello", whole, f"{CONTINUE_PREFIX} Go on."))
    assert (rest, last.blocks) == ("", "[]")


async def test_costs_nothing_and_is_ready() -> None:
    """The demo spends nobody's budget."""
    model = OfflineModel(ManualClock())
    await model.warm()
    await model.check()
    await model.close()
    _, last = await hear(request("Hello"))
    assert (last.usage.cost, last.usage.tokens_in) == (0, 2)
    assert model.name == last.model == "offline demo model"


_TEXT = st.text(alphabet=string.printable + "äß世\u2019", max_size=80) | st.sampled_from(
    [*ASKS, f"{CONTINUE_PREFIX} x", "[", "[note]\n", "<heard from=x>\ny"]
)
_CONTENT = _TEXT | st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": _TEXT}) | st.just({"type": "image"}), max_size=3
)


@given(
    messages=st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": _CONTENT}), max_size=5
    )
)
async def test_any_conversation_has_an_answer(messages: list[dict[str, object]]) -> None:
    """Whatever people write, the demo answers, and in the same way each time."""
    asked = ModelRequest(model="any", system="", messages=tuple(messages))
    said, last = await hear(asked)
    assert (said, last) == await hear(asked)
    text = "".join(block["text"] for block in json.loads(last.blocks))
    assert text == said


async def test_a_correction_wins_over_what_it_corrects() -> None:
    """Somebody corrects the summary and the demo goes on telling the old."""
    summary = (
        "<summary>\nGoal: My app is called Heron.\n"
        "Correction by the person (it wins over everything above): My app is called Lumen.\n</summary>"
    )
    text, _ = await hear(request(summary, "Noted.", "My app is called Heron.", "Noted.", "What is my app called?"))
    assert "Lumen" in text


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ("What time is it?", "now", {}),
        ("what's the date in Europe/Berlin?", "now", {"timezone": "Europe/Berlin"}),
        ("Search my conversations for Lumen", "search_my_conversations", {"query": "Lumen"}),
        ("What did I tell you elsewhere about the cat?", "search_my_conversations", {"query": "the cat"}),
        ('Use the tool kit__look_up with {"word": "abc"}', "kit__look_up", {"word": "abc"}),
    ],
)
async def test_uses_a_tool(question: str, name: str, arguments: dict[str, str]) -> None:
    """A newcomer without a key sees what a tool is for, and the answer says what it gave."""
    asked = replace(request(question), tools=TOOLS)
    _, last = await hear(asked)
    assert last.stop_reason == "tool_use"
    (use,) = json.loads(last.blocks)
    assert (use["name"], use["input"]) == (name, arguments)
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": [{"type": "text", "text": "It is noon."}]}
    rounds = ({"role": "assistant", "content": [use]}, {"role": "user", "content": [result]})
    said, last = await hear(replace(asked, messages=(*asked.messages, *rounds)))
    assert last.stop_reason == "end_turn"
    assert said.startswith("I am the *offline demo model*"), "it says what it is in its first answer, as ever"
    assert said.endswith(f"I have asked the tool `{name}`, and it says:\n\n> It is noon.")


async def test_asks_for_no_tool_that_is_not_there() -> None:
    """Without a tool it answers as ever; a tool of an earlier question does not answer a later one."""
    _, last = await hear(request("What time is it?"))
    assert last.stop_reason == "end_turn"
    use = {"type": "tool_use", "id": "u", "name": "now", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "u", "content": [{"type": "text", "text": "noon"}]}
    talk = request("What time is it?").messages
    later = (
        *talk,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": [{"type": "text", "text": "noon"}]},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
    )
    said, _ = await hear(replace(request(), messages=later, tools=TOOLS))
    assert "noon" not in said
