"""The key ring's file to the letter, and what is no key although it looks like one."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Sealed
from schemas.sealing import CARD, DIGEST, PURPOSES, KeyRingError, SealError, create_ring, load_ring

KEYS = [{"id": f"{each}-1", "purpose": each, "key": b64encode(bytes([7]) * 32).decode()} for each in PURPOSES]


def write(folder: Path, keys: list[dict[str, Any]]) -> Path:
    path = folder / "keys.json"
    path.write_text(json.dumps({"version": 1, "current": {each: f"{each}-1" for each in PURPOSES}, "keys": keys}))
    path.chmod(0o600)
    return path


def test_a_new_ring_is_laid_out_for_people(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create_ring(path)
    text = path.read_text("ascii")
    assert text == json.dumps(json.loads(text), indent=2)


@pytest.mark.parametrize("stray", ["!", "\n", " ", "-"])
@pytest.mark.parametrize("at", [0, 20, 44])
def test_a_key_with_a_stray_character_is_none(stray: str, at: int, tmp_path: Path) -> None:
    load_ring(write(tmp_path, KEYS))
    key = KEYS[0]["key"]
    path = write(tmp_path, [{**KEYS[0], "key": key[:at] + stray + key[at:]}, *KEYS[1:]])
    with pytest.raises(KeyRingError, match=r"not a key ring \(Error\): restore it from its backup$"):
        load_ring(path)


@pytest.mark.parametrize("length", [63, 64, 65, 500])
def test_the_name_of_a_key_that_is_not_there_is_told_up_to_64_characters(length: int, tmp_path: Path) -> None:
    ring = load_ring(write(tmp_path, KEYS))
    name = "k" * length
    with pytest.raises(SealError) as raised:
        ring.open(CARD, "AP02:1", Sealed(key_id=name, nonce=b"n" * 12, ciphertext=b"c" * 16))
    assert f"no card key '{'k' * min(length, 64)}' in the ring" in str(raised.value)


def test_a_second_digest_key_is_refused_for_repeats_would_pass_for_other_payments(tmp_path: Path) -> None:
    second = {"id": "digest-2", "purpose": DIGEST, "key": KEYS[0]["key"]}
    with pytest.raises(KeyRingError, match=r"more than one digest key: .*: leave in it the one it was made with$"):
        load_ring(write(tmp_path, [*KEYS, second]))
    load_ring(write(tmp_path, [*KEYS, {**second, "id": "card-2", "purpose": CARD}]))
