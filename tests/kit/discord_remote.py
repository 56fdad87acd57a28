"""The loopback Discord as a process of its own, and how to tell it what happens there.

Knows: how it is started and asked (see `tests.kit.discord_control`). Must not know: what is tested.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.kit.discord_world import Payload
from tests.kit.process import Child


class Remote:
    """`api` and `gateway` go into the settings; `do` does what `Control` offers."""

    def __init__(self, http: aiohttp.ClientSession, api: str, gateway: str) -> None:
        self.api = api
        self.gateway = gateway
        self._http = http
        self._control = f"{api.partition('/api/')[0]}/control"

    async def do(self, act: str, **given: object) -> Payload:
        """One act or look; `{"result": ...}`."""
        async with self._http.post(self._control, json={"do": act, "with": given}) as answer:
            answer.raise_for_status()
            found: Payload = await answer.json()
            return found


@asynccontextmanager
async def remote() -> AsyncIterator[Remote]:
    """A running one."""
    child = Child("tests.kit.discord_server", "--port", "0", ready=re.compile(r"ready (\S+ \S+)"), environment={})
    try:
        api, gateway = (await child.start()).split()
        async with aiohttp.ClientSession() as http:
            yield Remote(http, api, gateway)
    finally:
        await child.kill()
