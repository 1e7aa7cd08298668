"""Every field of what the cancel service writes: the commands, the ends, and the case that a person gets."""

import pytest
from test_faults_core import POLICY

from faults.config import Settings
from faults.core import Decision, Input, decide, event_of
from faults.table import IMPOSSIBLE, TABLE, Act, Event, _rows, mermaid
from schemas.records import (
    AttentionRaised,
    CancelEnd,
    CancelNotSent,
    CancelReported,
    CancelSettled,
    CancelSilent,
    CancelStage,
    CancelState,
    CaseClosed,
    CaseOutcome,
    Command,
    DeadlinePassed,
    Doubt,
    Kind,
    NotCancelled,
    OperatorOrder,
    OperatorOrdered,
    OrderAnswered,
    OrderRefusal,
    Original,
    ReleaseRoute,
    ReplyLost,
    RequestInDoubt,
    SendCancel,
)

SETTINGS = Settings({"cafis": POLICY}, {"cafis": frozenset({"C13"})}, grace_ms=100, remember_ms=60_000)
ORIGINAL = Original(
    kind=Kind.REFUND,
    line="cafis-1",
    trace_number=7,
    route_number=3,
    business_date="20261124",
    approval_code="A1",
    terminal_id="4000000000001",
    amount=1_200,
    accepted_ms=40,
)
TOLD = {"transaction_id": "AP02:r1", "customer": "AP02", "reference": "r1", "partner": "cafis", "original": ORIGINAL}
DOUBT = RequestInDoubt(**TOLD, since_ms=90, doubt=Doubt.SILENCE)  # type: ignore[arg-type]
LOST = ReplyLost(**TOLD, since_ms=90)  # type: ignore[arg-type]


def reported(attempt: int, *, in_error: bool = False, error_code: str | None = None) -> CancelReported:
    return CancelReported(
        transaction_id="AP02:r1", line="cafis-1", command=Command.CONFIRM, attempt=attempt, in_error=in_error,
        error_code=error_code, received_ms=1,
    )  # fmt: skip


def unsent(attempt: int, reason: NotCancelled) -> CancelNotSent:
    return CancelNotSent(
        transaction_id="AP02:r1", line="cafis-1", command=Command.CONFIRM, attempt=attempt, reason=reason, noticed_ms=1
    )


def silent(attempt: int, doubt: Doubt = Doubt.SILENCE) -> CancelSilent:
    return CancelSilent(
        transaction_id="AP02:r1", line="cafis-1", command=Command.CONFIRM, attempt=attempt, doubt=doubt, noticed_ms=1
    )


def ordered(order: OperatorOrder, seen: CancelStage, attempt: int) -> OperatorOrdered:
    return OperatorOrdered(
        transaction_id="AP02:r1", order_id="o1", order=order, operator="Sato", reason="by telephone",
        outcome=CaseOutcome.STANDS if order is OperatorOrder.SETTLE else None, seen=seen, seen_attempt=attempt,
        ordered_ms=1,
    )  # fmt: skip


def play(*records: Input) -> Decision:
    """The last decision of these, the first at 100 ms, each 100 ms later."""
    state: CancelState | None = None
    for now_ms, record in enumerate(records, 1):
        decision = decide(record, state, SETTINGS, now_ms * 100, "AP02:r1")
        state = decision.state
    return decision


def play_state(*records: Input) -> CancelState:
    state = play(*records).state
    assert state is not None
    return state


# --- the state


@pytest.mark.parametrize(
    ("record", "stage", "reason", "begun_with"),
    [
        (DOUBT, CancelStage.CONFIRMING, "silence", Command.CONFIRM),
        (LOST, CancelStage.CANCELLING, "reply_lost", Command.CANCEL),
    ],
)
def test_a_cancel_begins_with_all_that_its_request_told(
    record: Input, stage: CancelStage, reason: str, begun_with: Command
) -> None:
    assert play(record).state == CancelState(
        transaction_id="AP02:r1",
        transaction_key="AP02:r1",
        customer="AP02",
        reference="r1",
        partner="cafis",
        stage=stage,
        original=ORIGINAL,
        attempt=1,
        unsent=0,
        troubles=0,
        error_code=None,
        since_ms=90,
        changed_ms=100,
        due_ms=100 + 1_000 + 2_000 + 100,
        reason=reason,
        begun_with=begun_with,
        ordered=None,
    )


