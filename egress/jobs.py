"""One order on its way through a line, and what a new owner of the line finds of it. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

import msgspec

from egress.answers import NAMELESS, Named
from egress.numbers import FIRST_BATCH, Numbers, Reserved
from schemas.records import (
    CancelNotSent,
    CancelSilent,
    Command,
    Doubt,
    NeverSent,
    NotCancelled,
    Original,
    ReportMissing,
    RouteHeld,
    SendCancel,
    SendRequest,
    TelegramSent,
    TelegramWithheld,
)
from schemas.refusals import Refusal
from schemas.telegrams import COMMAND_OF_ROLE, ROLE_OF_COMMAND, ROLE_OF_KIND, Role, Value

Order = SendRequest | SendCancel
Reason = Refusal | NotCancelled
CANCELS = (Command.CANCEL, Command.CANCEL_AGAIN)
FIRST = {Command.CONFIRM_AGAIN: Command.CONFIRM, Command.CANCEL_AGAIN: Command.CANCEL}


class Stage(Enum):
    """Where a job stands."""

    WAITING = auto()  # for an open line, or for a route
    WITHHOLDING = auto()  # `sent` is told that it never goes out
    STORING = auto()  # `sent` is told that it goes out now
    SENT = auto()
    LATE = auto()  # in doubt; a report may still come, and changes nothing
    DONE = auto()


@dataclass(slots=True, eq=False)
class Job:
    """One order, on its way through the line."""

    offset: int
    key: bytes
    transaction_id: str
    attempt: int
    role: Role
    send_by_ms: int
    order: Order | None  # until it has been put into a telegram
    partner: str | None = None  # whose telegram it is; None: that of the line's own partner
    report_timeout_ms: int = 0
    original: Original | None = None  # what a cancel telegram names, with its numbers
    stage: Stage = Stage.WAITING
    numbers: Numbers | None = None
    data: bytes = field(default=b"", repr=False)  # until it is on the line: with the card
    sent_ms: int = 0  # when it went onto the line; of an inherited one not known
    connection: int = 0  # the line's when `sent` was told of it: it goes out over that one, or never
    match: tuple[Value, ...] | None = None
    error_match: tuple[Value, ...] = ()
    named: Named = NAMELESS  # what no answer may contradict
    envelope_match: tuple[Value, ...] | None = None  # what an error report about its envelope would have; see `parties`
    envelope_named: Named = NAMELESS  # as `named`, of its envelope
    reason: Reason | None = None
    holds: Numbers | None = None  # whose route is held for it; told when it is known that the line is ours

    @property
    def command(self) -> Command | None:
        """Which cancel telegram it is; None for a request."""
        return COMMAND_OF_ROLE.get(self.role)

    def becomes_first(self) -> None:
        """The re-command becomes its command: none has gone out before."""
        assert isinstance(self.order, SendCancel)
        first = FIRST[self.order.command]
        self.order = msgspec.structs.replace(self.order, command=first)
        self.role = ROLE_OF_COMMAND[first]


class Load(NamedTuple):
    """What a line is busy with."""

    in_flight: int
    cancels_waiting: int
    routes_held: int
    out_of_use: int  # of the held routes, by an operator's order

    @property
    def nothing_awaited(self) -> bool:
        """Whether nothing is under way whose end a closing should await."""
        return not (self.in_flight or self.cancels_waiting or self.routes_held > self.out_of_use)


class Takeover(NamedTuple):
    """What a new owner finds: all of it from before its `LineTaken`."""

    sent: Sequence[TelegramSent | TelegramWithheld]
    known_since_ms: int  # `sent` is complete from here on
    position: int  # of the dispatches, where reading goes on
    holds: Iterable[RouteHeld]
    day_began_at: int  # no dispatch before this one went out in this business day
    last_words: Collection[int] = ()  # routes about which a former owner wrote last
    not_done: Collection[str] = ()  # operators' orders about routes that were answered so
    reserved: Reserved = FIRST_BATCH  # trace numbers out of the line's reserve


def job_of(offset: int, key: bytes, order: Order, attempt: int) -> Job:
    """The job of an order that was dispatched at `offset`."""
    return Job(
        offset=offset,
        key=key,
        transaction_id=order.transaction_id,
        attempt=attempt,
        role=ROLE_OF_COMMAND[order.command] if isinstance(order, SendCancel) else ROLE_OF_KIND[order.kind],
        send_by_ms=order.send_by_ms,
        order=order,
        partner=order.partner,
        report_timeout_ms=order.report_timeout_ms,
    )


def numbers_of(original: Original | None) -> Numbers | None:
    """Under which numbers a cancel's original went out, where whoever ordered it knew."""
    if original is None or original.trace_number is None:
        return None
    assert original.route_number is not None
    assert original.business_date is not None
    return Numbers(original.trace_number, original.route_number, original.business_date)


