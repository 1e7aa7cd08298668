"""How long a door has not looked: what it reads after that may have come at any moment of it. Pure.

A process that is frozen reads, when it goes on, what its clients sent meanwhile. By then a client may have asked
elsewhere, and heard that nobody knows its request.
"""

_STILL_MS = 500  # several times as long as between two turns of a door that works
_READ_MS = 250  # within so long after it goes on, what came meanwhile is read


class Stillness:
    """When the door looked last, and the last time in which it did not."""

    def __init__(self, now_ms: int) -> None:
        self._turned_ms = now_ms
        self._since_ms, self._until_ms = now_ms, now_ms - _READ_MS - 1

    def turned(self, now_ms: int) -> None:
        """The door looks: some times a second."""
        if now_ms - self._turned_ms > _STILL_MS:
            self._since_ms, self._until_ms = self._turned_ms, now_ms
        self._turned_ms = now_ms

    def of(self, now_ms: int) -> tuple[int, int | None]:
        """The time, and what `before` says of it."""
        return now_ms, self.before(now_ms)

    def before(self, now_ms: int) -> int | None:
        """Since when what is read now may have lain there; None where the door has looked all the time."""
        if now_ms - self._turned_ms > _STILL_MS:
            return self._turned_ms
        return self._since_ms if now_ms - self._until_ms <= _READ_MS else None
