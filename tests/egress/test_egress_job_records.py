"""Every field of what is written about an order on its line: sent, withheld, never sent, unanswered, held."""

from typing import Any

import msgspec
import pytest

from egress.acts import Tell
from egress.holds import OPERATOR, asking_about, held, held_by_order
from egress.jobs import Job, Stage, job_of, never_sent, no_route, not_open, sent, too_late, unanswered, withheld
from egress.numbers import Numbers
from schemas.records import (
    CancelNotSent,
    CancelSilent,
    Command,
    Doubt,
    Kind,
    NeverSent,
    NotCancelled,
    Original,
    ReportMissing,
    RouteHeld,
    RouteOrdered,
    Sealed,
    SendCancel,
    SendRequest,
    TelegramWithheld,
)
from schemas.refusals import Refusal
from schemas.telegrams import Role

NUMBERS = Numbers(7, 3, "20261124")
REQUEST = SendRequest(
    transaction_id="AP02:r1", customer="AP02", reference="r1", kind=Kind.REFUND, terminal_id="4980123456789",
    amount=1_200, payment_method="10", card=Sealed(key_id="k", nonce=b"n", ciphertext=b"c"), sensitive=None,
    original=None, send_by_ms=9_000, report_timeout_ms=30_000, partner="cardnet",
)  # fmt: skip
CANCEL = SendCancel(
    transaction_id="AP02:r1", command=Command.CONFIRM_AGAIN, attempt=2,
    original=Original(
        kind=Kind.SALE, line="cafis-1", trace_number=5, route_number=4, business_date="20261124", approval_code=None,
        terminal_id="4980123456789", amount=700, accepted_ms=1,
    ),
    send_by_ms=8_000, report_timeout_ms=20_000, partner=None,
)  # fmt: skip


def request() -> Job:
    job = job_of(11, b"AP02:r1", REQUEST, 0)
    job.numbers = NUMBERS
    return job


def cancel() -> Job:
    job = job_of(12, b"AP02:r1", CANCEL, CANCEL.attempt)
    job.numbers = NUMBERS
    return job


def seen(job: Job) -> dict[str, Any]:
    names = (
        "offset", "key", "transaction_id", "attempt", "role", "send_by_ms", "order", "partner", "report_timeout_ms",
        "stage", "data", "connection", "match", "error_match", "envelope_match", "reason", "holds", "command",
    )  # fmt: skip
    return {name: getattr(job, name) for name in names}


BEGUN: dict[str, Any] = {
    "stage": Stage.WAITING, "data": b"", "connection": 0, "match": None, "error_match": (), "envelope_match": None,
    "reason": None, "holds": None,
}  # fmt: skip


def test_a_job_is_what_its_order_says() -> None:
    assert seen(request()) == BEGUN | {
        "offset": 11, "key": b"AP02:r1", "transaction_id": "AP02:r1", "attempt": 0, "role": Role.REFUND_REQUEST,
        "send_by_ms": 9_000, "order": REQUEST, "partner": "cardnet", "report_timeout_ms": 30_000, "command": None,
    }  # fmt: skip
    assert seen(cancel()) == BEGUN | {
        "offset": 12, "key": b"AP02:r1", "transaction_id": "AP02:r1", "attempt": 2, "role": Role.FAULT_CONFIRM_AGAIN,
        "send_by_ms": 8_000, "order": CANCEL, "partner": None, "report_timeout_ms": 20_000,
        "command": Command.CONFIRM_AGAIN,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("again", "first", "role"),
    [
        (Command.CONFIRM_AGAIN, Command.CONFIRM, Role.FAULT_CONFIRM),
        (Command.CANCEL_AGAIN, Command.CANCEL, Role.FAULT_CANCEL),
    ],
)
def test_a_re_command_becomes_its_own_command(again: Command, first: Command, role: Role) -> None:
    job = job_of(12, b"AP02:r1", msgspec.structs.replace(CANCEL, command=again), 2)
    job.becomes_first()
    assert (job.role, job.command, job.attempt) == (role, first, 2)
    assert job.order == msgspec.structs.replace(CANCEL, command=first)


def test_why_an_order_is_not_sent_is_said_in_the_words_of_who_ordered_it() -> None:
    for reason, of_request, of_cancel in (
        (too_late, Refusal.NOT_SENT_IN_TIME, NotCancelled.NOT_SENT_IN_TIME),
        (not_open, Refusal.LINE_NOT_OPEN, NotCancelled.LINE_NOT_OPEN),
        (no_route, Refusal.NO_FREE_ROUTE, NotCancelled.NO_FREE_ROUTE),
    ):
        assert reason(request()) is of_request
        assert reason(cancel()) is of_cancel


@pytest.mark.parametrize(
    ("job", "attempt", "role", "offset", "report_by_ms", "partner"),
    [
        (request(), 0, Role.REFUND_REQUEST, 11, 500 + 30_000, "cardnet"),
        (cancel(), 2, Role.FAULT_CONFIRM_AGAIN, 12, 500 + 20_000, None),
    ],
    ids=["request", "cancel"],
)
def test_what_goes_onto_the_line_is_written_down_with_its_numbers_and_until_when_it_may_be_answered(
    job: Job, attempt: int, role: Role, offset: int, report_by_ms: int, partner: str | None
) -> None:
    record = sent(job, "n1", 500)
    told = {
        "transaction_id": "AP02:r1", "transaction_key": "AP02:r1", "attempt": attempt, "role": role,
        "dispatch_offset": offset, "trace_number": 7, "route_number": 3, "business_date": "20261124", "sent_ms": 500,
        "report_by_ms": report_by_ms, "node": "n1", "partner": partner,
    }  # fmt: skip
    assert {name: getattr(record, name) for name in told} == told