def too_late(job: Job) -> Reason:
    """Why an order whose time has passed is not sent."""
    return Refusal.NOT_SENT_IN_TIME if job.command is None else NotCancelled.NOT_SENT_IN_TIME


def not_open(job: Job) -> Reason:
    """Why an order for a closed line is not sent."""
    return Refusal.LINE_NOT_OPEN if job.command is None else NotCancelled.LINE_NOT_OPEN


def no_route(job: Job) -> Reason:
    """Why an order that found no route is not sent."""
    return Refusal.NO_FREE_ROUTE if job.command is None else NotCancelled.NO_FREE_ROUTE


# --- what is written about it ---------------------------------------------------------------------------------------


def sent(job: Job, node: str, now_ms: int) -> TelegramSent:
    """It goes onto the line."""
    assert job.numbers is not None
    return TelegramSent(
        transaction_id=job.transaction_id,
        transaction_key=job.key.decode(),
        attempt=job.attempt,
        role=job.role,
        dispatch_offset=job.offset,
        trace_number=job.numbers.trace_number,
        route_number=job.numbers.route_number,
        business_date=job.numbers.business_date,
        sent_ms=now_ms,
        report_by_ms=now_ms + job.report_timeout_ms,
        node=node,
        partner=job.partner,
        original=job.original,
    )


def withheld(job: Job, reason: Reason, node: str, now_ms: int) -> TelegramWithheld:
    """It never goes onto the line."""
    return TelegramWithheld(
        transaction_id=job.transaction_id,
        transaction_key=job.key.decode(),
        attempt=job.attempt,
        role=job.role,
        dispatch_offset=job.offset,
        reason=reason,
        noticed_ms=now_ms,
        node=node,
    )


def never_sent(job: Job, line: str, now_ms: int) -> NeverSent | CancelNotSent:
    """Tells who ordered it that it never went onto the line."""
    if isinstance(job.reason, Refusal):
        return NeverSent(transaction_id=job.transaction_id, line=line, refusal=job.reason, noticed_ms=now_ms)
    assert job.reason is not None
    assert job.command is not None
    return CancelNotSent(
        transaction_id=job.transaction_id,
        line=line,
        attempt=job.attempt,
        command=job.command,
        reason=job.reason,
        noticed_ms=now_ms,
    )


def unanswered(job: Job, line: str, doubt: Doubt, now_ms: int) -> ReportMissing | CancelSilent:
    """Tells who ordered it that it went onto the line and was not answered."""
    if job.command is not None:
        return CancelSilent(
            transaction_id=job.transaction_id,
            line=line,
            attempt=job.attempt,
            command=job.command,
            doubt=doubt,
            noticed_ms=now_ms,
        )
    assert job.numbers is not None
    return ReportMissing(
        transaction_id=job.transaction_id,
        line=line,
        trace_number=job.numbers.trace_number,
        route_number=job.numbers.route_number,
        business_date=job.numbers.business_date,
        doubt=doubt,
        noticed_ms=now_ms,
    )
