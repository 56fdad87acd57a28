"""Five stories that together pass every named point, and what must stand when they are over.

Knows: what is said, pressed and typed, and what a person may count on afterwards. Must not know: where the program
dies. A story is told by people: whoever got no answer in time does it again, and presses only what they see.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.deaths.seats import Act
from tests.deaths.stage import Stage, plain
from tests.kit.planner import chain

_CODE = re.compile(r"/resume ([0-9A-Z-]{19})")
_LINK = re.compile(r"http://127[^\s)|>'\"\\]+/connect/\w+")
LONG = " ".join(f"detail{n}" for n in range(1, 160))  # three of them are more than a summary costs
PHASES = "SELECT count(*) FROM session WHERE phase = ?"
AT = "SELECT count(*) FROM session WHERE home LIKE ?"
NOTICES = ("Quiet here.", "This conversation is parked.", "Back", "Kept open")
MOVED = (
    "It went on elsewhere.",
    "Allowed.",
    "This conversation continues in",
    "A conversation goes on here.",
    *(
        "This conversation goes on here.",
        "It goes on here",
        "It is back here",
    ),
)
ANSWERED = "SELECT count(*) FROM board_post WHERE text = ? AND author = ''"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`tell` it on a stage with such settings; it gives what was wrong."""

    tell: Callable[[Stage], Awaitable[list[str]]]
    script: Mapping[str, object]
    settings: Mapping[str, str] = field(default_factory=dict)
    tools: bool = False


def rule(when: str, text: str, *, rounds: int = 0, use: tuple[str, str, Mapping[str, object]] | None = None) -> object:
    """What the model says to a question that contains `when`, word by word; `use`: id, name and input of a tool."""
    more: dict[str, object] = {"delay_ms": 12, "chunk": 6}
    if use is not None:
        block = {"type": "tool_use", "id": use[0], "name": use[1], "input": use[2]}
        more = {"stop_reason": "tool_use", "blocks": [block]}
    return {"when": when, "text": text, "rounds": rounds, "times": 0, **more}


def said(name: str) -> str:
    """An answer that nobody takes for another."""
    return f"The {name} answer: " + " ".join(f"{name}{n}" for n in range(1, 25)) + "."


def stands(texts: Sequence[str], must: Sequence[str], may: Sequence[tuple[str, int]] = ()) -> list[str]:
    """What is wrong with the messages of a thread: `must` is there once, `may` begins a text at most so often."""
    rest = list(texts)
    wrong = []
    for each in must:
        if rest.count(each) != 1:
            wrong.append(f"{rest.count(each)} times {each[:60]!r}")
        rest = [other for other in rest if other != each]
    for start, most in may:
        found = [each for each in rest if plain(each).startswith(start)]
        if len(found) > most:
            wrong.append(f"{len(found)} times {start!r}")
        rest = [each for each in rest if each not in found]
    return wrong + [f"nobody expects {each[:80]!r}" for each in rest]


def code_in(texts: Sequence[str]) -> str:
    """The newest code that stands in a thread, "" for none."""
    return next((found[1] for each in reversed(texts) if (found := _CODE.search(each))), "")


# ------------------------------------------------------------------------------------------------- talk

NOTES = '{"goal": "animals", "done": "three", "last": "the third", "next": "the fourth", "facts": []}'
TALK = {
    "rules": [
        {"when": "<conversation>", "text": NOTES, "times": 0},
        *(rule(f"animal {name}", said(name)) for name in ("zebra", "yak", "wolf", "vole", "bear")),
    ]
}


