"""Files that came with messages: from Discord's own hosts only, no larger than allowed.

Knows: that a file's address is signed and expires, so it is asked for anew each time. Must not know: what is in a file.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from bots.discord import ids
from bots.discord.faults import Denied
from bots.discord.fields import items, mapping, number, required, text
from bots.discord.rest import API, Rest
from core.domain.errors import BadInput, Refused

HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
_HANDLE_PARTS = 3


class Files:
    """Fetches files by their handle: channel, message and attachment."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def fetch(self, handle: str, cap_bytes: int) -> bytes:
        """The bytes. Raises `Refused`: `file_gone`, `too_large`, `file_host`."""
        parts = handle.split("/")
        if len(parts) != _HANDLE_PARTS or not all(ids.is_snowflake(each) for each in parts):
            raise Refused(code="file_gone", detail="not a file of Discord's")
        channel, message, file = parts
        try:
            found = mapping(await self._rest.call("GET", f"/channels/{channel}/messages/{message}"))
            for each in items(found, "attachments"):
                if required(each, "id") == file:
                    return await self._download(text(each, "url"), number(each, "size"), cap_bytes)
        except Denied as no:
            raise Refused(code="file_gone", detail=no.detail) from no
        except BadInput as error:
            raise Refused(code="file_gone", detail=error.detail) from error
        raise Refused(code="file_gone", detail="the message has it no more")

    async def _download(self, url: str, size: int, cap_bytes: int) -> bytes:
        if size > cap_bytes:
            raise Refused(code="too_large", detail=f"{size} bytes")
        if not self._is_ours(url):
            raise Refused(code="file_host", detail="not Discord's own host")
        return await self._rest.fetch(url, cap_bytes)

    def _is_ours(self, url: str) -> bool:
        """Discord's own hosts; for another API, that one's host."""
        parts, api = urlsplit(url), urlsplit(self._rest.api)
        if self._rest.api != API and (parts.scheme, parts.hostname) == (api.scheme, api.hostname):
            return True
        return parts.scheme == "https" and parts.hostname in HOSTS and parts.port is None
