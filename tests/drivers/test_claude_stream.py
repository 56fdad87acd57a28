"""Claude over a real socket: what is asked, what comes back, and that nothing goes on when nobody listens."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from core.domain.prompt_words import CONTINUE_PREFIX
from core.drivers.claude import ClaudeModel
from core.drivers.clock import SystemClock
from core.engine.ports import Finished, ModelRequest, Said
from tests.drivers.conftest import KEY
from tests.kit.claude_script import Behaviour, Fault
from tests.kit.claude_server import ClaudeServer


def request(*texts: str, **more: object) -> ModelRequest:
    """Build a request whose messages are said in turn by the person and by the model."""
    messages = tuple(
        {"role": "assistant" if place % 2 else "user", "content": [{"type": "text", "text": text}]}
        for place, text in enumerate(texts)
    )
    fields: dict[str, object] = {"model": "claude-sonnet-5-5", "system": "Be brief.", "messages": messages, **more}
    return ModelRequest(**fields)  # type: ignore[arg-type]


async def listen(model: ClaudeModel, asked: ModelRequest) -> tuple[str, Finished]:
    """Listen to the end."""
    said, last = "", None
    async for piece in model.stream(asked):
        if isinstance(piece, Said):
            said += piece.text
        else:
            last = piece
    assert last is not None
    return said, last


async def test_answer_arrives_whole(model: ClaudeModel, server: ClaudeServer) -> None:
    """A person sees every word of the answer, in order, once."""
    server.push(Behaviour(text="Grüße, 世界! " * 20, chunk=3))
    said, last = await listen(model, request("Hello"))
    assert said == "Grüße, 世界! " * 20
    assert json.loads(last.blocks) == [{"type": "text", "text": said}]
    assert last.stop_reason == "end_turn"
    assert last.model == "claude-sonnet-5-5"
    assert last.request_id.startswith("req_")
    assert last.usage.tokens_in > 0
    assert last.usage.cost == last.usage.tokens_in * 2 + last.usage.tokens_out * 10


async def test_request_is_what_the_api_expects(model: ClaudeModel, server: ClaudeServer) -> None:
    """The operator's bill is small (caching) and no request is refused for its form."""
    await listen(model, request("Hello", effort="low", asker="p-17", max_tokens=900))
    body = server.log[0].body
    assert body["thinking"] == {"type": "adaptive"}
    assert body["output_config"] == {"effort": "low"}
    assert body["cache_control"] == {"type": "ephemeral"}
    assert body["metadata"] == {"user_id": "p-17"}
    assert body["max_tokens"] == 900
    assert body["system"] == "Be brief."
    assert "temperature" not in body
    assert server.log[0].headers["anthropic-version"] == "2026-10-21"


async def test_older_model_is_asked_in_its_own_terms(model: ClaudeModel, server: ClaudeServer) -> None:
    """An operator who keeps an older model gets answers: neither adaptive thinking nor effort is sent to it."""
    await listen(model, request("Hello", model="claude-haiku-4-5", asker=""))
    assert {"thinking", "output_config", "metadata"}.isdisjoint(server.log[0].body)


async def test_thinking_is_stored_and_never_shown(model: ClaudeModel, server: ClaudeServer) -> None:
    """What Claude thinks does not appear in the answer, and the next turn can still send it back."""
    server.push(Behaviour(thinking="The person wants tea.", text="Tea?"))
    said, last = await listen(model, request("I am thirsty"))
    assert said == "Tea?"
    blocks = json.loads(last.blocks)
    assert [block["type"] for block in blocks] == ["thinking", "text"]
    history = (
        {"role": "user", "content": [{"type": "text", "text": "I am thirsty"}]},
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": "Yes"},
    )
    said, last = await listen(model, request(messages=history))
    assert last.stop_reason == "end_turn"


async def test_blocks_stay_as_they_came(model: ClaudeModel, server: ClaudeServer) -> None:
    """A block of a kind that we do not know survives being stored and sent again, byte for byte."""
    strange = {"type": "from_the_future", "payload": {"a": [1, None, "ü"]}, "note": None}
    tool = {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"q": "x", "n": 1.5}}
    server.push(Behaviour(text="Let me see.", blocks=(strange, tool), stop_reason="tool_use"))
    _, last = await listen(model, request("Find x"))
    assert json.loads(last.blocks) == [{"type": "text", "text": "Let me see."}, strange, tool]


