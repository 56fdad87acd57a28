"""A logged decision is a regression test: the same three values give the same decision, through the codec too."""

from __future__ import annotations

from hypothesis import settings

from core import codec
from core.domain.decide import decide
from core.domain.decision import Decision, View
from core.domain.events import Event
from core.domain.stamp import Stamp
from tests.domain.story import Story
from tests.domain.tiny import Check


def replays(view: View, event: Event, stamp: Stamp, decision: Decision) -> None:
    """The decision comes out again from what was logged."""
    again = decide(
        codec.loads(View, codec.dumps(view)),
        codec.loads(type(event), codec.dumps(event)),
        codec.loads(Stamp, codec.dumps(stamp)),
    )
    assert again == decision
    assert codec.loads(Decision, codec.dumps(decision)) == decision


class ReplayedStory(Story):
    """A story in which every decision is made twice."""

    def check(self) -> Check | None:
        """Every decision is made again from its log."""
        return replays


TestReplay = ReplayedStory.TestCase
TestReplay.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
