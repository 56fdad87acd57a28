"""What comes in over the JSON API -> what was asked, and the event that says so. Pure.

Knows: the API's bodies (DESIGN section 8) and how a message relates to the bot. Must not know: HTTP, the
board. Raises only `BadInput`; its `detail` is the sentence that the sender reads.

Corner cases: a text that begins with "/" is a command, whatever follows; marks that turn the direction of
writing are people's words and are kept (the page isolates them); a reply that begins with somebody's name
is meant for that person, even when the thread's opener writes it; a name in a direct message changes
nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bots.local import body, ids
from bots.local.body import bad
from bots.local.rooms import audience
from core.domain.codes import typed
from core.domain.errors import BadInput
from core.domain.events import Address, Author, ButtonPressed, CommandIssued, MessageReceived
from core.domain.keys import ButtonId, PersonKey, Place
from core.domain.rules.commands import COMMANDS
from core.engine.ports import Post

TEXT_MAX_BYTES = 100_000  # a long log; the model's window ends the usefulness of more
FILES_MAX = 10  # as many as Slack and Discord take with one message
FILE_MAX_BYTES = 20_000_000  # DESIGN section 10
BODY_MAX_BYTES = 1_000_000  # of a request without files
BODY_MAX_BYTES_FILES = 28_000_000  # one full file as base64, and the text
VALUE_MAX_CHARS = 8_000  # all fields of a form

_TIMES_MS = {"30m": 30 * 60_000, "24h": 24 * 3_600_000}
_FILE_NAME_MAX_CHARS = 255  # what file systems take
_COMMAND_NAME_MAX_CHARS = 64

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}")
_CHANNEL = re.compile(r"\w[\w.-]*(?: [\w.-]+)*")
_COMMAND = re.compile(r"/(\S*)\s*(.*)", re.DOTALL)
_BOT_MENTION = re.compile(rf"(?<![\w@])@{ids.BOT_NAME}(?![\w-])", re.IGNORECASE)
_SPOKEN = re.compile(rf"\s*@{ids.BOT_NAME}[,:]?\s+(\w+)\s*[.!]?\s*", re.IGNORECASE)
_ANY_MENTION_FIRST = re.compile(r"\s*@\w")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message; `data` is base64 text, checked."""

    name: str
    media_type: str
    data: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A message or command as it was sent. `workspace` None: that of the thread, else home."""

    person: str
    channel: str
    text: str
    workspace: str | None = None
    thread: str | None = None
    key: str | None = None
    files: tuple[Attachment, ...] = ()

    @property
    def is_command(self) -> bool:
        """Whether the engine gets a `CommandIssued`."""
        return self.text.startswith("/") or (not self.files and spoken_command(self.text) != "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressing:
    """A button press as it was sent."""

    person: str
    message: str
    button: str
    value: str = ""
    key: str | None = None


# ------------------------------------------------------------------------------------- bodies -> asked


def parse_saying(raw: bytes) -> Saying:
    """Read the body of POST /api/messages."""
    fields = body.json_object(raw)
    body.only_keys(fields, ("person", "channel", "workspace", "thread", "text", "key", "files"))
    files = body.list_field(fields, "files")
    if not files and len(raw) > BODY_MAX_BYTES:
        raise bad("body_too_large", f"A request without files may have at most {BODY_MAX_BYTES:,} bytes.")
    given = body.optional_text(fields, "workspace")
    saying = Saying(
        person=person(body.text_field(fields, "person")),
        channel=channel(body.text_field(fields, "channel")),
        workspace=None if given is None else workspace(given),
        thread=body.optional_text(fields, "thread"),
        text=body.text_field(fields, "text") if files == [] or "text" in fields else "",
        key=body.idempotency_key(body.optional_text(fields, "key")),
        files=_files(files),
    )
    _check_text(saying)
    return saying


def _check_text(saying: Saying) -> None:
    if len(saying.text.encode("utf-8")) > TEXT_MAX_BYTES:
        raise bad("text_too_long", f"A message may have at most {TEXT_MAX_BYTES:,} bytes; attach it as a file.")
    if not saying.files and not body.visible(saying.text):
        raise bad("empty_text", "There is nothing to send: the message is empty.")
    if saying.is_command:
        name, _ = command(saying.text)
        if not name or len(name) > _COMMAND_NAME_MAX_CHARS:
            raise bad("bad_command", "A message that begins with / is a command: /help lists them.")
        if saying.files:
            raise bad("bad_command", "A command takes no files.")


def parse_pressing(raw: bytes) -> Pressing:
    """Read the body of POST /api/actions; `value` is a string, or an object of strings: a form's fields."""
    if len(raw) > BODY_MAX_BYTES:
        raise bad("body_too_large", f"A request without files may have at most {BODY_MAX_BYTES:,} bytes.")
    fields = body.json_object(raw)
    body.only_keys(fields, ("person", "message", "button", "value", "key"))
    return Pressing(
        person=person(body.text_field(fields, "person")),
        message=body.text_field(fields, "message"),
        button=body.text_field(fields, "button"),
        value=_value(fields.get("value")),
        key=body.idempotency_key(body.optional_text(fields, "key")),
    )


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        text = body.storable(value, "value")
    elif isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values()):
        for name, each in value.items():
            body.storable(name, "value")
            body.storable(each, "value")
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    else:
        raise bad("wrong_type", '"value" must be a string, or an object of strings.')
    if len(text) > VALUE_MAX_CHARS:
        raise bad("text_too_long", f'"value" may have at most {VALUE_MAX_CHARS:,} characters.')
    return text


