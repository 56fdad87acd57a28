"""`/notices`: where a person wants to read that a conversation of theirs is parked.

Knows: the person's own choice, for everywhere and for single places; the operator's setting may be narrower and is
told then. Must not know: when a notice is due (see `idle`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.domain.decision import Decision, Private, View
from core.domain.entities import Button, ButtonStyle, Person
from core.domain.events import ButtonPressed, CommandIssued
from core.domain.keys import ButtonId, Place
from core.domain.leaving import Notices, Preference
from core.domain.rules import people
from core.domain.rules.replies import private
from core.domain.stamp import Stamp
from core.domain.words import say

_SPELLINGS = {"here": "here_off", "here off": "here_off", "off here": "here_off", "here on": "here_on"} | {
    each.value: each.value for each in Notices
}


def on_notices(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/notices [thread | dm | off | here on | here off]`; without a choice the present one, with buttons."""
    del stamp
    if view.person is None:
        return Decision()
    asked = " ".join(event.rest.casefold().split())
    if asked in _SPELLINGS:
        return _choose(view, view.person, event.place, _SPELLINGS[asked])
    language = view.policy.language
    wrong = say(language, "notices.unknown") + "\n" if asked else ""
    preference = _preference(view, view.person)
    return Decision(
        changes=people.remember(view.person, newcomer=view.newcomer),  # the buttons name the person
        reply=Private(
            text=wrong + _told(view, preference, event.place), buttons=_buttons(preference, event.place, language)
        ),
    )


def on_button(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """A choice by its button, which names the choice, and the person that it was made for."""
    del stamp
    if view.person is None or event.button.subject != view.person.identity:
        return private(view, "private.not_yours")
    return _choose(view, view.person, event.place, event.button.verb.removeprefix("notices_"))


_CHOICES = (*(each.value for each in Notices), "here_on", "here_off")
BUTTONS: Mapping[str, Callable[[View, ButtonPressed, Stamp], Decision]] = {
    f"notices_{each}": on_button for each in _CHOICES
}


def _choose(view: View, person: Person, place: Place, choice: str) -> Decision:
    before = _preference(view, person)
    here = str(place)
    match choice:
        case "here_on":
            after = replace(before, muted=tuple(each for each in before.muted if each != here))
        case "here_off":
            after = replace(before, muted=tuple(dict.fromkeys((*before.muted, here))))
        case _:
            after = replace(before, notices=Notices(choice))
    changes = (*people.remember(person, newcomer=view.newcomer), after)
    return Decision(changes=changes, reply=Private(text=_told(view, after, place)))


def _preference(view: View, person: Person) -> Preference:
    found = view.preference
    return found if found is not None and found.identity == person.identity else Preference(identity=person.identity)


def _told(view: View, preference: Preference, place: Place) -> str:
    """The present choice in words."""
    language = view.policy.language
    lines = [say(language, f"notices.{preference.notices.value}")]
    if preference.notices is not Notices.OFF and str(place) in preference.muted:
        lines.append(say(language, "notices.not_here"))
    if view.policy.idle_notice is Notices.OFF:
        lines.append(say(language, "notices.operator_off"))
    return " ".join(lines)


def _buttons(preference: Preference, place: Place, language: str) -> tuple[Button, ...]:
    here = "here_on" if str(place) in preference.muted else "here_off"
    offered = [each.value for each in Notices if each is not preference.notices]
    if preference.notices is not Notices.OFF:
        offered.append(here)
    return tuple(
        Button(
            id=str(ButtonId(verb=f"notices_{each}", subject=preference.identity)),
            label=say(language, f"notices.button_{each}"),
            style=ButtonStyle.PLAIN,
        )
        for each in offered
    )
