"""When a line is contracted to be open: business hours 業務時間 and maintenance windows 保守時間, in Japanese time.

Hours are written as ``mon-fri 08:00-24:00`` or ``sat,sun 09:00-21:00``; none means always. A window is written as
``2026-12-31T22:00/2027-01-01T06:00`` and closes whatever the hours say.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from schemas.japan_time import DAY_MS, JST

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE_MS = 60_000
_HOURS = re.compile(r"([a-z]{3}(?:[-,][a-z]{3})*) (\d\d):(\d\d)-(\d\d):(\d\d)")


class Span(NamedTuple):
    """From and to, the end not included: minutes of a week that begins on Monday, or milliseconds since the epoch."""

    start: int
    end: int


class Due(NamedTuple):
    """What the calendar says now, and until when it says so (None: for ever)."""

    open: bool
    until_ms: int | None


def hours_of(text: str) -> list[Span]:
    """The minutes of the week that this entry names. Raises `ValueError`."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} names no hours: write them like 'mon-fri 08:00-24:00'")
    start, end = (60 * int(found[at]) + int(found[at + 1]) for at in (2, 4))
    if not (start < end <= 24 * 60 and int(found[3]) < 60 and int(found[5]) < 60):
        raise ValueError(
            f"{text!r}: the times must be 00:00 to 24:00, the first before the second; part it at midnight"
        )
    return [Span(day * 24 * 60 + start, day * 24 * 60 + end) for day in _days(found[1], text)]


def _days(names: str, text: str) -> Iterable[int]:
    for part in names.split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last and last not in _DAYS):
            raise ValueError(f"{text!r}: days are {', '.join(_DAYS)}")
        at, to = _DAYS.index(first), _DAYS.index(last or first)
        if at > to:
            raise ValueError(f"{text!r}: {first} comes after {last}: write it as two, with a comma")
        yield from range(at, to + 1)


def window_of(text: str) -> Span:
    """The moments that this maintenance window covers. Raises `ValueError`."""
    first, slash, last = text.partition("/")
    try:
        start, end = (datetime.fromisoformat(each).replace(tzinfo=JST) for each in (first, last))
    except ValueError:
        slash = ""
    if not slash:
        raise ValueError(f"{text!r} is no window: write it like '2026-12-31T22:00/2027-01-01T06:00', in Japanese time")
    if start >= end:
        raise ValueError(f"{text!r} ends before it begins")
    return Span(*(int(each.timestamp() * 1000) for each in (start, end)))


@dataclass(frozen=True, slots=True)
class Calendar:
    """The business hours of a line, less its maintenance windows."""

    hours: Sequence[Span] = ()
    windows: Sequence[Span] = ()

    @classmethod
    def of(cls, hours: Iterable[str], windows: Iterable[str]) -> "Calendar":
        """Of what the installation says. Raises `ValueError`."""
        return cls(
            sorted(span for each in hours for span in hours_of(each)), sorted(window_of(each) for each in windows)
        )

    def due(self, now_ms: int) -> Due:
        """What holds now, and until when at the latest it needs not be asked again."""
        changes = [edge for window in self.windows for edge in window if edge > now_ms]
        closed = any(start <= now_ms < end for start, end in self.windows)
        if self.hours:
            week_ms = _week_began_ms(now_ms)
            edges = [
                week_ms + weeks * 7 * DAY_MS + edge * _MINUTE_MS
                for weeks in (0, 1)
                for span in self.hours
                for edge in span
            ]
            changes += [edge for edge in edges if edge > now_ms]
            minute = (now_ms - week_ms) // _MINUTE_MS
            closed = closed or not any(start <= minute < end for start, end in self.hours)
        return Due(not closed, min(changes, default=None))


def _week_began_ms(now_ms: int) -> int:
    """The last Monday, 00:00 in Japan."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(JST)
    monday = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(monday.timestamp() * 1000)
