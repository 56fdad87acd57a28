"""A task on Slack: its card is a plan of Slack's own where Slack takes one, and works where it does not."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bots.slack import plan, render
from core.domain.entities import Button, Card
from core.domain.keys import ButtonId, Place
from core.domain.outline import Line, Outline
from core.domain.tasking import StepState
from tests.kit import slack_rules
from tests.kit.planner import Planner, chain
from tests.kit.slack_state import Json, Message
from tests.kit.slack_world import ALICE, BOB, GENERAL, SlackWorld

GOAL = "compare three vendors"
PAUSED = "Paused at step 2 of 3."


async def working(world: SlackWorld, *titles: str) -> Planner:
    """The product again, with a model that works on tasks."""
    await world.stop()
    model = Planner(world.clock, chain(*(titles or ("one", "two", "three"))))
    world.model = model
    await world.start()
    return model


def card(world: SlackWorld, root: str) -> Message:
    """The task's card."""
    return next(each for each in world.ours(root) if GOAL in each.text and each.text.startswith(f"**{GOAL}"))


def steps(message: Message) -> dict[str, str]:
    """The native steps of a card: status by title."""
    plans = [each for each in message.blocks if each["type"] == "plan"]
    return {each["title"]: each["status"] for found in plans for each in found["tasks"]}


async def test_a_task_is_a_plan_of_slacks_own(world: SlackWorld) -> None:
    """Its card shows every step with Slack's own signs while it works, and how long each took when it is done."""
    await working(world)
    root = world.ask(f"/task {GOAL}")
    await world.run(4.5)
    (shown,) = [each for each in card(world, root).blocks if each["type"] == "plan"]
    assert shown["title"] == GOAL
    seen = steps(card(world, root))
    assert set(seen.values()) >= {"pending", "in_progress"}
    assert seen["3. three"] == "pending"
    await world.settle()
    assert set(steps(card(world, root)).values()) == {"complete"}
    assert all(each.endswith(" s)") for each in steps(card(world, root)))
    assert "Done. The answer stands below." in card(world, root).shown
    assert world.answers(root)[-1] == "Here is the answer."


async def test_a_step_that_failed_says_so(world: SlackWorld) -> None:
    """A failed step has Slack's sign for it, the card says why it waits, and the buttons stand below."""
    model = await working(world)
    model.mishaps["two"] = [[ValueError("no")]] * 3
    root = world.ask(f"/task {GOAL}")
    await world.settle()
    stands = card(world, root)
    assert [*steps(stands).values()] == ["complete", "error", "pending"]
    assert "2. two (failed)" in steps(stands)
    assert PAUSED in stands.shown
    assert [each["text"]["text"] for each in stands.buttons] == ["Resume at step 2", "Retry", "Skip", "Stop"]


@pytest.mark.parametrize("refused", ["pending", "plan"])
async def test_a_slack_that_takes_no_plans_has_the_card_all_the_same(world: SlackWorld, refused: str) -> None:
    """Steps that Slack does not take stand there as text; Slack is asked once, and the log says it once."""
    world.server.slack.blocks_refused = {refused}
    model = await working(world)
    model.mishaps["two"] = [[ValueError("no")]] * 3
    with capture_logs() as logs:
        root = world.ask(f"/task {GOAL}")
        await world.settle()
        stands = card(world, root)
        assert ("plan" in {each["type"] for each in stands.blocks}) == (refused == "pending")
        assert [*steps(stands).values()] == (["complete", "error"] if refused == "pending" else [])
        assert "3. three" in stands.shown
        assert PAUSED in stands.shown
        world.people.press(ALICE, stands, "Resume at step 2")
        await world.settle()
    assert "Done. The answer stands below." in card(world, root).shown
    told = [each["form"] for each in logs if "does not take plans" in each["event"]]
    assert told == (["steps"] if refused == "pending" else ["begun", "steps"])
    wrong = [each for each in world.server.calls if each.outcome == "invalid_blocks"]
    assert len(wrong) == len(told)


async def test_a_card_is_changed_no_faster_than_people_read(world: SlackWorld) -> None:
    """Twenty quick steps flicker by, and use up what Slack allows the whole workspace."""
    model = await working(world, *(f"step{n}" for n in range(20)))
    for n in range(20):
        model.mishaps[f"step{n}"] = [["Quick."]]
    root = world.ask(f"/task {GOAL}")
    await world.settle()
    assert len(steps(card(world, root))) == 20
    assert set(steps(card(world, root)).values()) == {"complete"}
    assert card(world, root).edits < 20


