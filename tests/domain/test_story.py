"""Random stories: whatever happens in whatever order, nothing is lost, doubled or left hanging."""

from __future__ import annotations

from hypothesis import settings

from tests.domain.story import Story

TestStory = Story.TestCase
TestStory.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
