"""The budgets of the door: places of sessions, which no stranger takes, and log lines, which strangers cause. Pure."""


class Places:
    """The sessions of those who have said hello: at most so many, and at most so many of one customer."""

    def __init__(self, most: int, most_of_customer: int) -> None:
        self._most = most
        self._most_of_customer = most_of_customer
        self._of: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(self._of.values())

    @property
    def full(self) -> bool:
        """Whether there is no place for anybody."""
        return len(self) >= self._most

    def fault(self, customer: str) -> str | None:
        """Why there is no place for another session of this customer; None: there is one."""
        if self._of.get(customer, 0) >= self._most_of_customer:
            return f"at most {self._most_of_customer} of one customer"
        return f"at most {self._most}" if self.full else None

    def take(self, customer: str) -> None:
        """A session has begun."""
        self._of[customer] = self._of.get(customer, 0) + 1

    def give_back(self, customer: str) -> None:
        """It has ended."""
        self._of[customer] -= 1
        if not self._of[customer]:
            del self._of[customer]


class Lines:
    """How many log lines strangers may cause in a second: anybody can connect as often as he likes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._until_ms = 0

    def one_more(self) -> bool:
        """Whether this one may be written."""
        self._count += 1
        return self._count <= self._most

    def left_out(self, now_ms: int) -> int:
        """How many were left out of a second that is over; it is told once."""
        if now_ms < self._until_ms:
            return 0
        left_out = max(0, self._count - self._most)
        self._count, self._until_ms = 0, now_ms + 1_000
        return left_out
