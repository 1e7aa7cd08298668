"""Times in words, for tables that people read."""

import time
from datetime import datetime


def clock(at_ms: int) -> str:
    """A moment, by the clock of this machine."""
    return datetime.fromtimestamp(at_ms / 1_000).astimezone().strftime("%m-%d %H:%M:%S.%f")[:-3]


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
