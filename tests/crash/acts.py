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
    workspace: str = "home"  # where the thread begins, when this is its first message
    file: str = ""  # the words of a text file that comes with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A person issues a command; `{code}` in it is the resume code that the notice in t1 shows.

    In a thread that has not begun nothing happens, unless the command `opens` one in `workspace`.
    """

    text: str
    person: str = "alice"
    thread: str = "t1"
    workspace: str = "home"
    opens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A person presses the newest button whose label begins so, if there is one."""

    label: str
    person: str = "alice"
    thread: str = "t1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """A person issues a command and presses a button of its private answer; again from the start after a death."""

    text: str
    label: str  # the beginning of it
    person: str = "alice"
    thread: str = "t1"
    forgets: bool = False  # what was said in the thread so far shall be nowhere any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """The owner fetches a code in private and brings it to a new thread elsewhere."""

    to: str
    workspace: str
    person: str = "alice"
    thread: str = "t1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leap:
    """Nobody does anything for so long; then the alarm rings. `forgets`: all that was said is of age then."""

    seconds: float
    forgets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a person must find when everything has come to rest."""

    phases: tuple[str, ...] = ()  # of all sessions that are left, oldest first
    cards: tuple[str, ...] = ()  # kinds, in the order in which their posts stand on the board
    home: str = ""  # the thread in which the conversation lives that began with "one"
    summaries: int | None = None  # of all sessions
    used: int | None = None  # codes that were used


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


Act = (
    Say
    | Command
    | Press
    | Choose
    | Carry
    | Leap
    | Look
    | Redeliver
    | Swapped
    | Wait
    | Away
    | Drain
    | Arm
    | Mishaps
    | Wobbles
)

# What people (and the alarm) do again when the process died in it; nobody repeats the others.
Repeated = Say | Command | Press | Choose | Carry | Leap | Look | Redeliver | Swapped | Away
