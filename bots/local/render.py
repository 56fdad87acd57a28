"""Posts, private lines and replies -> the JSON that the API shows. Pure.

Knows: the API's answers (DESIGN section 8) and that a button may be for one person only. Must not know: HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from bots.local import ids
from bots.local.downloads import Download
from bots.local.whispers import Whisper
from core.codec import Json
from core.domain.decision import Choices, Form, Nothing, Private, Reply
from core.domain.entities import Button
from core.domain.outline import Outline
from core.engine.ports import AnswerState, Post, ThreadLine

Shown = dict[str, Json]

TITLE_MAX_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A slash command as the page completes it: `name` without the slash."""

    name: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page says about the bot it talks to."""

    model: str
    offline: bool
    version: str
    commands: tuple[Command, ...] = ()
    people: tuple[str, ...] = ("alice", "bob", "carol")
    language: str = "en"  # of our own words


def buttons(given: Iterable[Button], person: str) -> list[Json]:
    """The buttons that `person` may see."""
    return [
        {"id": each.id, "label": each.label, "style": each.style.value} | ({"menu": True} if each.in_menu else {})
        for each in given
        if each.for_user in ("", person)
    ]


def downloads(given: Iterable[Download]) -> list[Json]:
    """The links to files."""
    return [{"name": each.name, "url": each.url} for each in given]


def steps(outline: Outline) -> Shown:
    """The steps of a card, each with how it stands."""
    return {
        "title": outline.title,
        "lines": [
            {"n": each.n, "title": each.title, "state": each.state.value, "detail": each.detail}
            for each in outline.lines
        ],
        "foot": outline.foot,
    }


def message(post: Post, person: str) -> Shown:
    """A post as `person` sees it."""
    is_bot = not post.author
    shown: Shown = {
        "id": post.id,
        "workspace": post.place.workspace,
        "channel": ids.shown_channel(post.place),
        "thread": post.place.thread,
        "author": post.author or ids.BOT_NAME,
        "bot": is_bot,
        "text": post.text,
        "state": post.state,
        "buttons": buttons(post.buttons, person),
        "created_ms": post.created_ms,
        "n": post.n,
    }
    if post.author == person and person:
        shown["key"] = post.key.removeprefix(ids.message_key(ids.person_key(post.place.workspace, person), ""))
    if post.card:
        shown["card"] = True
    if post.outline is not None:
        shown["steps"] = steps(post.outline)
    if post.reply_to:
        shown["reply_to"] = post.reply_to
    if post.mark:
        shown["mark"] = post.mark
    if not post.taken:
        shown["unsent"] = True
    if post.files:
        shown["files"] = [_file(post, index, person) for index in range(len(post.files))]
    return shown


def _file(post: Post, index: int, person: str) -> Shown:
    """A file that came with a post; one of ours can be had."""
    file = post.files[index]
    shown: Shown = {"name": file.name, "media_type": file.media_type, "size_bytes": file.size_bytes}
    if not post.author:
        shown["url"] = ids.file_url(post.id, index, person)
    return shown


def whisper(line: Whisper) -> Shown:
    """A private line, as the only person sees it who sees it at all."""
    shown: Shown = {
        "id": line.id,
        "workspace": line.place.workspace,
        "channel": ids.shown_channel(line.place),
        "thread": line.place.thread,
        "author": line.author or ids.BOT_NAME,
        "bot": not line.author,
        "text": line.text,
        "state": AnswerState.DONE.value,
        "buttons": buttons(line.buttons, line.to.user),
        "created_ms": line.created_ms,
        "n": line.after_n,
        "private": True,
    }
    if line.downloads:
        shown["downloads"] = downloads(line.downloads)
    return shown


def in_order(posts: Iterable[Post], lines: Iterable[Whisper], person: str) -> list[Json]:
    """Everything that `person` sees in a thread, as it was said."""
    ranked: list[tuple[int, int, int, Shown]] = [(each.n, 0, each.created_ms, message(each, person)) for each in posts]
    ranked += [(each.after_n, 1, each.created_ms, whisper(each)) for each in lines]
    ranked.sort(key=lambda item: item[:3])
    return [item[3] for item in ranked]


def thread_line(line: ThreadLine) -> Shown:
    """A thread for the list on the left."""
    title = " ".join(line.title.split()) or "(no words)"
    return {
        "thread": line.place.thread,
        "workspace": line.place.workspace,
        "channel": ids.shown_channel(line.place),
        "title": title if len(title) <= TITLE_MAX_CHARS else f"{title[: TITLE_MAX_CHARS - 1]}…",
        "last_ms": line.last_ms,
        "opener": line.opener or ids.BOT_NAME,
    }


def reply(given: Reply, person: str, message_id: str) -> Shown:
    """An immediate answer. `message` is what its buttons are pressed on."""
    match given:
        case Nothing():
            return {"kind": "nothing"}
        case Private():
            return {
                "kind": "private",
                "message": message_id,
                "text": given.text,
                "buttons": buttons(given.buttons, person),
            }
        case Form():
            return {
                "kind": "form",
                "message": message_id,
                "title": given.title,
                "submit": buttons([given.submit], person)[0],
                "fields": [
                    {"id": each.id, "label": each.label, "max_chars": each.max_chars, "long": each.long}
                    for each in given.fields
                ],
            }
        case Choices():
            return {
                "kind": "choices",
                "message": message_id,
                "text": given.text,
                "options": buttons(given.options, person),
            }
    assert_never(given)


def reply_buttons(given: Reply) -> tuple[Button, ...]:
    """Every button that an immediate answer offers."""
    match given:
        case Nothing():
            return ()
        case Private():
            return given.buttons
        case Form():
            return (given.submit,)
        case Choices():
            return given.options
    assert_never(given)


def about(facts: About, *, time_offset_ms: int, time_travel: bool) -> Shown:
    """The answer of GET /api/about."""
    return {
        "name": ids.BOT_NAME,
        "model": facts.model,
        "offline": facts.offline,
        "version": facts.version,
        "time_offset_ms": time_offset_ms,
        "time_travel": time_travel,
        "workspaces": list(ids.WORKSPACES),
        "people": list(facts.people),
        "commands": [{"name": each.name, "help": each.help} for each in facts.commands],
    }
