"""`rejoinder rotate-keys`: a new key takes over, nobody signs in anew, and older backups still open."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from core.domain.secret import Secret
from core.domain.tooling import Credential
from core.engine.vault import about_credential
from storage.housekeeping import rebind_key
from storage.rows import CREDENTIAL
from storage.sealing import Keys, load_keys
from storage.vault import SealedVault
from tests.cli.program import Program

OLD, NEW = "an old secret of the settings: long enough", "a new secret of the settings: long enough"
ABOUT = about_credential("owner", "jira")


def plant(folder: Path, keys: Keys, used_with: Keys | None = None) -> None:
    """Put a sealed login into the database, which is used with these keys unless others are named."""
    sealed = SealedVault(keys).seal(Secret("the tokens"), ABOUT)
    row = CREDENTIAL.encode(Credential(id="c1", owner="owner", server="jira", sealed=sealed))
    with closing(sqlite3.connect(folder / "rejoinder.db")) as conn, conn:
        conn.execute(CREDENTIAL.upsert, row)
        rebind_key(conn, (used_with or keys).key_id.hex())


def found(folder: Path) -> str:
    """Give what is sealed in it."""
    with closing(sqlite3.connect(folder / "rejoinder.db")) as conn:
        return str(conn.execute("SELECT sealed FROM credential").fetchone()[0])


def test_the_key_file_gets_a_new_key(talked: Program) -> None:
    """Changing the key signs everybody out, or makes every backup worthless."""
    folder = talked.data_dir
    first = load_keys(folder)
    plant(folder, first)
    assert talked.do("backup", "before.rjn").code == 0
    done = talked.do("rotate-keys")
    assert done.code == 0, done.err
    keys = load_keys(folder)
    assert [each.key_id for each in keys.older] == [first.key_id]
    assert f"Key {keys.key_id.hex()} is the newest" in done.out
    assert "1 logins" in done.out
    assert "the tokens" not in done.out
    assert SealedVault(keys).is_newest(found(folder))
    assert SealedVault(keys).unseal(found(folder), ABOUT) == Secret("the tokens")
    assert talked.do("restore", "--verify", "before.rjn").code == 0
    assert talked.do("backup", "after.rjn").code == 0


def test_an_interrupted_change_goes_on(talked: Program) -> None:
    """Each try after a crash makes one more key."""
    folder = talked.data_dir
    other = Keys(b"\x07" * 32)  # sealed with a key that is not the newest: the change has stopped before it
    plant(folder, other, used_with=load_keys(folder))
    assert talked.do("rotate-keys").code == 0
    assert not load_keys(folder).older


def test_the_running_process_does_it(talked: Program) -> None:
    """The key can only be changed while nobody is served; or the running process goes on sealing with the old one."""
    plant(talked.data_dir, load_keys(talked.data_dir))
    with talked.running() as bot:
        done = talked.do("rotate-keys")
        assert done.code == 0, done.err
        assert "1 logins" in done.out
        assert talked.do("backup", "after.rjn").code == 0
        bot.send(signal.SIGTERM)
        assert bot.wait() == 0
    keys = load_keys(talked.data_dir)
    assert SealedVault(keys).unseal(found(talked.data_dir), ABOUT) == Secret("the tokens")
    assert keys.key_id in (talked.folder / "after.rjn").read_bytes()[:32]


def test_the_settings_name_the_new_key_first(talked: Program) -> None:
    """Whoever keeps the key in the settings cannot change it."""
    plant(talked.data_dir, load_keys(talked.data_dir, OLD))
    done = talked.do("rotate-keys", REJOINDER_SECRET_KEY=f"{NEW},{OLD}")
    assert done.code == 0, done.err
    assert "REJOINDER_SECRET_KEY" in done.out
    vault = SealedVault(load_keys(talked.data_dir, NEW))
    assert vault.unseal(found(talked.data_dir), ABOUT) == Secret("the tokens")
    short = talked.do_here("rotate-keys", REJOINDER_SECRET_KEY=f"{NEW},short")
    assert short.code == 1
    assert "shorter than 32" in short.err


def test_doctor_says_where_people_sign_in(talked: Program) -> None:
    """Links lead to a machine that nobody can reach, and the operator learns it from annoyed people."""
    config = talked.folder / "rejoinder.toml"
    config.write_text('[tools.jira]\nurl = "https://jira.example.com/mcp"\nauth = "oauth"\n')
    here = talked.do_here("doctor", REJOINDER_CONFIG=str(config))
    assert "people sign in at jira by links to http://127.0.0.1:0/connect/" in here.out
    tokens = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "SLACK_API_URL": "http://127.0.0.1:9"}
    there = talked.do_here("doctor", REJOINDER_CONFIG=str(config), **tokens)
    assert "which others cannot open; set REJOINDER_PUBLIC_URL" in there.out
    assert "sign-in links: by the page that names the holder" in there.out
    tokens |= {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s", "REJOINDER_LOCAL_CHAT": "on"}
    proven = talked.do_here("doctor", REJOINDER_CONFIG=str(config), **tokens)
    assert "sign-in links: proven by Slack; on the web chat by the page that names the holder" in proven.out
