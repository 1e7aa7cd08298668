"""What a connection delivers, handed to its line in bounded parts: one partner's flood is not the other's standstill.

In one turn of the loop a connection gets `_TURN_TELEGRAMS` telegrams or `_TURN_S` seconds, whichever is less; what is
left waits, and meanwhile nothing more is read from the socket. Telegrams that nobody awaits (strays, and what asks for
an answer) are taken at `_UNASKED_A_SECOND`, after a burst of `_UNASKED_AT_ONCE`: an honest partner stays far below.
While the log is behind nothing is taken at all. Nothing is dropped: the partner's system has to wait.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from schemas.telegrams import Deframer, FramingError

_TURN_TELEGRAMS, _TURN_S = 50, 0.002
_PIECE = 4_096  # bytes that are cut into telegrams at once
_UNASKED_A_SECOND, _UNASKED_AT_ONCE = 100, 200
_BEHIND_S = 0.02  # between looks whether the log is still behind


class Source(Protocol):
    """The socket, as far as reading goes."""

    def is_closing(self) -> bool: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Allowance:
    """So many a second, after so many at once."""

    def __init__(self, a_second: float, at_once: int, now_s: float) -> None:
        self._a_second = a_second
        self._at_once = at_once
        self._left = float(at_once)
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """Take one; gives for how many seconds to take no other."""
        self._left = min(self._at_once, self._left + (now_s - self._at_s) * self._a_second) - 1
        self._at_s = now_s
        return max(0.0, -self._left / self._a_second)

    def spare(self, now_s: float) -> bool:
        """Take one, if there is one."""
        self._left = min(self._at_once, self._left + (now_s - self._at_s) * self._a_second)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Intake:
    """One connection's. `hand` gets a telegram and says whether it was awaited; `broken` hears what is no telegram."""

    def __init__(
        self,
        deframer: Deframer,
        source: Source,
        hand: Callable[[bytes], bool],
        broken: Callable[[str], None],
        behind: Callable[[], bool],
    ) -> None:
        self._deframer = deframer
        self._source = source
        self._hand = hand
        self._broken = broken
        self._behind = behind
        self._loop = asyncio.get_running_loop()
        self._unasked = Allowance(_UNASKED_A_SECOND, _UNASKED_AT_ONCE, time.monotonic())
        self._unread = bytearray()
        self._telegrams: deque[bytes] = deque()
        self._problem: str | None = None
        self._again: asyncio.Handle | None = None
        self._stopped = False

    @property
    def waiting(self) -> bool:
        """Whether more has come than could be handed over yet."""
        return self._again is not None

    def feed(self, data: bytes) -> None:
        """Bytes from the socket."""
        if self._stopped:
            return
        self._unread += data
        if self._again is None:
            self._turn()

    def stop(self) -> None:
        """Hand nothing over any more."""
        self._stopped = True
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._telegrams.clear()
        self._unread.clear()

    def finish(self) -> None:
        """The connection is gone: hand over what had come properly before."""
        while (payload := self._next()) is not None:
            self._hand(payload)
        if not self._stopped and self._problem is not None:
            self._broken(self._problem)
        self.stop()

    def _turn(self) -> None:
        self._again = None
        pause_s = self._take()
        if self._stopped:
            return
        if pause_s is None:
            if not self._source.is_closing():
                self._source.resume_reading()
            return
        if not self._source.is_closing():
            self._source.pause_reading()
        self._again = self._loop.call_later(pause_s, self._turn) if pause_s else self._loop.call_soon(self._turn)

    def _take(self) -> float | None:
        """Hand over this turn's part; gives when the next turn is, or None where nothing is left."""
        until_s = time.monotonic() + _TURN_S
        for _ in range(_TURN_TELEGRAMS):
            if self._behind():
                return _BEHIND_S
            payload = self._next()
            if payload is None:
                if self._problem is not None:
                    problem, self._problem = self._problem, None
                    self._broken(problem)
                return None
            awaited = self._hand(payload)
            now_s = time.monotonic()
            if not awaited and (pause_s := self._unasked.take(now_s)):
                return pause_s
            if self._stopped:
                return None
            if now_s >= until_s:
                break
        return 0.0

    def _next(self) -> bytes | None:
        while not self._telegrams and self._unread and self._problem is None:
            piece = bytes(self._unread[:_PIECE])
            del self._unread[:_PIECE]
            try:
                self._telegrams.extend(self._deframer.feed(piece))
            except FramingError as error:
                self._telegrams.extend(error.telegrams)
                self._problem = str(error)
                self._unread.clear()
        return self._telegrams.popleft() if self._telegrams else None
