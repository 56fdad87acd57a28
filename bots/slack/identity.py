"""Who we are in the workspace, asked once and kept.

Knows: auth.test. Must not know: what the identity is needed for.
"""

from __future__ import annotations

import asyncio

from bots.slack.ids import Me
from bots.slack.payload import text_at
from bots.slack.sender import Sender
from core.domain.errors import Refused


class Identity:
    """`me` is None until somebody has asked."""

    def __init__(self, sender: Sender) -> None:
        self.me: Me | None = None
        self._sender = sender
        self._asking = asyncio.Lock()

    async def get(self) -> Me:
        """Ask Slack unless it is known. Raises `Refused`, `NotSent`, `Ambiguous`."""
        async with self._asking:
            if self.me is None:
                answer = await self._sender.call("auth.test")
                user = text_at(answer, "user_id")
                me = Me(
                    team=text_at(answer, "team_id"),
                    user=user,
                    bot=text_at(answer, "bot_id") or user,  # without one, we are known by our user alone
                    app=text_at(answer, "app_id"),
                )
                if not (me.team and user):
                    raise Refused(code="not_a_bot_token", detail="auth.test names no bot")
                self.me = me
            return self.me