def test_each_move_is_dated_and_what_the_partner_said_last_stays() -> None:
    paused = play_state(DOUBT, reported(1, error_code="C13"))
    assert (paused.changed_ms, paused.error_code, paused.reason) == (200, "C13", "C13")
    decided = decide(ordered(OperatorOrder.REPEAT, paused.stage, 1), paused, SETTINGS, 300, "AP02:r1").state
    assert decided is not None
    assert (decided.changed_ms, decided.error_code, decided.reason) == (300, "C13", "C13")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (reported(1, in_error=True, error_code="C01"), "error_report C01"),
        (reported(1, in_error=True), "error_report"),
        (reported(1, error_code="Z99"), "Z99"),
        (unsent(1, NotCancelled.DOES_NOT_FIT_TELEGRAM), "does_not_fit_telegram"),
        (unsent(1, NotCancelled.ORIGINAL_NOT_FOUND), "original_not_found"),
    ],
)
def test_what_cannot_be_sent_or_is_refused_goes_to_a_person_at_once_with_its_reason(record: Input, reason: str) -> None:
    decision = play(DOUBT, record)
    assert decision.state is not None
    assert (decision.state.stage, decision.state.reason) == (CancelStage.ATTENTION, reason)
    assert decision.attention is not None
    assert decision.attention.reason == reason


# --- what is written


@pytest.mark.parametrize(("record", "command"), [(DOUBT, Command.CONFIRM), (LOST, Command.CANCEL)])
def test_a_command_carries_its_original_its_partner_and_its_times(record: Input, command: Command) -> None:
    assert play(record).orders == [
        SendCancel(
            transaction_id="AP02:r1",
            command=command,
            attempt=1,
            original=ORIGINAL,
            send_by_ms=100 + 1_000,
            report_timeout_ms=2_000,
            partner="cafis",
        )
    ]


@pytest.mark.parametrize(
    ("record", "end", "stage", "reason"),
    [
        (reported(1), CancelEnd.CANCELLED, CancelStage.CANCELLED, "silence"),
        (unsent(1, NotCancelled.ORIGINAL_NEVER_SENT), CancelEnd.NOTHING_SENT, CancelStage.NOTHING_SENT,
         "original_never_sent"),
        (reported(1, error_code="Z99"), CancelEnd.ATTENTION, CancelStage.ATTENTION, "Z99"),
    ],
)  # fmt: skip
def test_an_end_is_told_with_its_reason_and_the_route_is_released(
    record: Input, end: CancelEnd, stage: CancelStage, reason: str
) -> None:
    decision = play(DOUBT, record)
    assert decision.settlement == CancelSettled(transaction_id="AP02:r1", end=end, reason=reason, settled_ms=200)
    assert decision.orders == [ReleaseRoute(transaction_id="AP02:r1", reason=stage)]


@pytest.mark.parametrize(
    ("record", "reason", "error_code"),
    [
        (reported(1, error_code="Z99"), "Z99", "Z99"),
        (unsent(1, NotCancelled.ORIGINAL_NOT_FOUND), "original_not_found", None),
    ],
)
def test_a_person_gets_all_that_names_the_payment_to_the_partner(
    record: Input, reason: str, error_code: str | None
) -> None:
    assert play(DOUBT, record).attention == AttentionRaised(
        transaction_id="AP02:r1",
        customer="AP02",
        reference="r1",
        partner="cafis",
        line="cafis-1",
        kind=Kind.REFUND,
        terminal_id="4000000000001",
        amount=1_200,
        trace_number=7,
        business_date="20261124",
        reason=reason,
        error_code=error_code,
        attempts=1,
        since_ms=90,
        raised_ms=200,
    )


@pytest.mark.parametrize(
    ("record", "outcome", "reason", "operator", "order_id"),
    [
        (ordered(OperatorOrder.SETTLE, CancelStage.ATTENTION, 1), CaseOutcome.STANDS, "by telephone", "Sato", "o1"),
        (reported(1), CaseOutcome.CANCELLED, "cancel_reported", None, None),
    ],
)
def test_a_closed_case_says_who_closed_it_and_why(
    record: Input, outcome: CaseOutcome, reason: str, operator: str | None, order_id: str | None
) -> None:
    assert play(DOUBT, reported(1, error_code="Z99"), record).closed == CaseClosed(
        transaction_id="AP02:r1",
        customer="AP02",
        reference="r1",
        partner="cafis",
        line="cafis-1",
        amount=1_200,
        outcome=outcome,
        reason=reason,
        operator=operator,
        order_id=order_id,
        attempts=1,
        since_ms=90,
        closed_ms=300,
    )


