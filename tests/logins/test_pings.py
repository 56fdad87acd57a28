"""Nothing that a model, a tool, a file or a name says leaves the program with a ping: every request is looked at.

The real program with the real SDKs, a model that repeats what it reads, and the platform's own record of what it got.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.kit.planner import chain
from tests.kit.process import until
from tests.kit.slack_world import ALICE, GENERAL
from tests.logins.faces import OnDiscord, OnSlack
from tests.logins.test_faces import Stage, staged

MARK = "zeter"  # stands beside each ping, so that it is seen that the words did go out
LOUD = "@everyone @here @channel <!channel> <!here> <!everyone> <!subteam^S0ALL> <@U0BOB> <@&42> <@43> <#C0GENERAL>"
ALL = (
    f"{MARK} {LOUD}\n\n`{LOUD}`\n```\n{LOUD}\n```\n> {LOUD}\n- {LOUD}\n# {LOUD}\n"
    f'[{LOUD}](https://e.example/<!channel> "{LOUD}") **{LOUD}** | {LOUD} |\n|---|\n| {LOUD} |\n'
    f"\\<!channel> &lt;!here&gt; <!date^1^{{date}}|{LOUD}> {LOUD}"
)
DONE = f"{MARK} done"


def uses(text: str, *names: str) -> dict[str, object]:
    """Give a model's answer that says something and uses tools."""
    given = {"text": ALL, "title": LOUD, "word": LOUD, "goal": LOUD}
    blocks = [{"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": given} for name in names]
    return {"text": text, "stop_reason": "tool_use", "blocks": blocks}


SCRIPT = {
    "rules": [
        {"when": "[Plan]", "text": chain(f"{MARK} one {LOUD}", f"{MARK} two {LOUD}")},
        {"when": "Your step is 1, ", "text": ALL},
        {"when": "Your step is 2, ", "fault": "early_end", "after": 0, "times": 3},
        {"when": "[Results]", "text": f"{ALL} {DONE}"},
    ],
    "queue": [
        uses(ALL, "notes__injected", f"notes__{MARK}_<!channel>"),
        uses(f"{MARK} {LOUD}", "notes__look_up"),
        uses(f"again {ALL}", "notes__create_note"),
        {"text": f"{ALL} {DONE}", "chunk": 5},
    ],
    "default": {"text": ALL},
}


ACTIVE = re.compile(r"<!(?:channel|here|everyone|subteam|date)|<@[UWB][A-Z0-9]|<#[CG][A-Z0-9]")
PLAIN = re.compile(r"(?<![\w.])@(?:channel|here|everyone)\b")  # where Slack reads markup; not in code
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`]*(?:`|\Z)", re.DOTALL)
OURS_ALONE = frozenset({"metadata", "private_metadata", "value", "action_id", "block_id"})  # shown to nobody


def texts(value: object, *, markup: bool = True) -> Iterator[tuple[bool, str]]:
    """Every string that somebody sees, and whether Slack reads markup in it."""
    if isinstance(value, str):
        try:
            found = json.loads(value) if value.startswith(("{", "[")) else value
        except ValueError:
            found = value
        if isinstance(found, str):
            yield markup, found
        else:
            yield from texts(found, markup=markup)
    elif isinstance(value, dict):
        inside = markup and value.get("type") != "plain_text"
        for name, each in value.items():
            if name not in OURS_ALONE:
                yield from texts(each, markup=inside and name != "title")
    elif isinstance(value, list):
        for each in value:
            yield from texts(each, markup=markup)


def slack_texts(face: OnSlack) -> Iterator[tuple[bool, str]]:
    """Every text that went out, in calls and in acknowledgements; what was streamed as it stands in the end."""
    streams: dict[str, str] = {}
    for call in face.server.calls:
        found = list(texts(call.args, markup=not call.method.startswith("agents.")))
        if call.method in ("chat.appendStream", "chat.stopStream"):
            ts = str(call.args["ts"])
            streams[ts] = streams.get(ts, "") + str(call.args.get("markdown_text", ""))
            yield from ((False, text) for _, text in found)
        else:
            yield from found
    yield from ((True, text) for text in streams.values())
    for envelope in face.server.feed.log:
        yield from texts(envelope.response)


