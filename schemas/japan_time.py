"""Time as Japan has it: business days 業務日付 and the time of day, from milliseconds since the epoch. Pure."""

from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

JST: Final = timezone(timedelta(hours=9), "JST")  # Japan keeps no summer time
DAY_MS: Final = 86_400_000

_JST_MS = 9 * 3_600_000
_EPOCH = date(1970, 1, 1).toordinal()


def business_date(now_ms: int) -> str:
    """The day in Japan, ``YYYYMMDD``."""
    return _date((now_ms + _JST_MS) // DAY_MS)


def time_of_day(now_ms: int) -> str:
    """The time of day in Japan, ``HHMMSS``."""
    return _time((now_ms + _JST_MS) % DAY_MS // 1000)


def midnight_ms(now_ms: int) -> int:
    """When the day of `now_ms` began in Japan."""
    return now_ms - (now_ms + _JST_MS) % DAY_MS


def moment(at_ms: int, zone: tzinfo = JST) -> str:
    """A moment as people read it everywhere: ``2026-12-01 12:15:32.123 JST``."""
    at = datetime.fromtimestamp(at_ms // 1000, zone)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03} {at.tzname()}"


@lru_cache(maxsize=4)
def _date(day: int) -> str:
    return date.fromordinal(_EPOCH + day).strftime("%Y%m%d")


@lru_cache(maxsize=4)
def _time(second: int) -> str:
    return f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
