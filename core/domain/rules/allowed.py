"""Whom the bot serves, and where: the operator's allow-lists.

Theory. Each list that is not empty has to name what an act comes from: its workspace, its channel, its person. A
direct conversation is a channel that nobody could list, so the word `dm` stands for all of them. What comes from
outside is treated as if it had never come: nothing of it is stored, nobody is asked, nothing is answered but one
sentence, in private, once a day at most, and that only to somebody who spoke to the bot: who only opens a page of it
is shown nothing, and may still speak. Whoever was let in once and is
not any more still gets, and deletes, what is their own (DESIGN section 10: for everybody).
Must not know: platforms; to the rules an id is a text.
"""

from __future__ import annotations

from core.domain.decision import Decision, Policy, Private, View
from core.domain.events import Address, Arrival, ButtonPressed, CommandIssued, MessageReceived
from core.domain.keys import Audience, PersonKey, Place
from core.domain.leaving import Guesses
from core.domain.rules import forgetting
from core.domain.stamp import Stamp
from core.domain.words import say

DIRECT = "dm"  # in the list of channels: every direct conversation
TOLD_AGAIN_MS = 24 * 3_600_000
OWN_COMMANDS = frozenset({"export", "forget", "privacy"})


def outside(policy: Policy, event: Arrival) -> bool:
    """Whether what somebody does comes from outside of what the bot serves."""
    return not serves(policy, event.place, event.audience, event.author.key)


def serves(policy: Policy, place: Place, reads: Audience, person: PersonKey) -> bool:
    """Whether the bot serves this person at this place, now."""
    channels, direct = policy.allow_channels, reads is Audience.DM
    return (
        _named(policy.allow_workspaces, place.workspace)
        and (_named(channels, place.channel) or (direct and DIRECT in channels))
        and _named(policy.allow_people, person.user)
    )


def turned_away(view: View, event: Arrival, stamp: Stamp) -> Decision | None:
    """What somebody from outside gets; None for everybody else."""
    if not outside(view.policy, event) or _about_own_data(event):
        return None
    message = isinstance(event, MessageReceived)
    if isinstance(event, MessageReceived) and event.address not in (Address.DIRECT, Address.MENTION):
        return Decision()
    if isinstance(event, CommandIssued) and event.unasked:
        return Decision()
    key = told_key(event.author.key)
    told_ms = next((each.times_ms for each in view.guesses if each.key == key), ())
    if any(abs(stamp.now_ms - at_ms) < TOLD_AGAIN_MS for at_ms in told_ms):
        return Decision(received=int(message), turned_away=int(message))
    return Decision(
        changes=(Guesses(key=key, times_ms=(stamp.now_ms,)),),
        reply=Private(text=say(view.policy.language, "refused.outside")),
        received=int(message),
        turned_away=int(message),
    )


def told_key(account: PersonKey) -> str:
    """Under which key it is written down when somebody was told."""
    return f"outside:{account}"


def _named(allowed: tuple[str, ...], name: str) -> bool:
    return not allowed or name in allowed


def _about_own_data(event: Arrival) -> bool:
    if isinstance(event, CommandIssued):
        return event.name.lower() in OWN_COMMANDS
    return isinstance(event, ButtonPressed) and event.button.verb in forgetting.BUTTONS
