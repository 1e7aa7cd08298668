"""Which partners this process spares 縮退運転: a breaker for each, over all lines that take its telegrams. Pure.

The breaker of a line (`egress.breaker`, in its station) is about the line and its own partner. A partner that is in
trouble is so on all its lines, of which each would have to find out by itself, at the cost of some more customers. And
one that is carried on another's line (MC 回線) may be silent while that line is as well as ever.

Requests to a spared partner are refused at once, here and, where no other line takes them, already by the router.
Cancels go on. Keep-alives 疎通確認 over its lines say whether it is back, as over a suspended one.
"""

from collections.abc import Iterable, Mapping

from egress.breaker import Breaker, State
from schemas.installation import PartnerBreaker


class Sparing:
    """The breakers of all partners."""

    def __init__(self, settings: Mapping[str, PartnerBreaker]) -> None:
        self._breakers = {partner: Breaker(each) for partner, each in settings.items()}
        self.spared: frozenset[str] = frozenset()  # partners to whom no requests go now

    def among(self, partners: Iterable[str]) -> list[str]:
        """Those of these partners to whom no requests go now."""
        return [partner for partner in partners if partner in self.spared]

    def awaits_probes(self, partners: Iterable[str], now_ms: int, probe_ms: int) -> bool:
        """Whether keep-alives should go out by now over a line that takes these partners' telegrams."""
        return any(self._breakers[each].awaits_probes(now_ms, probe_ms) for each in self.spared.intersection(partners))

    def silent(self, partner: str, now_ms: int, sent_ms: int) -> None:
        """A request to it that went out at `sent_ms` was not answered in time."""
        if (breaker := self._breakers.get(partner)) is not None and breaker.silent(now_ms, sent_ms):
            self._changed()

    def reported(self, partner: str, now_ms: int, *, in_error: bool) -> None:
        """It has answered. `in_error`: by an error of the network, not by an answer to what it was asked."""
        if (breaker := self._breakers.get(partner)) is None:
            return
        if breaker.failed(now_ms) if in_error else breaker.answered():
            self._changed()

    def probed(self, partners: Iterable[str], now_ms: int) -> None:
        """A keep-alive was answered over a line that takes these partners' telegrams."""
        for partner in self.spared.intersection(partners):
            if self._breakers[partner].probed(now_ms):
                self._changed()

    def _changed(self) -> None:
        self.spared = frozenset(name for name, breaker in self._breakers.items() if breaker.state is State.OPEN)