def test_what_never_goes_onto_the_line_is_written_down_with_its_reason() -> None:
    assert withheld(request(), Refusal.LINE_NOT_OPEN, "n1", 500) == TelegramWithheld(
        transaction_id="AP02:r1", transaction_key="AP02:r1", attempt=0, role=Role.REFUND_REQUEST, dispatch_offset=11,
        reason=Refusal.LINE_NOT_OPEN, noticed_ms=500, node="n1",
    )  # fmt: skip


def test_who_ordered_it_is_told_that_it_was_never_sent() -> None:
    job = request()
    job.reason = Refusal.LINE_NOT_OPEN
    assert never_sent(job, "cafis-1", 500) == NeverSent(
        transaction_id="AP02:r1", line="cafis-1", refusal=Refusal.LINE_NOT_OPEN, noticed_ms=500
    )
    job = cancel()
    job.reason = NotCancelled.ORIGINAL_NOT_FOUND
    assert never_sent(job, "cafis-1", 500) == CancelNotSent(
        transaction_id="AP02:r1", line="cafis-1", attempt=2, command=Command.CONFIRM_AGAIN,
        reason=NotCancelled.ORIGINAL_NOT_FOUND, noticed_ms=500,
    )  # fmt: skip


@pytest.mark.parametrize("doubt", Doubt)
def test_who_ordered_it_is_told_that_it_was_not_answered(doubt: Doubt) -> None:
    assert unanswered(request(), "cafis-1", doubt, 500) == ReportMissing(
        transaction_id="AP02:r1", line="cafis-1", trace_number=7, route_number=3, business_date="20261124",
        doubt=doubt, noticed_ms=500,
    )  # fmt: skip
    assert unanswered(cancel(), "cafis-1", doubt, 500) == CancelSilent(
        transaction_id="AP02:r1", line="cafis-1", attempt=2, command=Command.CONFIRM_AGAIN, doubt=doubt, noticed_ms=500
    )


# --- holds

HELD = RouteHeld(
    line="cafis-1", route_number=3, transaction_id="AP02:r1", trace_number=7, business_date="20261124",
    reason="in_doubt", since_ms=500, expires_ms=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (None, "in_doubt"),
        (Command.CONFIRM, "in_doubt"),
        (Command.CONFIRM_AGAIN, "in_doubt"),
        (Command.CANCEL, "cancel"),
        (Command.CANCEL_AGAIN, "cancel"),
    ],
)
def test_a_route_is_held_for_the_cancel_of_a_doubt_or_of_an_answer(command: Command | None, reason: str) -> None:
    job = request() if command is None else job_of(12, b"k", msgspec.structs.replace(CANCEL, command=command), 2)
    assert held(job, NUMBERS, "cafis-1", 500) == msgspec.structs.replace(HELD, reason=reason)


ORDERED = RouteOrdered(
    order_id="o1", route_number=3, hold=True, operator="Sato", reason="circuit test", ordered_ms=400, seen=None
)


def test_a_route_held_by_order_says_by_whom_and_why_and_is_no_transactions() -> None:
    assert held_by_order(ORDERED, "cafis-1") == RouteHeld(
        line="cafis-1", route_number=3, transaction_id="operator:o1", trace_number=0, business_date="",
        reason="Sato: circuit test", since_ms=400, expires_ms=None,
    )  # fmt: skip


def test_about_a_hold_of_a_doubt_both_are_asked_who_may_know_its_end() -> None:
    missing = ReportMissing(
        transaction_id="AP02:r1", line="cafis-1", trace_number=7, route_number=3, business_date="20261124",
        doubt=Doubt.NOBODY_SAID, noticed_ms=900,
    )  # fmt: skip
    silent = CancelSilent(
        transaction_id="AP02:r1", line="cafis-1", attempt=0, command=Command.CONFIRM, doubt=Doubt.NOBODY_SAID,
        noticed_ms=900,
    )  # fmt: skip
    assert list(asking_about(HELD, 900)) == [
        Tell("reports", b"AP02:r1", missing),
        Tell("cancel-reports", b"AP02:r1", silent),
    ]


def test_about_a_hold_of_a_cancel_the_cancel_service_alone_is_asked_under_the_originals_key() -> None:
    found = msgspec.structs.replace(HELD, reason="cancel", transaction_id="AP02:r1/r2")
    silent = CancelSilent(
        transaction_id="AP02:r1/r2", line="cafis-1", attempt=0, command=Command.CANCEL, doubt=Doubt.NOBODY_SAID,
        noticed_ms=900,
    )  # fmt: skip
    assert list(asking_about(found, 900)) == [Tell("cancel-reports", b"AP02:r1", silent)]


def test_about_a_hold_by_order_nobody_is_asked() -> None:
    assert OPERATOR == "operator:"
    assert list(asking_about(held_by_order(ORDERED, "cafis-1"), 900)) == []
