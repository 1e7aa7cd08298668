"""Each rule for a request at its edges, with its words; and every field of the records that are made of sound ones."""

from pathlib import Path
from typing import Any

import pytest

from ingress.acts import StoreInquiry, StoreRequest
from ingress.checking import AMOUNT_MAX, WAIT_MAX_MS, content_of, request_fault
from ingress.intake import inquiry_asked, request_accepted
from schemas.cards import unpack_card, unpack_sensitive
from schemas.client_frames import Card, Inquiry, Request
from schemas.records import InquiryAsked, Kind, RequestAccepted
from schemas.sealing import CARD, SENSITIVE, KeyRing, create_ring, load_ring

PAN = "4111111111111111"
TRACK2 = f"{PAN}=28122010000000000000"


def request(**changes: Any) -> Request:
    base: dict[str, Any] = {
        "reference": "r-1", "kind": "sale", "terminal_id": "4980123456789", "amount": 12_800, "payment_method": "10",
        "card": Card(number=PAN, expiry="2812"), "wait_ms": 10_000,
    }  # fmt: skip
    return Request(**{**base, **changes})


def card(number: str = PAN, expiry: str = "2812") -> dict[str, Card]:
    return {"card": Card(number=number, expiry=expiry)}


TERMINAL = "terminal_id must be 1 to 13 letters and digits"
AMOUNT = "amount must be 1 to 99999999 yen"
WAIT = "wait_ms must be 1 to 86400000"
METHOD = "payment_method must be two digits"
NUMBER = "card.number must be 13 to 19 digits"
CHECK = "card.number has a wrong check digit"
EXPIRY = "card.expiry must be YYMM"
TRACK = "track2 must be the data of track 2 without sentinels, at most 37 characters"
OTHER_CARD = "track2 is of another card than card.number"
CODE = "security_code must be three or four digits"
FOLLOW = {"kind": "refund", "original_reference": "r-0"}

# What is asked for, and what is wrong with it.
RULES: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"kind": "sales"}, "kind must be one of authorisation, sale, cancel, refund"),
    ({"kind": ""}, "kind must be one of authorisation, sale, cancel, refund"),
    ({"kind": "authorisation"}, None),
    ({"terminal_id": "A"}, None),
    ({"terminal_id": "a" * 13}, None),
    ({"terminal_id": "a" * 14}, TERMINAL),
    ({"terminal_id": ""}, TERMINAL),
    ({"terminal_id": "4980-12345678"}, TERMINAL),
    ({"terminal_id": "端末"}, TERMINAL),
    ({"terminal_id": "498012345678\n"}, TERMINAL),
    ({"amount": 1}, None),
    ({"amount": 0}, AMOUNT),
    ({"amount": -1}, AMOUNT),
    ({"amount": 99_999_999}, None),
    ({"amount": 100_000_000}, AMOUNT),
    ({"payment_method": "61"}, None),
    ({"payment_method": "1"}, METHOD),
    ({"payment_method": "100"}, METHOD),
    ({"payment_method": "1a"}, METHOD),
    ({"wait_ms": 1}, None),
    ({"wait_ms": 0}, WAIT),
    ({"wait_ms": 86_400_000}, None),
    ({"wait_ms": 86_400_001}, WAIT),
    (card("4222222222222"), None),  # 13 digits
    (card("422222222222"), NUMBER),
    (card("4111111111111111110"), None),  # 19 digits
    (card("41111111111111111100"), NUMBER),
    (card("4111 1111 1111 1111"), NUMBER),
    (card("4111111111111112"), CHECK),
    (card("1411111111111111"), CHECK),
    (card("5555555555554444"), None),
    (card("378282246310005"), None),
    (card(expiry="2801"), None),
    (card(expiry="2800"), EXPIRY),
    (card(expiry="2813"), EXPIRY),
    (card(expiry="281"), EXPIRY),
    (card(expiry="28123"), EXPIRY),
    ({"track2": TRACK2}, None),
    ({"track2": f"{PAN}=2812201"}, None),
    ({"track2": f"{PAN}=281220"}, TRACK),
    ({"track2": PAN}, TRACK),
    ({"track2": f";{TRACK2}?"}, TRACK),
    ({"track2": f"{PAN}={'1' * 20}"}, None),  # 37 characters
    ({"track2": f"{PAN}={'1' * 21}"}, TRACK),
    ({"track2": f"5555555555554444={'1' * 20}"}, OTHER_CARD),
    ({"track2": f"{PAN}1={'1' * 19}"}, OTHER_CARD),
    ({"security_code": "123"}, None),
    ({"security_code": "1234"}, None),
    ({"security_code": "12"}, CODE),
    ({"security_code": "12345"}, CODE),
    ({"security_code": "12a"}, CODE),
    ({"security_code": ""}, CODE),
    (FOLLOW, None),
    ({**FOLLOW, "kind": "cancel"}, None),
    ({**FOLLOW, "track2": TRACK2}, "track2 has no place in a refund: what is not needed is not taken"),
    ({**FOLLOW, "security_code": "123"}, "security_code has no place in a refund: what is not needed is not taken"),
    ({"kind": "cancel"}, "original_reference is missing: a cancel names the transaction it follows"),
    ({"original_reference": "r-0"}, "original_reference has no place in a sale"),
    ({"kind": "authorisation", "original_reference": "r-0"}, "original_reference has no place in a authorisation"),
    ({**FOLLOW, "original_reference": "r-1"}, "original_reference is the request's own reference"),
]


