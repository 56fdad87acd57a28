"""Interactions on the loopback Discord: made by people, answered once within 3 s, followed up for 15 minutes.

Knows: discord-api-docs, interactions/receiving-and-responding. Must not know: HTTP, sockets.
"""

from __future__ import annotations

import asyncio
import secrets
from copy import deepcopy
from dataclasses import dataclass, field

from tests.kit.discord_checks import ApiError, check_choices, check_message, check_modal, numbered, unknown
from tests.kit.discord_messages import EPHEMERAL, Messages
from tests.kit.discord_world import Channel, Payload, Person

PONG, MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, CHOICES, MODAL = 1, 4, 5, 6, 7, 8, 9
COMMAND, COMPONENT, COMPLETION, SUBMIT = 2, 3, 4, 5
ACK_S, TOKEN_S = 3.0, 900.0
_FITS = {
    COMMAND: (MESSAGE, DEFERRED, MODAL),
    COMPONENT: (MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, MODAL),
    COMPLETION: (CHOICES,),
    SUBMIT: (MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE),
}


@dataclass(slots=True, kw_only=True)
class Interaction:
    """One act of a person, and what they saw of its answer. `answer` is the newest message shown to them."""

    id: str
    token: str
    kind: int
    person: Person
    channel: Channel
    made: float
    source: Payload | None = None  # the message of a component
    answered_with: int | None = None
    answered_after: float | None = None
    ephemeral: bool = False
    answer: Payload | None = None
    followups: list[Payload] = field(default_factory=list)
    modal: Payload | None = None
    choices: list[Payload] | None = None
    deleted: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)  # acknowledged
    told: asyncio.Event = field(default_factory=asyncio.Event)  # something to read, a form or choices; or dismissed

    @property
    def text(self) -> str:
        """What the person reads."""
        shown = self.followups[-1] if self.followups else self.answer
        return str(shown["content"]) if shown else ""

    @property
    def buttons(self) -> list[Payload]:
        """What the person can press or choose in the answer."""
        shown = self.followups[-1] if self.followups else self.answer
        return [each for row in (shown or {}).get("components", ()) for each in row["components"]]


class Interactions:
    """All of them, by token."""

    def __init__(self, messages: Messages) -> None:
        self.all: dict[str, Interaction] = {}
        self._messages = messages
        self._world = messages.world

    def make(self, kind: int, person: Person, channel: Channel, source: Payload | None = None) -> Interaction:
        """A new one; whoever made it tells it to the gateway."""
        made = Interaction(
            id=self._world.snowflake(),
            token=secrets.token_urlsafe(32),
            kind=kind,
            person=person,
            channel=channel,
            made=self._world.time.now(),
            source=source,
        )
        self.all[made.token] = made
        return made

    def callback(self, interaction_id: str, token: str, body: Payload) -> Payload:
        """The first answer; returns the body of `with_response=true`."""
        one = self.all.get(token)
        now = self._world.time.now()
        if one is None or one.id != interaction_id:
            raise unknown("interaction", 10062)
        if one.answered_with is not None:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        if now - one.made > ACK_S:
            raise unknown("interaction", 10062)
        kind, data = body.get("type"), body.get("data") or {}
        if kind not in _FITS[one.kind]:
            raise ApiError(400, 50035, f"Invalid Form Body: type {kind} does not answer this interaction")
        self._apply(one, kind, data)
        one.answered_with, one.answered_after = kind, now - one.made
        one.done.set()
        return self._response(one, kind)

    def _apply(self, one: Interaction, kind: int, data: Payload) -> None:
        if kind == MODAL:
            check_modal(data)
            one.modal = deepcopy(data)
        elif kind == CHOICES:
            check_choices(data)
            one.choices = deepcopy(data.get("choices") or [])
        elif kind == MESSAGE:
            check_message(data, is_new=True)
            self._show(one, data)
        elif kind == DEFERRED:
            one.ephemeral = bool(int(data.get("flags") or 0) & EPHEMERAL)
            return
        elif kind == UPDATE and one.source is not None:
            check_message(data, is_new=False)
            self._messages.edit(one.channel, one.source["id"], data)
        one.told.set()

    def _show(self, one: Interaction, data: Payload) -> Payload:
        """The answer as a message; an ephemeral one stands in no channel."""
        one.ephemeral = one.ephemeral or bool(int(data.get("flags") or 0) & EPHEMERAL)
        made = self._made(one, data)
        if not one.ephemeral:
            self._messages.keep(one.channel, made)
            self._messages.tell("MESSAGE_CREATE", made, one.channel)
        one.answer = made
        one.told.set()
        return made

    def _made(self, one: Interaction, data: Payload) -> Payload:
        made = self._messages._made(one.channel, self._world.bot, data)  # noqa: SLF001  (one house)
        return made | {"flags": made["flags"] | (EPHEMERAL if one.ephemeral else 0)}

    def _response(self, one: Interaction, kind: int) -> Payload:
        shown: Payload = {"id": one.id, "type": one.kind, "response_message_ephemeral": one.ephemeral}
        if one.answer is not None:
            shown |= {"response_message_id": one.answer["id"]}
        response: Payload = {"interaction": shown}
        if kind in (MESSAGE, UPDATE) and (one.answer or one.source):
            response["resource"] = {"type": kind, "message": one.answer or one.source}
        return response

    # --------------------------------------------------------------------------- with the token, later

    def by_token(self, token: str) -> Interaction:
        """For webhook routes. Raises 50027 when the token is unknown or its 15 minutes are over."""
        one = self.all.get(token)
        if one is None or self._world.time.now() - one.made > TOKEN_S:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        if one.answered_with is None:
            raise unknown("Webhook", 10015)
        return one

    def original(self, token: str) -> Payload:
        """GET of @original."""
        one = self.by_token(token)
        if one.answer is None or one.deleted:
            raise unknown("Message", 10008)
        return one.answer

    def edit(self, token: str, data: Payload) -> Payload:
        """PATCH of @original; the first one fills a deferred answer."""
        one = self.by_token(token)
        check_message(data, is_new=False)
        if one.deleted:
            raise unknown("Message", 10008)
        if one.answer is None and one.answered_with == DEFERRED:
            return self._show(one, data)
        if one.answer is None:
            raise unknown("Message", 10008)
        changed = {key: data[key] for key in ("content",) if data.get(key) is not None}
        if data.get("components") is not None:
            changed["components"] = numbered(deepcopy(data["components"]))
        one.answer |= changed
        return one.answer

    def delete(self, token: str) -> None:
        """DELETE of @original."""
        one = self.by_token(token)
        one.deleted, one.answer = True, None
        one.told.set()

    def follow_up(self, token: str, data: Payload) -> Payload:
        """POST: another message; the first after a deferral is the deferred answer."""
        one = self.by_token(token)
        check_message(data, is_new=True)
        if one.answered_with == DEFERRED and one.answer is None and not one.deleted:
            return self.edit(token, data)
        one.ephemeral = bool(int(data.get("flags") or 0) & EPHEMERAL)
        made = self._made(one, data)
        if not one.ephemeral:
            self._messages.keep(one.channel, made)
            self._messages.tell("MESSAGE_CREATE", made, one.channel)
        one.followups.append(made)
        one.told.set()
        return made
