"""No card number is seen in bytes that no layout explains, however its digits travel and wherever it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.hiding import Level, character_of, hidden_in, holds_card_number

PAN = "4539578763621486"
WAYS = {
    "ascii": PAN.encode(),
    "ebcdic": PAN.encode("cp037"),
    "shift_jis": PAN.translate({0x30 + digit: 0xFF10 + digit for digit in range(10)}).encode("shift_jis"),
    "bcd": bytes.fromhex(PAN),
    "bcd, odd": bytes.fromhex(f"4{PAN[:14]}F"),
    "bcd, printable": bytes.fromhex("4242424242424242"),
}
NOISE = st.binary(max_size=40)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("way", WAYS)
@given(before=NOISE, after=NOISE)
def test_a_card_number_is_hidden_whatever_stands_around_it(way: str, level: Level, before: bytes, after: bytes) -> None:
    number = WAYS[way]
    hidden = hidden_in(before + number + after, level)
    shown = [at for at in range(len(number)) if not hidden[len(before) + at]]
    assert shown == []


@given(data=st.binary(max_size=200))
def test_where_card_data_may_be_no_digit_is_seen(data: bytes) -> None:
    for byte, hide in zip(data, hidden_in(data, Level.SHAPE), strict=True):
        assert hide or not (0x30 <= byte <= 0x39 or 0xF0 <= byte <= 0xF9)


def test_blanks_and_letters_are_seen() -> None:
    assert not any(hidden_in(b"to whom it may concern; nothing" + b" " * 20 + b"!", Level.SHAPE))
    assert not any(hidden_in(b"\xff" + bytes(12) + b"\xff" + b"\x40" * 9, Level.SHAPE))


def test_a_short_number_is_seen_where_no_card_data_belongs_unless_it_may_be_cut_off() -> None:
    data = b"A20250401-000123B"
    assert not any(hidden_in(data, Level.NUMBERS))
    assert hidden_in(b"1234567-and-1234567-and-123456", Level.NUMBERS) == (True,) * 7 + (False,) * 23


def test_an_expiry_date_beside_a_packed_number_is_hidden_too() -> None:
    assert all(hidden_in(b"\xee" + bytes.fromhex("2812") + b"\xee", Level.SHAPE)[1:3])


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        (PAN, True),
        (f"ref-{PAN}.x", True),
        (f"0{PAN}0", True),
        ("4539578763621487", False),
        ("4539-5787", False),
        ("", False),
        ("123456789012", False),
    ],
)
def test_a_card_number_in_a_text_is_known_by_its_check_digit(text: str, holds: bool) -> None:
    assert holds_card_number(text) is holds


def test_a_byte_is_seen_as_its_character() -> None:
    assert [character_of(byte, hidden=False) for byte in (0x41, 0x20, 0x00, 0xC1)] == ["A", " ", "·", "·"]
    assert character_of(0x41, hidden=True) == "#"
