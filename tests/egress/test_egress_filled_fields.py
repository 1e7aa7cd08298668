"""What a layout may require (`vocabulary.FILLED`) is what egress always has a value for: no more, no less."""

from typing import Any

import msgspec
import pytest

from egress.numbers import Numbers
from egress.telegrams import CardData, Telegrams
from schemas.records import Kind, Original, Sealed, SendRequest
from schemas.telegrams import (
    REPORT_OF,
    ROLE_OF_COMMAND,
    ROLE_OF_KIND,
    STATION_REQUESTS,
    VOCABULARY,
    PartnerSpec,
    Role,
    Value,
    load_partner,
)
from schemas.telegrams.vocabulary import FILLED, MAY_FILL

NUMBERS = Numbers(7, 3, "20250401")
NOW_MS = 1_743_465_600_000
# No approval code: not every report has one.
ORIGINAL = Original(
    kind=Kind.SALE, line="one", trace_number=6, route_number=2, business_date="20250401", approval_code=None,
    terminal_id="T1", amount=1_000, accepted_ms=0,
)  # fmt: skip


def taking(names: set[str]) -> Telegrams:
    """The telegrams of a partner each of whose telegrams has fields for these names and no others."""
    cafis = load_partner("cafis")
    telegrams = {role: msgspec.structs.replace(each, names=frozenset(names)) for role, each in cafis.telegrams.items()}
    partner: PartnerSpec = msgspec.structs.replace(cafis, telegrams=telegrams)
    return Telegrams("1", "S", partner)


def values_in(telegrams: Telegrams, role: Role) -> dict[str, Value]:
    """The values of a telegram about a client who gave only what he must."""
    if role in ROLE_OF_KIND.values():
        (kind,) = (kind for kind, each in ROLE_OF_KIND.items() if each is role)
        follows = kind in (Kind.CANCEL, Kind.REFUND)
        request: dict[str, Any] = {
            "transaction_id": "C:1", "customer": "C", "reference": "1", "kind": kind, "terminal_id": "T1",
            "amount": 1_000, "payment_method": "10", "card": Sealed(key_id="k", nonce=b"n", ciphertext=b"c"),
            "sensitive": None, "original": ORIGINAL if follows else None, "send_by_ms": 0, "report_timeout_ms": 0,
            "partner": None,
        }  # fmt: skip
        card = CardData("4111111111111111", "2812", None, None)
        return telegrams.request(SendRequest(**request), card, NUMBERS, NOW_MS)
    if role in ROLE_OF_COMMAND.values():
        return telegrams.command(role, ORIGINAL, NUMBERS, NOW_MS)
    if role is Role.ENVELOPE_REQUEST:
        return telegrams.envelope("JCN1", b"telegram", NUMBERS, NOW_MS)
    return telegrams.station(role, NUMBERS.trace_number, NOW_MS)


@pytest.mark.parametrize("role", FILLED)
def test_what_a_layout_may_require_is_what_is_always_there(role: Role) -> None:
    assert values_in(taking(set(VOCABULARY)), role).keys() == FILLED[role]


@pytest.mark.parametrize("role", FILLED)
def test_a_telegram_gets_no_value_that_it_has_no_field_for(role: Role) -> None:
    assert values_in(taking({"trace_number"}), role) == {"trace_number": NUMBERS.trace_number}


def test_what_a_client_or_a_report_may_give_stands_in_its_own_field() -> None:
    telegrams = taking(set(VOCABULARY))
    request = SendRequest(
        transaction_id="C:1", customer="C", reference="1", kind=Kind.REFUND, terminal_id="T1", amount=400,
        payment_method="10", card=Sealed(key_id="k", nonce=b"n", ciphertext=b"c"), sensitive=None,
        original=msgspec.structs.replace(ORIGINAL, approval_code="123456"), send_by_ms=0, report_timeout_ms=0,
        partner=None,
    )  # fmt: skip
    card = CardData("4111111111111111", "2812", "4111111111111111=2812", "123")
    values = telegrams.request(request, card, NUMBERS, NOW_MS)
    may = {name: values[name] for name in set().union(*MAY_FILL.values())}
    assert may == {
        "track2": "4111111111111111=2812", "security_code": "123", "original_approval_code": "123456",
    }  # fmt: skip


def test_every_telegram_of_the_gateways_own_is_told_of() -> None:
    answers = {REPORT_OF[role] for role in STATION_REQUESTS}
    assert set(FILLED) == {*REPORT_OF, *answers, Role.ENVELOPE_REQUEST}
