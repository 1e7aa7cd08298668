"""Trace numbers 処理通番, business days 業務日付 and sending times, all from what is given. Pure."""

from datetime import date
from functools import lru_cache
from typing import NamedTuple

DAY_MS = 86_400_000
_JST_MS = 9 * 3_600_000  # Japan keeps no summer time
_EPOCH = date(1970, 1, 1).toordinal()


class Numbers(NamedTuple):
    """Under which numbers a telegram is known to the partner. Unique: trace number within line and business date."""

    trace_number: int
    route_number: int
    business_date: str


@lru_cache(maxsize=4)
def _date(day: int) -> str:
    return date.fromordinal(_EPOCH + day).strftime("%Y%m%d")


@lru_cache(maxsize=4)
def _time(second: int) -> str:
    return f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"


def business_date(now_ms: int) -> str:
    """The day in Japan, ``YYYYMMDD``."""
    return _date((now_ms + _JST_MS) // DAY_MS)


def sent_time(now_ms: int) -> str:
    """The time of day in Japan, ``HHMMSS``."""
    return _time((now_ms + _JST_MS) % DAY_MS // 1000)


def midnight_ms(now_ms: int) -> int:
    """When the business day of `now_ms` began."""
    return now_ms - (now_ms + _JST_MS) % DAY_MS


class TraceNumbers:
    """The trace number of a telegram is its place in the line's `dispatch`, turned round within the partner's range.

    So it is known before anything is written, is the same for whoever owns the line, and does not repeat before the
    whole range is used. What would repeat within a business day is refused (`of` gives None).
    """

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._count = last - first + 1
        self._day = ""
        self._day_began_at = 0

    def day_began(self, day: str, offset: int) -> None:
        """No telegram of this business day has an offset before `offset`."""
        self._day, self._day_began_at = day, offset

    def of(self, offset: int, day: str, oldest_open: int) -> int | None:
        """The number for the telegram at `offset`; `oldest_open` is the least offset a telegram may still have."""
        if day != self._day:
            self.day_began(day, oldest_open)
        if offset - self._day_began_at >= self._count:
            return None
        return self._first + offset % self._count
