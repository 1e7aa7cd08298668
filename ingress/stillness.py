"""How long a door has not looked: what it reads after that may have come at any moment of it. Pure.

A process that is frozen reads, when it goes on, what its clients sent meanwhile. By then a client may have asked
elsewhere, and heard that nobody knows its request.
"""

_STILL_MS = 500  # several times as long as between two turns of a door that works
_READ_MS = 250  # within so long after it goes on, what came meanwhile is read


class Stillness:
    """When the door looked last, and the last time in which it did not: by a clock that only counts."""

    def __init__(self, now_ms: int) -> None:
        self._turned_ms = now_ms
        self._since_ms, self._until_ms = now_ms, now_ms - _READ_MS - 1

    def turned(self, now_ms: int) -> None:
        """The door looks: some times a second."""
        if now_ms - self._turned_ms > _STILL_MS:
            self._since_ms, self._until_ms = self._turned_ms, now_ms
        self._turned_ms = now_ms

    def lasted(self, now_ms: int) -> int:
        """For how long what is read now may have lain there, in milliseconds."""
        if now_ms - self._turned_ms > _STILL_MS:
            return now_ms - self._turned_ms
        return now_ms - self._since_ms if now_ms - self._until_ms <= _READ_MS else 0
