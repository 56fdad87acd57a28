"""What people and operators do, as data: a journey is a tuple of acts.

Knows: what can be done. Must not know: how it is carried out, or what survives.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.crash.shaky import Wobble
from tests.crash.talker import Mishap


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A person writes in a thread; `text` is unique in a journey and names the message."""

    text: str
    person: str = "alice"
    thread: str = "t1"
    file: str = ""  # the words of a text file that comes with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A person issues a command in a thread that has begun."""

    text: str
    person: str = "alice"
    thread: str = "t1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A person presses the newest button whose label begins so, if there is one."""

    label: str
    person: str = "alice"
    thread: str = "t1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeliver:
    """The platform delivers a message that was already said once more (the `back`-th last; nothing if none)."""

    back: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """Two messages that the platform delivers in the wrong order."""

    first: Say
    second: Say


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Time passes."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """The process is down; meanwhile people write. Then it starts again."""

    said: tuple[Say, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """SIGTERM: the process stops calmly and starts again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The process will die at the `more`-th passage of a point from now on."""

    point: str
    more: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishaps:
    """The next model calls go wrong like this."""

    of: tuple[Mishap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wobbles:
    """The next platform calls of this life go wrong like this."""

    of: tuple[Wobble, ...]


Act = Say | Command | Press | Redeliver | Swapped | Wait | Away | Drain | Arm | Mishaps | Wobbles
