"""Sessions as an operator sees them: a table, a page, Markdown.

Knows: how rows are laid out, and that everything people wrote is untrusted: what a terminal would obey is replaced.
Must not know: where rows come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from rich import box
from rich.table import Table
from rich.text import Text

from bots.app import SessionDetail, SessionLine
from core.codec import Json
from core.domain.entities import Message, Role, Session

_ID_COLUMNS = 26
_TITLE_COLUMNS = 50
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text without what a terminal obeys or what turns its direction; line ends and tabs stay."""
    return "".join(each if each.isprintable() or each in "\n\t" else _REPLACED for each in text)


def in_one_line(text: str) -> str:
    """The text without line ends either."""
    return " ".join(printable(text).split())


def moment(ms: int) -> str:
    """A time as people read it."""
    return f"{datetime.fromtimestamp(ms / 1000, tz=UTC):%Y-%m-%d %H:%M}"


def session_table(lines: Iterable[SessionLine]) -> Table:
    """The list of sessions."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("session", no_wrap=True, min_width=_ID_COLUMNS)  # whole even on a narrow terminal: it is typed
    for name in ("owner", "where", "phase", "messages", "last spoken (UTC)", "title"):
        table.add_column(name, no_wrap=True, justify="right" if name == "messages" else "left")
    for line in lines:
        session = line.session
        table.add_row(
            session.id,
            Text(in_one_line(line.owner_name or session.owner)),
            Text(_where(session)),
            session.phase.value + (", answering" if line.busy else ""),
            str(line.messages),
            moment(session.last_human_ms),
            Text(in_one_line(session.title)[:_TITLE_COLUMNS]),
        )
    return table


def session_json(line: SessionLine) -> dict[str, Json]:
    """One session of the list for a machine."""
    session = line.session
    return {
        "id": session.id,
        "owner": session.owner,
        "owner_name": line.owner_name,
        "home": str(session.home),
        "phase": session.phase.value,
        "title": session.title,
        "messages": line.messages,
        "created_ms": session.created_ms,
        "last_human_ms": session.last_human_ms,
        "answering": line.busy,
    }


def page(told: SessionDetail) -> Iterator[str]:
    """One session with its history, for a terminal."""
    yield from _head(told)
    for message in told.messages:
        yield ""
        yield f"[{moment(message.created_ms)}] {_speaker(message)}:"
        yield from (f"  {line}" for line in printable(message.text).split("\n"))
        yield from (f"  (file: {in_one_line(file.name)}, {file.size_bytes:,} bytes)" for file in message.files)
    for waiting in told.waiting:
        yield ""
        yield f"[{moment(waiting.received_ms)}] {in_one_line(waiting.author)} (waits for an answer):"
        yield from (f"  {line}" for line in printable(waiting.text).split("\n"))
    yield from _unfinished(told)


def _head(told: SessionDetail) -> Iterator[str]:
    session = told.session
    yield f"Session {session.id}: {in_one_line(session.title) or '(no title)'}"
    yield f"  owner         {in_one_line(session.owner)}"
    yield f"  lives in      {_where(session)}"
    yield f"  phase         {session.phase.value}"
    yield f"  begun         {moment(session.created_ms)} UTC"
    yield f"  last spoken   {moment(session.last_human_ms)} UTC"
    yield f"  messages      {len(told.messages)}, about {session.tokens:,} tokens"


def _unfinished(told: SessionDetail) -> Iterator[str]:
    for turn in told.turns:
        if not turn.state.over:
            yield ""
            yield f"[{moment(turn.created_ms)}] an answer is in the making; {len(turn.said):,} characters were said"
        elif turn.failure:
            yield ""
            yield f"[{moment(turn.created_ms)}] an answer failed: {in_one_line(turn.failure)}"


def markdown(told: SessionDetail) -> Iterator[str]:
    """One session as a Markdown document."""
    session = told.session
    yield f"# {in_one_line(session.title) or session.id}"
    yield ""
    yield f"Session `{session.id}`, begun {moment(session.created_ms)} UTC, {session.phase.value}."
    for message in told.messages:
        yield ""
        yield f"## {_speaker(message)}, {moment(message.created_ms)} UTC"
        yield ""
        yield printable(message.text)
        yield from (f"\nFile: {in_one_line(file.name)}, {file.size_bytes:,} bytes" for file in message.files)
    for waiting in told.waiting:
        yield ""
        yield f"## {in_one_line(waiting.author)}, {moment(waiting.received_ms)} UTC, not answered yet"
        yield ""
        yield printable(waiting.text)


def _speaker(message: Message) -> str:
    if message.role is Role.ASSISTANT:
        return "Rejoinder"
    heard = " (heard)" if message.role is Role.HEARD else ""
    return in_one_line(message.author or "somebody") + heard


def _where(session: Session) -> str:
    home = session.home
    return in_one_line("/".join(filter(None, (home.platform, home.workspace, home.channel))))
