"""The running process: start, one holder, commands beside it, signals, the next start."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bots.app import App
from core.configure import load
from storage.migrate import prepare
from tests.cli.program import PATIENCE_S, Page, Program, until


def test_it_starts_says_where_and_ends_gently(program: Program) -> None:
    """A newcomer's first minute: start, look at the page, Ctrl-C."""
    with program.running() as bot:
        assert "offline demo model" in bot.log
        assert bot.ask("/readyz") == (200, {"ready": True})
        assert bot.ask("/api/about")[1]["offline"] is True
        assert program.data_dir.stat().st_mode & 0o077 == 0
        assert all(file.stat().st_mode & 0o077 == 0 for file in program.data_dir.iterdir())
        begun = time.monotonic()
        bot.send(signal.SIGINT)
        assert bot.wait() == 0
        assert time.monotonic() - begun < 5


def test_a_lost_database_is_not_replaced_by_an_empty_one(program: Program) -> None:
    """After a mistake with a disk everybody would be a stranger, and the backup would be thought of too late."""
    with program.running() as bot:
        bot.say("Remember me")
        bot.send(signal.SIGTERM)
        assert bot.wait() == 0
    kept = (program.data_dir / "rejoinder.db").rename(program.folder / "kept.db")
    refused = program.do_here("run")
    assert refused.code == 1
    assert "rejoinder restore FILE" in refused.err
    assert not (program.data_dir / "rejoinder.db").exists()
    told = program.do_here("doctor")
    assert "is gone, but" in told.out
    assert told.code == 1
    kept.rename(program.data_dir / "rejoinder.db")
    with program.running() as bot:
        assert bot.ask("/api/threads?person=alice")[1]["threads"]
    (program.data_dir / "secret.key").rename(program.folder / "secret.key")
    refused = program.do_here("run")
    assert refused.code == 1
    assert "bring back the file secret.key" in refused.err
    refused = program.do_here("backup", "sealed.rjn")
    assert refused.code == 1
    assert not (program.folder / "sealed.rjn").exists()


def test_a_first_start_that_died_early_is_carried_on(program: Program) -> None:
    """A plug pulled in the very first second would lock the newcomer out."""
    program.data_dir.mkdir(mode=0o700)
    prepare(program.data_dir / "rejoinder.db")  # the key comes after it
    with program.running() as bot:
        assert bot.ask("/readyz") == (200, {"ready": True})
    assert (program.data_dir / "secret.key").exists()


def test_sigterm_lets_the_answer_finish(program: Program) -> None:
    """A deploy would cut everybody's answer."""
    with program.running() as bot:
        thread = bot.say("Tell me a long story")
        bot.answer(thread, "streaming", least_chars=100)
        bot.send(signal.SIGTERM)
        until(lambda: True if bot.ask("/readyz")[0] == 503 else None)
        status, answer = bot.ask("/api/messages", {"person": "bob", "channel": "dm", "text": "hello"})
        assert status == 503, answer
        assert bot.wait(25) == 0
    with program.running() as bot:
        (story,) = [each for each in bot.thread(thread) if each["author"] == "Rejoinder"]
        assert story["state"] == "done"


def test_a_second_signal_ends_at_once_and_loses_nothing(program: Program) -> None:
    """An impatient operator would have to choose between waiting and losing the answer."""
    with program.running() as bot:
        thread = bot.say("Tell me a long story")
        said = bot.answer(thread, "streaming", least_chars=300)
        bot.send(signal.SIGINT)
        until(lambda: True if bot.ask("/readyz")[0] == 503 else None)
        bot.send(signal.SIGINT)
        assert bot.wait() == 130
    with program.running() as bot:
        assert bot.answer(thread, "streaming", least_chars=len(said) + 100).startswith(said[:200])
        assert len([each for each in bot.thread(thread) if each["author"] == "Rejoinder"]) == 1


