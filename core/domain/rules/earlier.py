"""`Continue "<title>" here?` under the first answer of a new conversation in a direct channel.

Knows: it is offered once, for the conversation that the person left there last, within a week. Must not know: how a
conversation is brought here (see `resume`, whose button it is).
"""

from __future__ import annotations

from core.domain.decision import Line
from core.domain.effects import ShowCard
from core.domain.entities import Button, Phase
from core.domain.events import MessageReceived
from core.domain.keys import Audience, ButtonId
from core.domain.rules.making import Making
from core.domain.rules.telling import title
from core.domain.words import say

WITHIN_MS = 7 * 24 * 3_600_000


def offer(making: Making, event: MessageReceived) -> None:
    """Offer it, below the answer that is being made."""
    left = _left_here(making, event)
    if left is None:
        return
    language = making.view.policy.language
    button = Button(
        id=str(ButtonId(verb="resume", subject=left.session_id)),
        label=say(language, "mine.button_continue"),
        for_user=event.author.key.user,
    )
    text = say(language, "mine.continue", title=title(language, left.title))
    card = making.new_card(f"continue:{left.session_id}", text, (button,), place=event.place)
    making.put(card)
    making.effect(
        ShowCard(card_key=card.key),
        order_key=f"card:{card.place}",
        deadline_ms=making.now_ms + making.view.policy.platform_deadline_ms,
        waits=(making.delivery,) if making.delivery else (),
    )


def _left_here(making: Making, event: MessageReceived) -> Line | None:
    """The conversation that the person used last in this direct channel, and did not end."""
    if not event.root or event.audience is not Audience.DM:
        return None
    here = event.place
    for each in making.view.mine:
        home = each.home
        same = (home.platform, home.workspace, home.channel) == (here.platform, here.workspace, here.channel)
        recent = making.now_ms - each.last_human_ms <= WITHIN_MS
        if same and recent and each.phase not in (Phase.CLOSED, Phase.ERASED) and home.thread != here.thread:
            return each
    return None
