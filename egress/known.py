"""What a line has decided already, and under which numbers it went out: so that copies are known. Pure."""

from collections import deque

from egress.numbers import Numbers


class Known:
    """The requests (attempt 0) and cancel telegrams (attempt 1 and up) of the recent past, by transaction."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], Numbers | None] = {}
        self._aging: deque[tuple[int, tuple[str, int]]] = deque()
        self.since_ms = 0  # everything that was decided from here on is known

    def __contains__(self, name: tuple[str, int]) -> bool:
        return name in self._numbers

    def put(self, transaction_id: str, attempt: int, numbers: Numbers | None, now_ms: int) -> None:
        """It was decided: it goes out under these numbers, or (None) not, or not yet."""
        name = (transaction_id, attempt)
        if name not in self._numbers:
            self._aging.append((now_ms, name))
        self._numbers[name] = numbers

    def request(self, transaction_id: str) -> Numbers | None:
        """Under which numbers the transaction's request went out."""
        return self._numbers.get((transaction_id, 0))

    def nothing_went_out_before(self, transaction_id: str, attempt: int) -> bool:
        """Whether each earlier cancel telegram of the transaction is known not to have gone out."""
        return all(
            (name := (transaction_id, earlier)) in self._numbers and self._numbers[name] is None
            for earlier in range(1, attempt)
        )

    def forget_before(self, at_ms: int) -> None:
        """Forget what was decided before `at_ms`."""
        while self._aging and self._aging[0][0] < at_ms:
            decided_ms, name = self._aging.popleft()
            self._numbers.pop(name, None)
            self.since_ms = max(self.since_ms, decided_ms + 1)
