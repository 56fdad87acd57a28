"""What the wiring needs of a platform, and the one list in which a platform joins.

Knows: how a platform comes and goes, and the built-in web chat as one of them. Must not know: the order in which
the program starts (`bots.app`), the store behind the board.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog
from aiohttp import web

from bots.local import page
from bots.local.adapter import LocalPlatform
from bots.local.api import LocalApi
from bots.local.chat import LocalChat
from bots.local.render import About
from core.configure import Problem, SettingsWrong
from core.domain.errors import Closing, StoreFull
from core.drivers.clock import SystemClock
from core.engine.ports import Board, Clock, Intake, Platform
from core.settings import Settings, environment_name

log = structlog.get_logger("rejoinder")


class Served(Protocol):
    """A platform as the wiring sees it: its port, its routes, its coming and going."""

    @property
    def platform(self) -> Platform:
        """The port."""
        ...

    def routes(self) -> Sequence[web.RouteDef]:
        """What the platform needs of the web server; nothing for one that connects outwards."""
        ...

    async def connect(self, intake: Intake) -> None:
        """Catch up on what was said meanwhile, then listen; acknowledge only what `intake` has accepted.

        Raises `Refused` when the token is not accepted.
        """
        ...

    async def disconnect(self) -> None:
        """Take nothing more in; posting and editing still work."""
        ...

    def end_streams(self) -> None:
        """End the responses that would never end by themselves, so that the web server can stop."""
        ...

    async def close(self) -> None:
        """End everything; called after the engine's last post."""
        ...


# The one place where a platform joins: its name in `Settings.platforms`, and what makes it (see bots/README.md).
PLATFORMS: Mapping[str, Callable[[Settings, Clock], Served]] = {}
_TOKENS = {"slack": "slack_bot_token", "discord": "discord_token"}


def check_platforms(settings: Settings) -> None:
    """Refuse a token for which there is no adapter. Raises `SettingsWrong`."""
    missing = [name for name in settings.platforms if name not in PLATFORMS]
    if missing:
        raise SettingsWrong(
            Problem(
                name=environment_name(_TOKENS[name]),
                what=f"is set, but this release cannot connect to {name.capitalize()} yet",
                fix="take it out and use the built-in web chat",
            )
            for name in missing
        )


class Local:
    """The built-in web chat: its board is our own store, its way in is our own web server."""

    def __init__(self, board: Board, clock: SystemClock, intake: Intake, about: About, *, time_travel: bool) -> None:
        self.platform = LocalPlatform(board, clock)
        self._clock = clock
        chat = LocalChat(self.platform, intake)
        self._api = LocalApi(chat, board, about, on_time=self._on_time, time_travel=time_travel)

    def routes(self) -> Sequence[web.RouteDef]:
        """The page and its API."""
        return [*self._api.routes(), *page.routes()]

    async def connect(self, intake: Intake) -> None:
        """Hand over what people said and the engine has not taken."""
        try:
            await self.platform.catch_up(intake)
        except (StoreFull, Closing) as error:
            log.warning("what waits on the board is left for the next start", code=error.code)

    async def disconnect(self) -> None:
        """Nothing to do: the engine refuses what comes in, and the page still follows what is answered."""

    def end_streams(self) -> None:
        """See `Served`."""
        self.platform.close()

    async def close(self) -> None:
        """Nothing is left open."""

    async def _on_time(self, offset_ms: int) -> None:
        """`Let time pass` was stored: the product's clock follows."""
        self._clock.advance(max(0, offset_ms - self._clock.offset_ms))
