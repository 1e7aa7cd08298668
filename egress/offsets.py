"""How far the dispatches of a line are done with: up to the first that has no acknowledged outcome. Pure."""

import heapq


class Offsets:
    """Offsets are opened in any order and closed in any order; `position` never passes an open one."""

    def __init__(self, position: int) -> None:
        self._next = position
        self._open: set[int] = set()
        self._heap: list[int] = []

    def __contains__(self, offset: int) -> bool:
        return offset in self._open

    def __len__(self) -> int:
        return len(self._open)

    @property
    def next(self) -> int:
        """The first that has not been read."""
        return self._next

    def read(self, offset: int) -> None:
        """Everything up to `offset` has been read."""
        self._next = max(self._next, offset + 1)

    def open(self, offset: int) -> None:
        """This one's outcome is awaited."""
        self._open.add(offset)
        heapq.heappush(self._heap, offset)

    def close(self, offset: int) -> None:
        """This one's outcome is in the log."""
        self._open.discard(offset)

    @property
    def position(self) -> int:
        """Everything before is done with."""
        while self._heap and self._heap[0] not in self._open:
            heapq.heappop(self._heap)
        return min(self._heap[0], self._next) if self._heap else self._next
