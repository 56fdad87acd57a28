"""Messages of ours: posted once under their key, edited, found again.

Knows: the nonce and how long it holds, what to look for in a channel's history after that, and the ways around what
Discord refuses: an archived thread is woken, an edit of a message that is too old becomes a new message. Must not know:
the engine, how anything is rendered.

Once. Discord drops a second message with the same nonce for some minutes (docs: resources/message, `enforce_nonce`), so
a post is repeated at will within that time, by this process or the next one. Later the natural key counts: the id of
the first component (`ids.mark`, or `ids.unseen` where there is none), the message that is replied to, or the very text.
So nothing is ever posted twice, and no table of what was posted is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from bots.discord import faults, ids
from bots.discord.faults import Denied
from bots.discord.fields import inside, items, snowflake, text
from bots.discord.render import SUPPRESS_NOTIFICATIONS, Body, with_files
from bots.discord.rest import Rest
from core.codec import Json
from core.domain.errors import Ambiguous, BadInput, OutsideError
from core.domain.files import AnswerFile

NONCE_SURE_S = 60.0  # "the past few minutes": a post that may be older than this is looked for first
PAGE = 100
PAGES_MAX = 5
SKEW_MS = 60_000  # our clock and Discord's differ by less


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A message of ours as it stands."""

    channel: str
    id: str
    content: str
    components: Json


class Sender:
    """Posts and edits with the bot's own token. `me`: our user id, known after the login."""

    def __init__(self, rest: Rest) -> None:
        self.me = ""
        self._rest = rest

    async def post(
        self,
        channel: str,
        key: str,
        body: Body,
        *,
        reply_to: str = "",
        silent: bool = False,
        files: Sequence[AnswerFile] = (),
    ) -> Standing:
        """Post under `key`, or give back what was posted under it."""
        sent: Body = {**with_files(body, files), "nonce": ids.nonce(key), "enforce_nonce": True}
        if silent:
            flags = body.get("flags")
            sent["flags"] = (flags if isinstance(flags, int) else 0) | SUPPRESS_NOTIFICATIONS
        if reply_to:
            sent["message_reference"] = {"message_id": reply_to, "fail_if_not_exists": False}
        path = f"/channels/{channel}/messages"
        return _standing(await self._rest.surely("POST", path, sent, files=files), channel)

    async def edit(self, channel: str, message: str, body: Body, files: Sequence[AnswerFile] = ()) -> Standing:
        """Change a message of ours; an archived thread is woken for it. Raises `Denied` 30046 when it is too old.

        The `files` take the place of those that it has, so a repeat changes nothing; none leaves them alone.
        """
        body, path = with_files(body, files), f"/channels/{channel}/messages/{message}"
        try:
            return _standing(await self._rest.surely("PATCH", path, body, files=files), channel)
        except Denied as no:
            if no.number != faults.THREAD_ARCHIVED:
                raise
        await self._rest.surely("PATCH", f"/channels/{channel}", {"archived": False})
        return _standing(await self._rest.surely("PATCH", path, body, files=files), channel)

    async def draft(self, channel: str, message: str, body: Body) -> None:
        """Change a message if that can be done now without taking the last token: a final text may need it.

        Raises `NotSent` at once when it cannot: whoever waits for a token would stand in the way of the final text.
        """
        await self._rest.call("PATCH", f"/channels/{channel}/messages/{message}", body, spare=1, patience_s=0.0)

    async def delete(self, channel: str, message: str) -> None:
        """Take a message of ours away; gone already is as good."""
        try:
            await self._rest.surely("DELETE", f"/channels/{channel}/messages/{message}")
        except Denied as no:
            if no.number not in (faults.UNKNOWN_MESSAGE, faults.UNKNOWN_CHANNEL):
                raise

    async def is_ours(self, channel: str, message: str) -> bool:
        """Whether a message is one of ours; what cannot be looked at is not."""
        try:
            found = await self._rest.call("GET", f"/channels/{channel}/messages/{message}")
        except OutsideError:
            return False
        return isinstance(found, dict) and snowflake(inside(found, "author"), "id") == self.me

    async def find(
        self, channel: str, key: str, since_ms: int, *, reply_to: str = "", content: str = ""
    ) -> Standing | None:
        """Our message that was posted under `key` since then, newest last.

        By its nonce (which history may or may not keep) or its mark, seen or unseen; else by what it replies to, or by
        its very text, where those are given.
        """
        wanted, unseen, name = ids.mark(key), ids.unseen(key), ids.nonce(key)
        found = None
        async for message in self._since(channel, since_ms):
            if snowflake(inside(message, "author"), "id") != self.me:
                continue
            said = text(message, "content")
            if message.get("nonce") == name or _first_id(message) == wanted or said.endswith(unseen):
                return _standing(message, channel)
            replied = snowflake(inside(message, "message_reference"), "message_id")
            if (reply_to and replied == reply_to) or (content and said == content):
                found = _standing(message, channel)
        return found

    async def _since(self, channel: str, since_ms: int) -> AsyncIterator[Body]:
        after = ids.at_ms(since_ms - SKEW_MS)
        for _ in range(PAGES_MAX):
            page = await self.page(channel, after=after)
            for message in page:
                yield message
            if len(page) < PAGE:
                return
            after = snowflake(page[-1], "id")

    async def page(self, channel: str, *, after: str = "", limit: int = PAGE) -> list[Body]:
        """Messages of a channel, oldest first: those after an id, or the last ones."""
        query = {"limit": str(limit)} | ({"after": after} if after else {})
        found = await self._rest.call("GET", f"/channels/{channel}/messages", query=query)
        if not isinstance(found, list):
            raise Ambiguous(code="discord_garbage", detail="a page of messages is no list")
        page = [each for each in found if isinstance(each, dict)]
        return sorted(page, key=lambda each: int(snowflake(each, "id") or 0))


def _standing(answer: Json, channel: str) -> Standing:
    if not isinstance(answer, dict):
        raise Ambiguous(code="discord_garbage", detail="a message is no object")
    try:
        return Standing(
            channel=channel,
            id=snowflake(answer, "id"),
            content=text(answer, "content"),
            components=answer.get("components"),
        )
    except BadInput as error:
        raise Ambiguous(code="discord_garbage", detail=error.detail) from error


def _first_id(message: Body) -> object:
    for row in items(message, "components"):
        return row.get("id")
    return None
