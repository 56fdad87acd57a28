"""Interactions -> what a person did: a command, a press, a choice, a filled form, a look at completions. Pure.

Knows: interaction payloads. Must not know: how they are answered. Raises only `BadInput`. Everything is routed by the
button's id alone, so it works for a message that was posted by any earlier process (facts/discord.md decision 4).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import Enum

from bots.discord import ids, wire, wire_rooms
from bots.discord.fields import Raw, inside, items, number, required, snowflake, text
from bots.discord.rooms import DM, TEXT, Room
from bots.discord.wire import Said
from core.domain.errors import BadInput
from core.domain.events import Author, ButtonPressed, CommandIssued, MessageReceived
from core.domain.keys import Audience, ButtonId, Place

TYPED_MAX_CHARS = 6_000  # docs: application-commands, option strings
_COMMAND, _COMPONENT, _COMPLETION, _SUBMIT = 2, 3, 4, 5
_ON_MESSAGE = 3  # kind of a command of the message menu
_GUILD_OWNER = "0"  # authorizing_integration_owners: installed to the server
_GUILD_CONTEXT = 0


class Kind(Enum):
    """What can be answered how."""

    COMMAND = "command"
    PRESS = "press"
    FORM = "form"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What every interaction has. `foreign`: in a server that only the person's own installation reaches."""

    id: str
    token: str
    app: str
    kind: Kind
    author: Author
    room: Room
    locale: str
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Act):
    """A slash command; for a completion, `focused` is the option that is being typed."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    focused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnMessage(Act):
    """A command of a message's menu. `said` is None for a message of a bot's."""

    name: str
    target: str
    said: Said | None
    resume: ButtonId | None  # our Resume button, when the message has one


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(Act):
    """A button, a choice in a list, or a filled form (`value` has its fields as a JSON object)."""

    button: ButtonId
    value: str = ""


def act(raw: Raw, me: str) -> Command | OnMessage | Press | None:
    """An INTERACTION_CREATE; None for a ping. Raises `BadInput`, also for a button that is not ours."""
    kind, data = number(raw, "type"), inside(raw, "data")
    if kind in (_COMMAND, _COMPLETION) and number(data, "type", 1) == _ON_MESSAGE:
        return _on_message(raw, data, me)
    if kind in (_COMMAND, _COMPLETION):
        shown = Kind.COMMAND if kind == _COMMAND else Kind.COMPLETION
        return _command(raw, data, shown)
    if kind in (_COMPONENT, _SUBMIT):
        return _press(raw, data, Kind.PRESS if kind == _COMPONENT else Kind.FORM)
    return None


def base(raw: Raw, kind: Kind) -> Act:
    """What every interaction has."""
    member = inside(raw, "member")
    guild = snowflake(raw, "guild_id")
    owners = inside(raw, "authorizing_integration_owners")
    return Act(
        id=required(raw, "id"),
        token=text(raw, "token"),
        app=snowflake(raw, "application_id"),
        kind=kind,
        author=replace(wire.author(inside(member, "user") or inside(raw, "user"), member), locale=text(raw, "locale")),
        room=_room(raw, guild),
        locale=text(raw, "locale"),
        foreign=bool(guild and owners)
        and number(raw, "context", _GUILD_CONTEXT) == _GUILD_CONTEXT
        and _GUILD_OWNER not in owners,
    )


def _room(raw: Raw, guild: str) -> Room:
    """Where it was done; often no more than an id is told, and what is not a server's is a direct conversation."""
    told = {"id": raw.get("channel_id"), "type": TEXT if guild else DM} | dict(inside(raw, "channel"))
    return wire_rooms.room(told, guild)


def _spread(given: Act) -> dict[str, object]:
    names = ("id", "token", "app", "kind", "author", "room", "locale", "foreign")
    return {name: getattr(given, name) for name in names}


def _command(raw: Raw, data: Raw, kind: Kind) -> Command:
    options, focused = {}, ""
    for each in items(data, "options"):
        value = each.get("value")
        options[text(each, "name")] = str(value)[:TYPED_MAX_CHARS] if value is not None else ""
        if each.get("focused") is True:
            focused = text(each, "name")
    name = text(data, "name")
    if not name:
        raise BadInput(code="bad_payload", detail="a command without a name")
    return Command(**_spread(base(raw, kind)), name=name, options=options, focused=focused)  # type: ignore[arg-type]


def _on_message(raw: Raw, data: Raw, me: str) -> OnMessage:
    target = required(data, "target_id")
    message = inside(inside(inside(data, "resolved"), "messages"), target)
    given = base(raw, Kind.COMMAND)
    found = wire.said({"guild_id": given.room.guild or None} | dict(message), me) if message else None
    return OnMessage(
        **_spread(given),  # type: ignore[arg-type]
        name=text(data, "name"),
        target=target,
        said=found,
        resume=_resume_button(message) if snowflake(inside(message, "author"), "id") == me else None,
    )


def _resume_button(message: Raw) -> ButtonId | None:
    for row in items(message, "components"):
        for each in items(row, "components"):
            try:
                button = ButtonId.parse(text(each, "custom_id"))
            except BadInput:
                continue
            if button.verb == "resume":
                return button
    return None


def _press(raw: Raw, data: Raw, kind: Kind) -> Press:
    chosen = data.get("values")
    name = str(chosen[0]) if isinstance(chosen, list) and chosen else text(data, "custom_id")
    value = _filled(data) if kind is Kind.FORM else ""
    return Press(**_spread(base(raw, kind)), button=ButtonId.parse(name), value=value)  # type: ignore[arg-type]


def _filled(data: Raw) -> str:
    """The fields of a form as the core gets them from every platform: a JSON object with sorted keys."""
    values = {}
    for row in items(data, "components"):
        parts = [inside(row, "component"), *items(row, "components")]
        values.update({text(each, "custom_id"): text(each, "value") for each in parts if text(each, "custom_id")})
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


# --------------------------------------------------------------------------------------- acts -> events


def as_press(given: Act, button: ButtonId) -> Press:
    """Another way to press a button."""
    return Press(**_spread(given), button=button)  # type: ignore[arg-type]


def issued(given: Act, name: str, rest: str, place: Place, audience: Audience) -> CommandIssued:
    """A command, issued at a place."""
    return CommandIssued(
        source_keys=(ids.interaction_key(given.id),),
        author=given.author,
        place=place,
        name=name,
        rest=rest,
        audience=audience,
    )


def pressed_at(given: Press, place: Place, audience: Audience) -> ButtonPressed:
    """A button, pressed at a place."""
    return ButtonPressed(
        source_keys=(ids.interaction_key(given.id),),
        author=given.author,
        place=place,
        button=given.button,
        value=given.value,
        audience=audience,
    )


def asked(given: Act, words: str, place: Place, audience: Audience) -> MessageReceived:
    """A question that came as a command: there is no message to refer to."""
    return MessageReceived(
        source_keys=(ids.interaction_key(given.id),),
        author=given.author,
        place=place,
        text=words,
        ref="",
        audience=audience,
    )