async def test_the_buttons_work_after_a_death_and_where_it_has_moved_to(world: SlackWorld) -> None:
    """Killed while the task waits: the card's button still goes on, in the thread that the conversation moved to."""
    model = await working(world)
    model.mishaps["two"] = [[ValueError("no")]] * 3
    root = world.ask(f"/task {GOAL}")
    await world.settle()
    await world.pass_time(1_800.0)
    code = next(word.strip("`*.") for each in world.answers(root) for word in each.split() if word.count("-") == 3)
    await world.reborn()
    there = world.people.say(ALICE, "D0ALICE", f"resume {code}")
    await world.settle()
    moved = world.with_button(there, "Resume at step 2", "D0ALICE")
    assert [*steps(moved).values()] == ["complete", "error", "pending"]
    assert not steps(world.ours(root)[0])
    await world.reborn()
    world.people.press(ALICE, world.with_button(there, "Resume at step 2", "D0ALICE"), "Resume at step 2")
    await world.settle()
    assert "Here is the answer." in world.answers(there, "D0ALICE")
    assert (model.calls["one"], model.calls["two"], model.calls["three"]) == (1, 4, 1)


async def test_a_task_from_a_composer_has_a_thread_of_its_own(world: SlackWorld) -> None:
    """The card of `/rejoinder task` and its answer stand in the channel itself, and nobody can talk about them."""
    await working(world)
    world.people.command(ALICE, GENERAL, "/rejoinder", f"task {GOAL}")
    await world.settle()
    (root,) = [each for each in world.server.slack.channels[GENERAL].roots() if each.ours]
    assert root.shown == "A conversation goes on here."
    assert [*steps(card(world, root.ts)).values()] == ["complete"] * 3
    assert world.answers(root.ts)[-1] == "Here is the answer."
    world.people.say(ALICE, GENERAL, "thank you", root.ts)
    await world.settle()
    assert world.answers(root.ts)[-1] == "Hello there."


@pytest.mark.parametrize("words", ["task", f"task {'very ' * 2_000}long"])
async def test_a_task_that_does_not_begin_leaves_no_thread(world: SlackWorld, words: str) -> None:
    """A mistyped command leaves "A conversation goes on here." in the channel, where nothing goes on."""
    await working(world)
    world.people.command(ALICE, GENERAL, "/rejoinder", words)
    await world.settle()
    assert world.server.slack.channels[GENERAL].roots() == []


async def test_somebody_else_does_not_see_the_buttons(world: SlackWorld) -> None:
    """Bob steers Alice's task."""
    await working(world)
    root = world.ask(f"/task {GOAL}")
    await world.run(4.0)
    with pytest.raises(AssertionError, match="does not see"):
        world.people.press(BOB, card(world, root), "Pause")
    world.people.press(ALICE, card(world, root), "Pause")
    await world.settle()
    assert "Paused at step" in card(world, root).shown


# ------------------------------------------------------------------------------------------------- pure


def drawn(*states: StepState, title: str = "A title", goal: str = "The goal") -> Card:
    """A card with a step in each of these states."""
    lines = tuple(
        Line(n=n, title=title, state=each, detail="" if each is StepState.WAITING else each.value)
        for n, each in enumerate(states, start=1)
    )
    place = Place(platform="slack", workspace="T", channel="C", thread="1.0")
    button = Button(id=str(ButtonId(verb="task_stop", subject="0" * 26)), label="Stop", for_user=ALICE)
    outline = Outline(title=goal, lines=lines, foot="It works.")
    return Card(id="0" * 26, session_id="s", key="task:1", place=place, text="All.", buttons=(button,), outline=outline)


def test_each_state_of_a_step_has_its_sign() -> None:
    """A step that failed looks done, or one that waits for its person looks like nothing."""
    (_, blocks), *_ = plan.forms(drawn(*StepState))
    shown = {each["title"].split("(")[-1].rstrip(")"): each["status"] for each in _cards(blocks)}
    assert shown == {
        "1. A title": "pending",
        "running": "in_progress",
        "done": "complete",
        "failed": "error",
        "skipped": "complete",
        "unknown": "error",
        "waiting_for_you": "in_progress",
    }


@pytest.mark.parametrize("letter", ["x", "\U0001f600", "<!channel> ", "@here ", "`*_"])
def test_the_longest_plan_is_as_slack_takes_it(letter: str) -> None:
    """Twenty long titles are refused, or one of them rings for everybody."""
    states = (StepState.DONE, StepState.RUNNING, *[StepState.WAITING] * 18)
    given = drawn(*states, title=(letter * 100)[:100], goal=(letter * 160)[:160])
    for form, blocks in plan.forms(given):
        slack_rules.check_message({"text": "All.", "blocks": blocks}, updating=True)
        text = str(blocks)
        assert "<!channel" not in text
        assert "@here" not in text
        assert len(_cards(blocks)) == {"steps": 20, "begun": 2, "plain": 0}[form]


def _cards(blocks: render.Blocks) -> list[Json]:
    found: list[Json] = []
    for each in blocks:
        if isinstance(each, dict) and each["type"] == "plan":
            found += each["tasks"]  # type: ignore[arg-type]
    return found
