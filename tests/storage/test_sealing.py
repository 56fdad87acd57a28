"""Keys, and what is sealed with them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import StoreDamaged, StoreError
from storage import SqliteStore
from storage.faults import KEY_NAME
from storage.sealing import Keys, load_keys

SECRET = "correct horse battery staple and more"
KEYS = Keys(bytes(32))


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    """Every start has another key, so that nothing sealed opens any more; or others can read the key."""
    first = load_keys(tmp_path)
    assert load_keys(tmp_path).derive("x") == first.derive("x")
    assert (tmp_path / KEY_NAME).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [KEY_NAME]


def test_two_who_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    """A start beside a command leaves two keys, of which one is lost."""
    with ThreadPoolExecutor(8) as pool:
        assert len({keys.key_id for keys in pool.map(lambda _: load_keys(tmp_path), range(16))}) == 1


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A key that every account of the machine can read is used without a word."""
    load_keys(tmp_path)
    (tmp_path / KEY_NAME).chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        load_keys(tmp_path)


@pytest.mark.parametrize("text", ["", "!", "AAAA", "A" * 45])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    """A cut key file silently becomes a weak or another key."""
    path = tmp_path / KEY_NAME
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(StoreDamaged, match="key_damaged"):
        load_keys(tmp_path)
    assert path.read_text() == text


def test_a_secret_of_the_settings_needs_no_file(tmp_path: Path) -> None:
    """An operator who keeps the key elsewhere finds it on the disk."""
    keys = load_keys(tmp_path, SECRET)
    assert keys.key_id == load_keys(tmp_path, SECRET).key_id != load_keys(tmp_path, SECRET + "!").key_id
    assert not list(tmp_path.iterdir())
    with pytest.raises(StoreError, match="32 characters"):
        load_keys(tmp_path, "x" * 31)


def test_keys_for_different_uses_differ_and_are_not_shown() -> None:
    """What is leaked for one use opens another; a key stands in a log."""
    assert len({KEYS.derive(name) for name in ("a", "b", "id", "backup")}) == 4
    assert KEYS.derive("a") != KEYS.derive("a", salt=b"salt")
    assert repr(KEYS) == f"Keys({KEYS.key_id.hex()})"


@given(plain=st.binary(max_size=200), about=st.text(max_size=20))
def test_what_is_sealed_opens_as_it_was(plain: bytes, about: str) -> None:
    """A login is lost by being stored."""
    sealer = KEYS.sealer("logins")
    assert sealer.unseal(sealer.seal(plain, about), about) == plain


@given(data=st.data())
def test_what_was_changed_does_not_open(data: st.DataObject) -> None:
    """Somebody who can write to the database swaps logins."""
    sealer = KEYS.sealer("logins")
    sealed = bytearray(sealer.seal(b"token", "ann"))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    flipped = bytearray(sealed)
    flipped[at // 8] ^= 1 << at % 8
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    for wrong, about in ((flipped, "ann"), (cut, "ann"), (sealed, "bob")):
        with pytest.raises(StoreDamaged):
            sealer.unseal(bytes(wrong), about)


def test_another_key_is_named() -> None:
    """An operator who brought the wrong key file does not learn that it is the wrong one."""
    sealed = KEYS.sealer("logins").seal(b"token", "ann")
    with pytest.raises(StoreDamaged, match=f"{KEYS.key_id.hex()}.*{KEY_NAME}") as error:
        Keys(b"\x01" * 32).sealer("logins").unseal(sealed, "ann")
    assert error.value.code == "seal_other_key"


async def test_a_database_knows_its_key(store: SqliteStore) -> None:
    """With a lost key file a new key is made, and everything sealed so far is silently lost."""
    await store.bind_key(KEYS)
    await store.bind_key(KEYS)
    with pytest.raises(StoreDamaged, match="seal_other_key"):
        await store.bind_key(Keys(b"\x01" * 32))


async def test_a_database_goes_over_to_a_newer_key(store: SqliteStore) -> None:
    """After a rotation the old key could never be taken out of the settings, or the new one was refused."""
    newer = Keys(b"\x01" * 32, older=[KEYS])
    await store.bind_key(KEYS)
    await store.bind_key(newer)
    with pytest.raises(StoreDamaged, match="seal_other_key"):
        await store.bind_key(Keys(b"\x01" * 32))  # not everything is sealed with it yet
    await store.rebind_key(newer)
    await store.bind_key(Keys(b"\x01" * 32))
