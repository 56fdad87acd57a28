"""Messages of ours: post once under a key, look whether one stands, change it, take it away.

Knows: chat.postMessage has no idempotency of its own, so every message of ours carries its key as metadata, and a post
whose outcome is unclear is looked for before it is repeated. Must not know: what is in a message.

Corner case: a stream cannot carry a key before it is stopped. One whose reply or process was lost stands in the thread
without a key; answers are delivered one at a time in a thread, so such a message of ours belongs to the answer that
looks for it, if it is younger than the question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import structlog

from bots.slack import ids, limits, render
from bots.slack.identity import Identity
from bots.slack.ids import Me, Ref
from bots.slack.payload import Payload, at, listed, text_at
from bots.slack.render import Blocks
from bots.slack.sender import Sender
from core.domain.errors import Ambiguous, NotSent, Refused
from core.domain.keys import Place
from core.engine.ports import Clock, Unreadable

PAGE = 200
PAGES_MAX = 5
SKEW_MS = 60_000  # Slack's clock and ours need not agree
WORDS_SKEW_MS = 1_000  # ... but what has words and no key might be an earlier answer, whose metadata nobody kept
_CLOSED_TO_US = frozenset(
    [
        "missing_scope",
        "not_in_channel",
        "channel_not_found",
        "no_permission",
        "access_denied",
        "not_allowed_token_type",
        "method_not_supported_for_channel_type",
        "org_login_required",
        "unknown_method",
    ]
)
_BLOCKS_REFUSED = ("invalid_blocks", "msg_blocks_too_long")
_ANSWER_KEY = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}:\d+")

log = structlog.get_logger("rejoinder.slack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A message of ours as it stands; `key` and `digest` are "" when it carries no metadata."""

    ref: Ref
    text: str
    key: str
    digest: str


