"""A long block of an answer is a file in the thread: once, whatever becomes of the calls and of the process."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bots.slack.files import _is_slacks
from bots.slack.limits import BLOCK_MAX_CHARS
from core.domain.words import say
from tests.kit.slack_faults import Wrong
from tests.kit.slack_world import ALICE, DM, GENERAL, SlackWorld

ROW = "city,people\n"
ROWS = ROW * 1_000
HEAD = ROW * ((BLOCK_MAX_CHARS - len("```csv\n")) // len(ROW))
ANSWER = f"Here is `report.csv`:\n\n```csv\n{ROWS}```\n\nAnything else?"
LINE = "All of it as a file: `report.csv`, 1000 lines\n\nAnything else?"
SHOWN = f"Here is `report.csv`:\n\n```csv\n{HEAD}```\n\n{LINE}"
FILE = ("report.csv", ROWS.encode())
CALLS = ("files.getUploadURLExternal", "upload", "files.completeUploadExternal")
GET, BYTES, SHOW = CALLS
READS = "conversations.replies"


def reads(texts: list[str]) -> bool:
    """Whether a thread reads as it shall, in as many messages as an end by edits needs."""
    said = "".join(texts)
    rows = said.count(ROW.strip()) == HEAD.count("\n")
    return rows and said.endswith(LINE) and all(each.count("```") % 2 == 0 for each in texts)


async def ask(world: SlackWorld) -> str:
    """Ask for it, and wait for the answer; returns the thread."""
    world.script([ANSWER])
    root = world.ask("Give me all cities as a CSV.")
    await world.settle(seconds=1_200)
    return root


def calls(world: SlackWorld, name: str) -> int:
    """How often it was called."""
    return sum(call.method == name for call in world.server.calls)


def whole(world: SlackWorld, root: str) -> bool:
    """Whether the block stands in the thread as text, line by line."""
    return "".join(world.answers(root)).count(ROW.strip()) == ROWS.count("\n")


async def test_a_long_block_is_a_file_in_the_thread(world: SlackWorld) -> None:
    """A thousand rows fill the thread, the file is missing, or the history has only the line about it."""
    root = await ask(world)
    assert world.answers(root) == [SHOWN]
    assert world.files(root) == [FILE]
    model = world.script(["Sure."])
    world.people.say(ALICE, GENERAL, "How many rows has it?", root)
    await world.settle()
    assert ROWS.strip() in str(model.requests[-1].messages).replace("\\n", "\n")
    assert len(model.requests) == 2, "the bot answered its own file"


async def test_it_hangs_in_a_direct_conversation_too(world: SlackWorld) -> None:
    """In the Messages tab the file stands beside the conversation."""
    world.script([ANSWER])
    root = world.people.say(ALICE, DM, "All cities, please.")
    await world.settle()
    assert (world.answers(root, DM), world.files(root, DM)) == ([SHOWN], [FILE])


@pytest.mark.parametrize("streams", [True, False], ids=["streams", "posts"])
async def test_a_block_that_grows_goes_on_in_the_file(world: SlackWorld, *, streams: bool) -> None:
    """While it is being written the thread fills with messages, which stay there empty, or lines disappear again."""
    world.server.slack.agent = streams
    gate = asyncio.Event()
    world.script(["Some words first. " * 300, "\n\n", ANSWER[:2_000], 3.0, ANSWER[2_000:9_000], gate, ANSWER[9_000:]])
    root = world.ask("go")
    await world.run(12.0)
    assert "`report.csv` is still being written; all of it comes as a file." in "".join(world.answers(root))
    gate.set()
    await world.settle()
    assert reads(world.answers(root))
    assert all(len(each) > 1 for each in world.answers(root))
    assert world.files(root) == [FILE]
    assert world.streaming() == []


# ------------------------------------------------------------------------------------- Slack's faults


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("wrong", [Wrong.RATE, Wrong.HTML_5XX, Wrong.CUT, Wrong.LOST, Wrong.LOST_5XX, Wrong.GARBAGE])
async def test_one_bad_call_leaves_one_file(world: SlackWorld, name: str, wrong: Wrong) -> None:
    """Whatever becomes of one call: the content is there, and no file is there twice."""
    world.server.faults.add(name, wrong)
    root = await ask(world)
    if name == SHOW and wrong in (Wrong.HTML_5XX, Wrong.CUT):  # it may have been shown, and it was not
        assert world.files(root) == []
        assert whole(world, root)
        assert say("en", "file.unsure") in world.answers(root)[-1]
    else:
        assert (world.answers(root), world.files(root)) == ([SHOWN], [FILE])
    assert calls(world, SHOW) <= 2


@pytest.mark.parametrize("after_ms", [4_000, 14_000])
async def test_a_file_that_is_shown_late_is_waited_for(world: SlackWorld, after_ms: int) -> None:
    """Slack scans the file for some seconds, and meanwhile it is put there again."""
    world.server.slack.share_after_ms = after_ms
    world.server.faults.add(READS, Wrong.RATE, skip=3, seconds=2.0)
    root = await ask(world)
    await world.run(20.0, step=1.0)
    world.server.slack.land()
    assert (world.answers(root), world.files(root)) == ([SHOWN], [FILE])
    assert calls(world, SHOW) == 1


async def test_a_file_that_is_never_shown_stays_text(world: SlackWorld) -> None:
    """Slack says yes and shows nothing: the person gets one line about a file that does not exist."""
    world.server.slack.share_after_ms = None
    root = await ask(world)
    assert world.files(root) == []
    assert whole(world, root)
    assert say("en", "file.unsure") in world.answers(root)[-1]
    assert calls(world, SHOW) == 1


async def test_where_nobody_can_look_nothing_is_put(world: SlackWorld) -> None:
    """In a channel that cannot be read the file is there twice after a crash."""
    world.server.slack.channels[GENERAL].unreadable = "missing_scope"
    root = await ask(world)
    assert (world.files(root), calls(world, SHOW)) == ([], 0)
    assert whole(world, root)
    assert say("en", "file.unsure") in world.answers(root)[-1]


async def test_bytes_that_never_arrive_do_not_hold_up_the_answer(world: SlackWorld) -> None:
    """A proxy lets no file through, and for a day the answer is not there either."""
    world.server.faults.add(BYTES, Wrong.HTML_5XX, times=100)
    root = await ask(world)
    assert world.files(root) == []
    assert whole(world, root)
    assert say("en", "file.unsure") not in world.answers(root)[-1]


async def test_without_the_scope_it_is_text_as_before(world: SlackWorld) -> None:
    """An app that was installed before the scope was asked for loses a part of its answers, or its log is full."""
    world.server.slack.scopes.discard("files:write")
    with capture_logs() as logs:
        roots = [await ask(world), await ask(world)]
    for root in roots:
        assert world.files(root) == []
        assert whole(world, root)
    assert [each["code"] for each in logs if "stays text" in each["event"]] == ["missing_scope"]
    await world.clock.leap(3_600)
    world.server.slack.scopes.add("files:write")
    assert world.files(await ask(world)) == [FILE]


async def test_bytes_go_to_slack_only(world: SlackWorld) -> None:
    """Somebody between us and Slack has the answer sent to a host of theirs."""
    world.server.upload_host = world.server.host.replace("127.0.0.1", "localhost")
    root = await ask(world)
    assert whole(world, root)
    assert calls(world, BYTES) == 0


@pytest.mark.parametrize(
    ("address", "api", "ours"),
    [
        ("https://files.slack.com/upload/v1/x", "https://slack.com/api/", True),
        ("http://files.slack.com/upload/v1/x", "https://slack.com/api/", False),
        ("https://files.slack.com.evil.example/x", "https://slack.com/api/", False),
        ("https://files.slack.com@evil.example/x", "https://slack.com/api/", False),
        ("https://files.slack.com:8443/x", "https://slack.com/api/", False),
        ("http://127.0.0.1:80/x", "https://slack.com/api/", False),
        ("http://127.0.0.1:9/upload/x", "http://127.0.0.1:9/api/", True),
        ("http://127.0.0.1:10/upload/x", "http://127.0.0.1:9/api/", False),
        ("", "https://slack.com/api/", False),
    ],
)
def test_which_addresses_are_slacks(address: str, api: str, *, ours: bool) -> None:
    """The token or the answer reaches another host."""
    assert _is_slacks(address, api) is ours


# --------------------------------------------------------------------------------------------- deaths


@pytest.mark.parametrize("share_after_ms", [0, 4_500])
@pytest.mark.parametrize("name", [READS, GET, BYTES, SHOW, "chat.update", "chat.stopStream"])
async def test_a_death_after_any_call_leaves_one_file(world: SlackWorld, name: str, share_after_ms: int) -> None:
    """The process dies when Slack has done it and has not said so: the file is missing, or there twice."""
    world.server.slack.share_after_ms = share_after_ms
    world.server.slack.agent = name != "chat.update"
    world.server.faults.add(name, Wrong.SLOW, seconds=0.5)
    world.script([ANSWER])
    root = world.ask("go")
    for _ in range(400):
        await world.clock.advance(0.05)
        await asyncio.sleep(0.002)
        if calls(world, name):
            break
    assert calls(world, name) == 1
    await world.crash()
    await world.clock.advance(1.0)
    await world.start()
    await world.settle(seconds=1_200)
    await world.run(10.0, step=1.0)
    world.server.slack.land()
    assert reads(world.answers(root))
    assert world.files(root) == [FILE]
    assert world.streaming() == []
