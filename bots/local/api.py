"""The JSON API of DESIGN section 8 on aiohttp: bodies in, JSON out, every refusal with a code and a sentence.

Knows: HTTP, statuses, the stream. Must not know: who may call (see `bots.web.guard`), what the engine does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import quote

from aiohttp import web

from bots.local import body, ids, render, wire
from bots.local.body import bad
from bots.local.chat import LocalChat
from bots.local.hub import Crowded
from bots.local.render import About, Shown
from core.domain.errors import BadInput, Closing, StoreError, StoreFull
from core.domain.words import say
from core.engine.handover import Exporter
from core.engine.ports import Board

BEAT_S = 15.0  # a comment this often keeps proxies and sleeping laptops honest
RETRY_AFTER_S = 2  # a restart is over by then
BIG_BODY_BYTES = 262_144  # read outside the loop's thread from here on

_STATUS = {
    "unknown_thread": 404,
    "unknown_message": 404,
    "unknown_file": 404,
    "gone": 410,
    "forgotten": 410,
    "body_too_large": 413,
    "text_too_long": 413,
    "file_too_large": 413,
    "no_time_travel": 409,
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OnTime = Callable[[int], Awaitable[None]]


def answer(data: Shown, *, status: int = 200) -> web.Response:
    """JSON, whatever half characters a model may have said."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return web.Response(
        body=text.encode("utf-8", "replace"), status=status, content_type="application/json", charset="utf-8"
    )


def refusal(status: int, code: str, message: str) -> web.Response:
    """An error as every route of this API gives it."""
    return answer({"error": {"code": code, "message": message}}, status=status)


def _plainly(handler: Handler, language: str) -> Handler:
    """Turn the errors that a route may end in into answers; what a person may meet is in the house's language."""

    async def answering(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadInput as error:
            return refusal(_STATUS.get(error.code, 400), error.code, error.detail)
        except Crowded:
            return refusal(503, "crowded", "Too many pages are open; close one and try again.")
        except StoreFull:
            return refusal(507, "store_full", say(language, "refused.full"))
        except Closing:
            response = refusal(503, "closing", say(language, "refused.closing"))
        except StoreError as error:
            response = refusal(503, error.code, "The store cannot be used now; try again in a moment.")
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response

    return answering


class LocalApi:
    """The API's routes.

    `on_time(offset_ms)` is called after `Let time pass` was stored; `time_travel` False refuses it (a
    platform token is set: real people's clocks must not be moved). `beat_s`: the stream's heartbeat, seconds.
    """

    def __init__(
        self,
        chat: LocalChat,
        board: Board,
        about: About,
        *,
        on_time: OnTime,
        export: Exporter,
        time_travel: bool = True,
        beat_s: float = BEAT_S,
    ) -> None:
        self._chat = chat
        self._board = board
        self._about = about
        self._on_time = on_time
        self._export = export
        self._time_travel = time_travel
        self._beat_s = beat_s

    def routes(self) -> list[web.RouteDef]:
        """To be served under `bots.web.guard`."""
        plainly = partial(_plainly, language=self._about.language)
        return [
            web.post("/api/messages", plainly(self._post_message)),
            web.get("/api/threads", plainly(self._get_threads), allow_head=False),
            web.get("/api/threads/{thread}", plainly(self._get_thread), allow_head=False),
            web.post("/api/actions", plainly(self._post_action)),
            web.get("/api/stream", plainly(self._get_stream), allow_head=False),
            web.get("/api/about", plainly(self._get_about), allow_head=False),
            web.get("/api/export/{token}", plainly(self._get_export), allow_head=False),
            web.get("/api/files/{message}/{index}", plainly(self._get_file), allow_head=False),
            web.post("/api/time", plainly(self._post_time)),
        ]

    async def _post_message(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if len(raw) > BIG_BODY_BYTES:
            saying = await asyncio.to_thread(wire.parse_saying, raw)
        else:
            saying = wire.parse_saying(raw)
        return answer(await self._chat.say(saying), status=202)

    async def _post_action(self, request: web.Request) -> web.StreamResponse:
        return answer(await self._chat.press(wire.parse_pressing(await request.read())))

    async def _get_threads(self, request: web.Request) -> web.StreamResponse:
        workspace = wire.workspace(request.query.get("workspace", ids.WORKSPACES[0]))
        return answer(await self._chat.threads(workspace, _person(request)))

    async def _get_thread(self, request: web.Request) -> web.StreamResponse:
        return answer(await self._chat.thread(request.match_info["thread"], _person(request)))

    async def _get_about(self, request: web.Request) -> web.StreamResponse:
        del request
        offset = await self._board.time_offset_ms()
        return answer(render.about(self._about, time_offset_ms=offset, time_travel=self._time_travel))

    async def _get_export(self, request: web.Request) -> web.StreamResponse:
        """One file, once. The link names nobody: whoever was given it privately has it."""
        taken = self._chat.downloads.take(request.match_info["token"])
        if taken is None:
            raise bad("gone", "This link was used, or is older than 10 minutes. /export gives a new one.")
        identity, name = taken
        file = next(each for each in await self._export(identity) if each.name == name)
        return _download(file.name, file.media_type, file.body)

    async def _get_file(self, request: web.Request) -> web.StreamResponse:
        """A file of an answer, for whoever can read the answer."""
        names = request.match_info
        return _download(*await self._chat.file(names["message"], names["index"], _person(request)))

    async def _post_time(self, request: web.Request) -> web.StreamResponse:
        more_ms = wire.parse_time(await request.read())
        if not self._time_travel:
            raise body.bad("no_time_travel", "Time can only be moved while no other platform is connected.")
        offset = await self._board.let_time_pass(more_ms)
        await self._on_time(offset)
        return answer({"time_offset_ms": offset})

    async def _get_stream(self, request: web.Request) -> web.StreamResponse:
        person = _person(request)
        with self._chat.platform.hub.subscribed(person) as subscriber:
            response = web.StreamResponse(
                headers={
                    "Content-Type": "text/event-stream; charset=utf-8",
                    "Cache-Control": "no-store",
                    "X-Accel-Buffering": "no",
                }
            )
            await response.prepare(request)
            try:
                async for text in subscriber.events(self._beat_s):
                    await response.write(text.encode("utf-8", "replace"))
            except ConnectionError:
                pass  # the page was closed
            return response


def _download(name: str, media_type: str, data: bytes) -> web.Response:
    """Untrusted text, to be stored and never shown: it is not a page of ours."""
    called = f'filename="{name}"' if name.isascii() else f"filename*=UTF-8''{quote(name, safe='')}"
    headers = {
        "Content-Disposition": f"attachment; {called}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return web.Response(body=data, content_type=media_type, charset="utf-8", headers=headers)


def _person(request: web.Request) -> str:
    name = request.query.get("person")
    if name is None:
        raise body.bad("missing_key", '"person" is missing.')
    return wire.person(name)