async def talk(stage: Stage) -> list[str]:
    """Two people talk; one goes away until it is summarised, comes back, and has everything forgotten."""
    seat = stage.seat
    thread = seat.begin("alice", f"animal zebra {LONG}")
    direct = seat.direct("bob", "animal bear")
    await stage.answered(thread, said("zebra"))
    for name in ("yak", "wolf"):
        seat.say("alice", thread, f"animal {name} {LONG}")
        await stage.answered(thread, said(name))
    await stage.answered(direct, said("bear"))
    await stage.until(lambda: stage.one("SELECT count(DISTINCT session_id) FROM summary") > 1, "both summaries")
    seat.say("alice", thread, "animal vole")
    await stage.answered(thread, said("vole"))
    wrong = stands(seat.texts(direct), [said("bear")], [(each, 2) for each in NOTICES])
    told = seat.texts(thread)
    wrong += stands(told, [said(each) for each in ("zebra", "yak", "wolf", "vole")], [(each, 2) for each in NOTICES])
    asked: list[Act] = []

    def ask() -> Act:
        asked.append(seat.command("alice", "forget", what="everything"))
        return asked[-1]

    await stage.get(ask, lambda: "Forget everything" in "".join(each.told for each in asked[-1:]), "the question")
    owner = "SELECT count(*) FROM message WHERE text LIKE '%animal zebra%'"
    await stage.get(lambda: seat.press_told(asked[-1], "Forget for good"), lambda: not stage.one(owner), "forgotten")
    await stage.rest()
    files = [each for each in stage.mortal.bot.database.parent.glob("rejoinder.db*") if b"zebra" in each.read_bytes()]
    return wrong + [f"{each.name} still knows it" for each in files]


# ------------------------------------------------------------------------------------------------- move

MOVE = {"rules": [rule(f"animal {name}", said(name)) for name in ("zebra", "yak", "wolf", "vole")]}


async def move(stage: Stage) -> list[str]:
    """A conversation is claimed from elsewhere, allowed, brought back, and moved by its code."""
    seat = stage.seat
    home = seat.begin("alice", "animal zebra")
    await stage.answered(home, said("zebra"))
    await stage.until(lambda: bool(code_in(seat.texts(home))), "a code")
    there = await stage.local("eve", f"/resume {code_in(seat.texts(home))}", "claim")
    await stage.until(lambda: "Allow" in seat.labels(home), "the question whether she may")
    await stage.press("alice", home, "Allow", lambda: stage.one(AT, "local%") > 0)
    await stage.local("eve", "animal yak", "yak", there)
    await stage.until(lambda: stage.one(ANSWERED, said("yak")) > 0, "her answer")
    label = "Bring it back here"
    await stage.until(lambda: label in seat.labels(home), "where it went")
    await stage.press("alice", home, label, lambda: not stage.one(AT, "local%"))
    seat.say("alice", home, "animal wolf")
    await stage.answered(home, said("wolf"))
    await stage.until(lambda: bool(code_in(seat.texts(home))), "another code")
    code, goes_on = code_in(seat.texts(home)), "This conversation goes on here."
    await stage.get(lambda: seat.command("alice", "resume", code=code), lambda: bool(stage.begins(goes_on)), goes_on)
    new = stage.begins(goes_on)[0]
    seat.say("alice", new, "animal vole")
    await stage.answered(new, said("vole"))
    await stage.rest()
    wrong = [] if stage.one(ANSWERED, said("yak")) == 1 else ["her answer is not there once"]
    wrong += stands(seat.texts(home), [said("zebra"), said("wolf")], [(each, 2) for each in (*NOTICES, *MOVED)])
    return wrong + stands(seat.texts(new), [said("vole")], [(each, 2) for each in (*NOTICES, *MOVED)])


# ------------------------------------------------------------------------------------------------- tool

TOOL = {
    "rules": [
        rule("animal zebra", "", use=("toolu_1", "shop__look_up", {"word": "zebra"})),
        rule("animal zebra", said("zebra"), rounds=1),
        rule("wipe it", "", use=("toolu_2", "shop__wipe_everything", {})),
        rule("wipe it", said("wiped"), rounds=1),
    ]
}


async def tool(stage: Stage) -> list[str]:
    """A tool is used that only reads, and one that destroys, which is asked for; what is unsure, somebody looks at."""
    seat = stage.seat
    assert stage.shop is not None
    shop = stage.shop
    thread = seat.begin("alice", "animal zebra")
    await stage.answered(thread, said("zebra"))
    seat.say("alice", thread, "wipe it")

    def asked() -> list[str]:
        looked = "It happened" if shop.calls()["wipe_everything"] else "Run again"
        return [each for each in ("Approve", looked) if each in seat.labels(thread)]

    while (answer := said("wiped")) not in seat.texts(thread):
        await stage.until(lambda: answer in seat.texts(thread) or bool(asked()), "the answer or a question")
        for label in asked()[:1]:
            await stage.press_away("alice", thread, label)
    await stage.answered(thread, answer)
    await stage.rest()
    wiped = shop.calls()["wipe_everything"]
    cards = [(start, 1) for start in ("Approved", "It happened", "Runs again")]
    wrong = [] if wiped == 1 else [f"wiped {wiped} times"]
    return wrong + stands(seat.texts(thread), [said("zebra"), said("wiped")], cards)


