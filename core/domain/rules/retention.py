"""Retention: what nobody has used for long is deleted, announced first, and never by a wrong clock.

Knows: only where the operator set it. From expiry on (or the end) a session counts as unused. Theory:

* the announcement is a card of its own in the thread, at least 72 h before; an edit of an old card nobody would see;
* between announcement and deletion the program must have been up for 24 h, measured by a clock that never steps: so
  neither a stepped wall clock nor a machine that was off takes the time in which somebody could have read it;
* an announcement that could never be posted is made again, and only then counts;
* any human act, and `[Keep]`, takes it back.

Must not know: how anything is deleted (see `forgetting`).
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, Private, View
from core.domain.entities import Button, ButtonStyle
from core.domain.events import ButtonPressed
from core.domain.keys import ButtonId
from core.domain.rules import forgetting
from core.domain.rules.making import Making
from core.domain.rules.outcomes import newest
from core.domain.rules.telling import clock
from core.domain.rules.timeline import ANNOUNCED_MS, next_due
from core.domain.stamp import Stamp
from core.domain.words import say

UP_MS = 24 * 3_600_000
LOOK_AGAIN_MS = 3_600_000
ANNOUNCEMENTS_MAX = 3  # a channel that is gone cannot be told; 72 h each
_DAY_MS = 24 * 3_600_000


def step(making: Making, up_ms: int) -> None:
    """The session is due: announce, wait, or delete. `up_ms`: how long the program has been up in all."""
    session, card = making.session, making.view.announcement
    if session.retention_told_ms is None or card is None:
        _announce(making, up_ms, 1)
        return
    missing_ms = UP_MS - (up_ms - (session.retention_told_up_ms or 0))
    number = int(card.key.rpartition(":")[2])
    if missing_ms > 0:
        making.postpone(making.now_ms + min(missing_ms, LOOK_AGAIN_MS))
    elif card.shown_version == 0 and number < ANNOUNCEMENTS_MAX:
        _announce(making, up_ms, number + 1)
    else:
        forgetting.erase(making)


def take_back(making: Making) -> None:
    """Somebody is here, or the operator keeps everything now: nothing is deleted, and the card says so."""
    view, session = making.view, making.session
    if session.retention_told_ms is None:
        return
    making.session = replace(session, retention_told_ms=None, retention_told_up_ms=None)
    card, days = view.announcement, (view.policy.retention_ms or 0) // _DAY_MS
    if card is not None and card.buttons:
        code = "retention.kept" if days else "retention.kept_for_good"
        making.card(newest(card, text=say(view.policy.language, code, days=days), buttons=()))


def on_stay(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Keep]`: as good as a word in the thread, but the session stays parked."""
    del event
    assert view.session is not None  # noqa: S101  (the dispatcher has checked it)
    making = Making(view, stamp, view.session)
    told = making.session.retention_told_ms is not None
    take_back(making)
    making.session = replace(making.session, last_human_ms=stamp.now_ms)
    code = "forget.kept" if told else "private.already_done"
    return making.done(Private(text=say(view.policy.language, code)))


def _announce(making: Making, up_ms: int, number: int) -> None:
    now_ms, language = making.now_ms, making.view.policy.language
    session = replace(making.session, retention_told_ms=now_ms, retention_told_up_ms=up_ms)
    making.session = session
    erase_ms = next_due(session, making.view.policy) or now_ms + ANNOUNCED_MS
    button = ButtonId(verb="stay", subject=session.id, version=number)
    stay = Button(
        id=str(button), label=say(language, "retention.button"), style=ButtonStyle.PRIMARY, for_user=session.home.user
    )
    text = say(language, "retention.announce", time=clock(erase_ms, now_ms))
    making.card(making.new_card(f"retention:{session.idle_epoch}:{now_ms}:{number}", text, (stay,)))
