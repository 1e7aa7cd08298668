"""What is written about held routes 経路保留, and what a new owner of the line asks about those it finds. Pure."""

from collections.abc import Iterator

from egress.acts import Tell
from egress.jobs import CANCELS, Job
from egress.numbers import Numbers
from schemas.identity import key_of
from schemas.records import CancelSilent, Command, Doubt, ReportMissing, RouteHeld, RouteOrdered

IN_DOUBT = "in_doubt"
OPERATOR = "operator:"
"""Stands before an order's id where otherwise the transaction stands: a hold that no cancel will end."""

_CANCEL = "cancel"


def held(job: Job, about: Numbers, line: str, now_ms: int) -> RouteHeld:
    """The route in `about` is held for the cancel of the job's transaction."""
    return RouteHeld(
        line=line,
        route_number=about.route_number,
        transaction_id=job.transaction_id,
        trace_number=about.trace_number,
        business_date=about.business_date,
        reason=_CANCEL if job.command in CANCELS else IN_DOUBT,
        since_ms=now_ms,
        expires_ms=None,
    )


def held_by_order(order: RouteOrdered, line: str) -> RouteHeld:
    """The route is held because an operator ordered so."""
    return RouteHeld(
        line=line,
        route_number=order.route_number,
        transaction_id=f"{OPERATOR}{order.order_id}",
        trace_number=0,
        business_date="",
        reason=f"{order.operator}: {order.reason}",
        since_ms=order.ordered_ms,
        expires_ms=None,
    )


def asking_about(found: RouteHeld, now_ms: int) -> Iterator[Tell]:
    """What router and faults are told of a hold that was found on taking the line over.

    A former owner that was frozen may have written it after everything had ended. Whoever knows that releases the
    route; whoever still has to do with it finds nothing new: attempt 0 is none of any cancel.
    """
    if found.transaction_id.startswith(OPERATOR):
        return
    key = key_of(found.transaction_id).encode()
    if found.reason == IN_DOUBT:
        missing = ReportMissing(
            transaction_id=found.transaction_id,
            line=found.line,
            trace_number=found.trace_number,
            route_number=found.route_number,
            business_date=found.business_date,
            doubt=Doubt.NOBODY_SAID,
            noticed_ms=now_ms,
        )
        yield Tell("reports", key, missing)
    silent = CancelSilent(
        transaction_id=found.transaction_id,
        line=found.line,
        attempt=0,
        command=Command.CONFIRM if found.reason == IN_DOUBT else Command.CANCEL,
        doubt=Doubt.NOBODY_SAID,
        noticed_ms=now_ms,
    )
    yield Tell("cancel-reports", key, silent)