@pytest.mark.parametrize(("changes", "fault"), RULES, ids=[str(changes)[:60] for changes, _ in RULES])
def test_what_is_wrong_is_told_by_its_field_and_rule(changes: dict[str, Any], fault: str | None) -> None:
    assert request_fault(request(**changes)) == fault


def test_the_first_thing_that_is_wrong_is_told() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"reference": ""}, "reference"),
        ({"kind": "sales"}, "kind"),
        ({"terminal_id": ""}, "terminal_id"),
        ({"amount": 0}, "amount"),
        ({"payment_method": ""}, "payment_method"),
        ({"wait_ms": 0}, "wait_ms"),
        (card("4"), "card.number"),
        ({"security_code": ""}, "security_code"),
        ({"original_reference": "r-0"}, "original_reference"),
    ]
    for first in range(len(wrong)):
        changes: dict[str, Any] = {}
        for each, _ in wrong[first:]:
            changes |= each
        fault = request_fault(request(**changes))
        assert fault is not None
        assert fault.split()[0] == wrong[first][1]


@pytest.mark.parametrize("name", ["reference", "original_reference"])
def test_a_reference_is_told_by_its_own_name(name: str) -> None:
    fault = request_fault(request(**{**FOLLOW, name: "ä" * 3}))
    assert fault is not None
    assert fault.startswith(f"{name} ")


def test_what_makes_a_request_another_one_stands_in_its_content_in_order() -> None:
    asked = request(**FOLLOW)
    assert content_of(asked) == ("refund", "4980123456789", 12_800, "10", PAN, "2812", "r-0")
    assert (AMOUNT_MAX, WAIT_MAX_MS) == (99_999_999, 24 * 3_600_000)


# --- records


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    path: Path = tmp_path_factory.mktemp("ring") / "keys.json"
    create_ring(path)
    return load_ring(path)


@pytest.mark.parametrize("original", [None, "r-0"])
def test_a_request_becomes_a_record_with_every_field(ring: KeyRing, original: str | None) -> None:
    asked = request(kind="sale" if original is None else "refund", original_reference=original, security_code="123")
    record = request_accepted(StoreRequest("s-1", "AP02", asked, 1_000, 11_000), ring, "q-1", 4)
    name = "AP02:r-1" if original is None else "AP02:r-0/r-1"
    assert record.sensitive is not None
    assert record == RequestAccepted(
        transaction_id=name, request_id="q-1", customer="AP02", reference="r-1", original_reference=original,
        kind=Kind.SALE if original is None else Kind.REFUND, terminal_id="4980123456789", amount=12_800,
        payment_method="10", card=record.card, sensitive=record.sensitive, content_digest=record.content_digest,
        slot=4, session="s-1", accepted_ms=1_000, expires_ms=11_000,
    )  # fmt: skip
    assert unpack_card(ring.open(CARD, name, record.card)) == (PAN, "2812")
    assert unpack_sensitive(ring.open(SENSITIVE, name, record.sensitive)) == (None, "123")


@pytest.mark.parametrize(("track2", "code"), [(TRACK2, None), (None, "123"), (TRACK2, "123"), (None, None)])
def test_what_is_sensitive_is_sealed_if_there_is_any(ring: KeyRing, track2: str | None, code: str | None) -> None:
    asked = request(track2=track2, security_code=code)
    sensitive = request_accepted(StoreRequest("s-1", "AP02", asked, 1_000, 11_000), ring, "q-1", 4).sensitive
    if sensitive is None:
        assert (track2, code) == (None, None)
    else:
        assert unpack_sensitive(ring.open(SENSITIVE, "AP02:r-1", sensitive)) == (track2, code)


@pytest.mark.parametrize(("original", "name"), [(None, "AP02:r-1"), ("r-0", "AP02:r-0/r-1")])
def test_an_inquiry_becomes_a_record_with_every_field(original: str | None, name: str) -> None:
    act = StoreInquiry("s-1", "AP02", Inquiry(reference="r-1", original_reference=original), 1_000)
    assert inquiry_asked(act, "q-1", 4) == InquiryAsked(
        transaction_id=name, request_id="q-1", customer="AP02", reference="r-1", slot=4, session="s-1", asked_ms=1_000
    )
