"""Telegrams as the gateway's own topics tell them: in their order, under their roles, and nothing made up."""

from collections.abc import Mapping, Sequence

from acceptance.record import Telegram
from ops.acceptance_topics import Found, held, line_story, telegrams, with_a_person
from pipeline.log import Message
from schemas import wire
from schemas.records import (
    AttentionRaised,
    CancelReported,
    Command,
    Kind,
    LineStage,
    LineState,
    Original,
    Outcome,
    Record,
    ReportReceived,
    RouteHeld,
    SendCancel,
    StrayTelegram,
    TelegramSent,
)
from schemas.telegrams import Message as Decoded
from schemas.telegrams import Role, load_partner

CAFIS = load_partner("cafis")
TX = "AP02:a"
ORIGINAL = Original(
    kind=Kind.SALE, line="one", trace_number=53, route_number=7, business_date="20261128", approval_code=None,
    terminal_id="T1", amount=3_060, accepted_ms=0,
)  # fmt: skip


def sent(role: Role, attempt: int, trace: int, at_ms: int, transaction_id: str = TX) -> TelegramSent:
    return TelegramSent(
        transaction_id=transaction_id, transaction_key=TX, attempt=attempt, role=str(role), dispatch_offset=0,
        trace_number=trace, route_number=7, business_date="20261128", sent_ms=at_ms, report_by_ms=0, node="n",
        partner=None, original=None,
    )  # fmt: skip


def order(attempt: int, command: Command) -> SendCancel:
    return SendCancel(
        transaction_id=TX, command=command, attempt=attempt, original=ORIGINAL, send_by_ms=0, report_timeout_ms=0,
        partner=None,
    )  # fmt: skip


def cancel_reported(attempt: int, command: Command, at_ms: int, error: str | None, *, in_error: bool = False) -> Record:
    return CancelReported(
        transaction_id=TX, line="one", attempt=attempt, command=command, in_error=in_error, error_code=error,
        received_ms=at_ms,
    )  # fmt: skip


def reported(outcome: Outcome, at_ms: int, error: str | None = None) -> Record:
    return ReportReceived(
        transaction_id=TX, line="one", trace_number=53, route_number=7, business_date="20261128", outcome=outcome,
        result_code=None if error else "000", approval_code=None, error_code=error, late=False, received_ms=at_ms,
    )  # fmt: skip


def found(records: Mapping[str, Sequence[Record]], holds: Sequence[Message] = ()) -> Found:
    topics = ("attention", "reports", "cancel-reports", "strays", "lines", "dispatch.one", "sent.one")
    return Found({name: list(records.get(name, ())) for name in topics}, holds)


def told(seen: Sequence[Telegram]) -> list[str]:
    return [f"{each.way} {each.role} {each.trace_number}" for each in seen]


def test_a_chain_of_cancels_is_told_in_its_order_with_what_each_names() -> None:
    seen = telegrams(
        found({
            "sent.one": [
                sent(Role.SALE_REQUEST, 0, 53, 10), sent(Role.FAULT_CONFIRM, 1, 59, 20),
                sent(Role.SALE_REQUEST, 0, 54, 21, "AP02:other"), sent(Role.FAULT_CONFIRM_AGAIN, 2, 72, 30),
            ],
            "dispatch.one": [order(1, Command.CONFIRM), order(2, Command.CONFIRM_AGAIN)],
            "cancel-reports": [
                cancel_reported(1, Command.CONFIRM, 25, "C13"), cancel_reported(2, Command.CONFIRM_AGAIN, 35, None)
            ],
        }),
        CAFIS, [TX],
    )  # fmt: skip
    assert told(seen) == [
        "→ sale_request 53", "→ fault_confirm 59", "← fault_confirm_report 59", "→ fault_confirm_again 72",
        "← fault_confirm_report 72",
    ]  # fmt: skip
    assert seen[1].values["original_trace_number"] == 53
    assert seen[1].values["original_type_code"] == CAFIS.type_code(Role.SALE_REQUEST)
    assert seen[1].values["amount"] == 3_060
    assert (seen[2].values["error_code"], seen[2].values["outcome"]) == ("C13", "declined")
    assert seen[4].values == {"outcome": "approved"}
    assert all(not each.fields and not each.dump for each in seen)