@pytest.mark.parametrize("chunk", [1, 3, 5, 100])
@pytest.mark.parametrize(
    ("given", "comes"),
    [
        ("half \ud800 of one", "half \ufffd of one"),
        ("\udc00", "\ufffd"),
        ("both \U0001f600 halves", "both \U0001f600 halves"),
        ("\ud83d" + "\ude00", "\U0001f600"),
        ("plain", "plain"),
    ],
)
async def test_half_a_character_in_an_input_costs_no_answer(
    model: ClaudeModel, server: ClaudeServer, given: str, comes: str, chunk: int
) -> None:
    """The model writes half of an emoji into what it gives a tool, and the person gets no answer at all."""
    tool = {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"q": given, "n": [given]}}
    server.push(Behaviour(text="", blocks=(tool,), stop_reason="tool_use", chunk=chunk))
    _, last = await listen(model, request("Hello"))
    (block,) = json.loads(last.blocks)
    assert block["input"] == {"q": comes, "n": [comes]}
    last.blocks.encode()


@pytest.mark.parametrize("reason", ["refusal", "max_tokens", "model_context_window_exceeded", "from_the_future"])
async def test_stop_reason_is_passed_on(model: ClaudeModel, server: ClaudeServer, reason: str) -> None:
    """The person is told why an answer ended, also for a reason that does not exist yet."""
    server.push(Behaviour(text="Some", stop_reason=reason))
    said, last = await listen(model, request("Hello"))
    assert (said, last.stop_reason) == ("Some", reason)


async def test_empty_answer_is_an_answer(model: ClaudeModel, server: ClaudeServer) -> None:
    """A model that has nothing to say does not look like a broken connection."""
    server.push(Behaviour(text=""))
    assert (await listen(model, request("Hello")))[1].blocks == "[]"


async def test_continuation_says_what_is_missing(model: ClaudeModel, server: ClaudeServer) -> None:
    """After a crash the answer goes on behind its last word."""
    server.push(Behaviour(text="One two three four", fault=Fault.FIN, after=8), Behaviour(overlap=3))
    asked = request("Count")
    with pytest.raises(Exception, match="model_cut"):
        await listen(model, asked)
    said, _ = await listen(model, request("Count", "One two ", f"{CONTINUE_PREFIX} Go on."))
    assert said == "wo three four"


async def test_closing_ends_the_call_at_once(model: ClaudeModel, server: ClaudeServer) -> None:
    """Stop means stop: the provider sees the connection close and bills no further word."""
    server.push(Behaviour(text="long " * 2000, delay_ms=5))
    async with aclosing(model.stream(request("Hello"))) as stream:
        assert isinstance(await anext(stream), Said)
    await server.until(lambda: server.log[0].gone)


async def test_cancelling_ends_the_call_at_once(model: ClaudeModel, server: ClaudeServer) -> None:
    """Shutting down does not leave a call running: cancellation passes through, also before the first byte."""
    server.push(Behaviour(fault=Fault.HANG))
    await model.warm()
    task = asyncio.create_task(listen(model, request("Hello")))
    await server.until(lambda: bool(server.log))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.until(lambda: server.log[0].gone)


async def test_check_asks_for_the_model(model: ClaudeModel, server: ClaudeServer) -> None:
    """`rejoinder doctor` says that the model can be used."""
    await model.check()
    assert server.log[0].path == "/v1/models/claude-sonnet-5-5"


async def test_warm_is_not_needed(server: ClaudeServer) -> None:
    """The first answer comes even if nothing was prepared; two first answers at once share one client."""
    fresh = ClaudeModel(SecretStr(KEY), server.url, SystemClock())
    both = await asyncio.gather(listen(fresh, request("a")), listen(fresh, request("b")))
    assert all(last.stop_reason == "end_turn" for _, last in both)
    await fresh.close()
