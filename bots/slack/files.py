"""Files that people attach, and files that we hand over.

Knows: a file is asked for by its id, fetched from Slack's own host only, with the token, without following anybody
elsewhere, up to a cap. Must not know: what a file is good for.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from bots.slack import ids
from bots.slack.payload import at, text_at
from bots.slack.sender import Sender
from core.domain.errors import Ambiguous, NotSent, Refused

HOSTS = frozenset({"files.slack.com"})
_OK = 200
_REDIRECTS = range(300, 400)
_BUSY = (429, 500, 502, 503, 504)
_CHUNK_BYTES = 65_536


async def fetch(sender: Sender, token: str, file_id: str, cap_bytes: int) -> bytes:
    """The bytes of a file. Raises `Refused(code="too_large")` above the cap, and as every platform call."""
    if not ids.is_id(file_id):
        raise Refused(code="bad_file")
    try:
        answer = await sender.call("files.info", file=file_id)
    except Ambiguous as error:
        raise NotSent(code=error.code, detail=error.detail) from error
    size = at(answer, "file").get("size")
    if isinstance(size, int) and size > cap_bytes:
        raise Refused(code="too_large", detail=f"{size} bytes")
    address = text_at(answer, "file", "url_private_download") or text_at(answer, "file", "url_private")
    if not _is_slacks(address, sender.api_url):
        raise Refused(code="file_elsewhere", detail="the file is not on Slack's file host")
    try:
        found = await _download(sender.session, address, token, cap_bytes)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotSent(code="slack_unreachable", detail=type(error).__name__) from error
    if found[:512].lstrip()[:15].lower() == b"<!doctype html>" and "html" not in text_at(answer, "file", "mimetype"):
        raise Refused(code="file_forbidden", detail="a sign-in page came instead")
    return found


def _is_slacks(address: str, api_url: str) -> bool:
    """Whether an address is on Slack's file host; with an API elsewhere (tests), on that host and port, too."""
    try:
        parts, api = urlsplit(address), urlsplit(api_url)
        where, there = (parts.scheme, parts.hostname, parts.port), (api.scheme, api.hostname, api.port)
    except ValueError:
        return False
    if parts.username is not None:
        return False
    own = parts.scheme == "https" and parts.hostname in HOSTS and parts.port in (None, 443)
    return own or (api.hostname != "slack.com" and where == there)


async def _download(session: aiohttp.ClientSession, address: str, token: str, cap_bytes: int) -> bytes:
    headers = {"Authorization": f"Bearer {token}"}
    async with session.get(address, headers=headers, allow_redirects=False) as response:
        if response.status in _REDIRECTS:  # to a sign-in page: the token may not read it
            raise Refused(code="file_forbidden", detail=f"status {response.status}")
        if response.status in _BUSY:
            raise NotSent(code="slack_busy", detail=f"status {response.status}")
        if response.status != _OK:
            raise Refused(code="file_gone", detail=f"status {response.status}")
        found = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            found += chunk
            if len(found) > cap_bytes:
                raise Refused(code="too_large", detail=f"more than {cap_bytes} bytes")
        return bytes(found)


async def upload(sender: Sender, name: str, data: bytes) -> str:
    """Bring a file to Slack, where nobody sees it yet; returns its id. Raises `Refused` and `NotSent`."""
    try:
        asked = await sender.call("files.getUploadURLExternal", filename=name, length=str(len(data)))
    except Ambiguous as error:  # another address does no harm
        raise NotSent(code=error.code, detail=error.detail) from error
    address, file_id = text_at(asked, "upload_url"), text_at(asked, "file_id")
    if not _is_slacks(address, sender.api_url) or not ids.is_id(file_id):
        raise Refused(code="file_elsewhere", detail="the address for an upload is not on Slack's file host")
    try:
        async with sender.session.post(address, data=data, allow_redirects=False) as response:
            if response.status in _BUSY:
                raise NotSent(code="slack_busy", detail=f"upload: status {response.status}")
            if response.status != _OK:
                raise Refused(code="file_refused", detail=f"upload: status {response.status}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotSent(code="slack_unreachable", detail=f"upload: {type(error).__name__}") from error
    return file_id


async def complete(sender: Sender, channel: str, thread: str, file_id: str, name: str) -> None:
    """Show an uploaded file in a conversation. Raises as every platform call; a yes means "soon"."""
    await sender.call(
        "files.completeUploadExternal",
        files=[{"id": file_id, "title": name}],
        channel_id=channel,
        thread_ts=thread,
    )


async def hand_over(sender: Sender, channel: str, thread: str, name: str, data: bytes) -> None:
    """Upload a file into a conversation, and look no further. Raises as every platform call."""
    await complete(sender, channel, thread, await upload(sender, name, data), name)
