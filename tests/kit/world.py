"""The whole house in one process: real store, real engine, the built-in chat, a clock that a test moves.

Knows: how the parts fit. Must not know: what is tested. `reborn` drops everything at once, as a crash does, and
opens the same file again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from bots.local.adapter import LocalPlatform
from bots.local.rooms import audience
from bots.signing import Signing
from core.domain.codes import CodeKeys, reveal, typed
from core.domain.decide import decide
from core.domain.decision import Policy
from core.domain.events import Author, ButtonPressed, CommandIssued, LinkStrayed, MessageReceived, SignedIn
from core.domain.keys import Audience, ButtonId, PersonKey, Place
from core.engine.loop import Engine
from core.engine.points import Point, nowhere
from core.engine.ports import Accepted, Decide, Model, Post
from core.engine.tool_ports import Tools
from core.engine.vault import OAuthServer
from storage import open_store
from storage.credentials import SqliteCredentials
from storage.sealing import Keys
from storage.sqlite import SqliteStore
from storage.vault import SealedVault
from tests.kit.clock import ManualClock, turn
from tests.kit.scripted import ScriptedModel

ROOT = Keys(b"r" * 32)
BASE = "http://127.0.0.1:9"  # nobody is there: a link and a way back are read off, not followed
KEYS = CodeKeys(derive=b"d" * 32, lookup=b"l" * 32)

_BOOTS = itertools.count(1)


def place_of(thread: str) -> Place:
    """The place of a thread: "t1" is one of home's #general, "away/dm:alice/t1" says it all."""
    workspace, channel, thread = thread.split("/") if "/" in thread else ("home", "general", thread)
    return Place(platform="local", workspace=workspace, channel=channel, thread=thread)


def author_at(person: str, place: Place) -> Author:
    """The person's account in the workspace of a place."""
    return Author(key=PersonKey(platform="local", workspace=place.workspace, user=person), name=person)


