"""Card data on its way into the log: sealed for one transaction and one purpose, recognised without being kept."""

from pathlib import Path
from typing import Any

import pytest
from gateway_rig import PAN, TRACK2, RawClient, gateway, request_fields
from loop_rig import in_loop

from ingress.acts import StoreRequest
from ingress.intake import request_accepted
from schemas import wire
from schemas.cards import unpack_card, unpack_sensitive
from schemas.client_frames import Card, Request
from schemas.records import RequestAccepted
from schemas.sealing import CARD, PURPOSES, SENSITIVE, KeyRing, SealError, create_ring, load_ring

OTHER_PAN = "5555555555554444"
CODE = "9174"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    create_ring(tmp_path / "keys.json")
    return load_ring(tmp_path / "keys.json")


def accepted(ring: KeyRing, **changes: Any) -> RequestAccepted:
    fields = {name: value for name, value in request_fields("r-1").items() if name != "type"}
    asked = {**fields, "card": Card(number=PAN, expiry="2812"), **changes}
    act = StoreRequest("s-1", "AP02", Request(**asked), 1_000, 11_000)
    return request_accepted(act, ring, "q-1", 0)


def test_a_sealed_card_opens_for_its_transaction_and_purpose_and_for_no_other(ring: KeyRing) -> None:
    record = accepted(ring)
    assert unpack_card(ring.open(CARD, "AP02:r-1", record.card)) == (PAN, "2812")
    for transaction_id in ("AP02:r-2", "AP22:r-1", ""):
        with pytest.raises(SealError, match="was not sealed for it"):
            ring.open(CARD, transaction_id, record.card)
    for purpose in set(PURPOSES) - {CARD}:
        with pytest.raises(SealError, match=f"no {purpose} key"):
            ring.open(purpose, "AP02:r-1", record.card)


def test_track_2_and_security_code_are_sealed_under_keys_of_their_own(ring: KeyRing) -> None:
    record = accepted(ring, track2=TRACK2, security_code=CODE)
    assert record.sensitive is not None
    assert record.sensitive.key_id != record.card.key_id
    assert unpack_sensitive(ring.open(SENSITIVE, "AP02:r-1", record.sensitive)) == (TRACK2, CODE)
    with pytest.raises(SealError):
        ring.open(CARD, "AP02:r-1", record.sensitive)
    one = accepted(ring, security_code=CODE).sensitive
    assert one is not None
    assert unpack_sensitive(ring.open(SENSITIVE, "AP02:r-1", one)) == (None, CODE)
    assert accepted(ring).sensitive is None


def test_another_installations_ring_opens_nothing(ring: KeyRing, tmp_path: Path) -> None:
    create_ring(tmp_path / "others.json")
    other = load_ring(tmp_path / "others.json")
    with pytest.raises(SealError):
        other.open(CARD, "AP02:r-1", accepted(ring).card)


def test_a_repeat_is_sealed_anew_and_recognised_all_the_same(ring: KeyRing) -> None:
    one, again = accepted(ring), accepted(ring)
    assert (one.card.nonce, one.card.ciphertext) != (again.card.nonce, again.card.ciphertext)
    assert one.content_digest == again.content_digest


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "authorisation"},
        {"terminal_id": "4980123456780"},
        {"amount": 12_801},
        {"payment_method": "61"},
        {"card": Card(number=OTHER_PAN, expiry="2812")},
        {"card": Card(number=PAN, expiry="2901")},
        {"kind": "refund", "original_reference": "r-0"},
    ],
)
def test_what_makes_a_request_another_one_changes_its_digest(ring: KeyRing, changes: dict[str, Any]) -> None:
    assert accepted(ring, **changes).content_digest != accepted(ring).content_digest


@pytest.mark.parametrize("changes", [{"wait_ms": 1}, {"track2": TRACK2}, {"security_code": CODE}])
def test_what_a_repeat_may_change_is_not_in_the_digest(ring: KeyRing, changes: dict[str, Any]) -> None:
    assert accepted(ring, **changes).content_digest == accepted(ring).content_digest


@in_loop
async def test_nothing_of_a_card_is_in_a_topic_a_frame_or_a_repr(tmp_path: Path) -> None:
    # The rig looks for the number, the track and the token in every topic, frame and log line of every test.
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1", track2=TRACK2, security_code=CODE)
        reply = await client.receive()
        assert (PAN[:6] in str(reply), PAN[-4:] in str(reply)) == (False, False)
        await client.close()
        (message,) = rig.log.everything(rig.topics("requests"))
        assert message.value is not None
        for part in (PAN, PAN[:6], TRACK2.split("=")[1], "security_code", "expiry"):
            assert part.encode() not in message.value
        record = wire.decode(message)
        assert isinstance(record, RequestAccepted)
        assert record.sensitive is not None
        assert unpack_sensitive(rig.ring.open(SENSITIVE, "AP02:r-1", record.sensitive)) == (TRACK2, CODE)
        assert not any(secret in repr(record) for secret in (PAN, TRACK2, CODE))
