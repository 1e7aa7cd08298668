"""The routes 経路 of a line: which are free, which carry a telegram, which are held 経路保留. Pure."""

from collections import deque
from collections.abc import Iterable


class Routes:
    """A route carries one telegram at a time. A held one carries the cancel of its transaction and nothing else."""

    def __init__(self, first: int, last: int) -> None:
        self._free = deque(range(first, last + 1))  # the one longest unused comes first
        self._all = range(first, last + 1)
        self._busy: dict[int, str] = {}
        self._held: dict[int, str] = {}
        self._held_by: dict[str, set[int]] = {}

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def holders(self) -> Iterable[str]:
        """For whom they are held."""
        return self._held.values()

    def take(self, transaction_id: str, wanted: int | None = None) -> int | None:
        """A free route, `wanted` if it is one; None when there is none."""
        if not self._free:
            return None
        if wanted is not None and wanted in self._free:
            self._free.remove(wanted)
            route = wanted
        else:
            route = self._free.popleft()
        self._busy[route] = transaction_id
        return route

    def take_own(self, route: int, transaction_id: str) -> bool:
        """Take this very route, unless the line has none such, or it carries or is held for another transaction."""
        if route not in self._all or self.taken(route, transaction_id):
            return False
        self._leave_free(route)
        self._busy[route] = transaction_id
        return True

    def taken(self, route: int, transaction_id: str) -> bool:
        """Whether it carries or is held for another transaction than this."""
        return bool({self._busy.get(route), self._held.get(route)} - {None, transaction_id})

    def give_back(self, route: int) -> None:
        """The telegram on it has been answered."""
        if self._busy.pop(route, None) is not None and route not in self._held:
            self._free.append(route)

    def hold(self, route: int, transaction_id: str) -> bool:
        """Keep it for the cancel of this transaction. False when it is kept for it already, or for another."""
        if route in self._held or route not in self._all:
            return False
        self._leave_free(route)
        self._held[route] = transaction_id
        self._held_by.setdefault(transaction_id, set()).add(route)
        return True

    def holder(self, route: int) -> str | None:
        """For whom the route is held."""
        return self._held.get(route)

    def held_for(self, transaction_id: str) -> int | None:
        """A route that is held for this transaction."""
        return min(self._held_by.get(transaction_id, ()), default=None)

    def let_go(self, transaction_id: str) -> list[int]:
        """End the holds of this transaction; gives the routes."""
        routes = sorted(self._held_by.pop(transaction_id, ()))
        for route in routes:
            del self._held[route]
            if route not in self._busy:
                self._free.append(route)
        return routes

    def _leave_free(self, route: int) -> None:
        if route not in self._busy and route not in self._held:
            self._free.remove(route)