# ------------------------------------------------------------------------------------------------ login

LOGIN = {
    "rules": [
        rule("animal zebra", "", use=("toolu_1", "jira__connect", {})),
        rule("animal zebra", "", rounds=1, use=("toolu_2", "jira__open_issues", {})),
        rule("animal zebra", said("zebra"), rounds=2),
        rule("animal yak", "", use=("toolu_3", "jira__open_issues", {})),
        rule("animal yak", said("yak"), rounds=1),
    ]
}


async def login(stage: Stage) -> list[str]:
    """A tool needs a login; it is renewed for the next question. Whose login is lost on the way signs in once more."""
    seat = stage.seat
    thread = seat.begin("alice", "animal zebra")
    await _signed_in_until(stage, thread, said("zebra"))
    stage.house.provider.revoke_access()
    seat.say("alice", thread, "animal yak")
    await _signed_in_until(stage, thread, said("yak"))
    await stage.rest()
    return stands(seat.texts(thread), [said("zebra"), said("yak")], [("jira", 2), ("Signed in", 2)])


async def _signed_in_until(stage: Stage, thread: str, answer: str) -> None:
    """Sign in whenever one is asked to, until there is an answer."""
    seat = stage.seat
    while answer not in seat.texts(thread):
        await stage.until(lambda: answer in seat.texts(thread) or "Sign in" in seat.labels(thread), answer)
        if answer in seat.texts(thread):
            break
        links: list[str] = []
        pressed: list[Act] = []

        def press(pressed: list[Act] = pressed) -> Act | None:
            act = seat.press("alice", thread, "Sign in")
            pressed += [] if act is None else [act]
            return act

        def told(pressed: list[Act] = pressed, links: list[str] = links) -> bool:
            links += [found[0] for each in pressed[-1:] if (found := _LINK.search(each.told))]
            return bool(links) or answer in seat.texts(thread)

        await stage.get(press, told, "a link")
        if links:
            await stage.sign_in(links[-1])
    await stage.answered(thread, answer)


# ------------------------------------------------------------------------------------------------- task

TITLES = ("one", "two", "three")
TASK = {
    "rules": [
        {"when": "[Plan]", "text": chain(*TITLES), "times": 0},
        *(rule(f"Your step is {n}, ", said(title)) for n, title in enumerate(TITLES, start=1)),
        rule("[Results]", said("final")),
    ]
}


async def task(stage: Stage) -> list[str]:
    """A task of three steps; whatever happens, it has one card and one answer."""
    seat = stage.seat
    goal = "compare three vendors"
    await stage.get(lambda: seat.task("alice", goal), lambda: bool(stage.begins(goal)), "its card")
    thread = stage.begins(goal)[0]
    await stage.answered(thread, said("final"))
    await stage.until(lambda: any("Done." in each for each in seat.texts(thread)), "that it is done")
    await stage.rest()
    wrong = [] if len(stage.begins(goal)) == 1 else ["there are two tasks"]
    return wrong + stands(seat.texts(thread), [said("final")], [(goal, 1)])


QUIET = {"REJOINDER_IDLE_WARNING": "5s", "REJOINDER_IDLE_PARK": "8s"}
CODES = {"REJOINDER_IDLE_WARNING": "4s", "REJOINDER_IDLE_PARK": "2h", "REJOINDER_IDLE_MIN_EXCHANGES": "1"}
STORIES: Mapping[str, Story] = {
    "talk": Story(tell=talk, script=TALK, settings=QUIET),
    "move": Story(tell=move, script=MOVE, settings=CODES | {"REJOINDER_LOCAL_CHAT": "on"}),
    "tool": Story(tell=tool, script=TOOL, tools=True),
    "login": Story(tell=login, script=LOGIN, tools=True),
    "task": Story(tell=task, script=TASK),
}
