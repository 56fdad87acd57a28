"""The REST routes of the loopback Discord: who may call, what breaks, what is limited, what is answered.

Knows: paths, statuses, headers. Must not know: the program under test. Every request is logged; when an oracle is
given, every request and answer is held against Discord's own OpenAPI document.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from tests.kit.discord_checks import ApiError, need, unknown
from tests.kit.discord_faults import Fault, Faults, Kind
from tests.kit.discord_gateway import Gateway
from tests.kit.discord_interactions import Interactions
from tests.kit.discord_limits import Limits, refusal_body, refusal_headers
from tests.kit.discord_messages import HAS_THREAD, SYSTEM_STARTER, Files, Messages
from tests.kit.discord_world import DM, PUBLIC_THREADS, Channel, Payload, World

API = "/api/v10"
CONTENT_LIMITED = 1 << 19
_PAGE = "<html><body>This is not the page you are looking for.</body></html>"

Handler = Callable[["Asked"], object]


async def _read(request: web.Request) -> tuple[Payload | None, Files]:
    """JSON, or a form that has it as a field beside files."""
    if request.content_type != "multipart/form-data":
        raw = await request.read()
        return json.loads(raw) if raw else None, {}
    form = await request.post()
    files: Files = {}
    for name, each in form.items():
        if isinstance(each, web.FileField) and (found := re.fullmatch(r"files\[(\d+)\]", name)):
            files[found[1]] = (each.content_type, each.file.read())
            each.file.close()
    payload = form["payload_json"]
    assert not isinstance(payload, web.FileField)
    return json.loads(payload), files


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as a handler sees it."""

    names: Mapping[str, str]
    query: dict[str, str]
    body: Payload
    files: Files


@dataclass(slots=True, kw_only=True)
class Seen:
    """A request and its answer. `at` is monotonic seconds; status 0: no answer was given."""

    method: str
    path: str
    body: Payload | None
    query: dict[str, str]
    files: Files = field(default_factory=dict)
    status: int = 0
    fault: str = ""
    at: float = field(default_factory=time.monotonic)


class Oracle(Protocol):
    """Somebody who knows how requests and answers must look."""

    def request(self, method: str, path: str, body: object) -> None:
        """Note what is wrong with a request."""
        ...

    def answer(self, method: str, path: str, status: int, body: object) -> None:
        """Note what is wrong with an answer."""
        ...


