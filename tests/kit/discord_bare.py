"""A Discord with hardly anything: what a small stand-in has, such as others write to try a bot on.

Knows: the seven routes without which nobody can talk, and a gateway that tells messages and interactions and nothing
else: no servers, channels, threads, permissions; no rate limit headers; interactions name their channel by its id. What
a RESUME gets is a choice. Must not know: the program under test.
"""

from __future__ import annotations

from enum import StrEnum

from tests.kit.discord_gateway import Gateway, Session, Socket
from tests.kit.discord_limits import Limits, Verdict
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Channel, Guild, Payload

ROUTES = (
    "GET /users/@me",
    "GET /gateway/bot",
    "GET /channels/{channel}/messages",
    "POST /channels/{channel}/messages",
    "PATCH /channels/{channel}/messages/{message}",
    "POST /channels/{channel}/messages/{message}/threads",
    "POST /interactions/{id}/{token}/callback",
)
_LEFT_OUT = ("channel", "guild", "guild_locale", "context", "authorizing_integration_owners", "app_permissions")


class Resumes(StrEnum):
    """What a RESUME gets."""

    SILENCE = "silence"
    REFUSAL = "refusal"  # op 9
    STUB = "stub"  # RESUMED, and nothing of what was missed


class BareGateway(Gateway):
    """`resuming`: what a RESUME gets."""

    resuming = Resumes.SILENCE

    def tell(self, event: str, payload: Payload, channel: Channel | None = None, guild: Guild | None = None) -> None:
        """Only messages, and no more of them than anybody needs."""
        if event == "MESSAGE_CREATE":
            super().tell(event, payload, channel, guild)

    def to_all(self, event: str, payload: Payload, guild_id: str = "") -> None:
        """Interactions, without what can be done without."""
        super().to_all(event, {key: value for key, value in payload.items() if key not in _LEFT_OUT}, guild_id)

    def _ready(self, session: Session) -> Payload:
        whole = super()._ready(session)
        return {key: whole[key] for key in ("v", "user", "session_id")}

    def _put(self, session: Session, event: str, payload: Payload) -> None:
        if event != "GUILD_CREATE":
            super()._put(session, event, payload)

    def _resume(self, socket: Socket, data: Payload) -> None:
        if self.resuming is Resumes.SILENCE:
            return
        session = self.sessions.get(str(data.get("session_id")))
        if self.resuming is Resumes.STUB and session is not None:
            self.resumes += 1
            session.socket, socket.session = socket, session
            super()._put(session, "RESUMED", {})
            return
        self.sessions.pop(str(data.get("session_id")), None)
        super()._resume(socket, data)


class _NoLimits(Limits):
    def judge(self, method: str, path: str) -> Verdict:
        """Everything may go, and nothing is said of it."""
        del method, path
        return Verdict(headers={})


def bare() -> DiscordServer:
    """Start with `async with`."""
    server = DiscordServer(gateway=BareGateway)
    server.gateway.packs = False
    server.rest.tells_starts = False
    server.rest.keep_only(ROUTES)
    server.rest.limits = _NoLimits()
    server.oracle = None
    server.rest.leave_out = ("parent_id", "owner_id", "guild_id", "member", "thread_metadata")
    return server
