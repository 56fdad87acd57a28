"""What the wiring needs of a platform, and the one list in which a platform joins.

Knows: how a platform comes and goes, and the built-in web chat as one of them. Must not know: the order in which
the program starts (`bots.app`), the store behind the board.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Protocol

import structlog
from aiohttp import web
from pydantic import SecretStr

from bots.discord.memory import GatewayMemory
from bots.discord.suggests import Suggests
from bots.local import page
from bots.local.adapter import LocalPlatform
from bots.local.api import LocalApi
from bots.local.chat import LocalChat
from bots.local.render import About, Command
from core.configure import Problem, SettingsWrong
from core.domain.errors import Closing, StoreFull
from core.domain.keys import Place
from core.domain.rules.commands import COMMANDS
from core.domain.secret import Secret
from core.domain.words import say
from core.drivers.clock import SystemClock
from core.engine.handover import Exporter
from core.engine.loop import Engine
from core.engine.ports import Board, Clock, Intake, Platform
from core.engine.proving import Prover
from core.settings import Settings, environment_name

log = structlog.get_logger("rejoinder")


def about_of(settings: Settings, model: str) -> About:
    """What the page says about the bot. `model` is the name of the one that answers."""
    offline = settings.anthropic_api_key is None
    return About(
        model=model if offline else settings.model,
        offline=offline,
        version=version("rejoinder"),
        commands=tuple(Command(name=name, help=say(settings.language, f"command.{name}")) for name in COMMANDS),
        language=settings.language,
    )


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

    def trouble(self) -> str:
        """Why nobody is heard there until an operator does something, as a sentence; "" when all is well."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a platform needs of the house. `reveal` puts resume codes into sentences while they are shown.

    `homes` tells where conversations of a platform live that people have used since then (ms), latest first.
    """

    reveal: Callable[[str], str]
    export: Exporter
    homes: Callable[[str, int], Awaitable[Sequence[Place]]]
    time_travel: bool  # whether people may move the clock
    memory: GatewayMemory  # what a platform remembers between two processes
    suggests: Suggests  # a person's own conversations, while they type


def _slack(settings: Settings, clock: Clock, given: Given) -> Served:
    """Imported here, so that a start without Slack does not wait for its SDK."""
    from bots.slack.serving import Slack  # noqa: PLC0415

    homes = partial(given.homes, "slack")
    return Slack(settings, clock, reveal=given.reveal, export=given.export, homes=homes)


def _discord(settings: Settings, clock: Clock, given: Given) -> Served:
    """Discord. Imported here, because discord.py takes a second and 25 MB that nobody else should pay for."""
    from bots.discord.rest import API  # noqa: PLC0415
    from bots.discord.served import DiscordServed, Options  # noqa: PLC0415

    assert settings.discord_token is not None  # noqa: S101  (it is why this is called)
    options = Options(
        token=settings.discord_token.get_secret_value(),
        api=settings.discord_api_url or API,
        gateway=settings.discord_gateway_url or "",
        catch_up_age=settings.catch_up_age,
        language=settings.language,
        commands=tuple(COMMANDS),
        reveal=given.reveal,
        suggests=given.suggests,
        homes=partial(given.homes, "discord"),
    )
    return DiscordServed(options, clock, given.memory)


async def _examine_discord(settings: Settings, clock: Clock) -> tuple[str, str]:
    from bots.discord.preflight import examine  # noqa: PLC0415

    assert settings.discord_token is not None  # noqa: S101
    token = settings.discord_token.get_secret_value()
    return await examine(token, clock, api=settings.discord_api_url or "")


async def _examine_slack(settings: Settings, clock: Clock) -> tuple[str, str]:
    from bots.slack.preflight import examine  # noqa: PLC0415

    return await examine(settings, clock)


# What a platform says of our tokens, for `rejoinder doctor`: what was found, and what to do about it ("" = nothing).
EXAMINE: Mapping[str, Callable[[Settings, Clock], Awaitable[tuple[str, str]]]] = {
    "slack": _examine_slack,
    "discord": _examine_discord,
}
# The one place where a platform joins: its name in `Settings.platforms`, and what makes it (see bots/README.md).
PLATFORMS: Mapping[str, Callable[[Settings, Clock, Given], Served]] = {"slack": _slack, "discord": _discord}


def provers_of(settings: Settings, clock: Clock) -> dict[str, Prover]:
    """The platforms that say whose browser it is, as far as they are configured for it."""
    return {name: _PROVERS[name](settings, clock) for name in settings.proofs}


def _slack_prover(settings: Settings, clock: Clock) -> Prover:
    from bots.slack import proof  # noqa: PLC0415

    return proof.SlackProver(
        settings.slack_client_id or "",
        _secret(settings.slack_client_secret),
        clock,
        api=settings.slack_api_url or proof.API,
        authorize=settings.slack_authorize_url or proof.AUTHORIZE,
    )


def _discord_prover(settings: Settings, clock: Clock) -> Prover:
    from bots.discord import proof, rest  # noqa: PLC0415

    return proof.DiscordProver(
        _secret(settings.discord_token).reveal(),
        _secret(settings.discord_client_secret),
        clock,
        api=settings.discord_api_url or rest.API,
        authorize=settings.discord_authorize_url or proof.AUTHORIZE,
    )


def _secret(value: SecretStr | None) -> Secret:
    return Secret(value.get_secret_value() if value is not None else "")


_PROVERS: Mapping[str, Callable[[Settings, Clock], Prover]] = {"slack": _slack_prover, "discord": _discord_prover}


class Local:
    """The built-in web chat: its board is our own store, its way in is our own web server."""

    def __init__(self, board: Board, clock: SystemClock, engine: Engine, about: About, given: Given) -> None:
        self.platform = LocalPlatform(board, clock, given.reveal)
        self._clock = clock
        self._engine = engine
        chat = LocalChat(self.platform, engine, about.language)
        self._api = LocalApi(
            chat, board, about, on_time=self._on_time, export=given.export, time_travel=given.time_travel
        )

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

    def trouble(self) -> str:
        """See `Served`: there is no token to be refused."""
        return ""

    def end_streams(self) -> None:
        """See `Served`."""
        self.platform.close()

    async def close(self) -> None:
        """Nothing is left open."""

    async def _on_time(self, offset_ms: int) -> None:
        """`Let time pass` was stored: the product's clock follows."""
        more_ms = max(0, offset_ms - self._clock.offset_ms)
        self._clock.advance(more_ms)
        await self._engine.time_passed(more_ms)
