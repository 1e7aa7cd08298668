"""Sealed card data: opened for its own transaction and purpose only, under a ring that nobody else can read."""

import json
import os
import pickle
import stat
import threading
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Sealed
from schemas.sealing import (
    CARD,
    DIGEST,
    PURPOSES,
    SENSITIVE,
    KeyRing,
    KeyRingError,
    SealError,
    create_ring,
    load_ring,
)

PLAIN = b'{"pan":"4111111111111111","expiry":"2812"}'
TX = "AP02:1"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ring") / "keys.json"
    create_ring(path)
    return path


@pytest.fixture(scope="module")
def ring(path: Path) -> KeyRing:
    return load_ring(path)


def keys_in(path: Path) -> list[str]:
    return [entry["key"] for entry in json.loads(path.read_text("utf-8"))["keys"]]


# --- sealing --------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200), st.text(max_size=40), st.sampled_from([CARD, SENSITIVE]))
def test_what_was_sealed_is_opened_for_the_same_transaction(
    ring: KeyRing, plain: bytes, transaction_id: str, purpose: str
) -> None:
    assert ring.open(purpose, transaction_id, ring.seal(purpose, transaction_id, plain)) == plain


def test_the_same_plaintext_never_gives_the_same_ciphertext(ring: KeyRing) -> None:
    sealed = [ring.seal(CARD, TX, PLAIN) for _ in range(100)]
    assert len({each.nonce for each in sealed}) == 100
    assert len({each.ciphertext for each in sealed}) == 100
    assert {len(each.nonce) for each in sealed} == {12}


def test_a_ciphertext_moved_to_another_transaction_is_refused(ring: KeyRing) -> None:
    sealed = ring.seal(CARD, TX, PLAIN)
    with pytest.raises(SealError) as raised:
        ring.open(CARD, "AP02:2", sealed)
    assert str(raised.value) == "the card data of AP02:2 was not sealed for it: keep the record, call support"


def test_a_ciphertext_opened_for_another_purpose_is_refused(ring: KeyRing) -> None:
    sealed = ring.seal(SENSITIVE, TX, PLAIN)
    with pytest.raises(SealError) as raised:
        ring.open(CARD, TX, sealed)
    assert str(raised.value) == "no card key 'sensitive-1' in the ring: give this service the ring that holds it"


def test_a_ciphertext_under_another_key_id_is_refused(ring: KeyRing) -> None:
    sealed = msgspec.structs.replace(ring.seal(SENSITIVE, TX, PLAIN), key_id="card-1")
    with pytest.raises(SealError, match="was not sealed for it"):
        ring.open(CARD, TX, sealed)


def test_a_key_that_is_not_in_the_ring_is_named(ring: KeyRing) -> None:
    sealed = msgspec.structs.replace(ring.seal(CARD, TX, PLAIN), key_id="card-2")
    with pytest.raises(SealError) as raised:
        ring.open(CARD, TX, sealed)
    assert str(raised.value) == "no card key 'card-2' in the ring: give this service the ring that holds it"


@given(st.data())
def test_a_changed_bit_is_noticed(ring: KeyRing, data: st.DataObject) -> None:
    sealed = ring.seal(CARD, TX, PLAIN)
    field = data.draw(st.sampled_from(["nonce", "ciphertext"]))
    content = bytearray(getattr(sealed, field))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        ring.open(CARD, TX, msgspec.structs.replace(sealed, **{field: bytes(content)}))


@given(nonce=st.binary(max_size=40), ciphertext=st.binary(max_size=40))
def test_any_other_bytes_are_refused_with_the_same_error(ring: KeyRing, nonce: bytes, ciphertext: bytes) -> None:
    with pytest.raises(SealError, match="was not sealed for it"):
        ring.open(CARD, TX, Sealed(key_id="card-1", nonce=nonce, ciphertext=ciphertext))


def test_a_digest_tells_contents_apart_and_needs_the_ring(ring: KeyRing, tmp_path: Path) -> None:
    assert ring.digest(b"a") == ring.digest(b"a")
    assert ring.digest(b"a") != ring.digest(b"b")
    assert len(ring.digest(b"")) == 64
    create_ring(tmp_path / "other.json")
    assert load_ring(tmp_path / "other.json").digest(b"a") != ring.digest(b"a")


def test_an_older_key_still_opens_after_the_current_one_changed(path: Path, ring: KeyRing, tmp_path: Path) -> None:
    sealed = ring.seal(CARD, TX, PLAIN)
    content = json.loads(path.read_text("utf-8"))
    content["keys"].append({"id": "card-2", "purpose": CARD, "key": b64encode(os.urandom(32)).decode()})
    content["current"][CARD] = "card-2"
    rotated = load_ring(write(tmp_path, content))
    assert rotated.open(CARD, TX, sealed) == PLAIN
    assert rotated.seal(CARD, TX, PLAIN).key_id == "card-2"
    with pytest.raises(SealError, match="no card key 'card-2' in the ring"):
        ring.open(CARD, TX, rotated.seal(CARD, TX, PLAIN))


# --- the file -------------------------------------------------------------------------------------------------------


def write(folder: Path, content: Any, mode: int = 0o600) -> Path:
    path = folder / "keys.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    path.chmod(mode)
    return path


def fault(path: Path) -> str:
    with pytest.raises(KeyRingError) as raised:
        load_ring(path)
    return str(raised.value)