def parse_time(raw: bytes) -> int:
    """Read the body of POST /api/time; returns milliseconds."""
    fields = body.json_object(raw)
    body.only_keys(fields, ("by",))
    by = body.text_field(fields, "by")
    if by not in _TIMES_MS:
        raise bad("bad_time", f'"by" must be one of {", ".join(_TIMES_MS)}.')
    return _TIMES_MS[by]


# --------------------------------------------------------------------------------------- single fields


def person(name: str) -> str:
    """A person's name, as it may be chosen on the page."""
    name = body.label(name, "person")
    if name.casefold() == ids.BOT_NAME.casefold():
        raise bad("bad_name", f"{ids.BOT_NAME} is the bot's own name; choose another one.")
    return name


def workspace(name: str) -> str:
    """One of the two workspaces."""
    if name not in ids.WORKSPACES:
        raise bad("unknown_workspace", f'"workspace" must be one of {", ".join(ids.WORKSPACES)}.')
    return name


def channel(name: str) -> str:
    """A channel's name: letters, digits, dots, hyphens, single spaces; `dm` is the person's own."""
    name = body.label(name, "channel")
    if not _CHANNEL.fullmatch(name):
        raise bad("bad_name", '"channel" may have letters, digits, ".", "-", "_" and single spaces.')
    return name


def typed_code(saying: Saying) -> str | None:
    """The resume code of a message that is nothing else: it must not come on the board, so it is a command."""
    return None if saying.files else typed(saying.text, ids.BOT_NAME)


def spoken_command(text: str) -> str:
    """The command of a message that says nothing but the bot's name and that: "@rejoinder stop"; "" for others.

    A question is one: "@rejoinder why?" asks the bot, not for the command.
    """
    match = _SPOKEN.fullmatch(text)
    name = match.group(1).casefold() if match else ""
    return name if name in COMMANDS else ""


def command(text: str) -> tuple[str, str]:
    """Name and rest of a command: "/Resume  X" is ("resume", "X"), "@rejoinder stop" is ("stop", "")."""
    if name := spoken_command(text):
        return name, ""
    match = _COMMAND.fullmatch(text)
    return (match.group(1).casefold(), match.group(2).strip()) if match else ("", "")


def _files(values: list[object]) -> tuple[Attachment, ...]:
    if len(values) > FILES_MAX:
        raise bad("too_many_files", f"A message may have at most {FILES_MAX} files.")
    return tuple(_file(value) for value in values)


def _file(value: object) -> Attachment:
    if not isinstance(value, dict):
        raise bad("wrong_type", 'Each of "files" must be an object with name, media_type and data.')
    body.only_keys(value, ("name", "media_type", "data"))
    name = body.text_field(value, "name")
    if not 1 <= len(name) <= _FILE_NAME_MAX_CHARS or not body.visible(name) or _CONTROL.search(name):
        raise bad("bad_file", f"A file's name must have 1 to {_FILE_NAME_MAX_CHARS} visible characters.")
    media_type = body.text_field(value, "media_type").lower()
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise bad("bad_file", 'A file\'s "media_type" must look like image/png.')
    data = body.text_field(value, "data")
    try:
        size = len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError) as error:
        raise bad("bad_file", 'A file\'s "data" must be base64.') from error
    if size == 0:
        raise bad("bad_file", "A file is empty.")
    if size > FILE_MAX_BYTES:
        raise bad("file_too_large", f"A file may have at most {FILE_MAX_BYTES // 1_000_000} MB.")
    return Attachment(name=name, media_type=media_type, data=data, size_bytes=size)


# ------------------------------------------------------------------------------------- asked -> events


def author(key: PersonKey) -> Author:
    """Who did it; here a person's name is their account."""
    return Author(key=key, name=key.user)


def address(post: Post, opener: str) -> Address:
    """How a post relates to the bot; `opener` is who began the thread, "" when the bot did."""
    is_root = post.id == post.place.thread
    if is_root or ids.is_dm(post.place):
        return Address.DIRECT
    if _BOT_MENTION.search(post.text):
        return Address.DIRECT if post.author == opener else Address.MENTION
    if _ANY_MENTION_FIRST.match(post.text):
        return Address.OTHER
    return Address.DIRECT if post.author == opener else Address.PLAIN


def message_received(post: Post, *, opener: str, filled: bool = False, caught_up: bool = False) -> MessageReceived:
    """The event of a person's post. The post's key on the board is its source key. `filled`: others spoke before."""
    return MessageReceived(
        source_keys=(post.key,),
        author=author(ids.person_key(post.place.workspace, post.author)),
        place=post.place,
        text=post.text,
        ref=post.id,
        address=address(post, opener),
        files=post.files,
        caught_up=caught_up,
        filled=filled,
        audience=audience(post.place),
        root=post.id == post.place.thread,
    )


def command_issued(text: str, *, key: PersonKey, place: Place, source_key: str) -> CommandIssued:
    """The event of a command."""
    code = typed(text, ids.BOT_NAME)
    name, rest = command(text) if code is None else ("resume", code)
    return CommandIssued(
        source_keys=(source_key,), author=author(key), place=place, name=name, rest=rest, audience=audience(place)
    )


def button_id(pressing: Pressing) -> ButtonId:
    """What the button means."""
    try:
        return ButtonId.parse(pressing.button)
    except BadInput as error:
        raise bad(error.code, "That is not one of this bot's buttons.") from error


def button_pressed(pressing: Pressing, *, key: PersonKey, place: Place, source_key: str) -> ButtonPressed:
    """The event of a press. Raises `BadInput` when the button is not one of ours."""
    return ButtonPressed(
        source_keys=(source_key,),
        author=author(key),
        place=place,
        button=button_id(pressing),
        value=pressing.value,
        audience=audience(place),
    )
