"""Who we are and where the gateway is: what Discord is asked before the first connection.

Knows: which of the answers cannot be done without (our user, and a token that is accepted) and which can: without an
application object ours has our user's id and may read what it asks for, without `/gateway/bot` there is one shard.
Must not know: sockets, what is done with the answers. Raises what a request raises.
"""

from __future__ import annotations

from http import HTTPStatus

from bots.discord.faults import Denied
from bots.discord.fields import Raw, mapping, number, text
from bots.discord.rest import Rest

_ABOUT = ("/applications/@me", "/oauth2/applications/@me")  # the second one is the older


async def ourselves(rest: Rest) -> Raw:
    """Our user object."""
    return mapping(await rest.call("GET", "/users/@me"))


async def application(rest: Rest) -> Raw:
    """Our application object; empty where nobody tells."""
    for path in _ABOUT:
        try:
            return mapping(await rest.call("GET", path))
        except Denied as no:
            if no.status == HTTPStatus.UNAUTHORIZED:
                raise
    return {}


async def gateway(rest: Rest) -> tuple[str, int]:
    """Where to connect ("" when nobody tells), and by how many shards."""
    try:
        told = mapping(await rest.call("GET", "/gateway/bot"))
    except Denied as no:
        if no.status == HTTPStatus.UNAUTHORIZED:
            raise
        return "", 1
    return text(told, "url"), max(1, number(told, "shards", 1))
