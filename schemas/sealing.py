"""Sealing of card data: AES-256-GCM under a named key of a ring, bound to its transaction and purpose.

Ingress seals, egress alone opens. The associated data is purpose, key id and transaction id, so that a ciphertext
cannot be moved to another record or field. Nonces are random 96-bit values; a key seals at most 2^32 times
(NIST SP 800-38D, 8.3), which the rotation period of the ring keeps far away.

The ring is a JSON file readable by its owner only. Development makes one on first start; elsewhere its absence is an
error. It holds three classes of keys (purpose): `card` for number and expiry, `sensitive` for track 2 and security
code, which must not outlive the authorisation (PCI DSS 3.3), and `digest` for the HMAC that recognises repeats.
"""

import base64
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.records import Sealed

CARD = "card"
SENSITIVE = "sensitive"
DIGEST = "digest"
PURPOSES = (CARD, SENSITIVE, DIGEST)

_VERSION = 1
_KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyRingError(Exception):
    """The key ring file is missing, unsafe or damaged. The message names the file and the remedy, never a key."""


class SealError(Exception):
    """A ciphertext cannot be opened: its key is not in the ring, or it belongs elsewhere."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one installation. Sealing uses the purpose's current key, opening any key of the ring."""

    _keys: Mapping[str, bytes]
    _purpose_of: Mapping[str, str]
    _current: Mapping[str, str]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(sorted(self._keys))})"

    def seal(self, purpose: str, transaction_id: str, plain: bytes) -> Sealed:
        """Close `plain` for this transaction."""
        key_id = self._current[purpose]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        closed = _cipher(self._keys[key_id]).encrypt(nonce, plain, _bound_to(purpose, key_id, transaction_id))
        return Sealed(key_id=key_id, nonce=nonce, ciphertext=closed)

    def open(self, purpose: str, transaction_id: str, sealed: Sealed) -> bytes:
        """Open what `seal` closed for the same purpose and transaction. Raises `SealError`."""
        key = self._keys.get(sealed.key_id)
        if key is None or self._purpose_of[sealed.key_id] != purpose:
            raise SealError(
                f"no {purpose} key {sealed.key_id[:64]!r} in the ring: give this service the ring that holds it"
            )
        try:
            bound = _bound_to(purpose, sealed.key_id, transaction_id)
            return _cipher(key).decrypt(sealed.nonce, sealed.ciphertext, bound)
        except (InvalidTag, ValueError):
            raise SealError(
                f"the {purpose} data of {transaction_id} was not sealed for it: keep the record, call support"
            ) from None

    def digest(self, content: bytes) -> str:
        """HMAC-SHA256 of a request's content under the ring's digest key, hexadecimal."""
        return hmac.digest(self._keys[self._current[DIGEST]], content, "sha256").hex()


@cache
def _cipher(key: bytes) -> AESGCM:
    """To make it takes longer than to use it; there are as many as keys in the ring."""
    return AESGCM(key)


def _bound_to(purpose: str, key_id: str, transaction_id: str) -> bytes:
    return f"{purpose}\x00{key_id}\x00{transaction_id}".encode()


def create_ring(path: Path) -> None:
    """Make a ring of fresh keys at `path` (mode 600). An existing file is left as it is. Raises `KeyRingError`."""
    try:
        _create_ring(path)
    except OSError as error:
        raise KeyRingError(
            f"key ring {path}: cannot be made: {error.strerror}: name a place under [keys] that this user may write to"
        ) from error


def _create_ring(path: Path) -> None:
    keys = [
        {"id": f"{purpose}-1", "purpose": purpose, "key": base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}
        for purpose in PURPOSES
    ]
    current = {purpose: f"{purpose}-1" for purpose in PURPOSES}
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the process id: in a container that is always the same, and one that died here would block all later ones.
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"version": _VERSION, "current": current, "keys": keys}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # atomic, and fails where another process was first
        except FileExistsError:
            return
    finally:
        part.unlink()


def load_ring(path: Path) -> KeyRing:
    """Read the ring at `path`. Raises `KeyRingError`."""
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as error:
        raise KeyRingError(
            f"key ring {path}: {error.strerror}: name the ring under [keys]; `denbun keys create` makes one"
        ) from error
    if mode & 0o077:
        raise KeyRingError(f"key ring {path}: readable by others than its owner: chmod 600 it")
    try:
        content = json.loads(raw)
        if content["version"] != _VERSION:
            raise KeyRingError(f"key ring {path}: of a form unknown here: run the version that made it")
        keys = {entry["id"]: base64.b64decode(entry["key"], validate=True) for entry in content["keys"]}
        purpose_of = {entry["id"]: entry["purpose"] for entry in content["keys"]}
        current = {purpose: str(content["current"].get(purpose, "")) for purpose in PURPOSES}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = type(error).__name__
        raise KeyRingError(f"key ring {path}: not a key ring ({reason}): restore it from its backup") from None
    if len(keys) != len(content["keys"]):
        raise KeyRingError(f"key ring {path}: two keys have the same id: restore it from its backup")
    if fault := _fault(keys, purpose_of, current):
        raise KeyRingError(f"key ring {path}: {fault}")
    return KeyRing(keys, purpose_of, current)


def _fault(keys: Mapping[str, bytes], purpose_of: Mapping[str, str], current: Mapping[str, str]) -> str | None:
    """Why these keys are no ring, and the remedy."""
    for key_id, key in keys.items():
        if len(key) != _KEY_BYTES:
            return f"key {key_id} is not {_KEY_BYTES} bytes: restore it from its backup"
    for purpose in PURPOSES:
        if purpose_of.get(current[purpose]) != purpose:
            return f"no current key for purpose {purpose}: restore it from its backup"
    if list(purpose_of.values()).count(DIGEST) > 1:
        return (
            f"more than one {DIGEST} key: by another one each repeat of a request would pass for another payment: "
            "leave in it the one it was made with"
        )
    return None
