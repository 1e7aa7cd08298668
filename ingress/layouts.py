"""Whether a partner's telegrams take what a client asks for: found out where no reference is used up yet. Pure.

A request belongs to the partner of its customer's contract. A follow-up goes where its original went, which only the
router knows: it is turned away when no partner of the customer takes it.
"""

from collections.abc import Mapping
from datetime import date as calendar_date
from datetime import timedelta
from functools import lru_cache

from schemas.client_frames import Request
from schemas.installation import Customer
from schemas.records import Kind
from schemas.telegrams import ROLE_OF_KIND, EncodeError, PartnerSpec, Role, asked_fault
from schemas.telegrams.vocabulary import Value

_JAPAN_MS = 9 * 3_600_000
_DAY_MS = 86_400_000
_EPOCH = calendar_date(1970, 1, 1)


class Layouts:
    """The telegrams of the partners, by name. One that is not here takes everything: the router knows it neither."""

    def __init__(self, partners: Mapping[str, PartnerSpec]) -> None:
        self._partners = partners
        self._samples: dict[tuple[str, str, Role], Mapping[str, Value]] = {}

    def fault(self, customer: Customer, request: Request, now_ms: int) -> str | None:
        """The first field that the partner's telegram of this business date cannot take, and its rule; or None."""
        date = _date((now_ms + _JAPAN_MS) // _DAY_MS)
        kind = Kind(request.kind)
        contracted = customer.partners.get(kind)
        if contracted is None:
            return None
        values: dict[str, Value | None] = {
            "terminal_id": request.terminal_id,
            "amount": request.amount,
            "payment_method": request.payment_method,
            "reference": request.reference,
            "pan": request.card.number,
            "expiry": request.card.expiry,
            "track2": request.track2,
            "security_code": request.security_code,
        }
        first = self._fault_of(contracted, ROLE_OF_KIND[kind], values, date)
        if first is None or not kind.follows_an_original:
            return first
        others = sorted({*customer.partners.values()} - {contracted})
        taken = any(self._fault_of(each, ROLE_OF_KIND[kind], values, date) is None for each in others)
        return None if taken else first

    def _fault_of(self, name: str, role: Role, values: Mapping[str, Value | None], date: str) -> str | None:
        partner = self._partners.get(name)
        if partner is None:
            return None
        edition = partner.on(date)
        telegram = edition.telegrams.get(role)
        if telegram is None:
            return None
        sample = self._samples.get((name, date, role))
        if sample is None:
            if len(self._samples) > 64:  # days go by
                self._samples.clear()
            sample = self._samples[name, date, role] = telegram.sample(optional=False)
        names = telegram.names
        given = {each: value for each, value in values.items() if value is not None and each in names}
        try:  # what is taken as it is needs no words
            edition.encode(role, {**sample, **given})
        except EncodeError:
            return asked_fault(edition, role, values)
        return None


@lru_cache(maxsize=4)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y%m%d")


NO_LAYOUTS = Layouts({})
