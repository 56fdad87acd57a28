"""The journeys that must survive a death at every point.

Knows: what people do, in words of `acts`. Later features add theirs here: a name and a tuple of acts is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from core.domain.decision import Policy
from core.domain.rules.budget import price_of_turn
from tests.crash.acts import Act, Away, Command, Drain, Mishaps, Press, Say, Wait, Wobbles
from tests.crash.leaving import HOUSES, LEAVING
from tests.crash.life import House
from tests.crash.shaky import Wobble
from tests.crash.talker import Busy, Cut, No

_WHILE_AWAY = Away(said=(Say(text="left one"), Say(text="left two"), Say(text="left three")))
# Whoever is asked decides; after a death in the middle of the call they are asked once more, and have looked.
_DECIDED = (
    Wait(seconds=2.4),
    Press(label="Approve"),
    Wait(seconds=2.4),
    Press(label="It happened"),
    Wait(seconds=1.2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What people do, and in what house."""

    acts: tuple[Act, ...]
    house: House = field(default_factory=House)


_ACTS: dict[str, tuple[Act, ...]] = {
    "one_answer": (Say(text="one"),),
    "a_second_message_while_answering": (Say(text="one"), Wait(seconds=1.2), Say(text="two")),
    "three_quick_messages": (
        Say(text="one"),
        Wait(seconds=0.3),
        Say(text="two"),
        Wait(seconds=0.3),
        Say(text="three"),
    ),
    "stop": (Say(text="one"), Wait(seconds=1.5), Press(label="Stop")),
    "stop_before_the_first_word": (Say(text="one"), Wait(seconds=0.3), Press(label="Stop")),
    "cut_and_continued": (Mishaps(of=(Cut(after=2), Cut(after=1))), Say(text="one")),
    "model_is_busy": (Mishaps(of=(Busy(seconds=25.0),)), Say(text="one"), Wait(seconds=3.0), Say(text="two")),
    "try_again_after_failure": (
        Mishaps(of=(No(),)),
        Say(text="one"),
        Wait(seconds=1.2),
        Press(label="Try again"),
    ),
    "a_new_conversation": (Say(text="one"), Wait(seconds=2.4), Command(text="/new"), Say(text="two")),
    "one_message_while_away": (Say(text="one"), Wait(seconds=2.4), Away(said=(Say(text="left"),))),
    "mailbag_answer_all": (Say(text="one"), _WHILE_AWAY, Wait(seconds=2.4), Press(label="Answer all")),
    "mailbag_only_the_last": (_WHILE_AWAY, Wait(seconds=0.6), Press(label="Only the last")),
    "mailbag_ignore": (_WHILE_AWAY, Wait(seconds=0.6), Press(label="Ignore"), Say(text="one")),
    "mailbag_nobody_chooses": (_WHILE_AWAY, Wait(seconds=0.6), Say(text="one")),
    "a_file": (Say(text="one", file="Words of a file."), Wait(seconds=0.9), Say(text="two")),
    "two_people_in_a_thread": (
        Say(text="one"),
        Wait(seconds=0.9),
        Say(text="@Rejoinder two", person="bob"),
        Say(text="three"),
    ),
    "a_long_answer": (
        Mishaps(of=(Cut(after=2), None, No())),
        Say(text="one"),
        Wait(seconds=2.4),
        Say(text="two"),
        Wait(seconds=1.5),
        Press(label="Try again"),
    ),
    "a_tight_budget": (Say(text="one"), Wait(seconds=2.4), Say(text="two"), Wait(seconds=0.9), Say(text="three")),
    "a_shaky_platform": (Wobbles(of=(Wobble.UNHEARD, Wobble.NOT_SENT)), Say(text="one"), Wait(seconds=1.5)),
    "a_task_beside_a_chat": (
        Say(text="one"),
        Wait(seconds=0.6),
        Command(text="/task the goal"),
        Wait(seconds=4.0),
        Say(text="two"),
    ),
    "a_task_paused_and_resumed": (
        Say(text="one"),
        Wait(seconds=2.4),
        Command(text="/task the goal"),
        Wait(seconds=2.1),
        Press(label="Pause"),
        Wait(seconds=2.4),
        Press(label="Resume at step"),
    ),
    "drain": (Say(text="one"), Wait(seconds=1.5), Say(text="two"), Drain()),
    "tools_that_read": (Say(text="one [look] [look]"), Wait(seconds=3.0), Say(text="two")),
    "a_tool_that_is_asked_for": (Say(text="one [make] [look]"), *_DECIDED, *_DECIDED),
    "a_tool_that_may_run_twice": (Say(text="one [tidy]"), *_DECIDED, Say(text="two")),
    "a_tool_that_nobody_decides": (
        Say(text="one [make]"),
        Wait(seconds=2.4),
        Say(text="two"),
        Wait(seconds=4.2),
        Say(text="three"),
        Wait(seconds=4.2),
        Press(label="Deny"),
    ),
    "a_tool_and_a_stop": (Say(text="one [look]"), Wait(seconds=1.5), Press(label="Stop"), Say(text="two")),
    "a_tool_and_a_cut": (Mishaps(of=(Cut(after=2),)), Say(text="one [look]"), Wait(seconds=3.0)),
}

_SMALL_PARTS = House(part_chars=100)  # an answer is two or three messages
_TIGHT = House(policy=Policy(budget_person_day=price_of_turn(Policy(), 0) * 3 // 2))  # one call, not two
_WITH_TOOLS = House(tools=True)
_HOUSES: dict[str, House] = {
    "a_long_answer": _SMALL_PARTS,
    "a_tight_budget": _TIGHT,
    "tools_that_read": _WITH_TOOLS,
    "a_tool_that_is_asked_for": _WITH_TOOLS,
    "a_tool_that_may_run_twice": _WITH_TOOLS,
    "a_tool_that_nobody_decides": _WITH_TOOLS,
    "a_tool_and_a_stop": _WITH_TOOLS,
    "a_tool_and_a_cut": _WITH_TOOLS,
    **HOUSES,
}

JOURNEYS = {name: Journey(acts=acts, house=_HOUSES.get(name, House())) for name, acts in (_ACTS | LEAVING).items()}
