"""How many lines a process may have a session on, or seek one for, at once: `egress.sessions_max`. Pure."""


class Sessions:
    """The places; a line takes one before it seeks its partner, and has it until it seeks no more."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lines: set[str] = set()

    def take(self, line: str) -> bool:
        """Whether the line may have a session: it has its place from now on, or had it before."""
        if line not in self._lines and len(self._lines) >= self.most:
            return False
        self._lines.add(line)
        return True

    def give_back(self, line: str) -> None:
        """The line needs its place no more."""
        self._lines.discard(line)
