"""The journeys of conversations that are left and come back: idle, resume, claim, move, summary, erase.

Knows: what people do, in words of `acts`, and what they must find at the end (`Look`).
"""

from __future__ import annotations

from core.domain.decision import Policy
from core.domain.rules.idle import KEEP_MS
from core.domain.rules.returning import EXTRACT_TOKENS
from tests.crash.acts import Act, Carry, Choose, Command, Leap, Look, Mishaps, Press, Redeliver, Say, Wait
from tests.crash.life import House
from tests.crash.talker import Busy

_MINUTE = 60.0
_HOUR = 60 * _MINUTE
_LONG = "one" + " and so on" * (EXTRACT_TOKENS // 6)  # with its answer more than what is noted without a model
_WARNED = (Say(text="one"), Leap(seconds=31 * _MINUTE))
_PARKED = (*_WARNED, Leap(seconds=30 * _MINUTE))
_MOVED = (*_WARNED, Command(text="/resume {code}", thread="t2", opens=True))
_FORGET = Choose(text="/forget this", label="Forget", forgets=True)

_SMALL = House(policy=Policy(recall_budget_tokens=120))
_AGED = House(policy=Policy(retention_ms=round(30 * 24 * _HOUR) * 1000))

LEAVING: dict[str, tuple[Act, ...]] = {
    "parked_and_back": (
        Say(text=_LONG),
        Leap(seconds=31 * _MINUTE),
        Leap(seconds=30 * _MINUTE),
        Look(phases=("parked",), cards=("idle",), summaries=1),
        Say(text="two"),
        Look(phases=("active",), cards=("idle",), summaries=1),
    ),
    "expired_and_back": (
        *_PARKED,
        Leap(seconds=24 * _HOUR),
        Look(phases=("expired",), cards=("idle",), summaries=1),
        Say(text="two"),
        Look(phases=("active",), cards=("idle",), summaries=1),
    ),
    "expired_unnoticed": (
        Say(text=_LONG),
        Leap(seconds=72 * _HOUR),
        Say(text="two"),
        Look(phases=("active",), cards=("memory",), summaries=1),
    ),
    "resumed_by_button": (
        *_PARKED,
        Press(label="Resume"),
        Leap(seconds=31 * _MINUTE),
        Look(phases=("warned",), cards=("idle", "idle"), summaries=1),
    ),
    "kept_open": (
        *_WARNED,
        Press(label="Keep open 24 h"),
        Leap(seconds=KEEP_MS / 1000 - 60),
        Look(phases=("active",), cards=("idle",)),
    ),
    "ended_and_resumed": (
        *_WARNED,
        Press(label="End"),
        Leap(seconds=48 * _HOUR),
        Look(phases=("closed",), cards=("idle",)),
        Press(label="Resume"),
        Say(text="two"),
        Look(phases=("active",), cards=("idle",)),
    ),
    "code_brought_to_another_thread": (
        *_MOVED,
        Command(text="/resume {code}", thread="t3", opens=True),
        Look(phases=("active",), cards=("idle", "arrived", "moved"), home="t2", used=1),
        Say(text="two", thread="t2"),
    ),
    "code_into_a_busy_thread": (
        Say(text="there", thread="t2"),
        *_WARNED,
        Say(text="there still", thread="t2"),
        Wait(seconds=0.9),
        Command(text="/resume {code}", thread="t2"),
        Look(home="t2", used=1),
    ),
    "moved_while_answering": (
        Say(text="one"),
        Wait(seconds=2.4),
        Say(text="two"),
        Wait(seconds=0.9),
        Carry(to="t2", workspace="home"),
        Say(text="stray"),
        Look(phases=("active",), home="t2", used=1),
        Press(label="Bring it back here"),
        Look(home="t1"),
    ),
    "claimed_and_allowed": (
        *_WARNED,
        Command(text="/resume {code}", thread="a1", workspace="away", opens=True),
        Look(phases=("warned",), cards=("idle", "claim"), home="t1", used=0),
        Press(label="Allow"),
        Look(phases=("active",), cards=("idle", "claim", "arrived", "moved"), home="a1", used=1),
        Say(text="two", thread="a1", workspace="away"),
        Look(home="a1"),
        Press(label="That wasn't me"),
        Look(home="t1"),
    ),
    "claimed_and_denied": (
        *_WARNED,
        Command(text="/resume {code}", person="eve", thread="a1", workspace="away", opens=True),
        Press(label="Deny"),
        Command(text="/resume {code}", person="eve", thread="a2", workspace="away", opens=True),
        Look(phases=("warned",), cards=("idle", "claim"), home="t1", used=0),
    ),
    "carried_away": (
        Say(text="one"),
        Carry(to="a1", workspace="away"),
        Say(text="stray"),
        Look(phases=("active",)),
        Press(label="Start new here"),
        Look(phases=("active", "active"), home="a1", used=1),
    ),
    "moved_and_brought_back": (
        *_MOVED,
        Look(home="t2"),
        Say(text="stray"),
        Look(phases=("active",)),
        Press(label="Bring it back here"),
        Say(text="two"),
        Look(phases=("active",), home="t1", used=1),
    ),
    "outgrown": (
        Say(text="one and two and three and four and five"),
        Wait(seconds=2.4),
        Say(text="two and three and four and five and six and seven"),
        Wait(seconds=2.4),
        Say(text="three"),
    ),
    "forgotten": (
        Say(text="canary one"),
        Leap(seconds=61 * _MINUTE),
        Say(text="canary two"),
        Wait(seconds=0.9),
        _FORGET,
        Redeliver(),
        Look(phases=(), cards=()),
        Say(text="afterwards", thread="t2"),
        Look(phases=("active",)),
    ),
    "forgotten_while_the_model_is_busy": (
        Mishaps(of=(Busy(seconds=25.0),)),
        Say(text="canary one"),
        Wait(seconds=3.0),
        _FORGET,
    ),
    "deleted_by_age": (
        Say(text="canary one"),
        Leap(seconds=31 * _MINUTE),
        Leap(seconds=24 * _HOUR),
        Leap(seconds=26 * 24 * _HOUR),
        Look(phases=("expired",), cards=("idle", "retention")),
        Leap(seconds=4 * 24 * _HOUR),
        Leap(seconds=25 * _HOUR, forgets=True),  # a death may cost the day of running that has to be over
    ),
}

HOUSES = {"outgrown": _SMALL, "deleted_by_age": _AGED}
