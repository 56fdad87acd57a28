"""The loopback Discord told from another process: one JSON request is one act or one look.

Knows: names of acts and how their arguments read as JSON. Must not know: HTTP beyond one POST, the program under test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from tests.kit.discord_faults import EventFault, Fault, Kind
from tests.kit.discord_interactions import Interaction
from tests.kit.discord_world import Channel, Payload

if TYPE_CHECKING:
    from tests.kit.discord_server import DiscordServer


class Control:
    """`{"do": name, "with": {argument: value}}` -> `{"result": ...}`. Channels are named by their id."""

    def __init__(self, server: DiscordServer) -> None:
        self._server = server
        self._acts: dict[str, Callable[[Payload], object]] = {
            "channel": lambda given: server.people.channel(**given).id,
            "dm": lambda given: server.people.dm(given["who"]).id,
            "say": self._say,
            "slash": self._slash,
            "press": self._press,
            "answer": lambda given: _shown(server.interactions.all[given["token"]]),
            "messages": lambda given: server.world.history(given["channel"]),
            "speed_up": lambda _: server.rest.limits.speed_up(),
            "log": lambda _: [[each.method, each.path, each.status] for each in server.rest.log],
            "fault": self._fault,
            "event_fault": lambda given: server.faults.add_event(EventFault(**given)),
            "advance": lambda given: server.time.advance(given["seconds"]),
            "reset": lambda _: server.gateway.reset_sockets(),
            "forget_sessions": lambda _: server.gateway.forget_sessions(),
            "counts": lambda _: {"identifies": server.gateway.identifies, "resumes": server.gateway.resumes},
            "problems": lambda _: server.oracle.problems if server.oracle else [],
        }

    async def serve(self, request: web.Request) -> web.Response:
        """Do it."""
        asked = await request.json()
        return web.json_response({"result": self._acts[asked["do"]](asked.get("with") or {})})

    def _channel(self, given: Payload) -> Channel:
        return self._server.world.channels[given["channel"]]

    def _say(self, given: Payload) -> object:
        return self._server.people.say(given["who"], self._channel(given), given["text"])

    def _slash(self, given: Payload) -> object:
        people = self._server.people
        return people.slash(given["who"], self._channel(given), given["name"], **given.get("options", {})).token

    def _press(self, given: Payload) -> object:
        message = self._server.world.find(given["message"])
        assert message is not None
        return self._server.people.press(given["who"], message, given["label"]).token

    def _fault(self, given: Payload) -> None:
        self._server.faults.add(Fault(**given | {"kind": Kind(given["kind"])}))


def _shown(one: Interaction) -> Payload:
    """What the person sees of an interaction's answer."""
    return {"text": one.text, "buttons": one.buttons, "after": one.answered_after, "ephemeral": one.ephemeral}
