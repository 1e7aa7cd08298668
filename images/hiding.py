"""What is hidden in bytes that no layout explains, where a card number may stand at any place (PCI DSS 3.4).

Digits travel in four ways: ASCII, EBCDIC, two a byte (BCD), and two bytes each (Shift JIS). Two levels:

* *shape*: what could be a digit in any of them is hidden, so that a reader sees where digits, letters and blanks stand,
  but no number. It is for telegrams that may carry card data, and for bytes of which nobody knows what they are: beside
  a card number stand its expiry date and its security code, which are short.
* *numbers*: only runs that are long enough for a card number are. It is for telegrams whose layout has no card data.

A run at the beginning or the end of the bytes may have been cut off: there fewer digits suffice.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

SHORTEST, LONGEST = 13, 19
"""Digits of a card number, fewest and most (ISO/IEC 7812-1)."""

_LEAST_AT_EDGE = 7  # digits; six may always be shown
_FILL = 8  # equal bytes that say nothing
_ASCII = frozenset(range(0x30, 0x3A))
_EBCDIC = frozenset(range(0xF0, 0xFA))
_PACKED = frozenset(high << 4 | low for high in range(10) for low in range(10))
_PACKED_END = frozenset(high << 4 | 0x0F for high in range(10))  # an odd digit out, and its filler
RUNS = ((_ASCII, LONGEST), (_EBCDIC, LONGEST), (_PACKED, (LONGEST + 1) // 2))
"""In which bytes the digits of a card number travel, and how many bytes it takes at most."""

NARROW = {0xFF10 + digit: 0x30 + digit for digit in range(10)}
"""For `str.translate`: the digits among the kanji as plain ones."""

_WIDE = re.compile(rb"(?:\x82[\x4f-\x58])+")  # digits in Shift JIS
_PRINTABLE = frozenset(range(0x20, 0x7F))
_FILLERS = frozenset({0x00, 0x20, 0x40, 0xFF})


class Level(StrEnum):
    """How much of unexplained bytes is hidden."""

    SHAPE = "shape"
    NUMBERS = "numbers"


@lru_cache(maxsize=4)  # asked again for each field of the same bytes
def hidden_in(data: bytes, level: Level) -> tuple[bool, ...]:
    """For each byte whether it is hidden."""
    hidden = [False] * len(data)
    for start, end, width in _character_runs(data):
        if level is Level.SHAPE or (end - start) // width >= _least(data, start, end):
            hidden[start:end] = [True] * (end - start)
    for start, end in _packed_runs(data):
        run = data[start:end]
        if all(byte in _PRINTABLE for byte in run):  # letters and blanks, unless it looks like a card number
            for first, last in _card_numbers(run):
                hidden[start + first : start + last] = [True] * (last - first)
            continue
        if level is Level.SHAPE or 2 * (end - start) >= _least(data, start, end):
            hidden[start:end] = [True] * (end - start)
    for start, end in _fills(data):
        hidden[start:end] = [False] * (end - start)
    return tuple(hidden)


def character_of(byte: int, *, hidden: bool) -> str:
    """A byte as a reader sees it beside its hexadecimal digits: ``#`` for a hidden one, ``·`` for none of ASCII."""
    if hidden:
        return "#"
    return chr(byte) if byte in _PRINTABLE else "·"


def holds_card_number(text: str) -> bool:
    """Whether 13 to 19 digits that pass the Luhn check stand in a text that should hold none."""
    text = text.translate(NARROW)
    at = 0
    while at < len(text):
        end = at
        while end < len(text) and text[end] in "0123456789":
            end += 1
        if any(True for _ in _luhn_windows([int(digit) for digit in text[at:end]])):
            return True
        at = end + 1
    return False


def _least(data: bytes, start: int, end: int) -> int:
    """How many digits of a run are hidden."""
    return _LEAST_AT_EDGE if start == 0 or end == len(data) else SHORTEST


def _character_runs(data: bytes) -> Iterable[tuple[int, int, int]]:
    """Runs of digits that are characters: from, to, and how many bytes each takes."""
    for digits in (_ASCII, _EBCDIC):
        for start, end in _runs(data, digits):
            yield start, end, 1
    for found in _WIDE.finditer(data):
        yield *found.span(), 2


def _runs(data: bytes, wanted: frozenset[int]) -> Iterable[tuple[int, int]]:
    start: int | None = None
    for at, byte in enumerate(data):
        if byte in wanted:
            start = at if start is None else start
        elif start is not None:
            yield start, at
            start = None
    if start is not None:
        yield start, len(data)


def _packed_runs(data: bytes) -> Iterable[tuple[int, int]]:
    for start, end in _runs(data, _PACKED):
        yield start, end + (1 if data[end : end + 1] and data[end] in _PACKED_END else 0)


def _fills(data: bytes) -> Iterable[tuple[int, int]]:
    for filler in _FILLERS:
        for start, end in _runs(data, frozenset({filler})):
            if end - start >= _FILL:
                yield start, end


def _card_numbers(run: bytes) -> Iterable[tuple[int, int]]:
    """The bytes of what passes for packed card numbers: a first digit that card networks have, and the Luhn check.

    They begin with a byte: the zero before an odd digit would be in one that is no character. What is digits of ASCII
    alone is judged as such, and no card number has four bytes of blanks.
    """
    digits = [half for byte in run for half in (byte >> 4, byte & 0x0F) if half < 10]
    for start, end in _luhn_windows(digits):
        if start % 2 == 0 and digits[start] in (2, 3, 4, 5, 6):
            first, last = start // 2, (end + 1) // 2
            if run.count(b" ", first, last) < 4 and not all(byte in _ASCII for byte in run[first:last]):
                yield first, last


def _luhn_windows(digits: list[int]) -> Iterable[tuple[int, int]]:
    """Every 13 to 19 digits in a row whose check digit is right (ISO/IEC 7812-1, Annex B)."""
    for start in range(len(digits) - SHORTEST + 1):
        for size in range(SHORTEST, min(LONGEST, len(digits) - start) + 1):
            window = digits[start : start + size]
            odd, even = window[-1::-2], window[-2::-2]
            if (sum(odd) + sum(sum(divmod(2 * digit, 10)) for digit in even)) % 10 == 0:
                yield start, start + size
