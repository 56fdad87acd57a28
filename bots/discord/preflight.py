"""What `rejoinder doctor` asks Discord: is the token right, what may we do, how many starts are left, how to invite us.

Knows: the application's own routes and the permissions that an invitation asks for. Must not know: the gateway: nothing
is connected, nothing is spent.
"""

from __future__ import annotations

from bots.discord import entrance
from bots.discord.fields import Raw, inside, mapping, number, required, snowflake, text
from bots.discord.rest import API, Rest
from bots.discord.wire_rooms import CONTENT_FLAGS
from core.domain.errors import BadInput, OutsideError, Refused
from core.engine.ports import Clock

# View, send, send in threads, public threads, embed links, attach, history, reactions (docs: topics/permissions).
PERMISSIONS = 1 << 10 | 1 << 11 | 1 << 38 | 1 << 35 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 6
FEW_STARTS = 50


def invitation(app: str) -> str:
    """The link by which a server's owner invites us."""
    return f"https://discord.com/oauth2/authorize?client_id={app}&scope=bot+applications.commands&permissions={PERMISSIONS}"


async def examine(token: str, clock: Clock, *, api: str = "") -> tuple[str, str]:
    """What was found, and what to do about it ("" = nothing)."""
    rest = Rest(token, clock, api=api or API)
    try:
        me = await entrance.ourselves(rest)
        about = await entrance.application(rest)
        gateway = mapping(await rest.call("GET", "/gateway/bot"))
        name = text(about, "name") or text(me, "username")
        app = snowflake(about, "id") or required(me, "id")
        return _told(app, name, number(about, "flags") if "flags" in about else CONTENT_FLAGS, _starts(gateway))
    except Refused as no:
        fix = "make a new token in the developer portal, under Bot, and set DISCORD_TOKEN"
        return f"Discord refuses the token ({no.code})", fix
    except (OutsideError, BadInput) as error:
        return f"Discord cannot be asked ({error.code})", "check the network and DISCORD_API_URL"
    finally:
        await rest.close()


def _starts(gateway: Raw) -> int | None:
    limit = inside(gateway, "session_start_limit")
    return number(limit, "remaining") if "remaining" in limit else None


def _told(app: str, name: str, flags: int, starts: int | None) -> tuple[str, str]:
    content = bool(flags & CONTENT_FLAGS)
    narrow = "reads only mentions and direct messages (Message Content Intent is off in the developer portal)"
    reads = "reads every message in its threads" if content else narrow
    left = "" if starts is None else f", {starts} session starts left today"
    said = f"{name}, {reads}{left}; invite: {invitation(app)}"
    few = starts is not None and starts < FEW_STARTS
    fix = "find out what restarts so often: Discord resets the token when none is left" if few else ""
    return said, fix