def slack_pings(said: Iterable[tuple[bool, str]]) -> list[str]:
    """What would ping somebody there."""
    wrong = []
    for markup, text in said:
        wrong += [text[max(0, each.start() - 60) : each.end() + 60] for each in ACTIVE.finditer(text)]
        plain = CODE.sub("", text) if markup else ""
        wrong += [plain[max(0, each.start() - 60) : each.end() + 60] for each in PLAIN.finditer(plain)]
    return wrong


def discord_bodies(value: object) -> Iterator[dict[str, object]]:
    """Everything in a request that Discord would show as a message."""
    if isinstance(value, dict):
        if value.get("content") or value.get("embeds"):
            yield value
        for each in value.values():
            yield from discord_bodies(each)


def discord_pings(face: OnDiscord) -> tuple[list[str], list[str]]:
    """What would ping there, and every text that went out."""
    sent = [(f"{seen.method} {seen.path}", body) for seen in face.server.rest.log for body in discord_bodies(seen.body)]
    quiet = {"parse": [], "replied_user": False}
    wrong = [f"{where}: {body}" for where, body in sent if body.get("allowed_mentions") != quiet]
    return wrong, [str(body["content"]) for _, body in sent]


async def said_everything(stage: Stage) -> None:
    """A tool's result, an approval, an answer, a task that fails, and a list of titles: all of it with pings."""
    await stage.says("May I use")  # where exactly it stands among the parts of a long answer is a matter of moments
    await stage.face.press("Approve")
    await stage.says(DONE)
    await stage.face.task(stage.bot, f"{MARK} {LOUD}")
    await stage.says("Paused at step 2 of 2.")
    await stage.face.press("Skip")
    await stage.says(DONE)


async def test_nothing_pings_on_slack(tmp_path: Path) -> None:
    """Somebody lets the bot wake up the whole workspace."""
    async with staged("slack", tmp_path, SCRIPT) as stage:
        face = stage.face
        assert isinstance(face, OnSlack)
        people = face.server.people
        face.server.slack.users[ALICE] = f"{MARK} {LOUD}"
        name = f"{MARK} <!channel> @everyone.txt"
        file_id = people.add_file(name, "text/plain", ALL.encode(), face.server.host)
        await face.ask(stage.bot, f"{ALL}", files=(file_id,))
        await said_everything(stage)
        listed = people.command(ALICE, GENERAL, "/rejoinder", "sessions")
        await listed.acked.wait()
        assert MARK in str(listed.response)
        people.command(ALICE, GENERAL, "/resume")

        async def chosen() -> bool | None:
            return any(MARK in str(each.view) for each in face.server.slack.modals.values()) or None

        await until(chosen)
        said = list(slack_texts(face))
        assert slack_pings(said) == []
        calls = face.server.calls
        assert [each for each in calls if each.args.get("link_names") or each.args.get("parse") == "full"] == []
        spoke = {each.method for each in calls if MARK in str(each.args)}
        assert {"chat.postMessage", "chat.update", "chat.appendStream"} <= spoke
        assert sum(MARK in text for _, text in said) > 10


async def test_nothing_pings_on_discord(tmp_path: Path) -> None:
    """Somebody lets the bot wake up the whole server."""
    async with staged("discord", tmp_path, SCRIPT) as stage:
        face = stage.face
        assert isinstance(face, OnDiscord)
        people = face.server.people
        face.server.world.person("alice").name = "alice"
        await face.ask(stage.bot, ALL, files=((f"{MARK} @everyone.txt", "text/plain", ALL.encode()),))
        await said_everything(stage)
        listed = await face.server.told(people.slash("alice", people.channel("general"), "sessions"))
        assert MARK in listed.text
        chosen = await face.server.told(people.slash("alice", people.channel("general"), "resume"))
        assert MARK in str(chosen.buttons)
        wrong, said = discord_pings(face)
        assert wrong == []
        assert sum(MARK in text for text in said) > 10
        assert any("@everyone" in text for text in said)
