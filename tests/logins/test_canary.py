"""Secrets of logins, looked for wherever somebody might read: nowhere but sealed, and at the tool server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bots.exporting import files_of
from core.domain.links import reveal
from storage.backup import backup, unsealed
from storage.exporting import kept
from storage.reading import export
from tests.kit.oauth_provider import CANARY
from tests.kit.oauth_server import ToolHouse
from tests.kit.scripted import ScriptedModel
from tests.kit.world import BASE, ROOT
from tests.logins.people import CONNECT, ISSUES, People

LOOKS = 500


class Breaks:
    """A fault of ours at a point, each time it is passed while `on`."""

    on = ""
    struck = 0

    def __call__(self, name: str) -> None:
        """Pass a point."""
        if name == self.on:
            self.struck += 1
            raise RuntimeError("a fault of ours")

    async def again(self, people: People) -> None:
        """Go on until it has struck once more; the servers that are asked meanwhile are real ones."""
        before = self.struck
        for _ in range(LOOKS):
            await people.world.run(1)
            if self.struck > before:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(self.on)


async def lived(people: People, breaks: Breaks) -> list[str]:
    """Play everything that can happen to a login, well and badly; what was secret beside the server's own tokens."""
    people.script([CONNECT], [ISSUES], ["Three."], [ISSUES], ["Again three."])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    link = await people.pressed()
    cookie, goto = await people.leave(link)
    state = goto.partition("state=")[2].partition("&")[0]
    back = await people.way_back(goto)
    breaks.on = "login.exchanged"
    with pytest.raises(RuntimeError):
        await people.world.logins.back(back, cookie)
    breaks.on = ""
    people.house.failing = [500]
    await people.sign_in()
    await people.sign_in(account="")
    await people.sign_in()
    await people.world.settle()
    people.house.provider.revoke_access()
    breaks.on = "refresh.after_call"
    await people.world.say("alice", "and now?")
    await breaks.again(people)
    breaks.on = ""
    people.house.failing = [503]
    await people.world.settle(seconds=900)
    await people.world.say("alice", "and in the end?", thread="t2")
    await people.world.settle(seconds=900)
    return [CANARY, link, cookie, state, back.state]


async def test_no_secret_is_to_be_read(
    house: ToolHouse, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A token stands in the database, its log, a backup, a log line, an export, a request, a post or a traceback."""
    breaks = Breaks()
    people = await People.open(house, tmp_path / "rejoinder.db", point=breaks)
    secrets = await lived(people, breaks)
    found = await places(people)
    await people.close()
    printed = capfd.readouterr()
    found |= {"stdout": printed.out, "stderr": printed.err, "logging": caplog.text}
    found |= {each.name: each.read_bytes().decode("latin-1") for each in tmp_path.iterdir() if each.is_file()}
    assert "a fault of ours" in found["stdout"] + found["stderr"]  # the tracebacks are there to be looked at
    assert "alice@example.com" in found["rejoinder.db"]
    hits = [(place, secret) for place, text in found.items() for secret in secrets if secret in text]
    assert hits == []


async def places(people: People) -> dict[str, str]:
    """Give everything that leaves the program, or stands on a disk in another form."""
    world = people.world
    model = world.model
    assert isinstance(model, ScriptedModel)
    owner = (await people.credentials() or await people.logins())[0].owner
    whole = await world.store.read(lambda conn: kept(conn, owner))
    plain = await world.store.read(lambda conn: export(conn, owner))
    target, copy = world.path.with_name("backup.rjn"), world.path.with_name("copy.db")
    backup(world.path, target, ROOT, now_ms=world.clock.now_ms())
    with unsealed(target, ROOT, copy):
        inside = copy.read_bytes().decode("latin-1")
    return {
        "requests": str(model.requests),
        "posts": reveal(BASE, str([*await world.posts(), *await world.posts("t2")])),
        "export": "".join(each.body.decode() for each in files_of(whole)),
        "cli export": json.dumps(plain),
        "backup": inside,
        "effects": str(await world.store.read(lambda conn: conn.execute("SELECT * FROM effect").fetchall())),
        "repr": repr((people.tools, world.signing, world.signing.vault, await people.credentials())),
    }