def test_a_new_ring_is_for_its_owner_only_and_has_a_key_for_each_purpose(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = json.loads(path.read_text("utf-8"))
    assert content["current"] == {purpose: f"{purpose}-1" for purpose in PURPOSES}
    keys = [b64decode(key) for key in keys_in(path)]
    assert [len(key) for key in keys] == [32, 32, 32]
    assert len(set(keys)) == 3
    assert list(path.parent.iterdir()) == [path]  # nothing half made is left


def test_an_existing_ring_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "keys.json"
    create_ring(path)
    before = path.read_bytes()
    create_ring(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_of_many_creators_at_once_one_wins_and_all_read_the_same_ring(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    together = threading.Barrier(16)
    digests: list[str] = []

    def make() -> None:
        together.wait(30)
        create_ring(path)
        digests.append(load_ring(path).digest(b"a"))

    threads = [threading.Thread(target=make, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(digests) == 16
    assert len(set(digests)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_creator_left_that_died_on_the_way_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    (tmp_path / f"keys.json.{os.getpid()}.part").write_text("{")  # in a container the process id is always the same
    create_ring(path)
    load_ring(path)


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "deep" / "keys.json"
    with pytest.raises(KeyRingError) as raised:
        create_ring(path)
    assert str(raised.value) == (
        f"key ring {path}: cannot be made: {os.strerror(20)}: name a place under [keys] that this user may write to"
    )


def test_no_file(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    assert fault(path) == (
        f"key ring {path}: No such file or directory: name the ring under [keys]; `denbun keys create` makes one"
    )


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read(path: Path, tmp_path: Path, mode: int) -> None:
    copy = write(tmp_path, path.read_bytes(), mode)
    assert fault(copy) == f"key ring {copy}: readable by others than its owner: chmod 600 it"


GOOD_KEYS = [{"id": f"{p}-1", "purpose": p, "key": b64encode(bytes([n]) * 32).decode()} for n, p in enumerate(PURPOSES)]
GOOD = {"version": 1, "current": {p: f"{p}-1" for p in PURPOSES}, "keys": GOOD_KEYS}
NOT_ONE = "not a key ring ({}): restore it from its backup"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", NOT_ONE.format("JSONDecodeError")),
        (b"\xff\xfe\x00", NOT_ONE.format("UnicodeDecodeError")),
        (b"[]", NOT_ONE.format("TypeError")),
        (b"{}", NOT_ONE.format("KeyError")),
        ({**GOOD, "keys": {}}, "no current key for purpose card: restore it from its backup"),
        ({**GOOD, "keys": [{}]}, NOT_ONE.format("KeyError")),
        ({**GOOD, "keys": [{"id": [], "purpose": CARD, "key": ""}]}, NOT_ONE.format("TypeError")),
        ({**GOOD, "keys": [{"id": "card-1", "purpose": CARD, "key": "not base64!"}]}, NOT_ONE.format("Error")),
        (
            {**GOOD, "keys": [{"id": "card-1", "purpose": CARD, "key": "c2hvcnQ="}]},
            "key card-1 is not 32 bytes: restore it from its backup",
        ),
        ({**GOOD, "keys": [*GOOD_KEYS, GOOD_KEYS[0]]}, "two keys have the same id: restore it from its backup"),
        ({**GOOD, "current": []}, NOT_ONE.format("AttributeError")),
        ({**GOOD, "current": {CARD: ["x"]}}, "no current key for purpose card: restore it from its backup"),
        (
            {**GOOD, "current": {CARD: "card-1", SENSITIVE: "card-1", DIGEST: "digest-1"}},
            "no current key for purpose sensitive: restore it from its backup",
        ),
        ({**GOOD, "version": 2}, "of a form unknown here: run the version that made it"),
    ],
)
def test_a_damaged_file_is_told_and_shows_no_key(tmp_path: Path, content: Any, said: str) -> None:
    path = write(tmp_path, content)
    assert fault(path) == f"key ring {path}: {said}"


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_tell(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = write(tmp_path_factory.mktemp("any"), content)
    assert fault(path).startswith(f"key ring {path}: ")


def test_a_good_file_is_good(tmp_path: Path) -> None:
    assert repr(load_ring(write(tmp_path, GOOD))) == "KeyRing(card-1, digest-1, sensitive-1)"


def test_no_key_shows_in_any_text(path: Path, ring: KeyRing) -> None:
    raw = [b64decode(key) for key in keys_in(path)]
    for text in (repr(ring), str(ring), f"{ring}", repr([ring]), "%s" % ring):  # noqa: UP031  one more way to say it
        assert not any(key in text or repr(b64decode(key))[2:-1] in text for key in keys_in(path))
    for wrong in (lambda: ring.open(CARD, "x", ring.seal(CARD, TX, PLAIN)), lambda: ring.seal("other", TX, PLAIN)):
        with pytest.raises((SealError, KeyError)) as raised:
            wrong()
        assert not any(repr(key)[2:-1] in repr(raised.value) for key in raw)
        assert b"4111" not in repr(raised.value).encode()


def test_a_sealed_field_shows_no_plaintext(ring: KeyRing) -> None:
    sealed = ring.seal(CARD, TX, PLAIN)
    assert b"4111" not in sealed.ciphertext
    assert b"4111" not in pickle.dumps(repr(sealed))
