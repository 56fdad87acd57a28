"""Rounds of the tool loop as the model gets them again: valid for the API, whatever became of the calls."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.entities import Message, Role, Turn
from core.domain.rules.loops import Loops
from core.domain.rules.recall import compose
from core.domain.rules.tool_texts import content
from core.domain.tooling import NUDGING, CallState, Round, ToolCall
from tests.domain.builders import ALICE, NOW, TURN
from tests.kit.claude_rules import check_body

THINKING = {"type": "thinking", "thinking": "hm", "signature": "signed:x"}


def said(seq: int, role: Role, text: str, turn_id: str = "", **more: object) -> Message:
    """A stored message."""
    plain = Message(session_id="S1", seq=seq, role=role, text=text, created_ms=NOW, turn_id=turn_id)
    return replace(plain, **more)  # type: ignore[arg-type]


def asked(turn_id: str, n: int, *tools: str, prefix: str = "p", thinking: bool = False) -> Round:
    """A round that asked for these tools."""
    uses = [{"type": "tool_use", "id": f"{turn_id}{n}{tool}", "name": tool, "input": {}} for tool in tools]
    blocks = [*([THINKING] if thinking else []), {"type": "text", "text": f"round {n}"}, *uses]
    return Round(turn_id=turn_id, n=n, session_id="S1", text=f"round {n}", blocks=json.dumps(blocks), prefix=prefix)


def call(turn_id: str, round_n: int, n: int, state: CallState = CallState.DONE, result: str = "found") -> ToolCall:
    """A call, over or not."""
    return ToolCall(
        id=f"{turn_id}{round_n}{n}",
        turn_id=turn_id,
        session_id="S1",
        round=round_n,
        n=n,
        use_id="not looked at",
        server="s",
        tool="t",
        input="{}",
        asker=ALICE,
        created_ms=NOW,
        state=state,
        result=content(result) if result else "",
    )


NOW_TURN = replace(TURN, id="T2", first_seq=3, last_seq=3, said="")
HISTORY = (
    said(1, Role.USER, "what is abc?", "T1"),
    said(2, Role.ASSISTANT, "round 0\n\nIt is cba.", "T1", blocks=content("It is cba.")),
    said(3, Role.USER, "and now?", "T2"),
)
LOOP = Loops(rounds=(asked("T1", 0, "look"),), calls=(call("T1", 0, 0),))


def request(turn: Turn = NOW_TURN, loops: Loops = LOOP, *, whole: bool = True) -> list[dict[str, object]]:
    """The messages of a call, as JSON; they are what the API takes."""
    messages = json.loads(json.dumps(compose(HISTORY, turn, files={}, prefix="p", whole=whole, loops=loops)))
    bare = [{**each, "content": [b for b in each["content"] if b["type"] != "thinking"]} for each in messages]
    check_body({"model": "m", "max_tokens": 1, "messages": bare})
    return list(messages)


def test_an_earlier_loop_stands_where_it_was() -> None:
    """The model sees what it had asked and got, then what it had answered, once."""
    kinds = [[block["type"] for block in each["content"]] for each in request()]  # type: ignore[attr-defined]
    assert kinds == [["text"], ["text", "tool_use"], ["tool_result"], ["text"], ["text"]]
    assert json.dumps(request()).count("It is cba.") == 1


def test_without_all_of_the_history_only_words_stand() -> None:
    """When history is left out, the earlier answer is what a person read, all of it."""
    messages = request(whole=False)
    assert [each["role"] for each in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == [{"type": "text", "text": "round 0\n\nIt is cba."}]


def test_the_present_loop_is_always_sent() -> None:
    """A long history does not lose what the tools have just given."""
    loops = Loops(rounds=(*LOOP.rounds, asked("T2", 0, "look")), calls=(*LOOP.calls, call("T2", 0, 0)))
    last = request(replace(NOW_TURN, rounds=1), loops, whole=False)[-1]
    assert last["content"][0]["type"] == "tool_result"  # type: ignore[index]


@pytest.mark.parametrize("state", list(CallState))
def test_every_call_has_a_result(state: CallState) -> None:
    """Whatever became of a call, its `tool_use` is answered: else the API refuses the conversation for ever."""
    loops = Loops(rounds=(asked("T1", 0, "a", "b"),), calls=(call("T1", 0, 0, state, ""),))
    results = request(loops=loops)[2]["content"]
    assert isinstance(results, list)
    assert [each["tool_use_id"] for each in results] == ["T10a", "T10b"]
    assert all(each["is_error"] for each in results)


def test_thinking_is_kept_in_the_loop_and_dropped_when_the_prefix_changed() -> None:
    """Signed thinking goes back as it came, also in the middle of a loop; with other tools it is left out."""
    rounds = (asked("T1", 0, "look", thinking=True), asked("T2", 0, "look", thinking=True))
    loops = Loops(rounds=rounds, calls=(call("T1", 0, 0), call("T2", 0, 0)))
    turn = replace(NOW_TURN, rounds=1)
    assert json.dumps(request(turn, loops)).count("signed:x") == 2
    other = Loops(rounds=(rounds[0], replace(rounds[1], prefix="q")), calls=loops.calls)
    assert "signed:x" not in json.dumps(request(turn, other))
    assert "signed:x" not in json.dumps(request(replace(turn, stripped=True), loops))


def test_a_silent_model_is_asked_for_words() -> None:
    """A model that says nothing to its results is not asked the same again, but for an answer."""
    loops = Loops(rounds=(asked("T2", 0, "look"),), calls=(call("T2", 0, 0),))
    last = request(replace(NOW_TURN, rounds=1, activity=NUDGING), loops)[-1]["content"]
    assert isinstance(last, list)
    assert [each["type"] for each in last] == ["tool_result", "text"]


@given(
    st.lists(st.lists(st.sampled_from(CallState), min_size=1, max_size=4), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_any_loop_is_a_valid_request(rounds: list[list[CallState]], stopped: bool, whole: bool) -> None:  # noqa: FBT001
    """Any number of rounds and calls in any state, in an earlier turn and in this one, is taken by the API."""
    made, calls = [], []
    for turn_id in ("T1", "T2"):
        for n, states in enumerate(rounds):
            made.append(asked(turn_id, n, *(f"t{k}" for k in range(len(states)))))
            calls += [call(turn_id, n, k, state) for k, state in enumerate(states)]
    turn = replace(NOW_TURN, rounds=len(rounds), said="half" if stopped else "")
    request(turn, Loops(rounds=tuple(made), calls=tuple(calls[: len(calls) - stopped])), whole=whole)
