"""For a stray that the gateway kept, the request that it nearly answers is found in what the line has sent."""

from pathlib import Path

import pytest

from ops import stray_misses
from ops.stray_misses import Records, Stray, answered_by
from pipeline.config import load
from schemas.installation import Carried, Installation, Line
from schemas.records import (
    CancelReported,
    Command,
    Kind,
    Original,
    Outcome,
    Record,
    ReportReceived,
    Sealed,
    SendCancel,
    SendRequest,
    StrayTelegram,
    TelegramSent,
)
from schemas.telegrams import Message, PartnerSpec, Role, Value, load_partner

FILE = Path(__file__).parents[2] / "deploy/environments/development/denbun.toml"
SPECS = {name: load_partner(name) for name in ("cafis", "cardnet")}
CAFIS, CARDNET = SPECS["cafis"], SPECS["cardnet"]
AT_MS = 1_743_467_415_000
DAY_MS, TOLERANCE_MS = 86_400_000, 700
COMPANY = "290001"
NO_CARD = Sealed(key_id="card-1", nonce=b"", ciphertext=b"")
PAID = Original(
    kind=Kind.SALE, line="cafis-1", trace_number=123, route_number=7, business_date="20250401", approval_code=None,
    terminal_id="4980123456789", amount=12_800, accepted_ms=AT_MS,
)  # fmt: skip


@pytest.fixture(scope="module")
def line() -> Line:
    found = next(each for each in load(Installation, FILE).line if each.partner == "cafis")
    return found.model_copy(update={"company_code": COMPANY, "carries": ()})


def sent(
    offset: int, role: Role, trace: int, *, at_ms: int = AT_MS, attempt: int = 0, partner: str | None = None
) -> TelegramSent:
    return TelegramSent(
        transaction_id=f"tx{offset}", transaction_key="key", attempt=attempt, role=role.value, dispatch_offset=offset,
        trace_number=trace, route_number=7, business_date="20250401", sent_ms=at_ms, report_by_ms=at_ms + 9_000,
        node="node0", partner=partner, original=None,
    )  # fmt: skip


def request(offset: int, terminal: str = "4980123456789", amount: int = 12_800) -> SendRequest:
    return SendRequest(
        transaction_id=f"tx{offset}", customer="AP02", reference="r", kind=Kind.SALE, terminal_id=terminal,
        amount=amount, payment_method="10", card=NO_CARD, sensitive=None, original=None, send_by_ms=AT_MS,
        report_timeout_ms=9_000, partner=None,
    )  # fmt: skip


def cancel(offset: int, original: Original = PAID) -> SendCancel:
    return SendCancel(
        transaction_id=f"tx{offset}", command=Command.CONFIRM, attempt=1, original=original, send_by_ms=AT_MS,
        report_timeout_ms=9_000, partner=None,
    )  # fmt: skip


def stray(spec: PartnerSpec, role: Role, **changed: Value) -> StrayTelegram:
    """As the line writes it down (`egress/core.py`)."""
    values = {**spec.telegrams[role].sample(), "company_code": COMPANY, **changed}
    message = spec.decode(spec.encode(role, values))
    return StrayTelegram(
        line="cafis-1", role=role.value, received_ms=AT_MS + 500,
        description=f"answers nothing that awaits an answer\n{spec.describe(message)}",
    )  # fmt: skip


def records(*row: TelegramSent, dispatch: dict[int, Record], answers: tuple[Record, ...] = ()) -> Records:
    return Records(row, dispatch, answered_by(answers))


def nearest(found: StrayTelegram, line: Line, specs: dict[str, PartnerSpec], known: Records) -> Stray:
    return stray_misses.nearest(found, line, specs, known, TOLERANCE_MS)


def missed(found: Stray) -> list[tuple[str, Value, Value]]:
    assert found.miss is not None
    return [tuple(each) for each in found.miss.differences]  # type: ignore[misc]


@pytest.mark.parametrize("role", [role for role in Role if role in CAFIS.telegrams and "envelope" not in role])
def test_the_telegram_is_read_again_from_its_description(line: Line, role: Role) -> None:
    values = {**CAFIS.telegrams[role].sample(), "company_code": COMPANY}
    found = nearest(stray(CAFIS, role), line, SPECS, records(dispatch={}))
    assert found.why == "answers nothing that awaits an answer"
    assert (found.partner, found.message and found.message.role) == (CAFIS, role)
    assert found.message is not None
    masked = CAFIS.masked(values)
    assert found.message.values == {name: masked[name] for name in found.message.values}
    assert found.message.values.keys() >= {"trace_number", "route_number", "company_code", "business_date"}


def test_a_report_for_another_terminal_would_match_but_for_that(line: Line) -> None:
    known = records(
        sent(4, Role.SALE_REQUEST, 123), sent(5, Role.SALE_REQUEST, 124), dispatch={4: request(4), 5: request(5)}
    )
    found = nearest(stray(CAFIS, Role.SALE_REPORT, trace_number=123, terminal_id="4980000000000"), line, SPECS, known)
    assert missed(found) == [("terminal_id", "4980123456789", "4980000000000")]
    assert (found.of and found.of.transaction_id, found.miss and found.miss.unknown) == ("tx4", ())