_HANGING = """
import asyncio, sys, time
from bots.cli.process import Stopping
async def main():
    Stopping(last_s=float(sys.argv[1])).listen()
    print("ready", flush=True)
    time.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("last_s", "signals", "codes"),
    [("0.2", [signal.SIGTERM], {0}), ("60", [signal.SIGTERM, signal.SIGINT], {130, 143})],
    ids=["in time", "at once"],
)
def test_a_hanging_process_ends_too(last_s: str, signals: list[signal.Signals], codes: set[int]) -> None:
    """A deploy would wait until the orchestrator kills."""
    with subprocess.Popen([sys.executable, "-c", _HANGING, last_s], stdout=subprocess.PIPE) as hanging:
        assert hanging.stdout is not None
        assert hanging.stdout.readline() == b"ready\n"
        for number in signals:
            hanging.send_signal(number)
        assert hanging.wait(PATIENCE_S) in codes


async def test_what_a_drain_could_not_finish_goes_on_at_the_next_start(tmp_path: Path) -> None:
    """An answer longer than the drain would end in the middle for ever."""
    settings = load({"REJOINDER_DATA_DIR": str(tmp_path / "data"), "REJOINDER_HTTP_PORT": "0"}, tmp_path)
    first = App(settings)
    await first.start()
    page = Page(first.url)
    thread = await asyncio.to_thread(page.say, "Tell me a long story")
    said = await asyncio.to_thread(page.answer, thread, "streaming", 300)
    begun = time.monotonic()
    await first.stop(0.1)
    assert time.monotonic() - begun < 5
    second = App(settings)
    await second.start()
    try:
        more = await asyncio.to_thread(Page(second.url).answer, thread, "streaming", len(said) + 100)
        assert more.startswith(said[:200])
    finally:
        await second.stop(0.1)


def test_a_second_process_is_refused_and_names_the_first(talked: Program) -> None:
    """Two processes would answer everything twice."""
    with talked.running() as bot:
        for command in (("run",), ("migrate",), ("restore", "--yes", "b.rjn")):
            told = talked.do(*command) if command == ("run",) else talked.do_here(*command)
            assert told.code == 1
            assert f"in use by process {bot.pid} " in told.err, command


def test_one_database_is_held_once_however_it_is_named(tmp_path: Path) -> None:
    """Two data directories that name the same database would write to it at once."""
    for name in ("db", "one", "two"):
        (tmp_path / name).mkdir()
    more = {"REJOINDER_DATABASE_URL": f"sqlite:///{tmp_path}/db/shared.db"}
    with Program(folder=tmp_path / "one", more=more).running() as bot:
        told = Program(folder=tmp_path / "two", more=more).do_here("run")
    assert told.code == 1
    assert f"in use by process {bot.pid} " in told.err


def test_commands_work_beside_the_running_process(talked: Program) -> None:
    """A person's wish to be forgotten would have to wait for the next maintenance."""
    with talked.running() as bot:
        (thread,) = [str(each["thread"]) for each in _threads(bot.ask("/api/threads?person=bob"))]
        forgot = talked.do("forget", "local/home/bob")
        assert forgot.code == 0, forgot.err
        assert "finds nothing" in forgot.out
        assert bot.ask(f"/api/threads/{thread}?person=bob")[0] == 404
        assert [each["owner_name"] for each in json.loads(talked.do_here("sessions", "--json").out)] == ["alice"]
        made = talked.do("backup", "beside.rjn")
        assert made.code == 0, made.err
        assert "verified" in made.out
        unknown = talked.do_here("forget", "nobody")
        assert unknown.code == 1
        assert "no session and no owner" in unknown.err
        doctor = talked.do_here("doctor")
        assert doctor.code == 0, doctor.out
        assert f"process {bot.pid} " in doctor.out
        bot.answer(bot.say("Still there?"), "done")
    assert "is whole" in talked.do_here("restore", "--verify", str(talked.folder / "beside.rjn")).out


def _threads(answer: tuple[int, dict[str, object]]) -> list[dict[str, object]]:
    threads = answer[1]["threads"]
    assert isinstance(threads, list)
    return threads


def test_a_port_in_use_is_one_clear_sentence(program: Program) -> None:
    """The most common failure of a first start would be a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = program.do("run", REJOINDER_HTTP_PORT=str(taken.getsockname()[1]))
    assert told.code == 1
    assert "already in use" in told.err
    assert "REJOINDER_HTTP_PORT" in told.err
    assert len(told.err.strip().splitlines()) == 1


def test_wrong_settings_refuse_to_start(program: Program) -> None:
    """The operator would wait for a Slack bot that never comes."""
    wrong = program.do_here("run", REJOINDER_IDLE_PARK="soon", REJOINDER_DATADIR="x", SLACK_BOT_TOKEN="canary")
    assert wrong.code == 1
    assert wrong.err.count("Fix:") == 4
    assert "canary" not in wrong.err
    assert not program.data_dir.exists()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_word_and_no_token_reaches_the_log(program: Program, form: str) -> None:
    """The log would hold what people said, and the keys, for everybody who reads logs."""
    canary = "canary-0815-canary"
    program.more = {
        "ANTHROPIC_API_KEY": f"sk-ant-{canary}",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",  # refused: every call fails, and is logged as it may be
        "ANTHROPIC_LOG": "debug",
        "REJOINDER_SECRET_KEY": f"{canary}-{canary}",
        "REJOINDER_LOCAL_CHAT_TOKEN": canary,
        "REJOINDER_LOG_FORMAT": form,
    }
    with program.running() as bot:
        thread = bot.say(f"My secret is {canary}")
        bot.ask("/api/messages", {"person": canary, "channel": "dm", "text": f"/help {canary}"})
        bot.ask(f"/login?token={canary}x")
        until(lambda: True if len(bot.thread(thread)) > 1 else None)
        bot.send(signal.SIGTERM)
        until(lambda: True if bot.ask("/readyz")[0] == 503 else None)
        bot.send(signal.SIGTERM)
        assert bot.wait() == 143
    assert "Rejoinder is ready" in bot.log
    assert canary not in bot.log
    if form == "json":
        assert all(json.loads(line) for line in bot.log.splitlines())
