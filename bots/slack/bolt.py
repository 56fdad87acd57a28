"""Bolt's dispatcher around our intake.

Knows: the real `AsyncApp` with its own checks (ssl_check, url_verification, self events) and an `authorize` that asks
nobody; one middleware takes everything, so nothing is left unhandled, and Bolt acknowledges only what it returned.
Must not know: where a request comes from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bots.slack.identity import Identity
from bots.slack.intake import Take
from bots.slack.payload import Payload
from bots.slack.sdk import web_client
from bots.slack.sender import Sender
from core.domain.errors import RejoinderError

_TAKEN = "rejoinder.taken"  # in the request's context: whether our intake was asked
_OK = 200
_AGAIN = 503

log = structlog.get_logger("rejoinder.slack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What to answer. `taken` False: come again. `body` is JSON text, "" for none."""

    taken: bool
    body: str = ""
    status: int = _OK


class Dispatcher:
    """Gives requests to Bolt, and Bolt's to our intake."""

    def __init__(self, sender: Sender, identity: Identity, token: str, take: Take) -> None:
        self._identity = identity
        self._take = take
        client = web_client(sender.api_url, sender.session)

        # Bolt looks at the names of the arguments, so these are functions and not methods.
        async def authorize() -> AuthorizeResult:
            me = await identity.get()  # known already: nobody is asked (facts/slack.md 2.1)
            return AuthorizeResult(
                enterprise_id=None, team_id=me.team, bot_token=token, bot_id=me.bot, bot_user_id=me.user
            )

        async def everything(body: dict[str, object], context: dict[str, object]) -> BoltResponse:
            context[_TAKEN] = True
            try:
                return _response(await self._taken(body))
            except Exception:  # noqa: BLE001  (logged where it happened)
                return BoltResponse(status=_AGAIN, body="")

        with _bare_environment():
            self._app = AsyncApp(
                name="slack_bolt.app",  # of a logger whose level Bolt sets; "rejoinder" is the name of ours
                client=client,
                authorize=authorize,
                process_before_response=True,
                request_verification_enabled=False,  # we verify ourselves, before anything is parsed
            )
        self._app.middleware(everything)
        self._app.error(_unread)

    async def dispatch(self, body: str | Mapping[str, object], headers: Mapping[str, str], mode: str) -> Outcome:
        """Take one request. What Bolt cannot read goes to our intake without it, which can read anything."""
        try:
            await self._identity.get()
        except RejoinderError as error:
            log.warning("who we are is not known; a payload will come again", code=error.code)
            return Outcome(taken=False, status=_AGAIN)
        parsed: Mapping[str, object] = body if isinstance(body, Mapping) else {}
        try:
            request = AsyncBoltRequest(
                body=body if isinstance(body, str) else dict(body), headers=dict(headers), mode=mode
            )
            read: object = request.body  # whatever JSON there was
            parsed = read if isinstance(read, dict) else {}
            response = await self._app.async_dispatch(request)
        except Exception:  # noqa: BLE001  (a payload of no known shape)
            return await self._without_bolt(parsed, mode)
        if response.status == _OK:
            return Outcome(taken=True, body=_text(response))
        if request.context.get(_TAKEN):
            return Outcome(taken=False, status=_AGAIN)
        return await self._without_bolt(parsed, mode)

    async def _without_bolt(self, body: Mapping[str, object], mode: str) -> Outcome:
        log.warning("Bolt cannot read a payload", mode=mode)
        try:
            answer = await self._taken(body)
        except Exception:  # noqa: BLE001  (logged where it happened)
            return Outcome(taken=False, status=_AGAIN)
        return Outcome(taken=True, body="" if answer is None else json.dumps(answer))

    async def _taken(self, body: Payload) -> Payload | None:
        try:
            return await self._take(body)
        except RejoinderError as error:
            log.warning("a payload was not taken and will come again", code=error.code)
            raise
        except Exception:
            log.exception("a payload was not taken and will come again")
            raise


async def _unread(error: Exception) -> None:
    """Bolt stumbled over a payload; its own log would quote it."""
    log.info("Bolt stumbled", why=type(error).__name__)


def _response(answer: Payload | None) -> BoltResponse:
    if answer is None:
        return BoltResponse(status=_OK, body="")
    headers: dict[str, str | Sequence[str]] = {"content-type": ["application/json;charset=utf-8"]}
    return BoltResponse(status=_OK, body=json.dumps(answer), headers=headers)


def _text(response: BoltResponse) -> str:
    body: object = response.body  # text, unless Bolt's own checks have answered
    return body if isinstance(body, str) else json.dumps(body)


@contextmanager
def _bare_environment() -> Iterator[None]:
    """Bolt reads tokens, secrets and an OAuth mode out of the environment; it gets what we give it."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SLACK_")}
    try:
        yield
    finally:
        os.environ.update(hidden)