def test_a_report_of_another_amount_would_match_but_for_that(line: Line) -> None:
    known = records(sent(4, Role.SALE_REQUEST, 123), dispatch={4: request(4, amount=5)})
    assert missed(nearest(stray(CAFIS, Role.SALE_REPORT, trace_number=123), line, SPECS, known)) == [
        ("amount", 5, 12_800)
    ]


def test_a_report_that_came_before_is_told_to_be_answered(line: Line) -> None:
    answer = ReportReceived(
        transaction_id="tx4", line="cafis-1", trace_number=123, route_number=7, business_date="20250401",
        outcome=Outcome.APPROVED, result_code="000", approval_code=None, error_code=None, late=False, received_ms=AT_MS,
    )  # fmt: skip
    known = records(sent(4, Role.SALE_REQUEST, 123), dispatch={4: request(4)}, answers=(answer,))
    found = nearest(stray(CAFIS, Role.SALE_REPORT, trace_number=123), line, SPECS, known)
    assert missed(found) == []
    assert found.miss is not None
    assert found.miss.asked.answered_by == 4


def test_a_report_of_a_cancel_is_held_against_the_original_that_the_cancel_named(line: Line) -> None:
    known = records(sent(6, Role.FAULT_CONFIRM, 130, attempt=1), dispatch={6: cancel(6)})
    right = stray(CAFIS, Role.FAULT_CONFIRM_REPORT, trace_number=130, original_trace_number=122)
    assert missed(nearest(right, line, SPECS, known)) == [("original_trace_number", 123, 122)]
    answer = CancelReported(
        transaction_id="tx6", line="cafis-1", attempt=1, command=Command.CONFIRM, in_error=False, error_code=None,
        received_ms=AT_MS,
    )  # fmt: skip
    again = records(sent(6, Role.FAULT_CONFIRM, 130, attempt=1), dispatch={6: cancel(6)}, answers=(answer,))
    found = nearest(
        stray(CAFIS, Role.FAULT_CONFIRM_REPORT, trace_number=130, original_trace_number=123), line, SPECS, again
    )
    assert (missed(found), found.miss and found.miss.asked.answered_by) == ([], 6)


def test_what_the_topics_do_not_hold_any_more_is_not_compared_and_is_said(line: Line) -> None:
    found = nearest(
        stray(CAFIS, Role.SALE_REPORT, trace_number=123),
        line,
        SPECS,
        records(sent(4, Role.SALE_REQUEST, 123), dispatch={}),
    )
    assert found.miss is not None
    assert (found.miss.differences, found.miss.unknown) == ((), ("terminal_id",))


def test_only_what_was_sent_within_the_day_before_is_near_by_two_owners_clocks(line: Line) -> None:
    came = stray(CAFIS, Role.SALE_REPORT, trace_number=123)
    for at_ms, is_near in (
        (came.received_ms - DAY_MS - 1, False),
        (came.received_ms - DAY_MS, True),
        (came.received_ms + TOLERANCE_MS, True),  # the owner that read it is that far behind the one that sent
        (came.received_ms + TOLERANCE_MS + 1, False),
    ):
        known = records(sent(4, Role.SALE_REQUEST, 123, at_ms=at_ms), dispatch={4: request(4)})
        assert (nearest(came, line, SPECS, known).miss is not None) is is_near, at_ms


def test_on_a_line_that_carries_another_partner_each_is_held_against_its_own(line: Line) -> None:
    carrying = line.model_copy(update={"carries": (Carried(partner="cardnet", code="JCN1", company_code="770001"),)})
    known = records(
        sent(4, Role.SALE_REQUEST, 123), sent(5, Role.SALE_REQUEST, 124, partner="cardnet"),
        dispatch={4: request(4), 5: request(5)},
    )  # fmt: skip
    found = nearest(stray(CARDNET, Role.SALE_REPORT, trace_number=124), carrying, SPECS, known)
    assert found.partner is CARDNET
    assert found.of is not None
    assert found.of.transaction_id == "tx5"
    assert missed(found) == [("company_code", "770001", COMPANY)]


def test_of_what_could_not_be_read_the_reason_alone_is_told(line: Line) -> None:
    record = StrayTelegram(
        line="cafis-1", role=None, description="cafis telegram: is blank (12 bytes)", received_ms=AT_MS
    )
    found = nearest(record, line, SPECS, records(dispatch={}))
    assert found == Stray(record, "cafis telegram: is blank (12 bytes)", None, None, None, None)


def test_a_request_of_the_partner_is_no_answer_to_anything(line: Line) -> None:
    found = nearest(stray(CAFIS, Role.SALE_REQUEST), line, SPECS, records(sent(4, Role.SALE_REQUEST, 123), dispatch={}))
    assert isinstance(found.message, Message)
    assert found.miss is None
