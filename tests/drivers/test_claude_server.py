"""The loopback Messages API refuses what the real one refuses, and runs as a process that outlives a bot."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from tests.kit.claude_server import ClaudeServer

GOOD: dict[str, object] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
}
HEADERS = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
USER = {"role": "user", "content": "Hi"}
TOOL_USE = {"type": "tool_use", "id": "t1", "name": "n", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}


async def post(url: str, body: object, headers: dict[str, str] = HEADERS) -> tuple[int, dict[str, object]]:
    """Post to the Messages API."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/messages", json=body, headers=headers) as got,
    ):
        return got.status, cast("dict[str, object]", await got.json())


def history(*messages: tuple[str, object]) -> dict[str, object]:
    """A request with these messages."""
    return {**GOOD, "messages": [{"role": role, "content": content} for role, content in messages]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**GOOD, "temperature": 0.5}, "temperature"),
        ({**GOOD, "surprise": 1}, "Extra inputs"),
        ({**GOOD, "max_tokens": 0}, "max_tokens"),
        ({**GOOD, "model": ""}, "model"),
        ({**GOOD, "messages": []}, "at least one"),
        ({**GOOD, "thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking.type"),
        ({**GOOD, "output_config": {"effort": "huge"}}, "effort"),
        (history(("assistant", "Hi"), ("user", "Hi")), "alternate"),
        (history(("user", "Hi"), ("user", "Hi")), "alternate"),
        (history(("user", "Hi"), ("assistant", "He")), "prefill"),
        (history(("user", " ")), "non-whitespace"),
        (history(("user", [])), "non-empty"),
        (history(("user", "Hi"), ("assistant", [TOOL_USE]), ("user", "so?")), "without tool_result"),
        (history(("user", [RESULT])), "unexpected tool_use_id"),
        (
            history(("user", "Hi"), ("assistant", [TOOL_USE]), ("user", [{"type": "text", "text": "x"}, RESULT])),
            "come first",
        ),
        (
            history(
                ("user", "Hi"), ("assistant", [{"type": "thinking", "thinking": "", "signature": "no"}]), ("user", "x")
            ),
            "signature",
        ),
    ],
)
async def test_refuses_like_the_api(server: ClaudeServer, body: dict[str, object], words: str) -> None:
    """A mistake in a request shows in our tests, not first at a person's conversation."""
    status, answer = await post(server.url, body)
    assert status == 400
    assert words in str(answer["error"])


async def test_takes_what_the_api_takes(server: ClaudeServer) -> None:
    """A conversation with tools passes; without a key or a version it does not."""
    good = history(("user", "Hi"), ("assistant", [TOOL_USE]), ("user", [RESULT, {"type": "text", "text": "x"}]))
    assert (await post(server.url, good))[0] == 200
    assert (await post(server.url, GOOD, {"x-api-key": "k", "anthropic-version": "1"}))[0] == 200
    assert (await post(server.url, GOOD, {"anthropic-version": "1"}))[0] == 401
    assert (await post(server.url, GOOD, {"x-api-key": "k"}))[0] == 400


async def test_directive_in_the_question(server: ClaudeServer) -> None:
    """A test that only has a chat window can still script the model."""
    _, answer = await post(server.url, history(("user", "Hi [[words=3]]")))
    assert "word3." in str(answer["content"])
    assert (await post(server.url, history(("user", "Hi [[fault=overloaded]]"))))[0] == 529


async def test_rules_are_used_up(server: ClaudeServer) -> None:
    """A rule answers the question that it names, as often as it says."""
    server.script.load(
        {"default": {"text": "D"}, "rules": [{"when": "tea", "text": "T", "times": 2}], "queue": [{"text": "Q"}]}
    )
    answers = [
        str((await post(server.url, history(("user", text))))[1]["content"]) for text in ("tea?", "x", "tea!", "tea.")
    ]
    assert [answer[answer.index("'text': '") + 9] for answer in answers] == ["T", "Q", "T", "D"]


async def test_runs_as_a_process(tmp_path: Path) -> None:
    """A test that kills the bot finds out what the bot had asked."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"default": {"text": "From a file"}}))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.claude_server", "--script", str(script), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(await process.stdout.readline())}"
        assert "From a file" in str((await post(url, GOOD))[1])
        async with aiohttp.ClientSession() as session:
            await session.post(f"{url}/_push", json=[{"text": "Pushed"}])
            assert "Pushed" in str((await post(url, GOOD))[1])
            await session.post(f"{url}/_script", json={"default": {"text": "Replaced"}})
            assert "Replaced" in str((await post(url, GOOD))[1])
            log = await (await session.get(f"{url}/_log")).json()
        assert [call["sent"] for call in log] == ["From a file", "Pushed", "Replaced"]
        assert log[0]["body"]["messages"] == [USER]
    finally:
        process.kill()
        await process.wait()
