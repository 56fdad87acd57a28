"""What arrives, before anything of it is stored: its lane, and a typed resume code becomes its digest.

Knows: in which lane an event is looked at, and the two ways to type a code, `/resume CODE` and a message that says
`resume CODE` and nothing else. From here on no event, row, log line or crash dump of ours carries a code.
Must not know: which conversation it belongs to.
"""

from __future__ import annotations

import re

from core.domain.codes import CodeKeys, digest_of, normalize, typed
from core.domain.events import ButtonPressed, CommandIssued, Event, LinkStrayed, MessageReceived, ResumeAsked, SignedIn

RESUME = "resume"
_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")  # a session's id, as autocompletion fills it in


def understood(event: Event, keys: CodeKeys | None, bot_name: str) -> Event:
    """The event as it may be stored."""
    if keys is None:
        return event
    if isinstance(event, CommandIssued) and event.name.lower() == RESUME:
        rest = event.rest.strip()
        if _ID.fullmatch(rest):
            return _asked(event, session_id=rest)
        # What is no code goes the same way as a wrong one: its digest opens nothing.
        return _asked(event, digest=digest_of(keys, normalize(rest) or rest)) if rest else event
    if isinstance(event, MessageReceived):
        code = typed(event.text, bot_name)
        return event if code is None else _asked(event, digest=digest_of(keys, code))
    return event


def lane_of(event: Event) -> str:
    """The lane of an event: whoever acts in one place is heard in order, and so is what becomes of one turn."""
    match event:
        case MessageReceived() | ButtonPressed() | CommandIssued():
            return f"{event.place}|{event.author.key}"
        case ResumeAsked():
            return event.digest or event.session_id
        case _ if isinstance(turn_id := getattr(event, "turn_id", None), str):
            return turn_id
        case SignedIn() | LinkStrayed():
            return event.login_id
        case _:
            return str(getattr(event, "session_id", ""))


def _asked(event: CommandIssued | MessageReceived, *, digest: str = "", session_id: str = "") -> ResumeAsked:
    return ResumeAsked(
        source_keys=event.source_keys,
        author=event.author,
        place=event.place,
        audience=event.audience,
        digest=digest,
        session_id=session_id,
    )