class Rest:
    """The API. `log` has every request in its order of arrival."""

    def __init__(
        self,
        world: World,
        messages: Messages,
        interactions: Interactions,
        gateway: Gateway,
        faults: Faults,
        *,
        token: str,
        oracle: Oracle | None = None,
    ) -> None:
        self.log: list[Seen] = []
        self.limits = Limits()
        self.commands: list[Payload] = []
        self.max_threads = 1000
        self.closed_dms: set[str] = set()
        self.content_type = "application/json"
        self.tells_starts = True  # how many sessions may still be begun
        self.leave_out: Collection[str] = ()  # of the answer to whoever opens a thread
        self.changed = asyncio.Event()
        self._world, self._messages, self._interactions = world, messages, interactions
        self._gateway, self._faults, self._token, self._oracle = gateway, faults, token, oracle
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self.offer(self._table())

    def accept(self, token: str) -> None:
        """From now on this is the bot's token; another is refused."""
        self._token = token

    def keep_only(self, lines: Collection[str]) -> None:
        """Answer 404 to every other route."""
        self.offer({line: handler for line, handler in self._table().items() if line in lines})

    def offer(self, table: Mapping[str, Handler]) -> None:
        """The routes that there are."""
        self._routes = []
        for line, handler in table.items():
            method, _, template = line.partition(" ")
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
            self._routes.append((method, re.compile(pattern), handler))

    def _table(self) -> dict[str, Handler]:
        channel, message = "/channels/{channel}", "/channels/{channel}/messages/{message}"
        webhook = "/webhooks/{app}/{token}"
        return {
            "GET /users/@me": lambda _: self._world.bot.payload() | {"mfa_enabled": False, "locale": "en-US"},
            "GET /oauth2/applications/@me": lambda _: self._application(),
            "GET /applications/@me": lambda _: self._application(),
            "GET /gateway/bot": lambda _: self._gateway_bot(),
            "PUT /applications/{app}/commands": self._put_commands,
            "GET /applications/{app}/commands": lambda _: self.commands,
            "POST /users/@me/channels": self._open_dm,
            "GET /guilds/{guild}": self._guild,
            "GET /guilds/{guild}/roles": lambda asked: self._world.roles(self._world.guilds[self._guild_id(asked)]),
            "GET /guilds/{guild}/members/{user}": self._member,
            f"GET {channel}": lambda asked: self._world.channel_payload(self._channel(asked)),
            f"PATCH {channel}": self._patch_channel,
            f"GET {channel}/messages": lambda asked: self._messages.page(self._channel(asked), asked.query),
            f"POST {channel}/messages": self._post,
            f"POST {channel}/typing": self._typing,
            f"GET {message}": self._get,
            f"PATCH {message}": self._edit,
            f"DELETE {message}": lambda asked: self._messages.delete(self._channel(asked), asked.names["message"]),
            f"POST {message}/threads": self._thread,
            f"PUT {message}/reactions/{{emoji}}/@me": self._react,
            "POST /interactions/{id}/{token}/callback": self._callback,
            f"GET {webhook}/messages/@original": lambda asked: self._interactions.original(asked.names["token"]),
            f"PATCH {webhook}/messages/@original": lambda asked: self._interactions.edit(
                asked.names["token"], asked.body
            ),
            f"DELETE {webhook}/messages/@original": lambda asked: self._interactions.delete(asked.names["token"]),
            f"POST {webhook}": lambda asked: self._interactions.follow_up(asked.names["token"], asked.body),
        }

    # ------------------------------------------------------------------------------------- serving

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request, from its fault to its answer."""
        path = request.path.removeprefix(API)
        body, files = await _read(request)
        seen = Seen(method=request.method, path=path, body=body, query=dict(request.query), files=files)
        self.log.append(seen)
        self._note()
        fault = self._faults.take(request.method, path, form=request.content_type == "multipart/form-data")
        if fault is not None:
            seen.fault = fault.kind
            early = await self._before(request, fault)
            if early is not None:
                seen.status = early.status
                return early
        response = await self._answer(request, seen)
        if fault is not None and fault.kind in (Kind.DROP_AFTER, Kind.HANG):
            if fault.kind is Kind.HANG:
                await asyncio.sleep(3600)
            _cut(request)
        elif fault is not None and fault.kind is Kind.STATUS_AFTER:
            seen.status = fault.status
            return _json({"message": "fault", "code": fault.code}, fault.status, {})
        seen.status = response.status
        return response

    def _note(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def _before(self, request: web.Request, fault: Fault) -> web.Response | None:
        if fault.kind is Kind.DROP_BEFORE:
            _cut(request)
            return web.Response(status=599)
        if fault.kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds)
        if fault.kind is Kind.STATUS_BEFORE:
            return _json({"message": "fault", "code": fault.code}, fault.status, {})
        if fault.kind is Kind.PAGE:
            return web.Response(text=_PAGE, content_type="text/html")
        if fault.kind is Kind.LIMIT_CLOUDFLARE:
            self.limits.invalid += 1
            headers = {"Retry-After": str(max(1, round(fault.seconds)))}
            return web.Response(text=_PAGE, status=429, content_type="text/html", headers=headers)
        scopes = {Kind.LIMIT_USER: "user", Kind.LIMIT_SHARED: "shared", Kind.LIMIT_GLOBAL: "global"}
        if fault.kind in scopes:
            if fault.kind is Kind.LIMIT_GLOBAL:
                self.limits.close_globally(fault.seconds)
            return self._too_many(fault.seconds, scopes[fault.kind], {})
        return None

    def _too_many(self, retry_s: float, scope: str, headers: dict[str, str]) -> web.Response:
        self.limits.invalid += scope != "shared"
        self.limits.refused += 1
        headers = headers | refusal_headers(retry_s, scope)
        return _json(refusal_body(retry_s, scope), 429, headers)

    async def _answer(self, request: web.Request, seen: Seen) -> web.Response:
        headers: dict[str, str] = {}
        try:
            found = self._find(seen)
            self._authorize(seen.path, request.headers.get("Authorization", ""))
            verdict = self.limits.judge(seen.method, seen.path)
            headers = verdict.headers
            if verdict.retry_s is not None:
                return self._too_many(verdict.retry_s, verdict.scope, headers)
            if self._oracle is not None:
                self._oracle.request(seen.method, seen.path, seen.body)
            handler, names = found
            asked = Asked(names=names, query=seen.query, body=seen.body or {}, files=seen.files)
            body, status = handler(asked), 200
        except ApiError as error:
            body, status = error.body(), error.status
            self.limits.invalid += status in (401, 403)
        if body is None:
            status = 204
        elif status == 200 and (seen.method, seen.path.endswith("/threads")) == ("POST", True):
            status = 201
        if self._oracle is not None:
            self._oracle.answer(seen.method, seen.path, status, body)
        if body is None:
            return web.Response(status=204, headers=headers)
        return _json(body, status, headers | {"Content-Type": self.content_type})

    def _authorize(self, path: str, given: str) -> None:
        if not path.startswith(("/interactions/", "/webhooks/")) and given != f"Bot {self._token}":
            raise ApiError(401, 0, "401: Unauthorized")

    def _find(self, seen: Seen) -> tuple[Handler, Mapping[str, str]]:
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(seen.path)
            if match and method == seen.method:
                return handler, match.groupdict()
        raise ApiError(404, 0, "404: Not Found")

    # ------------------------------------------------------------------------------------ handlers

    def _application(self) -> Payload:
        return {
            "id": self._world.app_id,
            "name": "Rejoinder",
            "description": "",
            "icon": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": CONTENT_LIMITED if self._messages.content_allowed else 0,
            "flags_new": str(CONTENT_LIMITED if self._messages.content_allowed else 0),
            "type": None,
            "approximate_guild_count": len(self._world.guilds),
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "redirect_uris": [],
            "approximate_user_install_count": 0,
            "approximate_user_authorization_count": 0,
            "eligible_oauth2_scopes": [],
            "explicit_content_filter": 0,
            "owner": self._world.person("owner").payload(),
            "team": None,
        }

    def _gateway_bot(self) -> Payload:
        left = max(0, self._gateway.identify_budget - self._gateway.identifies)
        start = {"total": 1000, "remaining": left, "reset_after": 14_400_000, "max_concurrency": 1}
        told = {"url": self._gateway.url, "shards": self._gateway.shards}
        return told | ({"session_start_limit": start} if self.tells_starts else {})

    def _put_commands(self, asked: Asked) -> list[Payload]:
        made: list[Payload] = []
        wanted: object = asked.body  # the one body that is a list
        for each in wanted if isinstance(wanted, list) else ():
            extra = {"id": self._world.snowflake(), "application_id": self._world.app_id, "version": "1"}
            made.append(
                {"type": 1, "description": "", "default_member_permissions": None, "dm_permission": True, "nsfw": False}
                | each
                | extra
            )
        self.commands = made
        return made

    def _typing(self, asked: Asked) -> None:
        self._channel(asked)

    def _open_dm(self, asked: Asked) -> Payload:
        person = self._world.people.get(str(asked.body.get("recipient_id")))
        if person is None:
            raise unknown("User", 10013)
        if person.id in self.closed_dms:
            raise ApiError(403, 50007, "Cannot send messages to this user")
        return self._world.channel_payload(self._world.direct(person))

    def _guild_id(self, asked: Asked) -> str:
        guild = self._world.guilds.get(asked.names["guild"])
        if guild is None or not guild.bot_in:
            raise unknown("Guild", 10004)
        return guild.id

    def _guild(self, asked: Asked) -> Payload:
        guild = self._world.guilds[self._guild_id(asked)]
        return self._world.guild_object(guild)

    def _member(self, asked: Asked) -> Payload:
        guild = self._world.guilds[self._guild_id(asked)]
        person = self._world.people.get(asked.names["user"])
        if person is None:
            raise unknown("Member", 10007)
        return self._world.member(person, guild) | {"user": person.payload()}

    def _channel(self, asked: Asked) -> Channel:
        channel = self._world.channels.get(asked.names["channel"])
        if channel is None:
            raise unknown("Channel", 10003)
        if channel.type != DM and not self._world.rights(channel):
            raise ApiError(403, 50001, "Missing Access")
        return channel

    def _patch_channel(self, asked: Asked) -> Payload:
        channel = self._channel(asked)
        if channel.locked and channel.archived:
            raise ApiError(403, 50013, "Missing Permissions")
        channel.archived = bool(asked.body.get("archived", channel.archived))
        channel.name = str(asked.body.get("name", channel.name))
        shown = self._world.channel_payload(channel)
        self._gateway.tell("THREAD_UPDATE", shown, channel)
        return shown

    def _post(self, asked: Asked) -> Payload:
        channel = self._channel(asked)
        if channel.type == DM and channel.recipients[0] in self.closed_dms:
            raise ApiError(403, 50007, "Cannot send messages to this user")
        return self._messages.post(channel, self._world.bot, asked.body, asked.files)

    def _get(self, asked: Asked) -> Payload:
        channel = self._channel(asked)
        return self._messages.shown(self._messages.get(channel, asked.names["message"]), channel)

    def _edit(self, asked: Asked) -> Payload:
        channel, by = self._channel(asked), self._world.bot
        return self._messages.edit(channel, asked.names["message"], asked.body, by=by, files=asked.files)

    def _react(self, asked: Asked) -> None:
        self._messages.get(self._channel(asked), asked.names["message"]).setdefault("marks", []).append(
            asked.names["emoji"]
        )

    def _thread(self, asked: Asked) -> Payload:
        channel, message_id = self._channel(asked), asked.names["message"]
        message = self._messages.get(channel, message_id)
        need(1 <= len(asked.body.get("name") or "") <= 100, "name", "must be 1 to 100 in length")
        if message_id in self._world.channels:
            raise ApiError(400, 160004, "A thread has already been created for this message")
        if not self._world.rights(channel) & PUBLIC_THREADS:
            raise ApiError(403, 50013, "Missing Permissions")
        active = sum(each.is_thread and not each.archived for each in self._world.channels.values())
        if active >= self.max_threads:
            raise ApiError(400, 160006, "Maximum number of active threads reached")
        thread = self._world.thread(channel, asked.body["name"], self._world.bot.id, thread_id=message_id)
        thread.auto_archive = asked.body.get("auto_archive_duration") or 1440
        message["flags"] |= HAS_THREAD
        starter = {key: value for key, value in message.items() if key not in ("nonce", "referenced_message")}
        reference = {"type": 0, "message_id": message_id, "channel_id": channel.id, "guild_id": channel.guild_id}
        first = starter | {"id": self._world.snowflake(), "channel_id": thread.id, "type": SYSTEM_STARTER}
        first |= {"content": "", "message_reference": reference, "referenced_message": starter, "attachments": []}
        self._world.messages[thread.id][first["id"]] = first
        shown = self._world.channel_payload(thread)
        self._gateway.tell("THREAD_CREATE", shown | {"newly_created": True}, thread)
        return {key: value for key, value in shown.items() if key not in self.leave_out}

    def _callback(self, asked: Asked) -> Payload | None:
        answered = self._interactions.callback(asked.names["id"], asked.names["token"], asked.body)
        return answered if asked.query.get("with_response") in ("1", "true") else None


def _cut(request: web.Request) -> None:
    """Drop the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()


def _json(body: object, status: int, headers: dict[str, str]) -> web.Response:
    """Discord names the type without a charset, and discord.py parses nothing else."""
    return web.Response(
        body=json.dumps(body).encode(), status=status, headers={"Content-Type": "application/json"} | headers
    )
