"""`[Show summary]` and `[That's wrong]`: the owner sees what is remembered, and their correction wins.

Knows: both are answered privately, to the owner only. Must not know: how a summary is made.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, Form, FormField, Private, View
from core.domain.entities import Button
from core.domain.events import ButtonPressed
from core.domain.keys import ButtonId
from core.domain.rules import returning
from core.domain.rules.forms import field
from core.domain.rules.making import Making
from core.domain.rules.replies import private
from core.domain.rules.summary import as_text
from core.domain.stamp import Stamp
from core.domain.tokens import estimate
from core.domain.words import say

CORRECTION_MAX_CHARS = 1_000


def on_summary(view: View) -> Decision:
    """Show what is remembered."""
    language = view.policy.language
    if view.session is None or view.summary is None:
        return private(view, "memory.none")
    wrong = returning.memory_buttons(view.session, language)[1:]
    return Decision(reply=Private(text=as_text(view.summary), buttons=wrong))


def on_wrong(view: View) -> Decision:
    """Ask what is wrong."""
    language = view.policy.language
    if view.session is None or view.summary is None:
        return private(view, "memory.none")
    submit = ButtonId(verb="correct", subject=view.session.id)
    asked = FormField(
        id="correction", label=say(language, "memory.wrong_field"), max_chars=CORRECTION_MAX_CHARS, long=True
    )
    button = Button(id=str(submit), label=say(language, "button.correct"))
    return Decision(reply=Form(title=say(language, "memory.wrong_title"), submit=button, fields=(asked,)))


def on_correct(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """The person's words win over the summary, now and in every later one."""
    words = field(event.value, "correction")[:CORRECTION_MAX_CHARS]
    if view.session is None or view.summary is None or not words:
        return on_wrong(view)
    making = Making(view, stamp, view.session)
    making.human_act()
    earlier = view.summary.correction
    corrected = replace(view.summary, correction=f"{earlier}\n{words}" if earlier else words)
    making.put(replace(corrected, tokens=estimate(as_text(corrected))))
    return making.done(Private(text=say(view.policy.language, "memory.corrected")))
