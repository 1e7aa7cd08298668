"""Deadlines in order. Time is an argument: who asks says what time it is."""

import heapq

MOST = 10_000
"""That are taken at once: what follows from them is written at once, and a writer holds 200,000 records at most."""


class Timers:
    """Due times of names. Setting one again replaces it; taking gives each once."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def set(self, name: str, due_ms: int | None) -> None:
        """Let `name` be due at `due_ms`; None takes it out."""
        if due_ms is None:
            self._due.pop(name, None)
        elif self._due.get(name) != due_ms:
            self._due[name] = due_ms
            heapq.heappush(self._heap, (due_ms, name))
            if len(self._heap) > 64 + 4 * len(self._due):
                self._heap = [(due, each) for each, due in self._due.items()]
                heapq.heapify(self._heap)

    def next_ms(self) -> int | None:
        """When the earliest is due."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now_ms: int) -> list[tuple[str, int]]:
        """Take out what is due now, earliest first, as (name, due_ms); of more than `MOST` the rest the next time."""
        taken: list[tuple[str, int]] = []
        while len(taken) < MOST and (due_ms := self.next_ms()) is not None and due_ms <= now_ms:
            _, name = heapq.heappop(self._heap)
            del self._due[name]
            taken.append((name, due_ms))
        return taken