def test_a_report_has_the_role_of_what_it_answers_and_an_error_report_its_own() -> None:
    for outcome, error, role in (
        (Outcome.APPROVED, None, Role.SALE_REPORT),
        (Outcome.TURNED_ROUND, None, Role.SALE_REPORT),
        (Outcome.IN_ERROR, "C01", Role.ERROR_REPORT),
    ):
        records = {"sent.one": [sent(Role.SALE_REQUEST, 0, 53, 10)], "reports": [reported(outcome, 20, error)]}
        seen = telegrams(found(records), CAFIS, [TX])
        assert told(seen) == ["→ sale_request 53", f"← {role} 53"]


def test_an_error_report_about_a_cancel_is_one() -> None:
    seen = telegrams(
        found({
            "sent.one": [sent(Role.FAULT_CANCEL, 1, 60, 10)],
            "cancel-reports": [cancel_reported(1, Command.CANCEL, 20, "C01", in_error=True)],
        }),
        CAFIS, [TX],
    )  # fmt: skip
    assert told(seen) == ["→ fault_cancel 60", "← error_report 60"]


def test_a_late_report_is_found_among_the_strays_by_its_number() -> None:
    values = {**CAFIS.telegrams[Role.SALE_REPORT].sample(), "trace_number": 53}
    text = f"late\n{CAFIS.describe(Decoded(Role.SALE_REPORT, values))}"
    others = CAFIS.describe(Decoded(Role.SALE_REPORT, {**values, "trace_number": 99}))
    strays = [
        StrayTelegram(line="one", role="sale_report", description=text, received_ms=40),
        StrayTelegram(line="one", role="sale_report", description=others, received_ms=41),
        StrayTelegram(line="two", role="sale_report", description=text, received_ms=42),
        StrayTelegram(line="one", role=None, description="no telegram", received_ms=43),
    ]
    seen = telegrams(found({"sent.one": [sent(Role.SALE_REQUEST, 0, 53, 10)], "strays": strays}), CAFIS, [TX])
    assert told(seen) == ["→ sale_request 53", "← sale_report 53"]
    assert seen[1].values == {}, "nothing is made up of what was kept as a text"


def hold(route: int, transaction_id: str | None) -> Message:
    key = f"one/{route}".encode()
    if transaction_id is None:
        return Message("holds", 0, 0, key, None, (), 0)
    record = RouteHeld(
        line="one", route_number=route, transaction_id=transaction_id, trace_number=1, business_date="20261128",
        reason="cancel", since_ms=0, expires_ms=None,
    )  # fmt: skip
    value, headers = wire.encode(record)
    return Message("holds", 0, 0, key, value, tuple(headers), 0)


def test_who_had_a_route_held_and_who_still_has() -> None:
    ever, now = held(found({}, [hold(7, TX), hold(8, "AP02:b"), hold(7, None), hold(9, "AP02:c"), hold(9, "AP02:d")]))
    assert ever == {TX, "AP02:b", "AP02:c", "AP02:d"}
    assert now == {"AP02:b", "AP02:d"}


def test_who_is_with_a_person() -> None:
    raised = AttentionRaised(
        transaction_id=TX, customer="AP02", reference="a", partner="cafis", line="one", kind=Kind.SALE,
        terminal_id="T1", amount=1, trace_number=1, business_date=None, reason="silence", error_code=None, attempts=4,
        since_ms=0, raised_ms=0,
    )  # fmt: skip
    assert with_a_person(found({"attention": [raised]})) == {TX}


def test_how_a_line_went_on_is_told_once_for_each_change() -> None:
    def state(line: str, stage: LineStage) -> LineState:
        return LineState(
            line=line, partner="cafis", node="n", stage=stage, reason=None, since_ms=0, wish=None, wished_by=None,
            wished_since_ms=None, connected_ms=None, asked_ms=None, answered_ms=None, in_flight=None,
            cancels_waiting=None, routes_held=None, told_ms=None, spared=None,
        )  # fmt: skip

    states = [
        state("one", LineStage.OPEN), state("one", LineStage.OPEN), state("two", LineStage.OPEN),
        state("one", LineStage.CLOSING), state("one", LineStage.CLOSED),
    ]  # fmt: skip
    assert line_story(found({"lines": states}), ["one"]) == "one: open\none: closing\none: closed"
