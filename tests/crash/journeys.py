"""The journeys that must survive a death at every point.

Knows: what people do, in words of `acts`. Later features add theirs here: a name and a tuple of acts is enough.
"""

from __future__ import annotations

from tests.crash.acts import Act, Away, Command, Drain, Mishaps, Press, Say, Wait
from tests.crash.talker import Busy, Cut, No

_WHILE_AWAY = Away(said=(Say(text="left one"), Say(text="left two"), Say(text="left three")))

JOURNEYS: dict[str, tuple[Act, ...]] = {
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
    "drain": (Say(text="one"), Wait(seconds=1.5), Say(text="two"), Drain()),
}
