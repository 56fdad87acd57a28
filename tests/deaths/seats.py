"""What a person can do and see on a platform, so that one story can be told on Slack and on Discord.

Knows: the words for it. Must not know: the platforms (see `on_slack`, `on_discord`), the stories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

ACK_S = 3.0  # what both platforms give the program, before the person reads that it has failed


class Act(Protocol):
    """Something that a person has pressed or typed, and what they alone were shown for it."""

    @property
    def kept(self) -> bool:
        """Whether the platform keeps it and brings it again, so that nobody repeats it."""
        ...

    @property
    def failed(self) -> bool:
        """Whether the client has said that it did not work."""
        ...

    @property
    def told(self) -> str:
        """What the person reads, "" for nothing yet."""
        ...


class Seat(Protocol):
    """A platform's people: alice, bob."""

    environment: Mapping[str, str]
    door: str  # the address of the platform's own sign-in

    def begin(self, who: str, text: str) -> str:
        """Ask the bot something in #general; the thread."""
        ...

    def direct(self, who: str, text: str) -> str:
        """Write to the bot alone; the thread."""
        ...

    def say(self, who: str, thread: str, text: str) -> None:
        """Say something in a thread."""
        ...

    def texts(self, thread: str) -> list[str]:
        """What the bot says in a thread."""
        ...

    def threads(self) -> list[str]:
        """Every thread in which the bot has said something."""
        ...

    def labels(self, thread: str) -> list[str]:
        """Every button that stands in a thread."""
        ...

    def press(self, who: str, thread: str, label: str) -> Act | None:
        """Press the newest button with this label, if it is there."""
        ...

    def task(self, who: str, goal: str) -> Act:
        """Begin a task in #general, as one does it there."""
        ...

    def command(self, who: str, name: str, **options: str) -> Act:
        """Type a command in #general's composer."""
        ...

    def press_told(self, act: Act, label: str) -> Act | None:
        """Press a button of what one was told."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """What the platform had to complain about."""
        ...
