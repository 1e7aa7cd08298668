"""How many telegrams that are for nobody a line may bring before it is hung up. Pure: the time is handed in."""

_MINUTE_MS = 60_000


class StrayBudget:
    """`a_minute` strays at once, and as many again each minute: of the line, whatever its connections are."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._left = float(a_minute)
        self._at_ms = 0

    def spend(self, now_ms: int) -> bool:
        """One has come: whether the line may keep its connection."""
        passed_ms = max(0, now_ms - self._at_ms)
        self._at_ms = now_ms
        self._left = min(float(self._a_minute), self._left + passed_ms * self._a_minute / _MINUTE_MS)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def told(self) -> str:
        """Why the line is hung up."""
        return f"more than {self._a_minute} strays in a minute: what the partner sends is for nobody"
