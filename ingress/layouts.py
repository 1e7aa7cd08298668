"""Whether a partner's telegrams take what a client asks for: found out where no reference is used up yet. Pure.

A request belongs to the partner of its customer's contract. A follow-up goes where its original went, which only the
router knows: it is turned away when no partner takes it.
"""

from collections.abc import Mapping

from ingress.checking import KINDS
from schemas.client_frames import Request
from schemas.installation import Customer
from schemas.japan_time import business_date
from schemas.records import Kind
from schemas.telegrams import ROLE_OF_KIND, Asking, PartnerSpec, Role


class Layouts:
    """The telegrams of the partners, by name. One that is not here takes everything: the router knows it neither."""

    def __init__(self, partners: Mapping[str, PartnerSpec]) -> None:
        self._partners = partners
        self._ready: dict[tuple[str, str, Kind], Asking | None] = {}

    def fault(self, customer: Customer, request: Request, now_ms: int) -> str | None:
        """The first field that the partner's telegram of this business date cannot take, and its rule; or None."""
        kind, date = KINDS[request.kind], business_date(now_ms)
        contracted = customer.partners.get(kind)
        if contracted is None:
            return None
        first = self._fault_of(contracted, kind, request, date)
        if first is None or not kind.follows_an_original:
            return first
        others = sorted(self._partners.keys() - {contracted})  # it goes to its original's, contracted still or not
        return None if any(self._fault_of(each, kind, request, date) is None for each in others) else first

    def _fault_of(self, name: str, kind: Kind, request: Request, date: str) -> str | None:
        key = (name, date, kind)
        if key not in self._ready:
            if len(self._ready) > 64:  # days go by
                self._ready.clear()
            self._ready[key] = self._made_ready(name, ROLE_OF_KIND[kind], date)
        asking = self._ready[key]
        return None if asking is None else asking.fault(request)

    def _made_ready(self, name: str, role: Role, date: str) -> Asking | None:
        partner = self._partners.get(name)
        if partner is None:
            return None
        edition = partner.on(date)
        return Asking(edition, role) if role in edition.telegrams else None


NO_LAYOUTS = Layouts({})
