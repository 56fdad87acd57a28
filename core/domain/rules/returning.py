"""A session comes back: how much of it we still have, and who is told.

Knows: the ladder full -> summary -> fresh (DESIGN section 3). The level is decided once per return, told in one line
on the card of the idle period, and the same words go to the model with the next message. Originals are always kept;
the level only says what is sent.
Must not know: by which way the person came back, or whether they may (see `access`).
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, Policy, Tail, View
from core.domain.effects import Summarize
from core.domain.entities import Binding, Button, Level, Phase, Role, Session
from core.domain.events import Summarized
from core.domain.keys import ButtonId
from core.domain.leaving import Summary
from core.domain.rules import connections, retention
from core.domain.rules.making import Making
from core.domain.rules.outcomes import newest
from core.domain.rules.summary import as_text
from core.domain.rules.timeline import idle_since
from core.domain.stamp import Stamp
from core.domain.tokens import estimate
from core.domain.words import say

TAIL_MESSAGES = 6
TAIL_SHARE = 0.15  # of what may be sent
EXTRACT_TOKENS = 1_500  # up to here a summary costs more than it saves: it is made without a model call
AWAY = (Phase.WARNED, Phase.PARKED, Phase.EXPIRED)


def level_of(session: Session, policy: Policy, now_ms: int) -> Level:
    """How much is sent from this return on; of a conversation without a word there is nothing to summarise."""
    if session.next_seq == 1:
        return session.level
    expired = session.phase is Phase.EXPIRED or now_ms - idle_since(session, policy) >= policy.session_ttl_ms
    if expired or session.tokens > policy.recall_budget_tokens:
        return Level.SUMMARY
    return session.level


def tail_start(tail: tuple[Tail, ...], policy: Policy, next_seq: int) -> int:
    """The seq from which messages are sent word for word: the last six that fit, the last exchange in any case."""
    room = int(policy.recall_budget_tokens * TAIL_SHARE)
    start = _last_exchange(tail, next_seq)
    kept = sum(each.tokens for each in tail if each.seq >= start)
    for each in reversed(tail[-TAIL_MESSAGES:]):
        if each.seq < start and kept + each.tokens <= room:
            start, kept = each.seq, kept + each.tokens
        elif each.seq < start:
            break
    return start


def come_back(making: Making, *, tell: bool = True) -> Level:
    """The session lives again; whoever returns is told how much we still have (here, or by the caller)."""
    view, session = making.view, making.session
    if session.phase not in (*AWAY, Phase.CLOSED) and not _overslept(making):
        making.human_act()
        return session.level
    level = level_of(session, view.policy, making.now_ms)
    summary_id = session.summary_id
    if level is Level.SUMMARY:
        summary_id = _summary_for(making)
    line = level_line(view, session, level)
    logins = connections.preflight(view, making.now_ms)
    connections.check(making)
    retention.take_back(making)
    making.human_act()
    making.session = replace(
        making.session,
        phase=Phase.ACTIVE,
        idle_epoch=session.idle_epoch + 1,
        level=level,
        unsaid=_lines(line, logins),
        summary_id=summary_id,
        keep_until_ms=None,
        code_until_ms=None,
        tools=session.tools if session.phase is Phase.WARNED else "",  # after a break the tools are looked at anew
    )
    if tell:
        _tell(making, level, line, logins)
    return level


def act(making: Making, *, reopens: bool = False) -> None:
    """Somebody does something about a conversation where it lives: if it sleeps it comes back.

    One that was ended stays so unless the act `reopens` it. One in whose place another has begun stays as it is: who
    writes there means the other.
    """
    session, there = making.session, making.view.there
    if there is not None and there.home == session.home:
        making.session = replace(session, last_human_ms=making.now_ms)
    elif session.phase in AWAY or (reopens and session.phase is Phase.CLOSED):
        come_back(making)
        making.put(Binding(key=session.home, session_id=session.id))
    else:
        making.human_act()


def _overslept(making: Making) -> bool:
    """Whether it should have expired by now, and nobody rang: we were down, or the person was faster."""
    session, policy = making.session, making.view.policy
    return making.view.running is None and making.now_ms - idle_since(session, policy) >= policy.session_ttl_ms


def on_summarized(view: View, event: Summarized, stamp: Stamp) -> Decision:
    """A summary was written: it is sent from now on when the session waits for it or has outgrown what fits."""
    session = view.session
    if session is None:
        return Decision()
    making = Making(view, stamp, session)
    making.book(event.usage)
    summary = Summary(
        id=stamp.ulid("summary"),
        session_id=session.id,
        from_seq=event.from_seq,
        to_seq=event.to_seq,
        created_ms=stamp.now_ms,
        goal=event.goal,
        done=event.done,
        last=event.last,
        next=event.next,
        facts=event.facts,
        correction=view.summary.correction if view.summary is not None else "",
        by=event.by,
    )
    summary = replace(summary, tokens=estimate(as_text(summary)))
    making.put(summary)
    waited_for = session.level is Level.SUMMARY and not session.summary_id
    outgrown = session.tokens > view.policy.recall_budget_tokens
    if waited_for or outgrown:
        send_from(making, summary.id, summary.tokens)
        making.session = replace(making.session, level=Level.SUMMARY)  # while it sleeps, its return tells
    if outgrown and not waited_for and session.phase is Phase.ACTIVE:
        _outgrown(making)
    return making.done()


def level_line(view: View, session: Session, level: Level) -> str:
    """One line of truth about what we still have, for the person and for the model."""
    language = view.policy.language
    match level:
        case Level.FULL:
            return say(language, "memory.full")
        case Level.SUMMARY:
            start = tail_start(view.tail, view.policy, session.next_seq)
            return _summary_line(language, max(session.next_seq - start, 1))
        case Level.FRESH:
            return say(language, "memory.fresh")


def present_line(view: View, session: Session, level: Level) -> str:
    """The same of a conversation that goes on: what was said since its return is all there."""
    if level is Level.SUMMARY and session.phase is Phase.ACTIVE and session.summary_id:
        count = session.next_seq - session.fresh_from_seq
        return _summary_line(view.policy.language, count)
    return level_line(view, session, level)


def _summary_line(language: str, count: int) -> str:
    return say(language, "memory.summary_one" if count == 1 else "memory.summary", count=count)


def memory_buttons(session: Session, language: str) -> tuple[Button, ...]:
    """`[Show summary] [That's wrong]`, for the owner, answered privately."""
    return tuple(
        Button(
            id=str(ButtonId(verb=verb, subject=session.id)),
            label=say(language, f"button.{verb}"),
            for_user=session.home.user,
        )
        for verb in ("summary", "wrong")
    )


def send_from(making: Making, summary_id: str, summary_tokens: int) -> None:
    """From now on the summary is sent, and the last messages word for word."""
    view, session = making.view, making.session
    start = tail_start(view.tail, view.policy, session.next_seq)
    tokens = summary_tokens + sum(each.tokens for each in view.tail if each.seq >= start)
    making.session = replace(session, summary_id=summary_id, fresh_from_seq=start, tokens=tokens)


def _outgrown(making: Making) -> None:
    """In the middle of a conversation the history no longer fits: said once, in the same words as on a return."""
    line = level_line(making.view, making.session, Level.SUMMARY)
    making.session = replace(making.session, unsaid=line)
    language = making.view.policy.language
    text = say(language, "idle.outgrown", memory=line)
    _show_memory(making, text, making.session.next_seq, memory_buttons(making.session, language))


def _last_exchange(tail: tuple[Tail, ...], next_seq: int) -> int:
    """The seq of the last message of a person that has an answer after it (or of the last message at all)."""
    answered = False
    for each in reversed(tail):
        if each.role is Role.ASSISTANT:
            answered = True
        elif each.role is Role.USER and answered:
            return each.seq
    return tail[0].seq if tail else next_seq


def _summary_for(making: Making) -> str:
    """The summary that is sent: the one written at parking, or one that is written now and waited for."""
    view, session = making.view, making.session
    start = tail_start(view.tail, view.policy, session.next_seq)
    summary = view.summary
    if summary is not None and summary.to_seq >= start - 1:
        send_from(making, summary.id, summary.tokens)
        return summary.id
    write_summary(making)
    return ""


def write_summary(making: Making) -> None:
    """Summarise everything so far, unless that is being done."""
    if any(isinstance(each.effect, Summarize) for each in making.view.open_effects):
        return
    session = making.session
    if session.next_seq > 1:
        extract = session.tokens <= EXTRACT_TOKENS
        making.effect(Summarize(to_seq=session.next_seq - 1, extract=extract))


def _tell(making: Making, level: Level, line: str, logins: str) -> None:
    """Level full: the notice that stands is edited, nothing more is posted. Else: one line with its two buttons.

    `logins`: what of the person's logins is known, when tools were used here.
    """
    view, language = making.view, making.view.policy.language
    notice = view.notice
    standing = notice is not None and notice.key == f"idle:{making.session.idle_epoch - 1}"
    if level is Level.FULL:
        if notice is not None and standing:
            making.card(newest(notice, text=_lines(say(language, "idle.back_full"), logins), buttons=()))
        elif logins and not connections.all_good(view, making.now_ms):
            _show_memory(making, logins, making.session.idle_epoch, buttons=())
        return
    buttons = memory_buttons(making.session, language)
    text = _lines(say(language, "idle.back", memory=line), logins)
    if notice is not None and standing:
        making.card(newest(notice, text=text, buttons=buttons))
        return
    _show_memory(making, text, making.session.idle_epoch, buttons)


def _lines(*lines: str) -> str:
    return "\n".join(filter(None, lines))


def _show_memory(making: Making, text: str, number: int, buttons: tuple[Button, ...]) -> None:
    making.first(making.new_card(f"memory:{number}:{making.session.idle_epoch}", text, buttons))
