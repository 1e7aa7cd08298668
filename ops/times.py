"""Times in words, for tables that people read: in Japan's time, or in the zone that `DENBUN_TZ` names."""

import os
import time
from datetime import tzinfo
from zoneinfo import ZoneInfo

from pipeline.config import ConfigError
from schemas.japan_time import JST, moment

ZONE = "DENBUN_TZ"


def zone() -> tzinfo:
    """In which people read times. Raises `ConfigError`."""
    name = os.environ.get(ZONE)
    if not name:
        return JST
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # not there, no file of a zone, no name of a file
        raise ConfigError(f"environment {ZONE}: no such time zone: {name!r}: write it as Asia/Tokyo or UTC") from error


def clock(at_ms: int) -> str:
    """A moment with its day and zone. Raises `ConfigError`."""
    return moment(at_ms, zone())


def age(age_ms: int) -> str:
    """How long something lasts, in the largest unit of which it has two."""
    seconds = max(0, age_ms) // 1_000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def now_ms() -> int:
    """Milliseconds since the epoch by this machine's clock, which may be wrong: for people, never to decide by."""
    return time.time_ns() // 1_000_000
