"""Parked, never reset: what happens while nobody says anything.

Knows: the idle timeline warned -> parked -> expired, measured from the last *human* act by the wall clock. Theory:

* when the next step is due follows from the session row alone (`next_due`); the due time on the row is only an index;
* a ring is a question, not an order: the row is looked at again, so a ring that is late, early, doubled or out of a
  stepped clock does no harm;
* running work blocks every step; at a late ring only the latest step is taken; an answer that waits for its person's
  word or login blocks for a day at most, is ended then, and the next ring takes the step; a step of a task blocks as
  long and goes on waiting: from then on the notice names it;
* one notice per thread and idle period, only where something is at stake; later steps edit it, never a second ping;
* overdue by more than `idle_park`: parked without a post, the card comes with the return.

Must not know: who rings, how a card looks.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.codes import placeholder
from core.domain.decision import Decision, Private, View
from core.domain.effects import AskModel, Deliver, FetchFile, ReadThread
from core.domain.entities import Button, ButtonStyle, Card, Phase, Session, TurnState
from core.domain.events import TimerDue
from core.domain.keys import ButtonId, PersonKey
from core.domain.leaving import Notices, Preference, Ticket
from core.domain.rules import looping, progress, retention, returning
from core.domain.rules.making import Making
from core.domain.rules.outcomes import newest
from core.domain.rules.resume import issue
from core.domain.rules.telling import clock
from core.domain.rules.timeline import idle_since, step_due
from core.domain.stamp import Stamp
from core.domain.tasking import ASKS, Work
from core.domain.words import say

KEEP_MS = 24 * 3_600_000
RECHECK_MAX_MS = 5 * 60_000  # how long running work postpones a step before it is looked at again
STEPPED_BACK_MS = 60_000  # a last act further in the future than this: the wall clock was set back
_WORDS = {Phase.WARNED: "idle.warned", Phase.PARKED: "idle.parked", Phase.EXPIRED: "idle.expired"}
_WORK = (AskModel, Deliver, FetchFile, ReadThread)


def on_timer(view: View, event: TimerDue, stamp: Stamp) -> Decision:
    """A timer rang: take the step that is due, if one is."""
    session = view.session
    if session is None or session.due_ms is None or event.idle_epoch != session.idle_epoch:
        return Decision()
    making = Making(view, stamp, session)
    if session.code_until_ms is not None and session.code_until_ms <= stamp.now_ms:
        _tell_code_over(making)
    due_ms = step_due(session, view.policy)
    if session.last_human_ms > stamp.now_ms + STEPPED_BACK_MS:
        making.session = replace(making.session, last_human_ms=stamp.now_ms)
    elif (session.retention_told_ms or 0) > stamp.now_ms + STEPPED_BACK_MS:
        making.session = replace(making.session, retention_told_ms=stamp.now_ms)
    elif due_ms is None:
        retention.take_back(making)
    elif due_ms > stamp.now_ms:
        pass  # early, or out of a stepped clock: the row says when it is really due
    elif looping.waited_long(making):
        making.postpone(stamp.now_ms)
    elif working(view, stamp.now_ms):
        making.postpone(stamp.now_ms + min(RECHECK_MAX_MS, max(view.policy.idle_warning_ms // 2, 1_000)))
    elif session.phase in (Phase.EXPIRED, Phase.CLOSED):
        retention.step(making, event.up_ms)
    else:
        _step(making, max(due_ms, _awaited_until(view)))
    return making.done()


def working(view: View, now_ms: int) -> bool:
    """Whether something runs for this session that the person is waiting for."""
    working_effects = any(isinstance(each.effect, _WORK) for each in view.open_effects)
    return view.running is not None or working_effects or _awaited(view, now_ms)


def _awaited(view: View, now_ms: int) -> bool:
    """Whether a step of a task waits for its person, for less than a day."""
    return now_ms < _awaited_until(view)


def _awaited_until(view: View) -> int:
    """The end of the day for which a step that waits for its person keeps the conversation open; 0: none waits."""
    since = (each.awaits_since_ms for each in view.task_turns if each.step_id and each.state is TurnState.OPEN)
    return max((each + looping.DAY_MS for each in since if each is not None), default=0)


def at_stake(view: View, session: Session) -> bool:
    """Whether a notice is worth a post: an open question of ours, or enough said."""
    policy, preference = view.policy, view.preference or Preference(identity=session.owner)
    if Notices.OFF in (policy.idle_notice, preference.notices) or view.neighbour_noticed:
        return False
    if str(session.home.place) in preference.muted:
        return False
    least = policy.idle_min_exchanges
    if least is None:
        least = 2 if session.crowded else 1
    return session.asked_back or bool(_asking(view)) or session.exchanges >= least


def _asking(view: View) -> tuple[Work, ...]:
    """The tasks that wait for the person."""
    return tuple(each for each in view.works if each.task.state in ASKS or each.waits_for_person)


def _step(making: Making, due_ms: int) -> None:
    """The latest step that is due; the steps in between are not told."""
    view, session, policy = making.view, making.session, making.view.policy
    idle_ms = making.now_ms - idle_since(session, policy)
    quiet = making.now_ms - due_ms > policy.idle_park_ms
    if idle_ms >= policy.session_ttl_ms:
        phase = Phase.EXPIRED
    else:
        phase = Phase.PARKED if idle_ms >= policy.idle_park_ms else Phase.WARNED
    making.session = replace(session, phase=phase)
    code = _words_of(making.session)
    if phase is not Phase.WARNED and (view.summary is None or view.summary.to_seq < session.next_seq - 1):
        returning.write_summary(making)
    notice = view.notice if view.notice is not None and view.notice.key == _key(session) else None
    if notice is not None:
        making.card(newest(notice, text=_text(making, code, view.ticket)))
    elif not quiet and at_stake(view, session):
        ticket = issue(making, private=False)
        making.card(_notice(making, code, ticket))
        making.session = replace(making.session, code_until_ms=ticket.expires_ms)


def _tell_code_over(making: Making) -> None:
    """The code on the notice has expired: it does not stand there any more."""
    notice, ticket = making.view.notice, making.view.ticket
    making.session = replace(making.session, code_until_ms=None)
    if notice is not None and notice.key == _key(making.session) and ticket is not None and _shows(notice, ticket):
        making.card(newest(notice, text=_text(making, _words_of(making.session), ticket)))


def _shows(notice: Card, ticket: Ticket) -> bool:
    return placeholder(ticket.id, ticket.generation) in notice.text


def _words_of(session: Session) -> str:
    """What the notice says of a conversation; of one without a word there is nothing to summarise."""
    return "idle.parked" if session.phase is Phase.EXPIRED and session.next_seq == 1 else _WORDS[session.phase]


def _key(session: Session) -> str:
    return f"idle:{session.idle_epoch}"


def _notice(making: Making, code: str, ticket: Ticket) -> Card:
    session, view = making.session, making.view
    dm = view.preference is not None and view.preference.notices is Notices.DM
    home = session.home
    owner = PersonKey(platform=home.platform, workspace=home.workspace, user=home.user)
    return Card(
        id=making.stamp.ulid("card:idle"),
        session_id=session.id,
        key=_key(session),
        place=home.place,
        text=_text(making, code, ticket),
        buttons=_buttons(session, view.policy.language),
        created_ms=making.now_ms,
        recipient=owner if dm and home.user else None,
    )


def _buttons(session: Session, language: str) -> tuple[Button, ...]:
    def button(verb: str, style: ButtonStyle = ButtonStyle.PLAIN, *, in_menu: bool = False) -> Button:
        name = ButtonId(verb=verb, subject=session.id, version=session.idle_epoch)
        label = say(language, f"button.{verb}")
        return Button(id=str(name), label=label, style=style, for_user=session.home.user, in_menu=in_menu)

    return (
        button("resume", ButtonStyle.PRIMARY),
        button("keep"),
        button("end"),
        button("mute_here", in_menu=True),
        button("mute_all", in_menu=True),
    )


def _text(making: Making, code: str, ticket: Ticket | None) -> str:
    language, policy = making.view.policy.language, making.view.policy
    park_ms = idle_since(making.session, policy) + policy.idle_park_ms
    lines = [say(language, code, time=clock(park_ms, making.now_ms))]
    lines += [progress.short(each, language) for each in _asking(making.view)]
    if ticket is not None and ticket.expires_ms > making.now_ms:
        shown = placeholder(ticket.id, ticket.generation)
        lines.append(say(language, "idle.code", code=shown, until=clock(ticket.expires_ms, making.now_ms)))
    elif ticket is not None:
        lines.append(say(language, "idle.code_over"))
    return "\n".join(lines)


# ------------------------------------------------------------------------------- the notice's buttons


def on_keep(view: View, stamp: Stamp) -> Decision:
    """`[Keep open 24 h]`: no notice and no step for a day."""
    making, session = _begin(view, stamp)
    returning.come_back(making)
    until_ms = stamp.now_ms + KEEP_MS
    making.session = replace(making.session, keep_until_ms=until_ms)
    language = view.policy.language
    words = say(language, "idle.kept", until=clock(until_ms, stamp.now_ms))
    if view.notice is not None and view.notice.key == _key(session):
        making.card(newest(view.notice, text=words, buttons=()))
    return making.done(Private(text=words))


def on_end(view: View, stamp: Stamp) -> Decision:
    """`[End]`: no more notices; nothing is deleted."""
    making, session = _begin(view, stamp)
    retention.take_back(making)
    making.session = replace(making.session, phase=Phase.CLOSED, last_human_ms=stamp.now_ms, code_until_ms=None)
    language = view.policy.language
    if view.notice is not None and view.notice.key == _key(session):
        resume = ButtonId(verb="resume", subject=session.id, version=session.idle_epoch)
        button = Button(id=str(resume), label=say(language, "button.resume"), for_user=session.home.user)
        making.card(newest(view.notice, text=say(language, "idle.ended"), buttons=(button,)))
    return making.done(Private(text=say(language, "idle.ended")))


def on_mute(view: View, stamp: Stamp, *, everywhere: bool) -> Decision:
    """`No notices here / at all`: the person's own choice, changed back by /notices."""
    making, session = _begin(view, stamp)
    before = view.preference or Preference(identity=session.owner)
    if everywhere:
        after = replace(before, notices=Notices.OFF)
    else:
        after = replace(before, muted=tuple(dict.fromkeys((*before.muted, str(session.home.place)))))
    making.put(after)
    code = "idle.muted_all" if everywhere else "idle.muted_here"
    return making.done(Private(text=say(view.policy.language, code)))


def _begin(view: View, stamp: Stamp) -> tuple[Making, Session]:
    assert view.session is not None  # noqa: S101  (the dispatcher has checked it)
    return Making(view, stamp, view.session), view.session
