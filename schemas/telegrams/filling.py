"""What the gateway puts into the telegrams it sends: under each name of the vocabulary, values over their whole range.

Two kinds. What is *its own* (dates, times, numbers, routes, type codes) a telegram must take, all of it, or the gateway
could not send. Of what a *client asks for* (`ingress.checking`, `docs/client-protocol.md`) a partner may take less, a
terminal of 13 digits only, say: that is told at the door (`asked_fault`); but what a request takes, all that follows
from it must take. Which telegram carries which names: `vocabulary.FILLED`. The law made of it: `sendable`. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from schemas.telegrams.roles import FAULT_COMMANDS, ORDINARY_REQUESTS, STATION_REQUESTS, Role
from schemas.telegrams.vocabulary import Value

AMOUNT_MAX = 99_999_999  # yen; what a client may ask for, `ingress.checking`


class Range(NamedTuple):
    """The values a name may have, the extremes among them; what they are, in words; what makes a field take them."""

    values: tuple[Value, ...]
    words: str
    remedy: str


def _prefixes(text: str) -> Iterator[str]:
    return (text[:length] for length in range(1, len(text) + 1))


def _amounts() -> Iterator[int]:
    yield from (1, 12_800, AMOUNT_MAX)
    for digits in range(1, 8):
        yield from (10**digits - 1, 10**digits, 256**digits - 1, 256**digits)


_PAN = "4111111111111111117"

# What a client may ask for.
ASKED: Mapping[str, Range] = MappingProxyType(
    {
        "terminal_id": Range(
            tuple(
                each
                for text in ("0000000000000", "4980123456789", "ABCDEFGHIJKLM", "nopqrstuvwxyz", "T9z8Y7x6W5v4U")
                for each in _prefixes(text)
            ),
            "1 to 13 letters and digits",
            "give the field a type and length that a terminal id fits in",
        ),
        "amount": Range(
            tuple(sorted({amount for amount in _amounts() if amount <= AMOUNT_MAX})),
            f"1 to {AMOUNT_MAX} yen",
            "give the field room for an amount",
        ),
        "payment_method": Range(("00", "10", "21", "31", "61", "80", "99"), "two digits", "use type digits, length 2"),
        "pan": Range(
            tuple(_PAN[:length] for length in range(13, 20)),
            "13 to 19 digits",
            "use type digits, length 19, min_length 13, and pad or length_kind",
        ),
        "expiry": Range(("0001", "2812", "9912"), "YYMM", "use type digits, length 4"),
        "track2": Range(
            tuple(
                f"{_PAN[:length]}={'28122010123456789012345'[:rest]}"
                for length in (13, 16, 19)
                for rest in range(7, 24)
                if length + rest < 37
            ),
            "21 to 37 digits and =",
            "use type track2, length 37",
        ),
        "security_code": Range(("000", "123", "999", "0000", "1234"), "three or four digits", "use type digits"),
        "reference": Range(
            tuple(each for text in ("012345678901", "Sale-2026.04_01-ABCDEFGHIJKLMNOP") for each in _prefixes(text)),
            "1 to 32 characters of A-Z a-z 0-9 . _ -",
            "use type identifier, length 32, and pad or length_kind",
        ),
    }
)
# Which values that a layout lists are such as a client may ask for.
_ASKABLE: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "terminal_id": re.compile(r"[A-Za-z0-9]{1,13}"),
        "payment_method": re.compile(r"[0-9]{2}"),
        "pan": re.compile(r"[0-9]{13,19}"),
        "expiry": re.compile(r"[0-9]{2}(0[1-9]|1[0-2])"),
        "security_code": re.compile(r"[0-9]{3,4}"),
        "reference": re.compile(r"[A-Za-z0-9._-]{1,32}"),
    }
)


def askable(name: str, value: Value) -> bool:
    """Whether a client may ask for this value."""
    if isinstance(value, int):
        return name == "amount" and 1 <= value <= AMOUNT_MAX
    return name in _ASKABLE and _ASKABLE[name].fullmatch(value) is not None


_DATES = Range(
    ("20260101", "20261231", "20280229", "20991231"),
    "YYYYMMDD",
    "use type date, length 8, or 6, where the century does not travel",
)


class OwnRanges:
    """What is the gateway's own, for a partner of these ranges of numbers and these type codes."""

    def __init__(
        self,
        trace_width: int,
        trace_range: tuple[int, int],
        route_range: tuple[int, int],
        type_codes: Mapping[Role, str],
    ) -> None:
        self.trace_width = trace_width
        traces = Range(_spread(*trace_range), "a number of trace_range", "correct trace_range, or the field")
        routes = Range(_spread(*route_range), "a number of route_range", "correct route_range, or the field")
        self._every: Mapping[str, Range] = {
            "business_date": _DATES,
            "original_business_date": _DATES,
            "sent_time": Range(("000000", "093015", "235959"), "HHMMSS", "use type time"),
            "trace_number": traces,
            "original_trace_number": traces,
            "route_number": routes,
            "original_route_number": routes,
        }
        self._station = {"route_number": Range((0,), "0, the route of what is about the line itself", routes.remedy)}
        self._type_codes = type_codes

    def of(self, role: Role, name: str) -> Range | None:
        """The range of a name in a telegram of this role; None where it is not the gateway's own."""
        if name == "original_type_code":
            roles = (*ORDINARY_REQUESTS, *(FAULT_COMMANDS if role is Role.ERROR_REPORT else ()))
            codes = dict.fromkeys(self._type_codes[each] for each in roles)
            return Range(tuple(codes), "a type code of what it is about", "give the field the form of type_code")
        if role in _ABOUT_THE_LINE and name in self._station:
            return self._station[name]
        return self._every.get(name)


_ABOUT_THE_LINE = (*STATION_REQUESTS, Role.OPENING_ANSWER, Role.CLOSING_ANSWER, Role.KEEPALIVE_ANSWER)


def _spread(first: int, last: int) -> tuple[int, ...]:
    """The ends of a range, and some between, by the golden section."""
    between = (first + (last - first) * (step * 61_803 % 100_000) // 100_000 for step in range(1, 4))
    return tuple(dict.fromkeys((first, *between, last)))
