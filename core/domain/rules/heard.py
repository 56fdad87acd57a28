"""What humans had said in a thread before the bot was addressed there.

Knows: it is read once, on the first address, quoted to the model as other people's words, and honest when it could
not be read. Must not know: how a platform is read.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, View
from core.domain.events import ThreadRead
from core.domain.rules.making import Making
from core.domain.stamp import Stamp
from core.domain.tokens import estimate


def on_thread_read(view: View, event: ThreadRead, stamp: Stamp) -> Decision:
    """The words of others enter the history as heard; or the answer will say that they could not be read."""
    if view.session is None:
        return Decision()
    making = Making(view, stamp, view.session)
    for each in event.heard:
        message = replace(each, seq=making.session.next_seq, turn_id=event.turn_id, tokens=estimate(each.text))
        making.add(message)
    turn = view.running
    if event.unreadable and turn is not None and turn.id == event.turn_id:
        making.put(replace(turn, finish_note="unread_thread"))
    return making.done()
