"""The keys of a data directory, and sealing with them: what lies on a disk and must not be readable there.

Knows: the key file, HKDF, AES-256-GCM. Must not know: what is sealed.

One root key, from the key file (made once, 0600) or from the setting SECRET_KEY; every use gets its own key, derived
by name, so that no two uses can be confused. A sealed value carries the id of its key and is bound to a text that
says what it is (associated data): moved to another row it does not open.

Either source may hold several, the newest first (lines of the file, items of the setting separated by commas): the
newest seals, each opens what it has sealed. So a key is changed by putting a new one in front, sealing everything
anew (`storage.vault.rotate`) and taking the old one out when nothing that it has sealed is wanted any more.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.domain.errors import StoreDamaged, StoreError
from storage.faults import KEY_NAME, other_key
from storage.files import fsync_folder

KEY_BYTES = 32
SECRET_MIN_CHARS = 32  # of SECRET_KEY: 128 bits even as hexadecimal digits
KEY_ID_BYTES = 8
NONCE_BYTES = 12  # of AES-GCM, drawn for each value
_FORM = b"\x01"
_HEAD_BYTES = len(_FORM) + KEY_ID_BYTES + NONCE_BYTES


class Keys:
    """The root key, and the older ones. Only ids and derived keys leave this class; its `repr` shows the id."""

    def __init__(self, root: bytes, older: Sequence[Keys] = ()) -> None:
        self._root = root
        self.older = tuple(older)
        self.key_id = self.derive("id", length=KEY_ID_BYTES)

    def __repr__(self) -> str:
        return f"Keys({self.key_id.hex()})"

    @property
    def oldest(self) -> Keys:
        """The key that has been there longest: what was derived from it stays the same when a new one comes."""
        return self.older[-1] if self.older else self

    def named(self, key_id: bytes) -> Keys:
        """The key with this id, the newest or an older one. Raises `StoreDamaged` (`seal_other_key`)."""
        for each in (self, *self.older):
            if each.key_id == key_id:
                return each
        raise other_key(key_id, self.key_id)

    def derive(self, name: str, *, length: int = KEY_BYTES, salt: bytes | None = None) -> bytes:
        """The key for one use. The same name always gives the same key."""
        info = b"rejoinder/" + name.encode()
        return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(self._root)

    def sealer(self, name: str) -> Sealer:
        """A sealer under the keys for one use: it seals with the newest and opens with each."""
        ways = {each.key_id: AESGCM(each.derive(name)) for each in (self, *self.older)}
        return Sealer(ways, self.key_id)


class Sealer:
    """Seals values under one key; opens what that key or an older one has sealed."""

    def __init__(self, ways: Mapping[bytes, AESGCM], key_id: bytes) -> None:
        self._ways = ways
        self._key_id = key_id

    def seal(self, plain: bytes, about: str) -> bytes:
        """Seal `plain`; it opens only with the same `about`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        head = _FORM + self._key_id + nonce
        return head + self._ways[self._key_id].encrypt(nonce, plain, head + about.encode())

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key has sealed it."""
        return sealed.startswith(_FORM + self._key_id)

    def unseal(self, sealed: bytes, about: str) -> bytes:
        """Inverse of `seal`.

        Raises:
            StoreDamaged: changed, cut, sealed with another key (`seal_other_key`), or about something else.
        """
        head, body = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        if len(head) < _HEAD_BYTES or not head.startswith(_FORM):
            raise StoreDamaged(code="seal_broken", detail="this is not a sealed value")
        key_id = head[len(_FORM) : len(_FORM) + KEY_ID_BYTES]
        if key_id not in self._ways:
            raise other_key(key_id, self._key_id)
        try:
            return self._ways[key_id].decrypt(head[-NONCE_BYTES:], body, head + about.encode())
        except InvalidTag as error:
            raise StoreDamaged(code="seal_broken", detail="a sealed value was changed") from error


def load_keys(data_dir: Path, secret: str | None = None) -> Keys:
    """The keys of a data directory: from `secret` if given, else from the key file, which is made if missing.

    Raises:
        StoreDamaged: the key file cannot be read as a key.
        StoreError: the key file is open to others, or the secret is too short.
    """
    if secret is not None:
        return _chain([_root_of(each.strip()) for each in secret.split(",") if each.strip()])
    path = data_dir / KEY_NAME
    if not path.exists():
        _make(path)
    return _chain(_read(path))


def add_key(data_dir: Path) -> Keys:
    """Put a new key in front of those of the key file; the file changes whole or not at all."""
    path = data_dir / KEY_NAME
    roots = [secrets.token_bytes(KEY_BYTES), *_read(path)]
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        _write(new, roots)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    fsync_folder(path.parent)
    return _chain(roots)


def _chain(roots: Sequence[bytes]) -> Keys:
    """The keys of these roots, newest first."""
    if not roots:
        raise StoreError(code="key_short", detail=f"SECRET_KEY needs {SECRET_MIN_CHARS} characters or more")
    return Keys(roots[0], [Keys(each) for each in roots[1:]])


def _root_of(secret: str) -> bytes:
    if len(secret) < SECRET_MIN_CHARS:
        raise StoreError(code="key_short", detail=f"SECRET_KEY needs {SECRET_MIN_CHARS} characters or more")
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"rejoinder/root").derive(secret.encode())


def _make(path: Path) -> None:
    """Write a new key under another name and link it into place: never half a key, never over another one."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        _write(new, [secrets.token_bytes(KEY_BYTES)])
        try:
            path.hardlink_to(new)
        except FileExistsError:
            return  # somebody else was first: theirs is the key
    finally:
        new.unlink(missing_ok=True)
    fsync_folder(path.parent)


def _write(path: Path, roots: Sequence[bytes]) -> None:
    """Write a key file that did not exist, on the disk when this returns."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(b"".join(base64.b64encode(each) + b"\n" for each in roots))
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> list[bytes]:
    if path.stat().st_mode & 0o077:
        raise StoreError(code="key_open", detail=f"{path.name} can be read by others: chmod 600 it")
    try:
        roots = [base64.b64decode(line, validate=False) for line in path.read_bytes().split()]
    except binascii.Error as error:
        raise _no_key(path) from error
    if not roots or any(len(each) != KEY_BYTES for each in roots):
        raise _no_key(path)
    return roots


def _no_key(path: Path) -> StoreDamaged:
    return StoreDamaged(
        code="key_damaged", detail=f"{path.name} does not hold a key: bring it back from where you keep a copy"
    )
