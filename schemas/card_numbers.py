"""Where a card number may stand in a text. One rule, for whoever refuses it and for whoever blackens it.

A card number is 13 to 19 digits whose check digit is right (ISO/IEC 7812-1, Annex B):

* in one piece, whoever may have issued it;
* in groups, parted by one blank or any of ``. _ - /``, if they are 4-4-4-4 or 4-4-4-4-3, as on a card, or begin as one
  of the issuers' numbers does and are as long. These begin with a group, or behind its zeros, and end anywhere. The
  check digit alone would not do here: it is right in a tenth of all references that are made of a date and a count.

Letters part nothing: digits on both sides of one are two numbers. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

SHORTEST, LONGEST = 13, 19
"""Digits of a card number, fewest and most."""

_BETWEEN = r"(?:\s?[._/-]+\s?|\s)?"
_RUN = re.compile(rf"\d(?:{_BETWEEN}\d){{{SHORTEST - 1},}}")
_GROUP = re.compile(r"\d+")
_LONG = range(16, LONGEST + 1)
_AS_ON_CARDS: Final = ((4, 4, 4, 4, 3), (4, 4, 4, 4))
# How numbers begin, and how long they are, by the issuers' public ranges.
_ISSUERS: Final[tuple[tuple[re.Pattern[str], Iterable[int]], ...]] = (
    (re.compile("4"), (19, 16, 13)),  # Visa
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile("3[47]"), (15,)),  # American Express
    (re.compile("30[0-59]|3[689]"), (16, 14)),  # Diners Club
    (re.compile("35(?:2[89]|[3-8])"), _LONG[::-1]),  # JCB
    (re.compile("6011|64[4-9]|65|62|81"), _LONG[::-1]),  # Discover, UnionPay 銀聯
)
# A digit's character as its value, and as that of twice the digit.
_SINGLE = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes(sum(divmod(2 * digit, 10)) for digit in range(10)))


def luhn_holds(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, Annex B). `digits`: of ASCII alone."""
    written = digits.encode("ascii")
    odd, even = written[-1::-2].translate(_SINGLE), written[-2::-2].translate(_DOUBLED)
    return (sum(odd) + sum(even)) % 10 == 0


def holds_card_number(text: str) -> bool:
    """Whether a card number may stand in this text."""
    return _RUN.search(text) is not None and next(spans(text), None) is not None


def spans(text: str) -> Iterator[tuple[int, int]]:
    """From where to where card numbers may stand, in order; each with the whole of the groups that it is made of."""
    for run in _RUN.finditer(text):
        yield from _in_run(run)


def _in_run(run: re.Match[str]) -> Iterator[tuple[int, int]]:
    groups = [(run.start() + each.start(), run.start() + each.end()) for each in _GROUP.finditer(run.group())]
    group_of = [number for number, (start, end) in enumerate(groups) for _ in range(end - start)]
    sizes = [end - start for start, end in groups]
    starts = list(accumulate(sizes, initial=0))
    digits = "".join(str(int(each)) for each in run.group() if each.isdecimal())  # of whatever script, as ASCII
    at = 0
    while at + SHORTEST <= len(digits):
        first = group_of[at]
        if digits[at - 1 : at] != "0" and at > starts[first]:  # in the middle of a number that is none
            at = starts[first + 1]
            continue
        size = _size_at(digits, at, group_of, sizes if at == starts[first] else ())
        if size == 0:
            at += 1
            continue
        last = group_of[at + size - 1]
        yield groups[first][0], groups[last][1]
        at = starts[last + 1]


def _size_at(digits: str, at: int, group_of: Sequence[int], sizes: Sequence[int]) -> int:
    """How many digits the card number that begins here has; 0: none does. `sizes`: of the groups, where one begins."""
    group = group_of[at]
    found = [0]
    if sizes:
        shapes = [(sizes[group],), *_AS_ON_CARDS]
        found += [sum(shape) for shape in shapes if tuple(sizes[group : group + len(shape)]) == shape]
    for beginning, lengths in _ISSUERS:
        if beginning.match(digits, at):
            ends = ((size, at + size) for size in lengths)
            found += [size for size, end in ends if end <= len(digits) and group_of[end - 1] != group]
    return max(size for size in found if not size or _is_number(digits[at : at + size]))


def _is_number(digits: str) -> bool:
    return SHORTEST <= len(digits) <= LONGEST and luhn_holds(digits)
