"""The heartbeat of the loop that does a service's work: without it a process that hangs looks as well as any."""

import time


class Pulse:
    """`beat` is called by the loop each time it turns; `stalled` asked by another thread, which ``/livez`` shows.

    `limit_s` is longer than anything the loop waits for while it is well.
    """

    def __init__(self, what: str, limit_s: float) -> None:
        self._what = what
        self._limit_s = limit_s
        self._at_s: float | None = None  # of the last beat; None: it has not begun

    def beat(self) -> None:
        """The loop turns."""
        self._at_s = time.monotonic()

    def rest(self) -> None:
        """The loop has ended, and needs not turn any more."""
        self._at_s = None

    def stalled(self) -> str | None:
        """A sentence, where the loop has not turned for too long."""
        if self._at_s is None or (stuck_s := time.monotonic() - self._at_s) < self._limit_s:
            return None
        return f"{self._what} has not turned for {stuck_s:.0f} s"
