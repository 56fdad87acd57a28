"""What people can know about their own conversations: `/sessions`, `/why`, `/export`, `/privacy`.

Knows: everything here is answered privately, to the person whose it is. A list shows at most ten; what waits for the
person comes first. Must not know: how a file is handed over, where anything is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.domain.decision import Decision, Line, Private, View
from core.domain.entities import Button, ButtonStyle, Phase, Session
from core.domain.events import CommandIssued
from core.domain.keys import ButtonId
from core.domain.rules import connections, moving, people, progress, returning
from core.domain.rules.replies import private
from core.domain.rules.telling import WORDS_CHARS, ago, clock, quoted, short, title, where
from core.domain.rules.timeline import idle_since, next_due
from core.domain.stamp import Stamp
from core.domain.words import say

LIST_MAX = 10
LABEL_CHARS = 34
_GROUPS = (
    ("waiting", lambda each: each.waits_for_you),
    ("parked", lambda each: each.phase in returning.AWAY),
    ("active", lambda each: each.phase is Phase.ACTIVE),
    ("ended", lambda each: each.phase is Phase.CLOSED),
)


# ---------------------------------------------------------------------------------------- /sessions


def on_sessions(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/sessions [words]`: the person's conversations everywhere, those with these words if any are given."""
    language = view.policy.language
    wanted = event.rest.strip().casefold()
    found = [each for each in view.mine if wanted in f"{each.title} {each.last_words}".casefold()]
    if not found:
        words = say(language, "mine.none_found", words=quoted(event.rest)) if wanted else say(language, "mine.none")
        return Decision(reply=Private(text=words))
    lines: list[str] = []
    shown: list[Line] = []
    for group, members in _grouped(found):
        room = members[: LIST_MAX - len(shown)]
        if room:
            lines.append(f"**{say(language, f'mine.{group}')}**")
            lines.extend(_told(view, each, event, stamp.now_ms) for each in room)
            shown.extend(room)
    if len(found) > len(shown):
        lines.append(say(language, "mine.older", count=len(found) - len(shown)))
    buttons = tuple(_resume(each, language) for each in shown if not _is_here(each, event))
    return Decision(reply=Private(text="\n".join(lines), buttons=buttons))


def _grouped(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    """Each line once, in the first group that it belongs to."""
    left = list(lines)
    groups = []
    for name, belongs in _GROUPS:
        groups.append((name, [each for each in left if belongs(each)]))
        left = [each for each in left if not belongs(each)]
    return groups


def _told(view: View, line: Line, event: CommandIssued, now_ms: int) -> str:
    language = view.policy.language
    age = ago(language, line.last_human_ms, now_ms)
    head = f"- **{title(language, line.title)}** · {where(language, line.home, line.audience, event.place)} · {age}"
    words = quoted(line.last_words, WORDS_CHARS)
    return f"{head}\n  {words}" if words and words != quoted(line.title, WORDS_CHARS) else head


def _is_here(line: Line, event: CommandIssued) -> bool:
    """Whether there is nothing to resume: it goes on in this very place."""
    return line.phase is Phase.ACTIVE and line.home.place == event.place


def _resume(line: Line, language: str) -> Button:
    name = short(line.title, LABEL_CHARS) or say(language, "mine.untitled")
    style = ButtonStyle.PRIMARY if line.waits_for_you else ButtonStyle.PLAIN
    button_id = ButtonId(verb="resume", subject=line.session_id)
    return Button(id=str(button_id), label=say(language, "mine.resume", title=name), style=style)


# --------------------------------------------------------------------------------------------- /why


def on_why(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/why`: one line of truth about the conversation here: level, last recovery, next expiry."""
    del event
    language, session = view.policy.language, view.session
    if session is None or session.phase is Phase.ERASED or view.person is None:
        return private(view, "why.none")
    if session.home.user and not people.owns(view.person, session):
        return private(view, "private.not_owner")
    level = returning.level_of(session, view.policy, stamp.now_ms)
    parts = (
        returning.present_line(view, session, level),
        _recovered(session, language, stamp.now_ms),
        *(progress.short(each, language) for each in view.works),
        _next(view, session, stamp.now_ms),
        connections.preflight(view, stamp.now_ms),
    )
    carry = moving.carry_button(language, session)
    buttons = (carry,) if people.owns(view.person, session) else ()
    return Decision(reply=Private(text=" ".join(filter(None, parts)), buttons=buttons))


def _recovered(session: Session, language: str, now_ms: int) -> str:
    if session.recovered_ms is None:
        return say(language, "why.never_recovered")
    return say(language, "why.recovered", ago=ago(language, session.recovered_ms, now_ms))


def _next(view: View, session: Session, now_ms: int) -> str:
    """What becomes of it by itself, and when."""
    language, policy = view.policy.language, view.policy
    match session.phase:
        case Phase.ACTIVE | Phase.WARNED:
            park_ms = max(idle_since(session, policy) + policy.idle_park_ms, next_due(session, policy) or 0)
            return say(language, "why.parks", time=clock(park_ms, now_ms))
        case Phase.PARKED:
            expires_ms = idle_since(session, policy) + policy.session_ttl_ms
            return say(language, "why.expires", time=clock(expires_ms, now_ms))
        case Phase.EXPIRED | Phase.CLOSED | Phase.ERASED:
            due_ms = next_due(session, policy)
            if due_ms is None or policy.retention_ms is None:
                return say(language, "why.kept")
            erase_ms = session.last_human_ms + policy.retention_ms
            return say(language, "why.deleted", time=clock(max(due_ms, erase_ms), now_ms))


# ------------------------------------------------------------------------------- /export and /privacy


def on_export(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/export`: everything of the person's, as Markdown and JSON, handed over privately by the platform."""
    del event, stamp
    language = view.policy.language
    if view.person is None or view.newcomer:
        return private(view, "mine.none")
    return Decision(reply=Private(text=say(language, "export.ready"), export=view.person.identity))


def on_privacy(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/privacy`: what is kept, where, how long, who gets it, how to delete it."""
    del event, stamp
    language, policy = view.policy.language, view.policy
    days = None if policy.retention_ms is None else max(1, policy.retention_ms // (24 * 3_600_000))
    vendor = policy.model_vendor
    lines = (
        say(language, "privacy.what"),
        say(language, "privacy.where"),
        say(language, "privacy.vendor", vendor=vendor) if vendor else say(language, "privacy.no_vendor"),
        *((say(language, "privacy.tools", servers=", ".join(policy.tool_servers)),) if policy.tool_servers else ()),
        say(language, "privacy.kept") if days is None else say(language, "privacy.kept_days", days=days),
        *((say(language, "privacy.logins"),) if policy.login_servers else ()),
        say(language, "privacy.delete"),
    )
    return Decision(reply=Private(text="\n".join(f"- {each}" for each in lines)))
