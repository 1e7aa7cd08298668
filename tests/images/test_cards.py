"""Only published test numbers are shown in clear."""

import pytest

from images.annotated import annotate
from images.cards import TEST_NUMBERS, may_be_shown
from schemas.telegrams import Message, Role, load_partner

CAFIS = load_partner("cafis")


def luhn(number: str) -> int:
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])


def test_every_test_number_is_written_right() -> None:
    assert [number for number in TEST_NUMBERS if luhn(number) % 10] == []


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"pan": "4111111111111111"}, True),
        ({"pan": "4111111111111111", "track2": "4111111111111111=28122010000000000000"}, True),
        ({"pan": "4111111111111111", "track2": "4111111111111129=28122010000000000000"}, False),
        ({"pan": "4111111111111129"}, False),
        ({"track2": "5555555555554444=2812"}, True),
        ({"pan": "4111111111111111", "carried_telegram": "00"}, False),
        ({"carried_telegram": "3431"}, False),
        ({"security_code": "737"}, False),
        ({}, False),
    ],
)
def test_a_telegram_is_shown_where_all_of_its_numbers_are_published(values: dict[str, str], shown: bool) -> None:
    assert may_be_shown(Message(Role.SALE_REQUEST, dict(values))) is shown


@pytest.mark.parametrize(
    ("role", "reveal", "shown"),
    [(Role.SALE_REQUEST, True, True), (Role.SALE_REQUEST, False, False), (Role.SALE_REPORT, False, True)],
)
def test_an_envelope_is_shown_where_nothing_inside_is_hidden(role: Role, reveal: bool, shown: bool) -> None:
    inside = annotate(CAFIS, CAFIS.encode(role, CAFIS.telegrams[role].sample()), reveal=reveal)
    envelope = Message(Role.ENVELOPE_REQUEST, {"carried_telegram": "00"})
    assert may_be_shown(envelope, inside) is shown
    assert not may_be_shown(envelope)