class World:
    """One running product. Make it with `World.open`, end it with `close` or `crash`."""

    def __init__(  # noqa: PLR0917  (only `open` makes one)
        self,
        path: Path,
        store: SqliteStore,
        clock: ManualClock,
        model: Model,
        policy: Policy,
        point: Point,
        rule: Decide,
        tools: Tools | None,
        servers: Mapping[str, OAuthServer],
    ) -> None:
        self.tools: Tools | None = tools
        self.servers = servers
        self.signing = Signing(servers, SqliteCredentials(store), SealedVault(ROOT), clock, point=point)
        self.logins = self.signing.logins(self._finish, lambda: BASE)
        self.path = path
        self.store = store
        self.clock = clock
        self.model = model
        self.policy = policy
        self.point = point
        self.rule = rule
        self.successor: World | None = None
        self._gone = False
        self.local = LocalPlatform(store.board, clock, partial(reveal, KEYS))
        self.engine = Engine(
            store=store,
            model=model,
            platforms={"local": self.local},
            clock=clock,
            policy=policy,
            code_keys=KEYS,
            boot=f"boot-{next(_BOOTS)}",
            point=point,
            decide=rule,
            tools=tools,
            vault=self.signing.vault,
            refreshing=self.signing.refreshing,
        )

    async def _finish(self, event: SignedIn | LinkStrayed) -> None:
        await self.engine.accept(event)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: ManualClock | None = None,
        model: Model | None = None,
        policy: Policy | None = None,
        point: Point = nowhere,
        rule: Decide = decide,
        tools: Tools | None = None,
        servers: Mapping[str, OAuthServer] | None = None,
        start: bool = True,
    ) -> World:
        """Open the house on the database `path` and start the engine."""
        clock = clock or ManualClock()
        store = await open_store(path, code_keys=KEYS)
        world = cls(
            path, store, clock, model or ScriptedModel(clock), policy or Policy(), point, rule, tools, servers or {}
        )
        if start:
            await world.engine.start()
        return world

    async def close(self) -> None:
        """End calmly, and whoever came after."""
        if self.successor is not None:
            await self.successor.close()
        if not self._gone:
            self._gone = True
            await self.engine.close()
            await self.signing.close()
            await self.store.close()

    async def reborn(
        self, *, point: Point = nowhere, model: Model | None = None, policy: Policy | None = None
    ) -> World:
        """Drop everything without a word, then open the same file again, perhaps with other settings."""
        await self.drop()
        self.successor = await World.open(
            self.path,
            clock=self.clock,
            model=model or self.model,
            policy=policy or self.policy,
            point=point,
            rule=self.rule,
            tools=self.tools,
            servers=self.servers,
        )
        return self.successor

    async def drop(self) -> None:
        """What a crash leaves: no task of ours runs on, nothing more is written."""
        if not self._gone:
            self._gone = True
            await self.engine.abandon()
            await self.signing.close()
            await self.store.close()

    async def say(
        self, person: str, text: str, *, thread: str = "t1", key: str | None = None, root: bool = False
    ) -> Accepted:
        """`person` writes `text` in a thread (see `place_of`), which it begins if `root`; the same `key` is the same.

        A typed code does not come on the board, as in the web chat.
        """
        key = key or f"{person}:{text}"
        place = place_of(thread)
        post = Post(id=key, key=f"local:{key}", place=place, author=person, text=text, state="done", taken=False)
        if typed(text, self.policy.bot_name) is None:
            await self.local.put(replace(post, created_ms=self.clock.now_ms()))
        accepted = await self.engine.accept(
            MessageReceived(
                source_keys=(f"local:{key}",),
                author=author_at(person, place),
                place=place,
                text=text,
                ref=key,
                audience=audience(place),
                root=root,
            )
        )
        await self.store.board.take(post.id)
        return accepted

    async def say_later(self, person: str, text: str, *, thread: str = "t1") -> Accepted:
        """`person` wrote `text` while we were away, and the platform tells it now."""
        place = place_of(thread)
        return await self.engine.accept(
            MessageReceived(
                source_keys=(f"later:{thread}:{text}",),
                author=author_at(person, place),
                place=place,
                text=text,
                ref=f"later:{text}",
                audience=audience(place),
                caught_up=True,
            )
        )

    async def press(self, person: str, label: str, *, thread: str = "t1") -> Accepted:
        """`person` presses the newest button with this label in the thread."""
        for post in reversed(await self.posts(thread)):
            for button in post.buttons:
                if button.label == label:
                    return await self.press_id(person, button.id, thread=thread)
        raise AssertionError(f"no button {label!r}")

    async def press_id(
        self, person: str, button_id: str, *, thread: str = "t1", value: str = "", shared: bool = False
    ) -> Accepted:
        """`person` presses the button with this id; `shared`: other organisations read there by now."""
        place = place_of(thread)
        return await self.engine.accept(
            ButtonPressed(
                source_keys=(f"press:{next(_BOOTS)}",),
                author=author_at(person, place),
                place=place,
                button=ButtonId.parse(button_id),
                value=value,
                audience=Audience.SHARED if shared else audience(place),
            )
        )

    async def command(self, person: str, text: str, *, thread: str = "t1") -> Accepted:
        """`person` types a command, without its slash."""
        name, _, rest = text.partition(" ")
        place = place_of(thread)
        return await self.engine.accept(
            CommandIssued(
                source_keys=(f"command:{next(_BOOTS)}",),
                author=author_at(person, place),
                place=place,
                name=name,
                rest=rest,
                audience=audience(place),
            )
        )

    async def posts(self, thread: str = "t1") -> tuple[Post, ...]:
        """What stands in a thread (see `place_of`)."""
        return await self.local.posts(place_of(thread))

    async def answers(self, thread: str = "t1") -> list[str]:
        """The bot's texts in a thread."""
        return [post.text for post in await self.posts(thread) if not post.author]

    async def run(self, seconds: float, *, step: float = 0.1) -> None:
        """Move the clock in small steps, and let everything that became due run to where it waits."""
        for _ in range(round(seconds / step)):
            await self.clock.advance(step)
            await self.flush()

    async def settle(self, *, seconds: float = 120.0, step: float = 0.5) -> None:
        """Move the clock until no effect is open any more, for at most `seconds`."""
        for _ in range(int(seconds / step)):
            await self.clock.advance(step)
            await self.flush()
            if real := [each for each in asyncio.all_tasks() if each.get_name().startswith(("Erase:", "CallTool:"))]:
                await asyncio.wait(real)  # they read files in threads, or sockets, which no clock of ours moves
            if self.engine.idle and await self.store.next_effect_ms(self.clock.now_ms()) is None:
                return
        raise AssertionError("effects are still open")

    async def flush(self) -> None:
        """Let everything that can run now run, the store's threads included."""
        for _ in range(4):
            await self.store.read(lambda _conn: None)
            await self.store.submit(lambda _conn: None)
            await turn()
