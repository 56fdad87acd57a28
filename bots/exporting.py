"""Everything that is kept of a person, as two files: Markdown to read, JSON for programs. Pure.

Knows: how the files are laid out. Must not know: where it comes from, how a platform hands a file over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from core.codec import to_plain
from core.domain.entities import Message, Role
from core.domain.leaving import Summary
from core.domain.rules.summary import as_text
from core.domain.tasking import Work
from core.engine.handover import JSON_NAME, MARKDOWN_NAME, File, Kept, KeptSession


def files_of(kept: Kept) -> tuple[File, ...]:
    """The two files."""
    plain = json.dumps(to_plain(kept), ensure_ascii=False, indent=1)
    text = "\n".join(_markdown(kept)) + "\n"
    return (
        File(name=MARKDOWN_NAME, media_type="text/markdown", body=text.encode("utf-8", "replace")),
        File(name=JSON_NAME, media_type="application/json", body=plain.encode("utf-8", "replace")),
    )


def _markdown(kept: Kept) -> Iterator[str]:
    yield "# What Rejoinder keeps of you"
    yield ""
    for account in kept.accounts:
        yield f"- Account `{account.key}`, shown as {_line(account.name)}"
    for link in kept.links:
        state = "undone" if link.undone_ms is not None else "linked"
        yield f"- Account `{link.account}` was {state} on {_moment(link.at_ms)}"
    if kept.preference is not None:
        places = ", ".join(f"`{each}`" for each in kept.preference.muted)
        yield f"- Notices: {kept.preference.notices.value}" + (f", none in {places}" if places else "")
    for login in kept.connections:
        who = f" as {_line(login.account)}" if login.account else ""
        yield f"- Signed in at {_line(login.server)}{who} since {_moment(login.since_ms)}"
    for session in kept.sessions:
        yield from _session(session)
    if kept.elsewhere:
        yield from ("", "# Your words in conversations of others")
        for message in kept.elsewhere:
            yield from _said(message)
    if kept.posts:
        yield from ("", "# Your messages on the built-in web chat")
        for post in kept.posts:
            yield from ("", f"## {_line(post.where)}, {_moment(post.at_ms)}", "", post.text)


def _session(kept: KeptSession) -> Iterator[str]:
    session = kept.session
    home = "/".join(filter(None, (session.home.platform, session.home.workspace, session.home.channel)))
    yield from ("", f"# {_line(session.title) or session.id}", "")
    yield f"In {_line(home)}, begun {_moment(session.created_ms)}, {session.phase.value}."
    for message in kept.messages:
        yield from _said(message)
    for waiting in kept.waiting:
        yield from ("", f"## {_line(waiting.author)}, {_moment(waiting.received_ms)}, not answered yet", "")
        yield waiting.text
    for summary in kept.summaries:
        yield from _summary(summary)
    for work in kept.tasks:
        yield from _task(work)
    if kept.notices:
        yield from ("", "## Notices", "")
        yield from (f"- {_line(each)}" for each in kept.notices)
    for call in kept.calls:
        tool = f"{call.server}: {call.tool}" if call.server else call.tool
        yield from ("", f"## Tool {_line(tool)}, {_moment(call.created_ms)}, {call.state.value}", "", call.input)
        yield from (("", call.result) if call.result else ())
    for file in kept.files:
        yield from ("", f"File `{file.file_id}` ({_line(file.media_type)}): its content is in the JSON file.")


def _said(message: Message) -> Iterator[str]:
    names = {Role.ASSISTANT: "Rejoinder", Role.USER: message.author, Role.HEARD: f"{message.author} (heard)"}
    yield from ("", f"## {_line(names[message.role] or 'somebody')}, {_moment(message.created_ms)}", "")
    yield message.text
    yield from (f"\nFile: {_line(file.name)}, {file.size_bytes:,} bytes" for file in message.files)


def _task(work: Work) -> Iterator[str]:
    task = work.task
    yield from ("", f"## Task, {_moment(task.created_ms)}, {task.state.value}", "", task.goal)
    for step in work.steps:
        yield from ("", f"### Step {step.n}, {_line(step.title)}, {step.state.value}", "", step.instruction)
        yield from ("", step.result) if step.result else ()


def _summary(summary: Summary) -> Iterator[str]:
    yield from ("", f"## Summary of messages {summary.from_seq} to {summary.to_seq}, {_moment(summary.created_ms)}", "")
    yield as_text(summary)


def _line(text: str) -> str:
    return " ".join(text.split())


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, tz=UTC):%Y-%m-%d %H:%M} UTC"
