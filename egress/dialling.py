"""When a line that dials calls its partner again. Pure: what time it is, and a chance, are handed in.

After an attempt that failed, or a connection that broke, `reconnect_ms` pass before the next one, then twice as much,
and so on up to `reconnect_max_ms`. A connection that lived for `reconnect_max_ms` begins this anew, so that a line that
was well is sought at once when it breaks. One that lived shorter does not: a partner that takes the call and hangs up
is not called any faster than one that is not there.

Each wait is shortened by a random share, up to half of it (`SPREAD`), so that lines that broke together do not call
together. Whatever happens, there are no more than `dials_per_minute` attempts within 60 s; who waits for that is told.
"""

from collections import deque
from dataclasses import dataclass

from schemas.installation import Egress

SPREAD = 0.5
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Pause:
    """How long not to call; `attempts`: as many were made in the last minute, and therefore it is this long."""

    ms: int
    attempts: int | None = None


class Dialling:
    """One line's attempts, as long as this process owns it."""

    def __init__(self, times: Egress) -> None:
        self._times = times
        self._next_ms = times.reconnect_ms
        self._begun: deque[int] = deque(maxlen=times.dials_per_minute)

    def began(self, now_ms: int) -> None:
        """An attempt is made now."""
        self._begun.append(now_ms)

    def ended(self, lived_ms: int, share: float, now_ms: int) -> Pause:
        """An attempt has failed (it lived 0 ms), or its connection has ended.

        `share` says by chance, from 0 to 1, how much of `SPREAD` the wait is shortened by.
        """
        times = self._times
        if lived_ms >= times.reconnect_max_ms:
            self._next_ms = times.reconnect_ms
        wait_ms = round(self._next_ms * (1 - SPREAD * share))
        self._next_ms = min(2 * self._next_ms, times.reconnect_max_ms)
        if len(self._begun) == times.dials_per_minute:
            free_ms = self._begun[0] + MINUTE_MS - now_ms
            if free_ms > wait_ms:
                return Pause(free_ms, len(self._begun))
        return Pause(wait_ms)
