"""Payloads of servers, channels, threads and roles -> what we keep of them. Pure. Raises only `BadInput`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bots.discord.fields import Raw, inside, items, number, required, snowflake, switch, text
from bots.discord.rooms import Overwrite, Room, Server

CONTENT_FLAGS = 1 << 18 | 1 << 19  # GATEWAY_MESSAGE_CONTENT and its limited kind (docs: resources/application)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one GUILD_CREATE tells."""

    server: Server
    rooms: tuple[Room, ...]


def room(raw: Raw, guild: str = "") -> Room:
    """A channel or thread object; `guild` where the payload leaves it out."""
    meta = inside(raw, "thread_metadata")
    return Room(
        id=required(raw, "id"),
        kind=number(raw, "type"),
        guild=snowflake(raw, "guild_id") or guild,
        parent=snowflake(raw, "parent_id"),
        owner=snowflake(raw, "owner_id"),
        name=text(raw, "name"),
        overwrites=tuple(
            Overwrite(required(each, "id"), number(each, "allow"), number(each, "deny"))
            for each in items(raw, "permission_overwrites")
        ),
        last_message=snowflake(raw, "last_message_id"),
        archived=switch(meta, "archived"),
        locked=switch(meta, "locked"),
        joined=bool(inside(raw, "member")),
    )


def server(raw: Raw, me: str) -> Server:
    """A guild object; our own roles are in it when it comes with GUILD_CREATE."""
    roles = {}
    bot_role = ""
    for each in items(raw, "roles"):
        role = required(each, "id")
        roles[role] = number(each, "permissions")
        if snowflake(inside(each, "tags"), "bot_id") == me:
            bot_role = role
    return Server(
        id=required(raw, "id"),
        name=text(raw, "name"),
        roles=roles,
        mine=_mine(raw, me),
        bot_role=bot_role,
        locale=_locale(raw),
    )


def _locale(raw: Raw) -> str:
    """The language that the server's people have chosen; only a Community can, any other has Discord's default."""
    features = raw.get("features")
    return text(raw, "preferred_locale") if isinstance(features, list) and "COMMUNITY" in features else ""


def _mine(raw: Raw, me: str) -> tuple[str, ...]:
    for each in items(raw, "members"):
        if snowflake(inside(each, "user"), "id") == me:
            return member_roles(each)
    return ()


def member_roles(raw: Raw) -> tuple[str, ...]:
    """The roles of a member object."""
    given = raw.get("roles")
    return tuple(str(each) for each in given) if isinstance(given, list) else ()


def gathered(raw: Raw, me: str) -> Gathered:
    """A GUILD_CREATE."""
    found = server(raw, me)
    rooms = tuple(room(each, found.id) for key in ("channels", "threads") for each in items(raw, key))
    return Gathered(server=found, rooms=rooms)


def with_role(known: Server, raw: Raw) -> Server:
    """The server after GUILD_ROLE_CREATE or GUILD_ROLE_UPDATE."""
    role = inside(raw, "role")
    return replace(known, roles={**known.roles, required(role, "id"): number(role, "permissions")})


def without_role(known: Server, role: str) -> Server:
    """The server after GUILD_ROLE_DELETE."""
    roles = {each: bits for each, bits in known.roles.items() if each != role}
    return replace(known, roles=roles, mine=tuple(each for each in known.mine if each != role))
