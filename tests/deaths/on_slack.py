"""A loopback Slack as a `Seat`. Must not know: the stories."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.deaths.seats import ACK_S, Act
from tests.kit.platform_signin import SECRET
from tests.kit.slack_feed import EVENT, Envelope
from tests.kit.slack_people import MENTION
from tests.kit.slack_server import CLIENT_ID, SlackServer
from tests.kit.slack_state import Message, Private, StreamState
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL

USERS = {"alice": ALICE, "bob": BOB}
DIRECT = {"alice": DM, "bob": "D0BOB"}


@dataclass(slots=True)
class SlackAct:
    """A click or a command."""

    server: SlackServer
    who: str
    envelope: Envelope
    made: float = field(default_factory=time.monotonic)

    @property
    def kept(self) -> bool:
        """See `Act`."""
        return self.envelope.kind == EVENT

    @property
    def failed(self) -> bool:
        """See `Act`."""
        return not self.envelope.acked.is_set() and time.monotonic() > self.made + ACK_S

    @property
    def told(self) -> str:
        """See `Act`: in the acknowledgement, or in a window."""
        modals = [str(each.view) for each in self.server.slack.modals.values() if each.user == self.who]
        return str(self.envelope.response or "") + "".join(modals[-1:])


class OnSlack:
    """Implements `Seat`. A thread is named by channel and root."""

    def __init__(self, server: SlackServer) -> None:
        self._server = server
        self.environment: Mapping[str, str] = {
            **server.environment,
            "SLACK_CLIENT_ID": CLIENT_ID,
            "SLACK_CLIENT_SECRET": SECRET,
            "SLACK_AUTHORIZE_URL": f"{server.host}/openid/connect/authorize",
        }
        self.door = self.environment["SLACK_AUTHORIZE_URL"]

    def begin(self, who: str, text: str) -> str:
        """See `Seat`."""
        return f"{GENERAL} {self._server.people.say(USERS[who], GENERAL, f'{MENTION} {text}')}"

    def direct(self, who: str, text: str) -> str:
        """See `Seat`."""
        return f"{DIRECT[who]} {self._server.people.say(USERS[who], DIRECT[who], text)}"

    def say(self, who: str, thread: str, text: str) -> None:
        """See `Seat`."""
        channel, root = thread.split()
        self._server.people.say(USERS[who], channel, text, root)

    def texts(self, thread: str) -> list[str]:
        """See `Seat`."""
        return [html.unescape(each.shown) for each in self._ours(thread)]

    def threads(self) -> list[str]:
        """See `Seat`."""
        ours = [f"{each.channel} {each.root}" for each in self._server.slack.bots_messages() if each.ours]
        return list(dict.fromkeys(ours))

    def labels(self, thread: str) -> list[str]:
        """See `Seat`."""
        return [each["text"]["text"] for message in self._ours(thread) for each in message.buttons]

    def press(self, who: str, thread: str, label: str) -> Act | None:
        """See `Seat`."""
        for message in reversed(self._ours(thread)):
            if any(each["text"]["text"] == label for each in message.buttons):
                self._server.people.close_modals(USERS[who])
                return self._act(who, self._server.people.press(USERS[who], message, label))
        return None

    def task(self, who: str, goal: str) -> Act:
        """See `Seat`: in a message, so that it has a thread."""
        self.begin(who, f"/task {goal}")
        return self._act(who, self._server.feed.log[-1])

    def command(self, who: str, name: str, **options: str) -> Act:
        """See `Seat`."""
        typed = ("/resume", "") if name == "resume" else ("/rejoinder", f"{name} ")
        text = typed[1] + " ".join(options.values())
        return self._act(who, self._server.people.command(USERS[who], GENERAL, typed[0], text))

    def press_told(self, act: Act, label: str) -> Act | None:
        """See `Seat`: a command in a channel is answered in a message that vanishes."""
        assert isinstance(act, SlackAct)
        blocks = (act.envelope.response or {}).get("blocks", [])
        shown = Private(channel=GENERAL, thread="", user=act.who, text="", blocks=blocks, ts=self._server.slack.ts())
        if not any(each["text"]["text"] == label for each in shown.buttons):
            return None
        return SlackAct(self._server, act.who, self._server.people.press(act.who, shown, label))

    @property
    def problems(self) -> Sequence[str]:
        """See `Seat`."""
        streams = [
            each.ts
            for each in self._server.slack.bots_messages()
            if each.stream is not None and each.stream.state is StreamState.LIVE
        ]
        return [*self._server.slack.violations, *(f"{each} is still being streamed" for each in streams)]

    def _act(self, who: str, envelope: Envelope) -> SlackAct:
        return SlackAct(self._server, USERS[who], envelope)

    def _ours(self, thread: str) -> list[Message]:
        channel, root = thread.split()
        return [each for each in self._server.slack.channels[channel].thread(root) if each.ours]
