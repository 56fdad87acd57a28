"""What lies on the disk of logins: nothing that can be read, and only where it belongs; keys can be changed."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from core.domain.errors import StoreDamaged
from core.domain.secret import Secret
from storage.sealing import Keys, add_key, load_keys
from storage.vault import Rotated, SealedVault, behind, rotate
from tests.kit.oauth_provider import CANARY
from tests.logins.desk import OWNER, Desk

OLD, NEW = Keys(b"\x01" * 32), Keys(b"\x02" * 32)
BOTH = Keys(b"\x02" * 32, [OLD])


def silent(_done: int, _total: int) -> None:
    """Show no progress."""


def test_a_secret_is_not_seen() -> None:
    """A token stands in a log because somebody printed the object that holds it."""
    secret = Secret("sesame-open-123")
    holder = {"token": secret, "more": [secret]}
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", "%s" % secret, repr(holder)):  # noqa: UP031
        assert "sesame" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret == Secret("sesame-open-123") != Secret("")
    assert (bool(secret), bool(Secret("")), secret.reveal()) == (True, False, "sesame-open-123")


async def test_nothing_of_a_login_can_be_read_on_the_disk(desk: Desk) -> None:
    """A stolen database is a stolen account at every tool server."""
    await desk.sign_in()
    await desk.let_expire()
    await desk.vault.bearer(OWNER, "jira")
    await desk.vault.bearer("", "batch")
    link = await desk.link()
    cookie, goto = await desk.leave(link)
    files = b"".join(each.read_bytes() for each in desk.path.parent.iterdir())
    state = goto.partition("state=")[2].partition("&")[0]
    for secret in (CANARY, link, cookie, state):
        assert secret.encode() not in files
    assert b"alice@example.com" in files  # the search itself finds what is there


async def test_a_new_key_takes_over_row_by_row(desk: Desk) -> None:
    """After a change of keys logins are lost, or the old key can never be taken out."""
    await desk.sign_in()
    await desk.vault.bearer("", "batch")
    cookie, goto = await desk.leave(await desk.link())
    back = await desk.way_back(goto)
    changed = await desk.reborn(keys=Keys(b"\x03" * 32, [desk.keys]))
    assert await behind(changed.store, changed.seal)
    assert await changed.vault.bearer(OWNER, "jira") is not None  # before it is sealed anew, too
    done = await rotate(changed.store, changed.seal, silent)
    assert done == Rotated(sealed=4, lost=0)  # two logins, one on its way, one client
    assert not await behind(changed.store, changed.seal)
    assert await rotate(changed.store, changed.seal, silent) == Rotated()
    alone = await changed.reborn(keys=Keys(b"\x03" * 32))
    assert await alone.vault.bearer(OWNER, "jira") is not None
    assert (await alone.logins.back(back, cookie)).step == "done"
    lost = await alone.reborn(keys=OLD)
    assert await lost.vault.bearer(OWNER, "jira") is None
    assert await rotate(lost.store, lost.seal, silent) == Rotated(sealed=0, lost=3)
    await lost.close()


def test_each_key_opens_what_it_sealed() -> None:
    """With the new key in front nothing old opens; or the new key opens what was sealed with none of ours."""
    sealed = SealedVault(OLD).seal(Secret("token"), "here")
    assert SealedVault(BOTH).unseal(sealed, "here") == Secret("token")
    assert not SealedVault(BOTH).is_newest(sealed)
    assert SealedVault(BOTH).is_newest(SealedVault(BOTH).seal(Secret("token"), "here"))
    for vault, about in ((SealedVault(NEW), "here"), (SealedVault(BOTH), "there")):
        with pytest.raises(StoreDamaged):
            vault.unseal(sealed, about)


def test_a_key_is_added_to_the_file(tmp_path: Path) -> None:
    """Changing the key loses the old one, and with it every backup; or the file is open to others afterwards."""
    first = load_keys(tmp_path)
    added = add_key(tmp_path)
    known = load_keys(tmp_path)
    assert known.key_id == added.key_id != first.key_id
    assert [each.key_id for each in known.older] == [first.key_id]
    assert known.oldest.key_id == known.named(first.key_id).key_id == first.key_id
    assert [each.stat().st_mode & 0o777 for each in tmp_path.iterdir()] == [0o600]


def test_several_secrets_of_the_settings_are_several_keys(tmp_path: Path) -> None:
    """An operator who puts a new secret in front is asked to sign everybody in again."""
    old, new = "an old secret of the settings: long enough", "a new secret of the settings: long enough"
    both = load_keys(tmp_path, f"{new}, {old}")
    assert both.key_id == load_keys(tmp_path, new).key_id
    assert [each.key_id for each in both.older] == [load_keys(tmp_path, old).key_id]