class Posts:
    """Messages of ours. Raises `Refused`, `NotSent`, `Ambiguous`."""

    def __init__(self, sender: Sender, identity: Identity, clock: Clock) -> None:
        self._sender = sender
        self._identity = identity
        self._clock = clock
        self._unsure: dict[str, str] = {}  # keys whose post may stand, and since when (ts)

    async def post(self, place: Place, key: str, text: str, blocks: Blocks, *, digest: str = "") -> Ref:
        """Post, or find what stands under this key if an earlier try was unclear."""
        since = self._unsure.get(key)
        if since is not None:
            found = await self.find(place, key, since)
            if isinstance(found, Ref):
                self._unsure.pop(key, None)
                return found
        self._unsure.setdefault(key, ids.ts_of(self._clock.now_ms() - SKEW_MS))
        try:
            answer = await self._call(
                "chat.postMessage",
                text,
                blocks,
                channel=place.channel,
                thread_ts=place.thread,
                metadata=stamp(key, digest),
                unfurl_links=False,
                unfurl_media=False,
            )
        except (NotSent, Refused):
            if since is None:
                self._unsure.pop(key, None)
            raise
        self._unsure.pop(key, None)
        return _ref(answer, place)

    async def update(self, ref: Ref, key: str, text: str, blocks: Blocks, *, digest: str = "") -> None:
        """Make the message read like this. Repeating it does no harm, so an unclear outcome is "not sent"."""
        try:
            await self._call("chat.update", text, blocks, channel=ref.channel, ts=ref.ts, metadata=stamp(key, digest))
        except Ambiguous as error:
            raise NotSent(code=error.code, detail=error.detail) from error

    async def _call(self, method: str, text: str, blocks: Blocks, **args: object) -> Payload:
        """Write a message; where Slack does not take its blocks, the words arrive in a plainer form."""
        code = ""
        for words, these in ((text, blocks), *render.plainer(text, blocks)):  # the last way has no blocks
            try:
                return await self._sender.call(method, text=words, blocks=these, **args)
            except Refused as error:
                if not error.code.startswith(_BLOCKS_REFUSED) or not these:
                    raise
                code = error.code
                log.info("Slack does not take these blocks", code=code, method=method)
        raise Refused(code=render.BLOCKS_REFUSED, detail=code)

    async def delete(self, ref: Ref) -> None:
        """Take a message away; one that is not there is fine, and one that has to stay keeps nobody from going on."""
        try:
            await self._sender.call("chat.delete", channel=ref.channel, ts=ref.ts)
        except Refused as error:
            if error.code != "message_not_found":
                log.warning("a message of ours was not taken away", code=error.code)

    async def find(self, place: Place, key: str, since: str) -> Ref | Unreadable | None:
        """What stands under `key`, written after `since` (ts); for an answer also a stream that carries no key yet."""
        ours = await self.ours(place, since)
        if isinstance(ours, Unreadable):
            return ours
        for each in ours:
            if each.key == key:
                return each.ref
        if not _ANSWER_KEY.fullmatch(key):
            return None
        begun_s = float(since or 0) + (SKEW_MS - WORDS_SKEW_MS) / 1000
        keyless = [each for each in ours if not each.key and (not each.text or float(each.ref.ts) >= begun_s)]
        for each in keyless[:-1]:
            if not each.text:
                await self.delete(each.ref)  # an empty stream whose opening was not told to us
        return keyless[-1].ref if keyless else None

    async def ours(self, place: Place, since: str, *, inclusive: bool = False) -> list[Standing] | Unreadable:
        """Our messages in a place from `since` (ts) on, oldest first; a file of ours is none: see `uploads`."""
        me = await self._identity.get()
        found = await self.read(place, since, inclusive=inclusive)
        if isinstance(found, Unreadable):
            return found
        own = [each for each in found if is_own(each, me)]
        return [_standing(each, place) for each in own if not listed(each, "files")]

    async def read(
        self, place: Place, since: str, *, inclusive: bool = False, pages: int = PAGES_MAX
    ) -> list[Payload] | Unreadable:
        """What stands in a thread (or in the channel itself) from `since` on, oldest first."""
        found: list[Payload] = []
        cursor = ""
        for _ in range(pages):
            try:
                answer = await self._page(place, since, cursor, inclusive=inclusive)
            except Refused as error:
                if error.code == "thread_not_found":
                    return []
                if error.code in _CLOSED_TO_US:
                    return Unreadable.UNREADABLE
                raise
            found += listed(answer, "messages")
            cursor = text_at(answer, "response_metadata", "next_cursor")
            if not cursor:
                break
        known = [each for each in found if ids.is_ts(text_at(each, "ts"))]
        known.sort(key=lambda each: float(text_at(each, "ts")))
        # A thread's root comes with every page, whatever `since` is.
        return [each for each in known if float(text_at(each, "ts")) >= float(since or 0)]

    async def _page(self, place: Place, since: str, cursor: str, *, inclusive: bool) -> Payload:
        wait_s = self._sender.budget.wait_s("read", limits.READS_A_MINUTE)
        if wait_s:
            retry_ms = self._clock.now_ms() + int(wait_s * 1000)
            raise NotSent(code="slack_ratelimited", detail="reading", retry_ms=retry_ms)
        try:
            return await self._sender.call(
                "conversations.replies" if place.thread else "conversations.history",
                channel=place.channel,
                ts=place.thread,
                oldest=since,
                inclusive="1" if inclusive else "",
                limit=str(PAGE),
                cursor=cursor,
                include_all_metadata="1",
            )
        except Ambiguous as error:  # reading again does no harm
            raise NotSent(code=error.code, detail=error.detail) from error


def stamp(key: str, digest: str = "") -> dict[str, object]:
    """The metadata of a message of ours; `digest` names the whole text that stands there for good."""
    payload = {"key": key, "digest": digest} if digest else {"key": key}
    return {"event_type": ids.METADATA_TYPE, "event_payload": payload}


def is_own(message: Payload, me: Me) -> bool:
    """Whether we wrote a message of the history."""
    return text_at(message, "bot_id") == me.bot or text_at(message, "user") == me.user


def _ref(answer: Payload, place: Place) -> Ref:
    channel, ts = text_at(answer, "channel"), text_at(answer, "ts")
    if not (ids.is_id(channel) and ids.is_ts(ts)):
        raise Ambiguous(code="slack_unclear", detail="a post without a name")
    return Ref(channel=channel, ts=ts, thread=place.thread)


def _standing(message: Payload, place: Place) -> Standing:
    metadata = at(message, "metadata")
    payload = at(metadata, "event_payload") if text_at(metadata, "event_type") == ids.METADATA_TYPE else {}
    return Standing(
        ref=Ref(channel=place.channel, ts=text_at(message, "ts"), thread=place.thread),
        text=text_at(message, "text"),
        key=text_at(payload, "key"),
        digest=text_at(payload, "digest"),
    )
