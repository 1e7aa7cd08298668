"""Whether a partner's telegrams take what a client asks for: found out where no reference is used up yet. Pure.

A request belongs to the partner of its customer's contract. A follow-up goes where its original went, which only the
router knows: it is turned away when no partner takes it.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from schemas.client_frames import Request
from schemas.installation import Customer
from schemas.japan_time import business_date
from schemas.records import Kind
from schemas.telegrams import ROLE_OF_KIND, EncodeError, PartnerSpec, Role, asked_fault
from schemas.telegrams.vocabulary import Value

# Where a request has the values of the names that its telegram may carry.
_ASKED: Mapping[str, Callable[[Request], Value | None]] = {
    name: attrgetter(place)
    for name, place in (
        ("terminal_id", "terminal_id"),
        ("amount", "amount"),
        ("payment_method", "payment_method"),
        ("reference", "reference"),
        ("pan", "card.number"),
        ("expiry", "card.expiry"),
        ("track2", "track2"),
        ("security_code", "security_code"),
    )
}


class _Telegram(NamedTuple):
    """One role of one edition, made ready: what it holds beside what is asked for, and where that stands."""

    edition: PartnerSpec
    sample: Mapping[str, Value]
    asked: Sequence[tuple[str, Callable[[Request], Value | None]]]


class Layouts:
    """The telegrams of the partners, by name. One that is not here takes everything: the router knows it neither."""

    def __init__(self, partners: Mapping[str, PartnerSpec]) -> None:
        self._partners = partners
        self._ready: dict[tuple[str, str, Role], _Telegram | None] = {}

    def fault(self, customer: Customer, request: Request, now_ms: int) -> str | None:
        """The first field that the partner's telegram of this business date cannot take, and its rule; or None."""
        date = business_date(now_ms)
        kind = Kind(request.kind)
        contracted = customer.partners.get(kind)
        if contracted is None:
            return None
        role = ROLE_OF_KIND[kind]
        first = self._fault_of(contracted, role, request, date)
        if first is None or not kind.follows_an_original:
            return first
        others = sorted(self._partners.keys() - {contracted})  # it goes to its original's, contracted still or not
        return None if any(self._fault_of(each, role, request, date) is None for each in others) else first

    def _fault_of(self, name: str, role: Role, request: Request, date: str) -> str | None:
        key = (name, date, role)
        if key not in self._ready:
            if len(self._ready) > 64:  # days go by
                self._ready.clear()
            self._ready[key] = self._made_ready(name, role, date)
        telegram = self._ready[key]
        if telegram is None:
            return None
        values = dict(telegram.sample)
        for field, of in telegram.asked:
            if (value := of(request)) is not None:
                values[field] = value
        try:  # what is taken as it is needs no words
            telegram.edition.encode(role, values)
        except EncodeError:
            return asked_fault(telegram.edition, role, {field: of(request) for field, of in _ASKED.items()})
        return None

    def _made_ready(self, name: str, role: Role, date: str) -> _Telegram | None:
        partner = self._partners.get(name)
        if partner is None:
            return None
        edition = partner.on(date)
        telegram = edition.telegrams.get(role)
        if telegram is None:
            return None
        asked = [(field, of) for field, of in _ASKED.items() if field in telegram.names]
        return _Telegram(edition, telegram.sample(optional=False), asked)


NO_LAYOUTS = Layouts({})
