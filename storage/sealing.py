"""The keys of a data directory, and sealing with them: what lies on a disk and must not be readable there.

Knows: the key file, HKDF, AES-256-GCM. Must not know: what is sealed.

One root key, from the key file (made once, 0600) or from the setting SECRET_KEY; every use gets its own key, derived
by name, so that no two uses can be confused. A sealed value carries the id of its key and is bound to a text that
says what it is (associated data): moved to another row it does not open.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
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
    """The root key. Only ids and derived keys leave this class; its `repr` shows the id."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self.key_id = self.derive("id", length=KEY_ID_BYTES)

    def __repr__(self) -> str:
        return f"Keys({self.key_id.hex()})"

    def derive(self, name: str, *, length: int = KEY_BYTES, salt: bytes | None = None) -> bytes:
        """The key for one use. The same name always gives the same key."""
        info = b"rejoinder/" + name.encode()
        return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(self._root)

    def sealer(self, name: str) -> Sealer:
        """A sealer under the key for one use."""
        return Sealer(self.derive(name), self.key_id)


class Sealer:
    """Seals values under one key."""

    def __init__(self, key: bytes, key_id: bytes) -> None:
        self._aead = AESGCM(key)
        self._key_id = key_id

    def seal(self, plain: bytes, about: str) -> bytes:
        """Seal `plain`; it opens only with the same `about`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        head = _FORM + self._key_id + nonce
        return head + self._aead.encrypt(nonce, plain, head + about.encode())

    def unseal(self, sealed: bytes, about: str) -> bytes:
        """Inverse of `seal`.

        Raises:
            StoreDamaged: changed, cut, sealed with another key (`seal_other_key`), or about something else.
        """
        head, body = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        if len(head) < _HEAD_BYTES or not head.startswith(_FORM):
            raise StoreDamaged(code="seal_broken", detail="this is not a sealed value")
        if head[len(_FORM) : len(_FORM) + KEY_ID_BYTES] != self._key_id:
            raise other_key(head[len(_FORM) : len(_FORM) + KEY_ID_BYTES], self._key_id)
        try:
            return self._aead.decrypt(head[-NONCE_BYTES:], body, head + about.encode())
        except InvalidTag as error:
            raise StoreDamaged(code="seal_broken", detail="a sealed value was changed") from error


def load_keys(data_dir: Path, secret: str | None = None) -> Keys:
    """The keys of a data directory: from `secret` if given, else from the key file, which is made if missing.

    Raises:
        StoreDamaged: the key file cannot be read as a key.
        StoreError: the key file is open to others, or the secret is too short.
    """
    if secret is not None:
        if len(secret) < SECRET_MIN_CHARS:
            raise StoreError(code="key_short", detail=f"SECRET_KEY needs {SECRET_MIN_CHARS} characters or more")
        return Keys(
            HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"rejoinder/root").derive(secret.encode())
        )
    path = data_dir / KEY_NAME
    if not path.exists():
        _make(path)
    return Keys(_read(path))


def _make(path: Path) -> None:
    """Write a new key under another name and link it into place: never half a key, never over another one."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(new)
        except FileExistsError:
            return  # somebody else was first: theirs is the key
    finally:
        new.unlink()
    fsync_folder(path.parent)


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise StoreError(code="key_open", detail=f"{path.name} can be read by others: chmod 600 it")
    try:
        root = base64.b64decode(path.read_bytes(), validate=False)
    except binascii.Error as error:
        raise _no_key(path) from error
    if len(root) != KEY_BYTES:
        raise _no_key(path)
    return root


def _no_key(path: Path) -> StoreDamaged:
    return StoreDamaged(
        code="key_damaged", detail=f"{path.name} does not hold a key: bring it back from where you keep a copy"
    )
