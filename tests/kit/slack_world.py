"""The whole house on Slack, in one process: real store, real engine, real adapter and SDK, a loopback Slack.

Knows: how the parts fit, and when everything that runs has come to rest; the clock is moved by hand and shared by the
product and the server. Must not know: what is tested. `reborn` drops everything at once, as a crash does.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from bots.exporting import files_of
from bots.local.adapter import LocalPlatform
from bots.slack.serving import Slack
from core.domain.codes import CodeKeys, reveal
from core.domain.decide import decide
from core.domain.decision import Policy
from core.domain.entities import Session
from core.engine.handover import File
from core.engine.loop import Engine
from core.engine.points import Point, nowhere
from core.engine.ports import Decide, Intake, Model
from core.engine.tool_ports import Tools
from core.settings import Settings
from storage import open_store
from storage.exporting import kept
from storage.rows import SESSION
from storage.sqlite import SqliteStore
from tests.kit.clock import ManualClock, turn
from tests.kit.scripted import ScriptedModel, Step
from tests.kit.slack_people import MENTION, People
from tests.kit.slack_server import SlackServer
from tests.kit.slack_state import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Message, Modal, StreamState

ALICE, BOB, CAROL = "U0ALICE", "U0BOB", "U0CAROL"
GENERAL, SECRET, SHARED, DM = "C0GENERAL", "C0SECRET", "C0SHARED", "D0ALICE"
KEYS = CodeKeys(derive=b"d" * 32, lookup=b"l" * 32)
PING_S = 0.2
CALM_TURNS = 3  # looks in a row that find nothing running
UNACKED_TURNS = 60

_BOOTS = itertools.count(1)


class SlackWorld:
    """One running product on one loopback Slack. Make it with `open`, end it with `close`."""

    def __init__(self, folder: Path, server: SlackServer, clock: ManualClock, model: Model) -> None:
        self.folder = folder
        self.server = server
        self.clock = clock
        self.model = model
        self.policy = Policy()
        self.point: Point = nowhere
        self.rule: Decide = decide
        self.more: dict[str, object] = {}
        self.ping_s = PING_S  # real time: connections that do not answer for four of these are given up
        self.tools: Tools | None = None
        self.store: SqliteStore
        self.engine: Engine
        self.slack: Slack
        self.local: LocalPlatform  # the built-in web chat beside it, for what crosses platforms
        self._up = False

    @classmethod
    async def open(
        cls,
        folder: Path,
        *scripts: list[Step],
        policy: Policy | None = None,
        start: bool = True,
        http: bool = False,
        **settings: object,
    ) -> SlackWorld:
        """Start the server, and the product on it. `http`: signed requests instead of sockets."""
        clock = ManualClock()
        server = SlackServer(clock)
        await server.start()
        model = ScriptedModel(clock, scripts or (["Hello."],))
        world = cls(folder, server, clock, model)
        world.policy = policy or Policy()
        way: dict[str, object] = {"slack_signing_secret": SIGNING_SECRET} if http else {"slack_app_token": APP_TOKEN}
        world.more = way | settings
        if start:
            await world.start()
        return world

    async def start(self, between: Callable[[Intake], Intake] | None = None) -> None:
        """Start the product. `between` may stand between adapter and engine."""
        settings = Settings.model_validate(
            {"slack_bot_token": BOT_TOKEN, "slack_api_url": self.server.url, "data_dir": self.folder} | self.more
        )
        self.store = store = await open_store(self.folder / "rejoinder.db", code_keys=KEYS, on_point=self.point)

        async def exported(identity: str) -> tuple[File, ...]:
            return files_of(await store.read(partial(kept, identity=identity)))

        self.slack = Slack(
            settings,
            self.clock,
            reveal=partial(reveal, KEYS),
            export=exported,
            homes=partial(store.homes, "slack"),
            ping_s=self.ping_s,
        )
        self.local = LocalPlatform(store.board, self.clock, partial(reveal, KEYS))
        self.engine = Engine(
            store=store,
            model=self.model,
            platforms={"slack": self.slack.platform, "local": self.local},
            clock=self.clock,
            policy=self.policy,
            code_keys=KEYS,
            boot=f"boot-{next(_BOOTS)}",
            point=self.point,
            decide=self.rule,
            tools=self.tools,
        )
        self._up = True
        await self.engine.start()
        connecting = asyncio.create_task(self._connect(between(self.engine) if between else self.engine))
        while not connecting.done():
            await self.clock.advance(0.5)
            await asyncio.sleep(0.002)
        await connecting
        await self.calm()

    async def _connect(self, intake: Intake) -> None:
        await self.slack.connect(intake)
        await self.engine.caught_up("slack")

    async def close(self) -> None:
        """End calmly."""
        await self.stop()
        await self.server.stop()

    async def stop(self) -> None:
        """End the product calmly; Slack stays."""
        if self._up:
            self._up = False
            await self.slack.disconnect()
            await self.engine.close()
            await self.slack.close()
            await self.store.close()

    async def crash(self) -> None:
        """What a crash leaves: nothing of ours runs on, nothing more is written or said."""
        if self._up:
            self._up = False
            await self.engine.abandon()
            await self._fall_silent()
            with suppress(BaseException):  # a writer that has died says so again
                await self.store.close()

    async def _fall_silent(self) -> None:
        """The adapter's tasks end where they are; connections break."""
        for answer in list(self.slack.platform.answers._live.values()):  # noqa: SLF001
            if answer._pacing is not None:  # noqa: SLF001
                answer._pacing.cancel()  # noqa: SLF001
        self.slack.platform.answers._live.clear()  # noqa: SLF001
        if self.slack._proving is not None:  # noqa: SLF001
            self.slack._proving.cancel()  # noqa: SLF001
        if self.slack.sockets is not None:
            await self.slack.sockets.close()
        await self.slack.replies.close()
        await self.slack.platform.close()

    async def reborn(self, *scripts: list[Step]) -> None:
        """Crash, and start again on the same data."""
        await self.crash()
        if scripts:
            self.model = ScriptedModel(self.clock, scripts)
        await self.start()

    # ------------------------------------------------------------------------------------------ time

    async def calm(self) -> None:
        """Let everything that can run now run to where it waits."""
        quiet = turns = 0
        while quiet < CALM_TURNS:
            turns += 1
            if turns > UNACKED_TURNS and not self.server.inflight:
                self.server.feed.give_up()  # the product does not want to acknowledge it
            if self._up:
                await self.store.read(lambda _conn: None)
                await self.store.submit(lambda _conn: None)
            await turn()
            await asyncio.sleep(0.001)
            busy = self._up and (self.slack.platform.sender.inflight or self.slack.replies.busy)
            quiet = 0 if busy or not self.server.quiet else quiet + 1

    async def run(self, seconds: float, *, step: float = 0.25) -> None:
        """Move the clock in small steps, and let everything that became due run."""
        await self.calm()
        for _ in range(round(seconds / step)):
            await self.clock.advance(step)
            await self.calm()

    async def settle(self, *, seconds: float = 240.0, most: float = 30.0) -> None:
        """Move the clock, from one sleeper to the next, until no effect is open any more."""
        await self.calm()
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            await self.clock.advance(min(max(self.clock.next_s or 0.0, 0.01), most))
            await self.calm()
            if self.engine.idle and await self.store.next_effect_ms(self.clock.now_ms()) is None:
                return
        raise AssertionError("effects are still open")

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, then let the alarm ring."""
        await self.clock.leap(seconds)
        await self.calm()
        await self.engine.ring()
        await self.settle()

    # ---------------------------------------------------------------------------------------- looking

    @property
    def people(self) -> People:
        """Who acts in Slack."""
        return self.server.people

    def ask(self, text: str, *, user: str = ALICE, channel: str = GENERAL, thread: str = "") -> str:
        """Mention the bot; returns the message's ts, which names the thread that it begins."""
        return self.people.say(user, channel, f"{MENTION} {text}", thread)

    def ours(self, root: str, channel: str = GENERAL) -> list[Message]:
        """The bot's messages in a thread."""
        thread = self.server.slack.channels[channel].thread(root)
        return [each for each in thread if each.ours]

    def answers(self, root: str, channel: str = GENERAL) -> list[str]:
        """The bot's words in a thread, as they were sent."""
        return [each.shown for each in self.ours(root, channel) if not each.files]

    def files(self, root: str, channel: str = GENERAL) -> list[tuple[str, bytes]]:
        """The files that the bot has put into a thread: names and bytes."""
        found = [shared for message in self.ours(root, channel) for shared in message.files]
        return [(each["name"], self.server.slack.files[each["id"]][1]) for each in found]

    def with_button(self, root: str, label: str, channel: str = GENERAL) -> Message:
        """The newest message of the bot with this button."""
        for message in reversed(self.ours(root, channel)):
            if any(each["text"]["text"] == label for each in message.buttons):
                return message
        raise AssertionError(f"no button {label!r} in {[each.shown for each in self.ours(root, channel)]}")

    def streaming(self) -> list[Message]:
        """What is being streamed anywhere."""
        found = self.server.slack.bots_messages()
        return [each for each in found if each.stream is not None and each.stream.state is StreamState.LIVE]

    def modals(self, user: str = ALICE) -> list[Modal]:
        """What is open before somebody's eyes."""
        return [each for each in self.server.slack.modals.values() if each.user == user]

    async def sessions(self) -> list[Session]:
        """Every session in the store."""
        rows = await self.store.read(lambda conn: conn.execute(SESSION.select).fetchall())
        return [SESSION.decode(row) for row in rows]

    def script(self, *scripts: list[Step]) -> ScriptedModel:
        """What the model does in its next calls."""
        assert isinstance(self.model, ScriptedModel)
        self.model.scripts = list(scripts)
        return self.model