def test_a_case_that_an_ordered_command_ended_names_the_order_and_its_own_reason() -> None:
    repeat = ordered(OperatorOrder.REPEAT, CancelStage.ATTENTION, 1)
    closed = play(DOUBT, reported(1, error_code="Z99"), repeat, reported(2)).closed
    assert closed is not None
    assert (closed.outcome, closed.reason) == (CaseOutcome.CANCELLED, "cancel_reported")
    assert (closed.operator, closed.order_id, closed.attempts) == ("Sato", "o1", 2)


# --- the operator


def answer(refusal: OrderRefusal | None, stage: CancelStage | None, command: Command | None, attempt: int | None,
           at_ms: int, order: OperatorOrder = OperatorOrder.REPEAT) -> OrderAnswered:  # fmt: skip
    return OrderAnswered(
        transaction_id="AP02:r1", order_id="o1", order=order, operator="Sato", refusal=refusal, stage=stage,
        command=command, attempt=attempt, answered_ms=at_ms,
    )  # fmt: skip


def test_an_operator_is_told_what_his_order_made_of_the_cancel() -> None:
    repeat = ordered(OperatorOrder.REPEAT, CancelStage.ATTENTION, 1)
    told = play(DOUBT, reported(1, error_code="Z99"), repeat).answer
    assert told == answer(None, CancelStage.ORDERED, Command.CONFIRM_AGAIN, 2, 300)


@pytest.mark.parametrize("order", OperatorOrder)
def test_an_order_about_no_cancel_is_counted_as_what_it_is_and_answered(order: OperatorOrder) -> None:
    record = ordered(order, CancelStage.ATTENTION, 1)
    told = {OperatorOrder.REPEAT: Event.OPERATOR_REPEAT, OperatorOrder.SETTLE: Event.OPERATOR_SETTLED}
    assert event_of(record, None, SETTINGS) is told[order]
    decision = play(record)
    assert (decision.state, decision.changed, decision.orders) == (None, False, ())
    assert decision.answer == answer(OrderRefusal.UNKNOWN, None, None, None, 100, order)


def test_an_ended_cancel_is_forgotten_whole() -> None:
    ended = play_state(DOUBT, reported(1))
    assert ended.due_ms is not None

    over = DeadlinePassed(transaction_id="AP02:r1", deadline=ended.stage, due_ms=ended.due_ms, noticed_ms=1)
    decision = decide(over, ended, SETTINGS, ended.due_ms, "AP02:r1")
    assert decision == Decision(None, True, Event.FORGET, (), None, None)


# --- the table


def test_the_table_is_made_of_its_rules() -> None:
    made = list(_rows())
    assert {(row.state, row.event): row for row in made} == TABLE
    assert len(made) == len(TABLE)
    assert not {(row.state, row.event) for row in made} & IMPOSSIBLE


def test_the_events_without_a_move_are_counted_forgotten_or_repeated() -> None:
    rows = {(row.state, row.event): row for row in _rows()}
    assert rows[None, Event.DONE].acts == (Act.COUNT_STRANGER,)
    assert rows[None, Event.DONE].next is None
    forget = rows[CancelStage.CANCELLED, Event.FORGET]
    assert (forget.state, forget.event, forget.next, forget.acts) == (
        CancelStage.CANCELLED,
        Event.FORGET,
        None,
        (Act.FORGET,),
    )


def test_the_diagram_begins_with_its_kind_and_leads_from_the_beginning_to_every_end() -> None:
    lines = mermaid().splitlines()
    assert lines[0] == "stateDiagram-v2"
    begun = [line for line in lines if line.startswith("    [*] --> ")]
    assert begun == [
        "    [*] --> confirming: " + Event.REQUEST_IN_DOUBT.value,
        "    [*] --> cancelling: " + Event.REPLY_LOST.value,
    ]
    assert [line for line in lines if line.endswith(" --> [*]")] == lines[-3:]
    assert len(lines) > len(begun) + 4
