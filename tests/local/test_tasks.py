"""Long tasks in the web chat: the real program, the real client of the model, and nothing of ours looked into."""

from __future__ import annotations

from pathlib import Path

from tests.kit.planner import chain
from tests.kit.task_house import labels, task_house

DAY = "24h"
WORDS = " ".join(f"word{n}" for n in range(2_000))  # dear: some cents


async def test_a_budget_that_ends_in_the_middle(tmp_path: Path) -> None:
    """The day's money is gone after one step of three: the card says so, the click says so, and tomorrow it goes on."""
    rules = (
        {"when": "[Plan]", "text": chain("one", "two", "three")},
        {"when": "Your step is 1, ", "text": WORDS},
        {"when": "[Results]", "text": "The answer."},
    )
    async with task_house(tmp_path, rules, REJOINDER_BUDGET_PERSON_DAY="0.20") as it:
        thread = await it.say("/task compare three vendors")
        card = await it.seen(thread, "Paused at step 2 of 3. Your budget for ")
        assert "is used up. A new one begins on " in str(card["text"])
        told = await it.press(thread, "Resume at step 2")
        assert told in str(card["text"]), "the click says what the card says"
        assert (await it.seen(thread, "Paused at step 2 of 3. "))["text"] == card["text"]
        assert await it.asked("Your step is 2, ") == await it.asked("[Results]") == 0
        await it.let_pass(DAY)
        assert await it.press(thread, "Resume at step 2") == "I go on."
        over = await it.seen(thread, "Done.")
        assert labels(over) == []
        assert (await it.seen(thread, "The answer."))["state"] == "done"
        assert [await it.asked(f"Your step is {n}, ") for n in (1, 2, 3)] == [1, 1, 1]
        assert await it.asked("[Results]") == 1
