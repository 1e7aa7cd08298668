"""Puts an order into a telegram: its route 経路, its trace number 処理通番, its bytes; or says why it cannot. Pure."""

from typing import assert_never

import msgspec

from egress.jobs import CANCELS, Job, Reason, numbers_of
from egress.known import Known
from egress.numbers import Numbers, Reserve, Shares, TraceNumbers
from egress.parties import Parties, Party
from egress.routes import Routes
from egress.telegrams import CardDataUnreadable, OpenCard
from schemas.japan_time import business_date
from schemas.records import NotCancelled, SendCancel, SendRequest
from schemas.refusals import Refusal
from schemas.telegrams import EncodeError, Value


class Preparing:
    """One line's. `prepare` gives None when the job has everything, or why it never will."""

    def __init__(
        self, parties: Parties, routes: Routes, known: Known, open_card: OpenCard, shares: Shares, reserve: Reserve,
        clock_tolerance_ms: int,
    ) -> None:  # fmt: skip
        self._parties = parties
        self._routes = routes
        self._known = known
        self._open_card = open_card
        self._clock_tolerance_ms = clock_tolerance_ms  # by which the stamps of two brokers may differ
        self._reserve = reserve
        self.trace_numbers = TraceNumbers(*shares.dispatched)

    def finds_route(self, job: Job) -> bool:
        """Whether it need not wait for a route.

        A confirm has its original's and no other (経路保留). That was held for it, unless a person has had its case
        meanwhile: then it may carry another telegram, and the confirm waits for it as others wait for any.
        """
        if isinstance(job.order, SendCancel) and job.order.command not in CANCELS:
            first = self.original(job.order)
            return isinstance(first, NotCancelled) or not self._routes.taken(first.route_number, job.transaction_id)
        return self._routes.free > 0 or self._routes.held_for(job.transaction_id) is not None

    def awaits_number(self, job: Job, oldest_open: int, now_ms: int) -> bool:
        """Whether a cancel has to wait until more of the reserve's trace numbers are this owner's."""
        day = business_date(now_ms)
        if self.trace_numbers.of(job.offset, day, min(oldest_open, job.offset)) is not None:
            return False
        return self._reserve.comes_later(day)

    def prepare(self, job: Job, oldest_open: int, now_ms: int) -> Reason | None:
        """Give the job its numbers and bytes. On a reason, the route in its numbers is still to be given back."""
        party = self._parties.of(job)  # the line may carry it no more: its configuration is another one by now
        match job.order:
            case SendRequest() as order:
                if party is None:
                    return Refusal.DOES_NOT_FIT_TELEGRAM
                return self._request(job, order, party, oldest_open, now_ms)
            case SendCancel() as order:
                if party is None:
                    return NotCancelled.DOES_NOT_FIT_TELEGRAM
                return self._cancel(job, order, party, oldest_open, now_ms)
            case None:
                raise AssertionError(job)
            case _:
                assert_never(job.order)

    def _request(self, job: Job, order: SendRequest, party: Party, oldest_open: int, now_ms: int) -> Reason | None:
        route = self._routes.take(job.transaction_id)
        assert route is not None
        if not self._number(job, route, oldest_open, now_ms):
            return Refusal.TRACE_NUMBERS_EXHAUSTED
        try:
            card = self._open_card(order)
        except CardDataUnreadable:
            return Refusal.CARD_DATA_UNREADABLE
        assert job.numbers is not None
        if not self._encode(job, party.telegrams.request(order, card, job.numbers, now_ms), now_ms):
            return Refusal.DOES_NOT_FIT_TELEGRAM
        return None

    def _cancel(self, job: Job, order: SendCancel, party: Party, oldest_open: int, now_ms: int) -> Reason | None:
        first = self.original(order)
        if isinstance(first, NotCancelled):
            return first
        route: int | None = first.route_number
        if order.command in CANCELS:
            # Its original's route where that is free; to wait for it would let one cancel block another.
            held = self._routes.held_for(job.transaction_id)
            route = self._routes.take(job.transaction_id, first.route_number) if held is None else held
            assert route is not None
        if route is None or not self._routes.take_own(route, job.transaction_id):
            return NotCancelled.NO_FREE_ROUTE
        if not self._number(job, route, oldest_open, now_ms):
            return NotCancelled.TRACE_NUMBERS_EXHAUSTED
        assert job.numbers is not None
        job.original = msgspec.structs.replace(order.original, **first._asdict())
        values = party.telegrams.command(job.role, job.original, job.numbers, now_ms)
        if not self._encode(job, values, now_ms):
            return NotCancelled.DOES_NOT_FIT_TELEGRAM
        return None

    def original(self, order: SendCancel) -> Numbers | NotCancelled:
        """The numbers of the request a cancel is about, or why there are none."""
        found = numbers_of(order.original) or self._known.request(order.transaction_id)
        if found is not None:
            return found
        if order.original.accepted_ms - self._clock_tolerance_ms >= self._known.since_ms:
            return NotCancelled.ORIGINAL_NEVER_SENT
        return NotCancelled.ORIGINAL_NOT_FOUND

    def _number(self, job: Job, route: int, oldest_open: int, now_ms: int) -> bool:
        day = business_date(now_ms)
        trace_number = self.trace_numbers.of(job.offset, day, min(oldest_open, job.offset))
        if trace_number is None and job.command is not None:
            trace_number = self._reserve.of(day, cancel=True)
        if trace_number is None:
            self._routes.give_back(route)
            return False
        job.numbers = Numbers(trace_number, route, day)
        return True

    def _encode(self, job: Job, values: dict[str, Value], now_ms: int) -> bool:
        try:
            self._parties.make(job, values, now_ms)
        except (EncodeError, ValueError):
            return False
        return True
