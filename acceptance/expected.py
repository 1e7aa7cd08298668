"""What a telegram of a case must be like: one line of text, read.

    → sale        amount=a                      the request of the client's `a`
    ← sale_report answers=1 result=approved     answers the first line's telegram
    → 8930        original=1 route=1 amount=a   names the first line's telegram, on its route

Keys, each `key=value`, any of them left out:

| amount       | yen, or the name of a request of the case                                                        |
| answers      | the line whose telegram it answers: same trace number, route, line                               |
| original     | the line whose telegram it names as its original: trace number, business date, type code, route  |
| route        | the line on whose line and route it must travel (route hold 経路保留)                              |
| result       | an outcome (approved, declined, turned_round), or a result code                                  |
| error        | an error code, in CAFIS's words where it has one                                                 |
| card         | the brand of the test card                                                                       |
| with,without | fields that must, or must not, be there; several with a comma                                    |
| times        | how many such telegrams: a number, or a word of `COUNTS`; either with `+` for at least           |
"""

from collections.abc import Mapping
from typing import NamedTuple

from acceptance.words import IN, OUT, WORDS
from schemas.near_names import meant
from schemas.telegrams import Role

COUNTS = {
    "lines": "as many as the partner has lines",
    "recommands": "as many re-commands as the installation allows (partner.cancel.commands_max - 1)",
    "troubles": "as many re-commands as follow C13, C14, C50 (partner.cancel.troubles_max)",
}
"""What may stand in place of a number of telegrams: it is the installation's."""


class ExpectedError(Exception):
    """A line cannot be read. The message says what is wrong, and what would be right."""


class Times(NamedTuple):
    """How many telegrams: a number, or a word of `COUNTS`."""

    many: int | str
    at_least: bool = False

    def number(self, counts: Mapping[str, int]) -> int:
        """The number, where an installation has these counts."""
        return self.many if isinstance(self.many, int) else counts[self.many]


class Expected(NamedTuple):
    """One line, read. The numbers of other lines count from 1."""

    text: str
    way: str
    role: Role
    times: Times = Times(1)
    amount: str | None = None
    answers: int | None = None
    original: int | None = None
    route: int | None = None
    result: str | None = None
    error: str | None = None
    card: str | None = None
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


_NUMBERS = ("answers", "original", "route")
_TEXTS = ("amount", "result", "error", "card")
_LISTS = {"with": "present", "without": "absent"}
KEYS = (*_NUMBERS, *_TEXTS, *_LISTS, "times")


def read_expected(lines: tuple[str, ...]) -> tuple[Expected, ...]:
    """Every line of a case. Raises `ExpectedError`."""
    found: list[Expected] = []
    for number, text in enumerate(lines, 1):
        try:
            found.append(_line(text, number))
        except ExpectedError as error:
            raise ExpectedError(f"telegrams: line {number} ({text!r}): {error}") from None
    return tuple(found)


def _line(text: str, number: int) -> Expected:
    words = text.split()
    if len(words) < 2 or words[0] not in (OUT, IN):
        raise ExpectedError(f"write an arrow ({OUT} to the partner, {IN} from it), then a telegram's name")
    if words[1] not in WORDS:
        raise ExpectedError(f"no telegram {words[1]}: {meant(words[1], WORDS)}")
    values: dict[str, object] = {}
    for word in words[2:]:
        key, sign, value = word.partition("=")
        if key not in KEYS or not sign or not value:
            raise ExpectedError(f"{word} is no expectation: write key=value; of the key: {meant(key, KEYS)}")
        if _LISTS.get(key, key) in values:
            raise ExpectedError(f"{key} is there twice: leave one out")
        values[_LISTS.get(key, key)] = _value(key, value, number)
    return Expected(" ".join(words), words[0], WORDS[words[1]], **values)  # type: ignore[arg-type]


def _value(key: str, value: str, number: int) -> object:
    if key == "times":
        return _times(value)
    if key in _LISTS:
        return tuple(value.split(","))
    if key in _TEXTS:
        return value
    if not value.isdigit() or not 1 <= int(value) < number:
        raise ExpectedError(f"{key}={value}: give the number of an earlier line, from 1")
    return int(value)


def _times(value: str) -> Times:
    count = value.removesuffix("+")
    if count not in COUNTS and (not count.isdigit() or int(count) < 1):
        raise ExpectedError(f"times={value}: give a number from 1, or {', '.join(COUNTS)}; with + for at least")
    return Times(count if count in COUNTS else int(count), at_least=value.endswith("+"))
