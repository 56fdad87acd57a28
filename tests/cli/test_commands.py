"""Each command as an operator types it: a real process on a real data directory."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.program import Program


def session_ids(program: Program) -> dict[str, str]:
    """The sessions by the name of their owner."""
    listed = json.loads(program.do_here("sessions", "--json").out)
    return {each["owner_name"]: each["id"] for each in listed}


def test_sessions_are_listed_shown_and_exported(talked: Program) -> None:
    """An operator could not see what there is."""
    ids = session_ids(talked)
    assert set(ids) == {"alice", "bob"}
    table = talked.do("sessions")
    assert json.loads(talked.do("sessions", "--json").out)
    assert ids["alice"] in table.out
    shown = talked.do("show", ids["alice"])
    assert "Orchid" in shown.out
    assert "Rejoinder:" in shown.out
    assert "# My app" in talked.do("export", ids["alice"]).out
    exported = json.loads(talked.do("export", ids["alice"], "--format", "json").out)
    assert [each["role"] for each in exported["messages"]] == ["user", "assistant"]
    assert "\x1b" not in table.out + shown.out, "a message could command the operator's terminal"


def test_an_owner_is_exported_whole_by_the_account_too(talked: Program) -> None:
    """A person who asks for their data would get a part of it."""
    owner = json.loads(talked.do_here("export", "local/home/bob", "--format", "json").out)
    assert [each["key"] for each in owner["accounts"]] == ["local/home/bob"]
    assert len(owner["sessions"]) == 1


def test_forget_deletes_and_a_restore_brings_nothing_forgotten_back(talked: Program) -> None:
    """A deletion that a backup undoes is no deletion."""
    backup = talked.folder / "backup.rjn"
    made = talked.do("backup", str(backup))
    assert made.code == 0, made.err
    assert "secret.key" in made.out
    assert backup.stat().st_mode & 0o077 == 0
    assert b"4711" not in backup.read_bytes()

    forgot = talked.do("forget", "local/home/bob")
    assert forgot.code == 0, forgot.err
    assert "finds nothing" in forgot.out
    assert all(b"4711" not in file.read_bytes() for file in talked.data_dir.iterdir() if file.is_file())

    restored = talked.do("restore", str(backup))
    assert restored.code == 0, restored.err
    assert "stays forgotten" in restored.out
    assert set(session_ids(talked)) == {"alice"}
    again = talked.do_here("forget", "local/home/bob")
    assert again.code == 1
    assert "no session and no owner" in again.err


def test_a_backup_opens_only_with_its_key_and_is_checked_without_changing_anything(
    talked: Program, tmp_path: Path
) -> None:
    """A stolen backup would be readable, or a broken one would be noticed when it is needed."""
    backup = tmp_path / "backup.rjn"
    assert talked.do("backup", "backup.rjn").code == 0  # relative to where the operator stands
    assert "is whole" in talked.do_here("restore", "--verify", str(backup)).out

    other = Program(folder=tmp_path / "other")
    other.folder.mkdir()
    missing = other.do_here("restore", str(backup))
    assert missing.code == 1
    assert "secret.key is missing" in missing.err
    strange = other.do_here("restore", str(backup), REJOINDER_SECRET_KEY="k" * 32)
    assert strange.code == 1
    assert "sealed with key" in strange.err
    (other.data_dir / "secret.key").write_bytes((talked.data_dir / "secret.key").read_bytes())
    (other.data_dir / "secret.key").chmod(0o600)
    assert other.do_here("restore", str(backup)).code == 0
    assert set(session_ids(other)) == {"alice", "bob"}

    data = bytearray(backup.read_bytes())
    data[len(data) // 2] ^= 1
    backup.write_bytes(data)
    broken = talked.do_here("restore", str(backup))
    assert broken.code == 1
    assert "changed or cut short" in broken.err
    assert set(session_ids(talked)) == {"alice", "bob"}


def test_a_backup_never_replaces_what_is_no_backup(talked: Program) -> None:
    """`rejoinder backup data/rejoinder.db` would destroy the database."""
    refused = talked.do_here("backup", str(talked.data_dir / "rejoinder.db"))
    assert refused.code == 1
    assert "is no backup" in refused.err
    assert set(session_ids(talked)) == {"alice", "bob"}
    nowhere = talked.do_here("backup", "/no/such/folder/b.rjn")
    assert nowhere.code == 1
    assert "No such file or directory" in nowhere.err


def test_without_a_database_nothing_is_made(program: Program) -> None:
    """A mistyped data directory would be answered with an empty history."""
    for command in (("sessions",), ("show", "x"), ("export", "x"), ("forget", "x"), ("backup", "x"), ("migrate",)):
        told = program.do_here(*command)
        assert told.code == 1
        assert "there is no database" in told.err, command
    assert not program.data_dir.exists()


@pytest.mark.parametrize(
    ("damage", "said"), [(b"hello, I am a text file " * 100, "not an SQLite database"), (b"", "only 0 bytes")]
)
def test_a_damaged_database_is_told_in_one_sentence(talked: Program, damage: bytes, said: str) -> None:
    """The bot would begin with an empty history, or end in a traceback."""
    (talked.data_dir / "rejoinder.db").write_bytes(damage)
    for told in (talked.do("run"), talked.do_here("sessions"), talked.do_here("migrate")):
        assert told.code == 1
        assert said in told.err
        assert "rejoinder restore" in told.err
        assert len(told.err.strip().splitlines()) == 1
    assert (talked.data_dir / "rejoinder.db").read_bytes() == damage


def test_a_newer_database_is_refused(talked: Program) -> None:
    """An older release would damage what a newer one wrote."""
    with closing(sqlite3.connect(talked.data_dir / "rejoinder.db")) as conn:
        conn.execute("PRAGMA user_version = 99")
    for told in (talked.do("run"), talked.do_here("sessions"), talked.do_here("migrate")):
        assert told.code == 1
        assert "use the newer release" in told.err


def test_doctor_says_ok_line_by_line(talked: Program) -> None:
    """An operator would not know what to mend."""
    told = talked.do("doctor")
    assert told.code == 0, told.out
    lines = told.out.splitlines()
    assert any(line.startswith("ok") and "schema" in line for line in lines)
    assert any("not running" in line for line in lines)
    assert any("encrypt" in line for line in lines)
    assert any("offline demo model" in line for line in lines)


def test_doctor_asks_each_tool_server(talked: Program, tmp_path: Path) -> None:
    """An operator sees which tool server answers, and how many of its tools ask before they run."""
    file = tmp_path / "tools.toml"
    here = f'command = ["{sys.executable}", "-m", "tests.kit.tool_server", "{tmp_path / "calls"}"]'
    away = 'url = "http://127.0.0.1:9/mcp"'
    path = f"env = {{ PYTHONPATH = '{Path.cwd()}' }}"
    file.write_text(
        f"[tools.kit]\n{here}\n{path}\n[tools.away]\n{away}\n[tools.jira]\n{away}\nauth = 'oauth'\n", "utf-8"
    )
    told = talked.do("doctor", REJOINDER_CONFIG=str(file))
    lines = {line.split()[1]: line for line in told.out.splitlines() if "tools." in line}
    assert lines["tools.kit"].startswith("ok")
    assert "only after [Approve]" in lines["tools.kit"]
    assert lines["tools.away"].startswith("problem")
    assert "the bot runs without it" in lines["tools.away"]
    assert lines["tools.jira"].startswith("note")
    assert told.code == 1


def test_doctor_tells_every_problem_with_its_fix(talked: Program) -> None:
    """Doctor would stop at the first problem, or exit as if all were well."""
    talked.data_dir.chmod(0o755)
    (talked.data_dir / "secret.key").chmod(0o644)
    told = talked.do("doctor", ANTHROPIC_API_KEY="sk-ant-canary", ANTHROPIC_BASE_URL="http://127.0.0.1:9")
    assert told.code == 1
    problems = [line for line in told.out.splitlines() if line.startswith("problem")]
    assert any("chmod 700" in line for line in problems)
    assert any("chmod 600" in line for line in problems)
    assert any("model_unreachable" in line and "ANTHROPIC_BASE_URL" in line for line in problems)
    assert "canary" not in told.out + told.err
    wrong = talked.do_here("doctor", REJOINDER_IDLE_PARK="soon", REJOINDER_HTTP_PORT="x", SLACK_BOT_TOKEN="xoxb-1")
    assert wrong.code == 1
    assert wrong.out.count("problem") == 3


def test_migrate_says_what_it_found(talked: Program) -> None:
    """An operator could not tell whether an upgrade has to do anything."""
    assert "has schema" in talked.do("migrate").out


def test_wrong_usage_is_two(program: Program) -> None:
    """A script could not tell a slip of the pen from a failure."""
    assert program.do("sessions", "--no-such-option").code == 2
    assert program.do_here("no-such-command").code == 2
    assert program.do_here("--version").out.strip()
    assert "doctor" in program.do_here().out
