"""The loopback Slack is as strict as Slack: what it must refuse, it refuses, to the real SDK."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.kit.clock import ManualClock
from tests.kit.process import Child
from tests.kit.slack_faults import Wrong
from tests.kit.slack_server import SlackServer
from tests.kit.slack_state import BOT_TOKEN, TEAM
from tests.kit.slack_world import ALICE, DM, GENERAL


@pytest.fixture
async def server() -> AsyncIterator[SlackServer]:
    """A loopback Slack."""
    async with SlackServer(ManualClock()) as server:
        yield server


@pytest.fixture
def client(server: SlackServer) -> AsyncWebClient:
    """The real SDK on it."""
    return AsyncWebClient(token=BOT_TOKEN, base_url=server.url, retry_handlers=[])


async def refused(server: SlackServer, method: str, **args: Any) -> str:  # noqa: ANN401
    """The code with which a call is refused."""
    with pytest.raises(SlackApiError) as error:
        await AsyncWebClient(token=BOT_TOKEN, base_url=server.url, retry_handlers=[]).api_call(method, json=args)
    return str(error.value.response["error"])


async def test_a_stream_dies_after_five_minutes(server: SlackServer, client: AsyncWebClient) -> None:
    """Appending does not extend its life; afterwards it can be replaced."""
    assert isinstance(server.clock, ManualClock)
    root = server.people.say(ALICE, DM, "hi")
    ts = (await client.chat_startStream(channel=DM, thread_ts=root))["ts"]
    await server.clock.leap(299)
    await client.chat_appendStream(channel=DM, ts=ts, markdown_text="still")
    assert await refused(server, "chat.update", channel=DM, ts=ts, text="no") == "streaming_state_conflict"
    await server.clock.leap(2)
    assert await refused(server, "chat.appendStream", channel=DM, ts=ts, markdown_text="x") == (
        "message_not_in_streaming_state"
    )
    await client.chat_update(channel=DM, ts=ts, text="now")


async def test_streams_need_their_reader_in_channels(server: SlackServer) -> None:
    """In a channel both ids are asked for."""
    root = server.people.say(ALICE, GENERAL, "hi")
    start = {"channel": GENERAL, "thread_ts": root}
    assert await refused(server, "chat.startStream", **start) == "missing_recipient_team_id"
    assert await refused(server, "chat.startStream", **start, recipient_team_id=TEAM) == "missing_recipient_user_id"
    assert await refused(server, "chat.startStream", channel=GENERAL) == "invalid_thread_ts"


async def test_sizes_and_shapes(server: SlackServer) -> None:
    """Slack's limits, and arguments that a method does not have."""
    post = {"channel": GENERAL, "text": "x"}
    assert await refused(server, "chat.postMessage", channel=GENERAL) == "no_text"
    assert await refused(server, "chat.postMessage", **post, blocks=[{"type": "markdown", "text": "x" * 12_001}]) == (
        "msg_blocks_too_long"
    )
    assert await refused(server, "chat.postMessage", **post, colour="red") == "invalid_arguments"
    assert await refused(server, "conversations.replies", channel=GENERAL, ts="1.1") == "invalid_arguments"
    assert await refused(server, "views.open", trigger_id="t", view={}) == "invalid_trigger"
    button = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "y" * 76}}
    blocks = [{"type": "actions", "elements": [button, button]}]
    assert await refused(server, "chat.postMessage", **post, blocks=blocks) == "invalid_blocks"


async def test_tokens_and_scopes(server: SlackServer) -> None:
    """A wrong token, the wrong kind of token, a scope that was not granted."""
    for token, code in (("xoxb-other", "invalid_auth"), ("xapp-test-0001", "not_allowed_token_type")):
        with pytest.raises(SlackApiError) as error:
            await AsyncWebClient(token=token, base_url=server.url, retry_handlers=[]).auth_test()
        assert error.value.response["error"] == code
    server.slack.scopes.discard("reactions:write")
    assert await refused(server, "reactions.add", channel=GENERAL, timestamp="1.1", name="eyes") == "missing_scope"


async def test_ephemeral_messages_vanish_in_agent_threads(server: SlackServer, client: AsyncWebClient) -> None:
    """Slack says ok and shows nothing."""
    root = server.people.say(ALICE, DM, "hi")
    await client.chat_postEphemeral(channel=DM, user=ALICE, text="psst", thread_ts=root)
    assert [each.dropped for each in server.slack.privates] == [True]


async def test_a_lost_reply_has_done_its_work(server: SlackServer, client: AsyncWebClient) -> None:
    """The message stands, the caller does not know."""
    server.faults.add("chat.postMessage", Wrong.LOST)
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=GENERAL, text="hi")
    assert [each.shown for each in server.slack.bots_messages()] == ["hi"]


async def test_a_closed_method_notices_who_comes_early(server: SlackServer, client: AsyncWebClient) -> None:
    """429, and a note of who did not wait."""
    server.faults.add("auth.test", Wrong.RATE, seconds=30)
    for _ in range(2):
        with pytest.raises(SlackApiError) as error:
            await client.auth_test()
        assert error.value.response.headers["Retry-After"] == "30"
    assert [call.early for call in server.calls] == [False, True]


async def test_it_runs_as_a_process_of_its_own() -> None:
    """For tests that kill the bot from outside: people act and everything is read over HTTP."""
    child = Child("tests.kit.slack_server", "--port", "0", ready=re.compile(r"(\d+)"), environment={})
    port = await child.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            said = {"do": "say", "args": [ALICE, GENERAL, "hello"]}
            ts = (await (await http.post("/_do", json=said)).json())["ts"]
            state = await (await http.get("/_state")).json()
        assert [(each["ts"], each["shown"]) for each in state["channels"][GENERAL]] == [(ts, "hello")]
    finally:
        await child.kill()
