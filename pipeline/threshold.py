"""Who may stand on the threshold: connections that have not said who they are. Pure.

Anybody can connect, so nobody may keep another out by standing there. When there are too many, the one that has stood
there longest goes: who speaks at once has been let in long before its turn. Where one address has more than an eighth
of the places, it is the longest of that one's, so that one who calls without end does not hurry all others.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_SHARES = 8

Who = TypeVar("Who", bound=Hashable)


class Threshold(Generic[Who]):
    """At most so many, and at most so many of one address."""

    def __init__(self, most: int, most_of_address: int) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._share = max(1, most // _SHARES)
        self._of: dict[str, OrderedDict[Who, None]] = {}  # by address, in the order in which they came
        self._address: OrderedDict[Who, str] = OrderedDict()  # in the same order

    def __len__(self) -> int:
        return len(self._address)

    def enter(self, who: Who, address: str) -> Who | None:
        """Let it stand here; gives who must go for it."""
        own = self._of.setdefault(address, OrderedDict())
        own[who] = None
        self._address[who] = address
        if len(own) > self._most_of_address:
            return self._first(address)
        if len(self._address) > self._most:
            crowd = max(self._of, key=lambda each: len(self._of[each]))
            first = next(iter(self._address.values()))
            return self._first(crowd if len(self._of[crowd]) > self._share else first)
        return None

    def leave(self, who: Who) -> None:
        """It is let in, or gone."""
        address = self._address.pop(who, None)
        if address is not None:
            own = self._of[address]
            del own[who]
            if not own:
                del self._of[address]

    def _first(self, address: str) -> Who:
        who = next(iter(self._of[address]))
        self.leave(who)
        return who
