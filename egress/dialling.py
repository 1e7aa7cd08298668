"""When a line that dials calls its partner again, and one that listens takes its call. Pure: time and chance are given.

After an attempt that failed, or a connection that broke, `reconnect_ms` pass before the next one, then twice as much,
and so on up to `reconnect_max_ms`. A connection that lived for `reconnect_max_ms` begins this anew, so that a line that
was well is sought at once when it breaks. One that lived shorter does not: a partner that takes the call and hangs up
is not called any faster than one that is not there.

Each wait is shortened by a random share, up to half of it (`SPREAD`), so that lines that broke together do not call
together. Whatever happens, there are no more than `dials_per_minute` attempts within 60 s; who waits for that is told.
All this holds as long as a process owns the line, however often its connection is given up and sought anew.
"""

from collections import deque
from typing import NamedTuple

from schemas.installation import Egress

SPREAD = 0.5
MINUTE_MS = 60_000


class Pause(NamedTuple):
    """How long not to call; `attempts`: as many were made in the last minute, and therefore it is this long."""

    ms: int
    attempts: int | None = None


class Dialling:
    """One line's attempts."""

    def __init__(self, times: Egress) -> None:
        self._times = times
        self._next_ms = times.reconnect_ms
        self._pause = Pause(0)
        self._paused_ms = 0
        self._begun: deque[int] = deque(maxlen=times.dials_per_minute)

    def pause(self, now_ms: int) -> Pause:
        """What is left of the wait after the last attempt."""
        return self._pause._replace(ms=max(0, self._paused_ms + self._pause.ms - now_ms))

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
        self._pause, self._paused_ms = Pause(wait_ms), now_ms
        if len(self._begun) == times.dials_per_minute:
            free_ms = self._begun[0] + MINUTE_MS - now_ms
            if free_ms > wait_ms:
                self._pause = Pause(free_ms, len(self._begun))
        return self._pause


class Taking:
    """When the calls of a partner are taken: no oftener than it would be called."""

    def __init__(self, times: Egress) -> None:
        self._times = times
        self._shun_ms = 0  # how long no call is taken, the next time
        self._shunned_until_ms = 0
        self._taken: deque[int] = deque(maxlen=times.dials_per_minute)

    def took(self, now_ms: int) -> None:
        """A call is taken now."""
        self._taken.append(now_ms)

    def shun(self, now_ms: int) -> None:
        """The partner has been hung up for what it brings: take its calls no sooner than it would be called."""
        longest_ms = self._times.reconnect_max_ms
        if now_ms - self._shunned_until_ms > longest_ms:
            self._shun_ms = 0
        self._shun_ms = min(longest_ms, 2 * self._shun_ms or self._times.reconnect_ms)
        self._shunned_until_ms = now_ms + self._shun_ms

    def refusal(self, now_ms: int) -> tuple[str, str] | None:
        """Why no call is taken now: for the metric, and in words."""
        if now_ms < self._shunned_until_ms:
            return "shunned", "a call was refused: the partner was hung up a moment ago"
        if len(self._taken) == self._taken.maxlen and now_ms - self._taken[0] < MINUTE_MS:
            return "too_often", f"a call was refused: {len(self._taken)} were taken in the last minute"
        return None


class Calls:
    """One line's, as long as this process owns it: those it makes, and those it takes."""

    def __init__(self, times: Egress) -> None:
        self.dialling = Dialling(times)
        self.taking = Taking(times)
