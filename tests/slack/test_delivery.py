"""From Slack to the store: nothing is acknowledged before it is committed, nothing is lost by a broken connection."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bots.slack.boots import Boots
from core.domain.errors import Refused, StoreFull
from core.domain.events import Event, MessageReceived
from core.engine.ports import Accepted, Claim, Intake
from tests.kit.slack_faults import Wrong
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL, SlackWorld


class Stubborn:
    """An intake whose disk is full for the next `times` messages."""

    def __init__(self, intake: Intake, times: int) -> None:
        self.times = times
        self._intake = intake

    async def accept(self, event: Event, *, finishes: Claim | None = None) -> Accepted:
        """Refuse, or pass on."""
        if self.times and not finishes:
            self.times -= 1
            raise StoreFull(code="store_full")
        return await self._intake.accept(event, finishes=finishes)


async def stubborn(tmp_path: Path, times: int) -> SlackWorld:
    """A house whose disk is full for a while."""
    world = await SlackWorld.open(tmp_path, start=False)
    await world.start(lambda intake: Stubborn(intake, times))
    return world


async def test_nothing_is_acknowledged_before_it_is_committed(world: SlackWorld) -> None:
    """When the bot says that it has a message, the message is on the disk."""
    order: list[str] = []
    accept = world.engine.accept

    async def noted(event: Event, *, finishes: Claim | None = None) -> Accepted:
        accepted = await accept(event, finishes=finishes)
        if isinstance(event, MessageReceived):
            acked = [each.acked.is_set() for each in world.server.feed.log]
            order.append("committed, not yet acknowledged" if not any(acked) else "too late")
        return accepted

    world.engine.accept = noted  # type: ignore[method-assign]
    world.people.say(ALICE, DM, "hello")
    await world.settle()
    assert order == ["committed, not yet acknowledged"]
    assert world.server.feed.log[0].acked.is_set()


async def test_what_could_not_be_stored_comes_again(tmp_path: Path) -> None:
    """The disk was full for a moment: the message was not acknowledged, came again, and is answered."""
    world = await stubborn(tmp_path, times=2)
    try:
        root = world.people.say(ALICE, DM, "hello")
        await world.run(5.0)
        assert not world.server.feed.log[0].acked.is_set()
        await world.run(120.0, step=1.0)
        await world.settle()
        assert world.answers(root, DM) == ["Hello."]
        assert world.server.feed.log[0].attempts == 3
    finally:
        await world.close()


async def test_a_click_that_could_not_be_stored_is_told(tmp_path: Path) -> None:
    """Clicks and commands do not come again, so whoever clicked is told to try again."""
    world = await stubborn(tmp_path, times=1)
    try:
        envelope = world.people.command(ALICE, GENERAL, "/rejoinder", "help")
        await world.calm()
        assert envelope.response is not None
        assert "disk is full" in str(envelope.response["blocks"])
    finally:
        await world.close()


async def test_two_connections_share_the_load(world: SlackWorld) -> None:
    """One connection can be exchanged while the other hears."""
    assert len(world.server.feed.sockets) == 2


async def test_disconnect_frames_lose_nothing(world: SlackWorld) -> None:
    """Slack renews its connections all the time; nobody notices."""
    for n in range(3):
        await world.server.feed.disconnect()
        root = world.ask(f"hello {n}")
        await world.run(5.0)
        await world.settle()
        assert world.answers(root) == ["Hello."]


async def test_abrupt_cuts_lose_nothing(world: SlackWorld) -> None:
    """Every connection breaks without a word while somebody writes: the message is answered all the same."""
    root = world.people.say(ALICE, DM, "hello")
    world.server.feed.cut()
    opened = world.server.feed.opened
    async with asyncio.timeout(10):
        await world.server.feed.until(lambda: world.server.feed.opened >= opened + 2)
    await world.run(70.0, step=1.0)
    await world.settle()
    assert world.answers(root, DM) == ["Hello."]


async def test_a_broken_connection_is_replaced_while_the_other_hears(world: SlackWorld) -> None:
    """One of two connections breaks: what comes meanwhile is heard on the other."""
    first = world.server.feed.sockets[0].number
    world.server.feed.cut(first)
    root = world.people.say(ALICE, DM, "hello")
    await world.run(5.0)
    await world.settle()
    assert world.answers(root, DM) == ["Hello."]


async def test_deaf_connections_are_noticed(world: SlackWorld) -> None:
    """Connections that are open and silent after a message of ours are replaced, and what was missed comes again."""
    world.people.say(ALICE, DM, "hello")
    await world.settle()
    await world.run(330.0, step=5.0)
    world.server.feed.deafen()
    gone = {each.number for each in world.server.feed.sockets}
    await world.slack.platform.sender.call("chat.postMessage", channel=DM, text="by the way", unfurl_links=False)
    await world.run(150.0, step=5.0)
    async with asyncio.timeout(10):
        await world.server.feed.until(lambda: not gone & {each.number for each in world.server.feed.sockets})
    root = world.ask("do you hear me?")
    await world.settle()
    assert world.answers(root) == ["Hello."]


async def test_a_quiet_night_is_not_deafness(world: SlackWorld) -> None:
    """Nobody says anything for a day: the connections are left alone."""
    world.people.say(ALICE, DM, "hello")
    await world.settle()
    opened = world.server.feed.opened
    await world.clock.leap(86_400)
    await world.run(30.0, step=5.0)
    assert world.server.feed.opened == opened


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"slack_app_token": "xapp-wrong"}, "SLACK_APP_TOKEN is not accepted"),
        ({"slack_bot_token": "xoxb-wrong"}, "SLACK_BOT_TOKEN is not accepted"),
    ],
    ids=["app", "bot"],
)
async def test_a_wrong_token_is_said_at_once(tmp_path: Path, broken: dict[str, str], told: str) -> None:
    """The program does not start, and says which token to copy anew; the SDK would try for ever."""
    world = await SlackWorld.open(tmp_path, start=False)
    world.more |= broken
    try:
        with pytest.raises(Refused, match=told):
            await world.start()
    finally:
        await world.close()


async def test_missing_scopes_are_named(tmp_path: Path) -> None:
    """A workspace that has not granted what the manifest asks for is told which scopes are missing."""
    world = await SlackWorld.open(tmp_path, start=False)
    world.server.slack.scopes -= {"chat:write", "im:history"}
    try:
        with pytest.raises(Refused, match=r"lacks chat:write, im:history: update it from manifest\.yml"):
            await world.start()
    finally:
        await world.close()


async def test_messages_are_taken_in_their_order(world: SlackWorld) -> None:
    """Three quick messages are one turn, in the order in which they were written."""
    model = world.script(["All three."])
    root = world.people.say(ALICE, DM, "one")
    world.people.say(ALICE, DM, "two", root)
    world.people.say(ALICE, DM, "three", root)
    await world.settle()
    content = model.requests[0].messages[-1]["content"]
    assert [block["text"] for block in content] == ["one", "two", "three"]  # type: ignore[attr-defined]


async def test_waiting_for_a_name_changes_no_order(world: SlackWorld) -> None:
    """The first message names somebody whom Slack is slow to name: it is still taken before the second."""
    model = world.script(["Both."])
    root = world.people.say(ALICE, DM, "hello")
    await world.settle()
    world.server.faults.add("users.info", Wrong.SLOW, seconds=5.0)
    world.people.say(ALICE, DM, "one <@U0CAROL>", root)
    world.people.say(ALICE, DM, "two", root)
    async with asyncio.timeout(10):
        await world.server.feed.until(lambda: all(each.acked.is_set() for each in world.server.feed.log))
    await world.clock.advance(5.0)
    await world.settle()
    content = model.requests[1].messages[-1]["content"]
    assert [block["text"][:3] for block in content] == ["one", "two"]  # type: ignore[attr-defined]


async def test_a_name_that_does_not_come_holds_nobody_up(world: SlackWorld) -> None:
    """Slack does not say who somebody is: their message is taken all the same."""
    world.server.faults.add("users.info", "error", times=5, code="internal_error")
    root = world.people.say(BOB, "D0BOB", "hello")
    await world.settle()
    assert world.answers(root, "D0BOB") == ["Hello."]


async def test_the_brake_on_crash_loops(tmp_path: Path) -> None:
    """A process that dies again and again waits longer each time before it knocks at Slack's door."""
    (tmp_path / "alone").mkdir()
    assert [Boots(tmp_path / "alone").begin(1_000 + n) for n in range(8)] == [0, 1, 2, 4, 8, 16, 32, 60]
    world = await SlackWorld.open(tmp_path)
    try:
        for _ in range(4):
            await world.reborn()
        before = world.clock.monotonic()
        await world.reborn()
        assert world.clock.monotonic() - before >= 16.0
    finally:
        await world.close()


