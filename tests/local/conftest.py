"""The built-in chat behind its real web server on a loopback port, on the real engine and store."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from bots.exporting import files_of
from bots.local import page
from bots.local.api import LocalApi
from bots.local.chat import LocalChat
from bots.local.render import About, Command
from bots.web import landing
from bots.web.guard import GuardPolicy
from bots.web.server import WebServer
from core.domain.decision import Policy
from core.engine.handover import File
from storage.exporting import kept
from tests.kit.scripted import ScriptedModel, Step
from tests.kit.world import World

Json = dict[str, object]

ABOUT = About(
    model="scripted", offline=True, version="0.0.test", commands=(Command(name="help", help="what I can do"),)
)


@dataclass
class House:
    """A running chat. `offsets` is what `Let time pass` told the clock."""

    world: World
    chat: LocalChat
    server: WebServer
    http: aiohttp.ClientSession
    offsets: list[int] = field(default_factory=list)

    async def post(self, path: str, body: object, *, status: int | None = None) -> Json:
        """POST JSON and give the answer's JSON; `status` is what it must have been."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        async with self.http.post(self.server.url + path, data=io.BytesIO(raw), headers=headers) as response:
            found: Json = json.loads(await response.text())
            assert status is None or response.status == status, (response.status, found)
            return found | {"_status": response.status}

    async def get(self, path: str, *, status: int = 200, **query: str) -> Json:
        """GET and give the answer's JSON."""
        async with self.http.get(self.server.url + path, params=query) as response:
            found: Json = json.loads(await response.text())
            assert response.status == status, (response.status, found)
            return found

    async def say(self, text: str, *, person: str = "alice", status: int = 202, **fields: object) -> Json:
        """Send a message to the person's own channel, unless `fields` say otherwise."""
        body = {"person": person, "channel": "dm", "text": text} | fields
        return await self.post("/api/messages", body, status=status)

    async def messages(self, thread: object, person: str = "alice") -> list[Json]:
        """What a person sees in a thread."""
        found = (await self.get(f"/api/threads/{thread}", person=person))["messages"]
        assert isinstance(found, list)
        return found

    async def texts(self, thread: object, person: str = "alice") -> list[object]:
        """The texts of what a person sees."""
        return [each["text"] for each in await self.messages(thread, person)]

    def script(self, *steps: Step) -> None:
        """What the model does in its next calls."""
        assert isinstance(self.world.model, ScriptedModel)
        self.world.model.scripts = [list(steps)]


async def open_house(
    path: Path, *, policy: GuardPolicy | None = None, time_travel: bool = True, house_policy: Policy | None = None
) -> House:
    """Start it. End it with `close_house`."""
    world = await World.open(path, policy=house_policy)
    offsets: list[int] = []

    async def on_time(offset_ms: int) -> None:
        offsets.append(offset_ms)

    async def export(identity: str) -> tuple[File, ...]:
        return files_of(await world.store.read(partial(kept, identity=identity)))

    async def ready() -> str:
        return ""

    registry = CollectorRegistry()
    Counter("received", "Messages received", registry=registry).inc(3)
    chat = LocalChat(world.local, world.engine, world.policy.language)
    api = LocalApi(
        chat,
        world.store.board,
        ABOUT,
        on_time=on_time,
        export=export,
        time_travel=time_travel,
        beat_s=0.05,
    )
    server = WebServer(
        "127.0.0.1",
        0,
        [*api.routes(), *page.routes(), *landing.routes("en")],
        guard_policy=policy or GuardPolicy(),
        ready=ready,
        registry=registry,
        closing=[world.local.close],
    )
    await server.start()
    return House(world=world, chat=chat, server=server, http=aiohttp.ClientSession(), offsets=offsets)


async def close_house(house: House) -> None:
    """Stop it."""
    await house.http.close()
    await house.server.stop()
    await house.world.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A running chat with nothing in it."""
    found = await open_house(tmp_path / "rejoinder.db")
    yield found
    await close_house(found)
