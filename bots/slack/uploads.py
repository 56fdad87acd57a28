"""Files of answers in a thread: each once, though an upload has no key and Slack shares it when it likes.

Knows: a file is put in three calls (where to, the bytes, show it), of which only the last is seen by anybody, and Slack
shows it some seconds after it has said yes, or now and then never. So a file is looked for before it is put: by who
shared it, its name and its size, among what is younger than the answer. What was shown once is never shown again; when
it cannot be seen in time, or nobody lets us look, that is said (`file_unsure`), and the answer keeps it as text.
A process that has just begun waits, too: the one before it may have shown a file in its last moment.
Must not know: what is in a file, which answers have one.
"""

from __future__ import annotations

from collections import OrderedDict

import structlog

from bots.slack import files
from bots.slack.identity import Identity
from bots.slack.ids import Ref
from bots.slack.payload import Payload, listed, text_at
from bots.slack.posts import Posts, is_own
from bots.slack.sender import Sender
from core.domain.errors import Ambiguous, NotSent, Refused
from core.domain.files import AnswerFile
from core.domain.keys import Place
from core.engine.nofiles import FILE_UNSURE, Tries
from core.engine.ports import Clock, Unreadable

SHARED_S = 15.0  # a file that is not seen by then was not shared; some seconds are usual (slack_sdk issue 1329)
BEGUN_S = 5.0  # what the process before this one may have begun is seen by then
LOOK_EVERY_S = 1.5
TRIES_MAX = 3  # to bring the bytes; then the answer keeps them as text
_KEPT = 1_000

log = structlog.get_logger("rejoinder.slack")


class Uploads:
    """Hands files over. Raises `Refused` and `NotSent`."""

    def __init__(self, sender: Sender, posts: Posts, identity: Identity, clock: Clock) -> None:
        self._sender = sender
        self._posts = posts
        self._identity = identity
        self._clock = clock
        self._begun_s = clock.monotonic()
        self._shown_s: OrderedDict[str, float] = OrderedDict()  # when Slack was asked to show a file
        self._tries = Tries(TRIES_MAX)

    async def put(self, place: Place, below: Ref, file: AnswerFile) -> None:
        """Let the file hang in the thread, once, below the message `below` of its answer."""
        name = f"{below}/{file.name}/{len(file.data)}"
        shown_s = self._shown_s.get(name)
        until_s = self._begun_s + BEGUN_S if shown_s is None else shown_s + SHARED_S
        if await self._seen(place, below, file, until_s):
            return
        if shown_s is None:
            if self._tries.too_many(name):
                raise Refused(code="file_stuck", detail="the bytes do not reach Slack")
            await self._show(place, name, file)
            if await self._seen(place, below, file, self._shown_s[name] + SHARED_S):
                return
        raise Refused(code=FILE_UNSURE, detail="Slack was asked to show a file, and it is not seen")

    async def _show(self, place: Place, name: str, file: AnswerFile) -> None:
        file_id = await files.upload(self._sender, file.name, file.data)
        self._shown_s[name] = self._clock.monotonic()
        if len(self._shown_s) > _KEPT:
            self._shown_s.popitem(last=False)
        try:
            await files.complete(self._sender, place.channel, place.thread, file_id, file.name)
        except (NotSent, Refused):
            del self._shown_s[name]
            raise
        except Ambiguous as error:
            log.info("whether a file was shared has to be seen", code=error.code)

    async def _seen(self, place: Place, below: Ref, file: AnswerFile, until_s: float) -> bool:
        """Whether it hangs there; looks until then, at least once."""
        while not await self._stands(place, below, file):
            left_s = until_s - self._clock.monotonic()
            if left_s <= 0:
                return False
            await self._clock.sleep(min(LOOK_EVERY_S, left_s))
        return True

    async def _stands(self, place: Place, below: Ref, file: AnswerFile) -> bool:
        try:
            me = await self._identity.get()
            found = await self._posts.read(place, below.ts)
        except Ambiguous as error:
            raise NotSent(code=error.code, detail=error.detail) from error
        if isinstance(found, Unreadable):
            raise Refused(code=FILE_UNSURE, detail="nobody lets us look whether a file hangs there")
        ours = [each for each in found if is_own(each, me)]
        return any(_is(shared, file) for message in ours for shared in listed(message, "files"))


def _is(shared: Payload, file: AnswerFile) -> bool:
    return file.name in (text_at(shared, "name"), text_at(shared, "title")) and shared.get("size") == len(file.data)