async def test_deaths_after_work_are_no_crash_loop(world: SlackWorld, tmp_path: Path) -> None:
    """Whoever restarts the bot five times while it works would wait half a minute for it."""
    world.server.faults.tiers = False  # five starts in a minute read more than one may
    for _ in range(5):
        world.ask("hello")
        await world.settle()
        await world.run(3.0)
        await world.reborn()
    await world.stop()
    assert Boots(tmp_path).begin(world.clock.now_ms()) == 0.0


async def test_an_app_token_that_is_taken_away_is_waited_for(world: SlackWorld) -> None:
    """The app token is revoked and works again an hour later: nobody is heard until somebody restarts the bot."""
    server = world.server
    server.refuse_sockets = "token_revoked"
    server.feed.cut()
    for _ in range(500):
        await asyncio.sleep(0.01)
        if world.slack.trouble():
            break
    assert "token_revoked" in world.slack.trouble()
    asked = len(server.called("apps.connections.open"))
    await asyncio.sleep(0.5)
    assert len(server.called("apps.connections.open")) <= asked + 1  # the other connection's
    root = world.people.say(ALICE, DM, "hello")
    server.refuse_sockets = ""
    await world.run(70.0, step=1.0)
    assert world.answers(root, DM) == ["Hello."]
    assert world.slack.trouble() == ""


async def test_a_thrown_out_app_keeps_everything(world: SlackWorld) -> None:
    """The app was uninstalled: nothing more is posted, everything is kept."""
    root = world.people.say(ALICE, DM, "hello")
    await world.settle()
    world.server.slack.revoked = "account_inactive"
    world.people.emit("app_uninstalled", {"type": "app_uninstalled"})
    await world.settle()
    assert world.answers(root, DM) == ["Hello."]
    assert len(await world.sessions()) == 1
    assert world.slack.platform.sender.dead
