"""A loopback Discord as a `Seat`. Must not know: the stories."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.deaths.seats import ACK_S, Act
from tests.kit.discord_interactions import Interaction
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Payload
from tests.kit.platform_signin import SECRET


@dataclass(slots=True)
class DiscordAct:
    """A click or a command."""

    one: Interaction
    stands: Callable[[], bool] = lambda: False
    made: float = field(default_factory=time.monotonic)

    @property
    def kept(self) -> bool:
        """See `Act`: whoever reads that the application did not respond types it anew, but not what stands there."""
        return self.stands()

    @property
    def failed(self) -> bool:
        """See `Act`."""
        return self.one.answered_with is None and time.monotonic() > self.made + ACK_S

    @property
    def told(self) -> str:
        """See `Act`."""
        return self.one.text


class OnDiscord:
    """Implements `Seat`. A thread is a channel's id."""

    def __init__(self, server: DiscordServer) -> None:
        self._server = server
        server.people.channel("general")
        self.environment: Mapping[str, str] = {
            **server.environment,
            "DISCORD_CLIENT_SECRET": SECRET,
            "DISCORD_AUTHORIZE_URL": f"{server.host}/oauth2/authorize",
        }
        self.door = self.environment["DISCORD_AUTHORIZE_URL"]

    def begin(self, who: str, text: str) -> str:
        """See `Seat`."""
        return str(self._server.people.mention(who, self._server.people.channel("general"), text)["id"])

    def direct(self, who: str, text: str) -> str:
        """See `Seat`."""
        channel = self._server.people.dm(who)
        self._server.people.say(who, channel, text)
        return channel.id

    def say(self, who: str, thread: str, text: str) -> None:
        """See `Seat`."""
        self._server.people.say(who, self._server.world.channels[thread], text)

    def texts(self, thread: str) -> list[str]:
        """See `Seat`."""
        return self._server.texts(thread)

    def threads(self) -> list[str]:
        """See `Seat`."""
        return [each for each in list(self._server.world.channels) if self._server.ours(each)]

    def labels(self, thread: str) -> list[str]:
        """See `Seat`."""
        return [label for message in self._server.ours(thread) for label in _labels(message)]

    def press(self, who: str, thread: str, label: str) -> Act | None:
        """See `Seat`."""
        for message in reversed(self._server.ours(thread)):
            if label in _labels(message):
                return DiscordAct(self._server.people.press(who, message, label))
        return None

    def task(self, who: str, goal: str) -> Act:
        """See `Seat`: the goal is quoted in the channel, and its thread hangs on that."""
        channel = self._server.people.channel("general")
        one = self._server.people.slash(who, channel, "task", goal=goal)
        return DiscordAct(one, lambda: f"> {goal}" in self._server.texts(channel))

    def command(self, who: str, name: str, **options: str) -> Act:
        """See `Seat`."""
        channel = self._server.people.channel("general")
        return DiscordAct(self._server.people.slash(who, channel, name, **options))

    def press_told(self, act: Act, label: str) -> Act | None:
        """See `Seat`."""
        assert isinstance(act, DiscordAct)
        shown = act.one.followups[-1] if act.one.followups else act.one.answer
        if shown is None or label not in _labels(shown):
            return None
        return DiscordAct(self._server.people.press(act.one.person.name, shown, label))

    @property
    def problems(self) -> Sequence[str]:
        """See `Seat`."""
        return self._server.oracle.problems if self._server.oracle else []


def _labels(message: Payload) -> list[str]:
    """The buttons and options of a message."""
    found: list[str] = []
    for row in message["components"]:
        for each in row["components"]:
            found += [each["label"]] if "label" in each else [option["label"] for option in each.get("options", ())]
    return found
