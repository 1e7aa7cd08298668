"""Every field of what the router stores, dispatches, replies and hands to the cancel service."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from router.acts import Act, Dispatch, Forget, HandToFaults, Ignore, Input, Reply, Store, World
from router.config import PartnerTimes, Settings
from router.core import decide
from router.intake import DELIVERIES_MAX
from router.replies import as_original, ended, reply_of, with_delivery
from schemas.records import (
    Answer,
    CancelEnd,
    CancelSettled,
    DeadlinePassed,
    Doubt,
    InquiryAsked,
    Kind,
    NeverSent,
    Original,
    Outcome,
    ReleaseRoute,
    ReplyDelivered,
    ReplyLost,
    ReplyReady,
    ReplyUndeliverable,
    ReportMissing,
    ReportReceived,
    RequestAccepted,
    RequestInDoubt,
    Sealed,
    SendRequest,
    Stage,
    Status,
    TransactionState,
)
from schemas.refusals import Refusal

SETTINGS = Settings(
    partners_of={"AP02": dict.fromkeys(Kind, "cafis")},
    times={"cafis": PartnerTimes(1_000, 4_000)},
    partners_of_line={"cafis-1": ("cafis",)},
    report_grace_ms=500,
    confirm_ms=3_000,
    confirm_grace_ms=400,
    remember_ms=60_000,
)
WORLD = World(SETTINGS, {"cafis": ["cafis-1"]})
SEALED = Sealed(key_id="card-1", nonce=b"n" * 12, ciphertext=b"c" * 40)
SENSITIVE = Sealed(key_id="card-2", nonce=b"m" * 12, ciphertext=b"d" * 40)
REQUEST = RequestAccepted(
    transaction_id="AP02:r1",
    request_id="q1",
    customer="AP02",
    reference="r1",
    original_reference=None,
    kind=Kind.SALE,
    terminal_id="4000000000001",
    amount=1_200,
    payment_method="10",
    card=SEALED,
    sensitive=SENSITIVE,
    content_digest="d1",
    slot=4,
    session="s1",
    accepted_ms=100,
    expires_ms=5_000,
)
DISPATCHED = TransactionState(
    transaction_id="AP02:r1",
    transaction_key="AP02:r1",
    stage=Stage.DISPATCHED,
    request_id="q1",
    customer="AP02",
    reference="r1",
    original_reference=None,
    kind=Kind.SALE,
    partner="cafis",
    line="cafis-1",
    terminal_id="4000000000001",
    amount=1_200,
    payment_method="10",
    content_digest="d1",
    original=None,
    slot=4,
    session="s1",
    asker="q1",
    delivery_no=0,
    accepted_ms=100,
    changed_ms=150,
    due_ms=100 + 1_000 + 4_000 + 500,
    refusal=None,
    answer=None,
    doubt=None,
    reason=None,
)
ANSWER = Answer(
    outcome=Outcome.APPROVED,
    trace_number=7,
    route_number=3,
    business_date="20261124",
    result_code="000",
    approval_code="A1",
    error_code="E0",
)
REPLIED = msgspec.structs.replace(
    DISPATCHED, stage=Stage.REPLIED, answer=ANSWER, delivery_no=1, changed_ms=200, due_ms=200 + 3_000 + 400
)
ANSWERED = msgspec.structs.replace(REPLIED, stage=Stage.ANSWERED, changed_ms=300, due_ms=300 + 60_000)
IN_DOUBT = msgspec.structs.replace(DISPATCHED, stage=Stage.IN_DOUBT, doubt=Doubt.SILENCE, changed_ms=4_000, due_ms=None)
UNDELIVERED = msgspec.structs.replace(
    REPLIED, stage=Stage.UNDELIVERED, reason="session_gone", changed_ms=900, due_ms=None
)
ORDER = SendRequest(
    transaction_id="AP02:r1",
    customer="AP02",
    reference="r1",
    kind=Kind.SALE,
    terminal_id="4000000000001",
    amount=1_200,
    payment_method="10",
    card=SEALED,
    sensitive=SENSITIVE,
    original=None,
    send_by_ms=1_100,
    report_timeout_ms=4_000,
    partner="cafis",
)
MISSING = ReportMissing(
    transaction_id="AP02:r1", line="cafis-1", trace_number=7, route_number=3, business_date="20261124",
    doubt=Doubt.SILENCE, noticed_ms=1,
)  # fmt: skip


def change(record: Any, **changed: Any) -> Any:
    return msgspec.structs.replace(record, **changed)


def ready(state: TransactionState, status: Status, **changed: Any) -> Reply:
    """What a client is told in this state; `changed` is what is not of its rule."""
    told = {
        "transaction_id": "AP02:r1",
        "transaction_key": "AP02:r1",
        "request_id": state.asker,
        "session": state.session,
        "customer": "AP02",
        "reference": "r1",
        "inquiry": False,
        "status": status,
        "refusal": None,
        "answer": None,
        "delivery_no": state.delivery_no,
        "confirm_by_ms": None,
    }
    return Reply(state.slot, ReplyReady(**{**told, **changed}))


def doubted(state: TransactionState, numbers: tuple[int | None, int | None, str | None]) -> HandToFaults:
    trace_number, route_number, business_date = numbers
    assert state.doubt is not None
    original = Original(
        kind=Kind.SALE, line="cafis-1", trace_number=trace_number, route_number=route_number,
        business_date=business_date, approval_code=None, terminal_id="4000000000001", amount=1_200, accepted_ms=100,
    )  # fmt: skip
    return HandToFaults(
        RequestInDoubt(
            transaction_id="AP02:r1", customer="AP02", reference="r1", partner="cafis", doubt=state.doubt,
            original=original, since_ms=state.changed_ms,
        )
    )  # fmt: skip


def lost(state: TransactionState) -> HandToFaults:
    original = Original(
        kind=Kind.SALE, line="cafis-1", trace_number=7, route_number=3, business_date="20261124", approval_code="A1",
        terminal_id="4000000000001", amount=1_200, accepted_ms=100,
    )  # fmt: skip
    return HandToFaults(
        ReplyLost(
            transaction_id="AP02:r1", customer="AP02", reference="r1", partner="cafis", original=original,
            since_ms=state.changed_ms,
        )
    )  # fmt: skip


def received(outcome: Outcome = Outcome.APPROVED, **changed: Any) -> ReportReceived:
    told: dict[str, Any] = {
        "transaction_id": "AP02:r1", "line": "cafis-1", "trace_number": 7, "route_number": 3,
        "business_date": "20261124", "outcome": outcome, "result_code": "000", "approval_code": "A1",
        "error_code": "E0", "late": False, "received_ms": 1,
    }  # fmt: skip
    return ReportReceived(**{**told, **changed})


def acts(
    record: Input, state: TransactionState | None, now_ms: int, original: TransactionState | None = None
) -> list[Act]:
    return decide(record, state, original, WORLD, now_ms)


# --- a request


def test_a_request_is_stored_whole_and_handed_whole_to_its_line() -> None:
    assert acts(REQUEST, None, 150) == [Store(DISPATCHED), Dispatch("cafis-1", ORDER)]


def test_a_request_that_expires_before_its_window_is_sent_by_then_and_awaited_from_then() -> None:
    short = change(REQUEST, expires_ms=700)
    state = change(DISPATCHED, due_ms=700 + 4_000 + 500)
    assert acts(short, None, 150) == [Store(state), Dispatch("cafis-1", change(ORDER, send_by_ms=700))]


@pytest.mark.parametrize(("now_ms", "refused"), [(1_100, False), (1_101, True)])
def test_a_request_may_be_sent_at_the_last_moment_of_its_window(now_ms: int, refused: bool) -> None:
    stored = acts(REQUEST, None, now_ms)[0]
    assert isinstance(stored, Store)
    assert stored.state.refusal is (Refusal.EXPIRED if refused else None)


def test_a_refused_request_is_stored_as_such_and_its_client_is_told() -> None:
    nobody = change(REQUEST, customer="AP99", transaction_id="AP99:r1")
    state = change(
        DISPATCHED, transaction_id="AP99:r1", transaction_key="AP99:r1", customer="AP99", stage=Stage.REFUSED,
        partner=None, line=None, refusal=Refusal.UNKNOWN_CUSTOMER, due_ms=150 + 60_000,
    )  # fmt: skip
    assert acts(nobody, None, 150) == [
        Store(state),
        ready(
            state, Status.REFUSED, refusal=Refusal.UNKNOWN_CUSTOMER, customer="AP99", transaction_id="AP99:r1",
            transaction_key="AP99:r1",
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("amount", [1, 1_199, 1_200])
def test_a_follow_up_carries_its_original_up_to_the_whole_amount(amount: int) -> None:
    refund = change(
        REQUEST, transaction_id="AP02:r1/r2", reference="r2", original_reference="r1", kind=Kind.REFUND, amount=amount
    )
    stored, dispatched = acts(refund, None, 400, ANSWERED)
    assert isinstance(stored, Store)
    assert stored.state.original == as_original(ANSWERED)
    assert (stored.state.transaction_key, stored.state.original_reference) == ("AP02:r1", "r1")
    assert dispatched == Dispatch(
        "cafis-1",
        change(
            ORDER, transaction_id="AP02:r1/r2", reference="r2", kind=Kind.REFUND, amount=amount,
            original=as_original(ANSWERED),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("partner", "asked"),
    [
        ("cafis", "cafis"),  # though the contract has changed since
        ("gone", "cardnet"),  # the installation has it no more: as the contract says
    ],
)
def test_a_follow_up_goes_to_the_partner_of_its_original_while_there_is_such_a_partner(
    partner: str, asked: str
) -> None:
    settings = replace(
        SETTINGS,
        partners_of={"AP02": dict.fromkeys(Kind, "cardnet")},
        times={"cafis": PartnerTimes(1_000, 4_000), "cardnet": PartnerTimes(2_000, 7_000)},
    )
    world = World(settings, {"cafis": ["cafis-1"], "cardnet": ["cardnet-1"]})
    cancel = change(REQUEST, transaction_id="AP02:r1/r2", reference="r2", original_reference="r1", kind=Kind.CANCEL)
    stored, dispatched = decide(cancel, None, change(ANSWERED, partner=partner), world, 400)
    assert isinstance(stored, Store)
    assert isinstance(dispatched, Dispatch)
    assert (stored.state.partner, dispatched.record.partner) == (asked, asked)
    assert dispatched.line == f"{asked}-1"
    window, timeout = (1_000, 4_000) if asked == "cafis" else (2_000, 7_000)
    assert (dispatched.record.send_by_ms, dispatched.record.report_timeout_ms) == (100 + window, timeout)
    assert stored.state.due_ms == 100 + window + timeout + 500


def test_a_refused_follow_up_carries_no_original() -> None:
    refund = change(
        REQUEST, transaction_id="AP02:r1/r2", reference="r2", original_reference="r1", kind=Kind.REFUND, amount=1_201
    )
    stored, _ = acts(refund, None, 400, ANSWERED)
    assert isinstance(stored, Store)
    assert (stored.state.refusal, stored.state.original) == (Refusal.AMOUNT_EXCEEDS_ORIGINAL, None)


@pytest.mark.parametrize(
    ("original", "refusal"),
    [
        (DISPATCHED, Refusal.ORIGINAL_STILL_IN_PROCESS),
        (IN_DOUBT, Refusal.ORIGINAL_STILL_IN_PROCESS),
        (UNDELIVERED, Refusal.ORIGINAL_STILL_IN_PROCESS),
        (change(ANSWERED, stage=Stage.CANCELLED), Refusal.ORIGINAL_NOT_APPROVED),
        (change(ANSWERED, stage=Stage.ATTENTION), Refusal.ORIGINAL_NOT_APPROVED),
        (change(ANSWERED, answer=change(ANSWER, outcome=Outcome.DECLINED)), Refusal.ORIGINAL_NOT_APPROVED),
        (change(ANSWERED, stage=Stage.REFUSED, answer=None), Refusal.ORIGINAL_NOT_APPROVED),
    ],
)
def test_only_what_is_approved_and_delivered_is_followed_up(original: TransactionState, refusal: Refusal) -> None:
    cancel = change(REQUEST, transaction_id="AP02:r1/r2", reference="r2", original_reference="r1", kind=Kind.CANCEL)
    stored, _ = acts(cancel, None, 400, original)
    assert isinstance(stored, Store)
    assert stored.state.refusal is refusal


@pytest.mark.parametrize(
    ("world", "refusal"),
    [
        (World(SETTINGS, {}), Refusal.NO_OPEN_LINE),
        (World(SETTINGS, {"cafis": []}, closed=frozenset({"cafis"})), Refusal.STATION_CLOSED),
        (World(SETTINGS, {"cafis": []}, suspended=frozenset({"cafis"})), Refusal.PARTNER_SUSPENDED),
        (World(SETTINGS, {"cafis": []}, closed=frozenset({"cafis"}), suspended=frozenset({"cafis"})),
         Refusal.STATION_CLOSED),
        (World(SETTINGS, {"cafis": ["cafis-1"]}, closed=frozenset({"cafis"}), suspended=frozenset({"cafis"})), None),
        (World(SETTINGS, {"cafis": []}, closed=frozenset({"jcn"}), suspended=frozenset({"jcn"})), Refusal.NO_OPEN_LINE),
    ],
)  # fmt: skip
def test_without_an_open_line_the_client_hears_why(world: World, refusal: Refusal | None) -> None:
    stored = decide(REQUEST, None, None, world, 150)[0]
    assert isinstance(stored, Store)
    assert stored.state.refusal is refusal


def test_a_request_read_again_gets_the_acts_that_it_got() -> None:
    refused = change(DISPATCHED, stage=Stage.REFUSED, refusal=Refusal.NO_OPEN_LINE)
    assert acts(REQUEST, DISPATCHED, 999) == [Dispatch("cafis-1", ORDER)]
    assert acts(REQUEST, refused, 999) == [ready(refused, Status.REFUSED, refusal=Refusal.NO_OPEN_LINE)]
    asked_since = change(refused, asker="q2")
    for state in (asked_since, REPLIED, ANSWERED, IN_DOUBT):
        assert acts(REQUEST, state, 999) == [Ignore("request_again")]


# --- what a client asks again

AGAIN = change(REQUEST, request_id="q2", session="s2", slot=5)
INQUIRY = InquiryAsked(
    transaction_id="AP02:r1", request_id="q2", customer="AP02", reference="r1", slot=5, session="s2", asked_ms=1
)


def test_a_repeat_with_other_content_is_told_where_it_asked_and_nothing_of_the_first() -> None:
    other = change(AGAIN, content_digest="d2")
    told = ready(change(DISPATCHED, asker="q2", session="s2", slot=5), Status.REFUSED, delivery_no=0,
                 refusal=Refusal.REFERENCE_HAS_OTHER_CONTENT)  # fmt: skip
    for state in (DISPATCHED, REPLIED, ANSWERED):
        assert acts(other, state, 500) == [told]


def test_an_inquiry_about_nothing_is_told_where_it_asked() -> None:
    asked = change(DISPATCHED, asker="q2", session="s2", slot=5)
    assert acts(INQUIRY, None, 500) == [ready(asked, Status.UNKNOWN, inquiry=True)]


@pytest.mark.parametrize(("record", "inquiry"), [(AGAIN, False), (INQUIRY, True)])
def test_an_answer_that_is_owed_goes_to_where_it_is_asked_for_with_new_time(record: Input, inquiry: bool) -> None:
    here = change(REPLIED, slot=5, session="s2", asker="q2", delivery_no=2, due_ms=500 + 3_000 + 400)
    assert acts(record, REPLIED, 500) == [
        Store(here),
        ready(here, Status.APPROVED, answer=ANSWER, confirm_by_ms=500 + 3_000, inquiry=inquiry),
    ]


@pytest.mark.parametrize(("record", "inquiry"), [(AGAIN, False), (INQUIRY, True)])
def test_an_end_is_told_where_it_is_asked_for_and_is_not_stored_again(record: Input, inquiry: bool) -> None:
    here = change(ANSWERED, slot=5, session="s2", asker="q2")
    assert acts(record, ANSWERED, 500) == [ready(here, Status.APPROVED, answer=ANSWER, inquiry=inquiry)]


def test_a_repeat_in_process_waits_and_an_inquiry_is_told_so() -> None:
    here = change(DISPATCHED, slot=5, session="s2", asker="q2")
    assert acts(AGAIN, DISPATCHED, 500) == [Store(here)]
    assert acts(INQUIRY, DISPATCHED, 500) == [Store(here), ready(here, Status.IN_PROCESS, inquiry=True)]


def test_what_is_asked_again_and_read_again_is_answered_again_and_not_stored() -> None:
    waiting = change(DISPATCHED, slot=5, session="s2", asker="q2")
    replied = change(REPLIED, slot=5, session="s2", asker="q2")
    assert acts(AGAIN, waiting, 500) == []
    assert acts(INQUIRY, waiting, 500) == [ready(waiting, Status.IN_PROCESS, inquiry=True)]
    for record, inquiry in ((AGAIN, False), (INQUIRY, True)):
        assert acts(record, replied, 500) == [
            ready(replied, Status.APPROVED, answer=ANSWER, confirm_by_ms=200 + 3_000, inquiry=inquiry)
        ]


@pytest.mark.parametrize("before", [DELIVERIES_MAX - 1, DELIVERIES_MAX])
def test_the_last_delivery_that_gets_time_is_the_sixteenth(before: int) -> None:
    stored = acts(INQUIRY, change(REPLIED, delivery_no=before), 500)[0]
    assert isinstance(stored, Store)
    assert (stored.state.delivery_no, DELIVERIES_MAX) == (16, 16)


# --- what comes from the line


def test_an_answer_is_stored_whole_and_told_with_the_time_to_confirm_it() -> None:
    assert acts(received(), DISPATCHED, 200) == [
        Store(REPLIED),
        ready(REPLIED, Status.APPROVED, answer=ANSWER, confirm_by_ms=200 + 3_000),
    ]


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.TURNED_ROUND, Status.TURNED_ROUND), (Outcome.IN_ERROR, Status.IN_ERROR)]
)
def test_what_never_reached_the_partner_ends_with_its_report(outcome: Outcome, status: Status) -> None:
    answer = change(ANSWER, outcome=outcome)
    state = change(DISPATCHED, stage=Stage.RETURNED, answer=answer, changed_ms=200, due_ms=200 + 60_000)
    assert acts(received(outcome), DISPATCHED, 200) == [Store(state), ready(state, status, answer=answer)]
    assert acts(received(outcome), state, 300) == [ready(state, status, answer=answer)]  # read again


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (received(late=True), REPLIED),
        (received(trace_number=8), REPLIED),
        (received(), ANSWERED),
        (received(), IN_DOUBT),
        (received(line="cafis-2"), DISPATCHED),
    ],
)
def test_a_report_that_is_not_the_first_of_its_line_changes_nothing(
    record: ReportReceived, state: TransactionState
) -> None:
    assert acts(record, state, 300) == [Ignore("late_report")]


def test_silence_is_stored_told_and_handed_to_the_cancel_service_with_its_numbers() -> None:
    told = [doubted(IN_DOUBT, (7, 3, "20261124")), ready(IN_DOUBT, Status.BEING_CANCELLED)]
    assert acts(MISSING, DISPATCHED, 4_000) == [Store(IN_DOUBT), *told]
    assert acts(MISSING, IN_DOUBT, 4_100) == told  # read again


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (change(MISSING, doubt=Doubt.LINE_BROKE), IN_DOUBT),
        (change(MISSING, line="cafis-2"), DISPATCHED),
        (MISSING, UNDELIVERED),
        (MISSING, change(ANSWERED, stage=Stage.ATTENTION)),
    ],
)
def test_silence_that_ends_nothing_is_counted(record: ReportMissing, state: TransactionState) -> None:
    assert acts(record, state, 4_100) == [Ignore("silence_after_the_end")]


@pytest.mark.parametrize("stage", [Stage.REPLIED, Stage.ANSWERED, Stage.RETURNED, Stage.REFUSED, Stage.CANCELLED])
def test_a_route_held_for_what_has_ended_is_let_go(stage: Stage) -> None:
    release = ReleaseRoute(transaction_id="AP02:r1", reason=stage)
    assert acts(MISSING, change(REPLIED, stage=stage), 4_100) == [Dispatch("cafis-1", release)]
    assert acts(change(MISSING, line="cafis-2"), change(REPLIED, stage=stage), 4_100) == [
        Dispatch("cafis-2", release)  # the line that holds it
    ]


def test_what_was_never_sent_is_refused_and_told() -> None:
    never = NeverSent(transaction_id="AP02:r1", line="cafis-1", refusal=Refusal.LINE_NOT_OPEN, noticed_ms=1)
    state = change(DISPATCHED, stage=Stage.REFUSED, refusal=Refusal.LINE_NOT_OPEN, changed_ms=300, due_ms=60_300)
    told = ready(state, Status.REFUSED, refusal=Refusal.LINE_NOT_OPEN)
    assert acts(never, DISPATCHED, 300) == [Store(state), told]
    assert acts(never, state, 400) == [told]  # read again
    for record, other in (
        (change(never, line="cafis-2"), DISPATCHED),
        (change(never, refusal=Refusal.NOT_SENT_IN_TIME), state),
        (never, IN_DOUBT),
    ):
        assert acts(record, other, 400) == [Ignore("not_sent_after_the_end")]


# --- what comes from the client's side, from the cancel service and from the clock


@pytest.mark.parametrize("number", [1, 2, 7])
def test_any_confirmation_of_any_delivery_ends_it(number: int) -> None:
    record = ReplyDelivered(transaction_id="AP02:r1", delivery_no=number, confirmed_ms=1)
    assert acts(record, REPLIED, 300) == [Store(ANSWERED)]
    assert acts(record, ANSWERED, 400) == [Ignore("confirmed_again")]
    for state in (UNDELIVERED, IN_DOUBT, change(ANSWERED, stage=Stage.CANCELLED)):
        assert acts(record, state, 400) == [Ignore("confirmed_after_the_end")]


def test_an_answer_lost_at_its_first_delivery_is_handed_to_the_cancel_service_with_its_numbers() -> None:
    gone = ReplyUndeliverable(transaction_id="AP02:r1", delivery_no=1, reason="session_gone", noticed_ms=1)
    assert acts(gone, REPLIED, 900) == [Store(UNDELIVERED), lost(UNDELIVERED)]
    assert acts(gone, UNDELIVERED, 950) == [lost(UNDELIVERED)]  # read again
    for record, state in (
        (change(gone, delivery_no=2), change(REPLIED, delivery_no=2)),
        (gone, change(REPLIED, delivery_no=2)),
        (change(gone, delivery_no=2), REPLIED),
        (change(gone, reason="not_taken"), UNDELIVERED),
        (gone, ANSWERED),
    ):
        assert acts(record, state, 950) == [Ignore("undeliverable_not_the_first")]


@pytest.mark.parametrize("state", [IN_DOUBT, UNDELIVERED])
@pytest.mark.parametrize(
    ("end", "stage", "refusal"),
    [
        (CancelEnd.CANCELLED, Stage.CANCELLED, None),
        (CancelEnd.ATTENTION, Stage.ATTENTION, None),
        (CancelEnd.NOTHING_SENT, Stage.REFUSED, Refusal.NOT_SENT_IN_TIME),
    ],
)
def test_the_end_of_a_cancel_is_the_end_of_its_transaction_with_its_reason(
    end: CancelEnd, stage: Stage, refusal: Refusal | None, state: TransactionState
) -> None:
    settled = CancelSettled(transaction_id="AP02:r1", end=end, reason="C13", settled_ms=1)
    due_ms = None if end is CancelEnd.ATTENTION else 7_000 + 60_000  # what a person has had is never forgotten
    after = change(state, stage=stage, refusal=refusal, reason="C13", changed_ms=7_000, due_ms=due_ms)
    assert acts(settled, state, 7_000) == [Store(after)]
    assert acts(settled, after, 7_100) == [Ignore("settled_again")]


def due(state: TransactionState) -> DeadlinePassed:
    assert state.due_ms is not None
    return DeadlinePassed(transaction_id="AP02:r1", deadline=state.stage, due_ms=state.due_ms, noticed_ms=1)


def test_a_line_that_says_nothing_leaves_a_doubt_without_numbers() -> None:
    state = change(DISPATCHED, stage=Stage.IN_DOUBT, doubt=Doubt.NOBODY_SAID, changed_ms=6_000, due_ms=None)
    told = [doubted(state, (None, None, None)), ready(state, Status.BEING_CANCELLED)]
    assert acts(due(DISPATCHED), DISPATCHED, 6_000) == [Store(state), *told]
    assert acts(due(DISPATCHED), state, 6_100) == told  # read again


def test_an_answer_not_confirmed_in_time_is_lost() -> None:
    state = change(REPLIED, stage=Stage.UNDELIVERED, reason="not_confirmed", changed_ms=4_000, due_ms=None)
    assert acts(due(REPLIED), REPLIED, 4_000) == [Store(state), lost(state)]
    assert acts(due(REPLIED), state, 4_100) == [lost(state)]  # read again


def test_a_deadline_that_was_kept_or_moved_is_counted() -> None:
    for record, state in (
        (due(DISPATCHED), REPLIED),
        (due(REPLIED), change(REPLIED, due_ms=9_999)),
        (change(due(REPLIED), deadline=Stage.DISPATCHED), REPLIED),
        (due(DISPATCHED), IN_DOUBT),
        (due(DISPATCHED), UNDELIVERED),
    ):
        assert acts(record, state, 9_999) == [Ignore("deadline_was_kept")]
    assert acts(due(ANSWERED), ANSWERED, 61_000) == [Forget("AP02:r1")]


def test_what_is_about_nothing_is_counted_by_what_it_is() -> None:
    assert acts(due(REPLIED), None, 1) == [Ignore("deadline_of_unknown")]
    assert acts(MISSING, None, 1) == [Ignore("report_of_unknown")]


# --- the parts


@pytest.mark.parametrize(
    ("state", "status", "answered"),
    [
        (DISPATCHED, Status.IN_PROCESS, False),
        (IN_DOUBT, Status.BEING_CANCELLED, False),
        (UNDELIVERED, Status.BEING_CANCELLED, False),
        (change(ANSWERED, stage=Stage.CANCELLED), Status.CANCELLED, False),
        (change(ANSWERED, stage=Stage.ATTENTION), Status.ATTENTION, False),
        (ANSWERED, Status.APPROVED, True),
        (change(ANSWERED, answer=change(ANSWER, outcome=Outcome.DECLINED)), Status.DECLINED, True),
        (change(ANSWERED, stage=Stage.RETURNED), Status.APPROVED, True),
    ],
)
def test_the_partners_answer_is_told_only_while_it_stands(
    state: TransactionState, status: Status, answered: bool
) -> None:
    for inquiry in (False, True):
        told = ready(state, status, answer=state.answer if answered else None, inquiry=inquiry)
        assert reply_of(state, SETTINGS, inquiry=inquiry) == told


def test_a_refusal_is_told_of_what_is_refused_alone() -> None:
    left_over = change(ANSWERED, refusal=Refusal.NO_OPEN_LINE)
    assert reply_of(left_over, SETTINGS).record.refusal is None


def test_each_delivery_gets_the_time_to_confirm_and_the_time_to_say_so() -> None:
    once = with_delivery(REPLIED, SETTINGS, 700)
    assert once == change(REPLIED, delivery_no=2, due_ms=700 + 3_000 + 400)


def test_an_end_may_be_forgotten_when_its_time_has_passed() -> None:
    assert ended(REPLIED, Stage.ANSWERED, SETTINGS, 300) == ANSWERED


def test_what_a_person_has_had_is_not_forgotten_where_an_earlier_version_would_have() -> None:
    state = change(IN_DOUBT, stage=Stage.ATTENTION, due_ms=61_000)
    passed = DeadlinePassed(transaction_id="AP02:r1", deadline=Stage.ATTENTION, due_ms=61_000, noticed_ms=61_000)
    kept = change(state, due_ms=None)
    assert acts(passed, state, 61_000) == [Store(kept)]
    assert acts(passed, kept, 61_001) == [Ignore("deadline_was_kept")]


def test_a_request_of_a_partner_that_is_no_more_is_handed_on_again_too_late_to_go_out() -> None:
    world = World(replace(SETTINGS, times={}), {})
    (again,) = decide(REQUEST, DISPATCHED, None, world, 200)
    assert isinstance(again, Dispatch)
    assert isinstance(again.record, SendRequest)
    assert (again.record.send_by_ms, again.record.report_timeout_ms) == (REQUEST.accepted_ms, 0)


REPEATED = change(DISPATCHED, request_id="q2", session="s2", asker="q2")  # decided while the first one waited


def test_a_request_that_waited_while_its_client_asked_again_takes_no_answer_away() -> None:
    waited = decide(REQUEST, REPEATED, None, WORLD, 300, waited=True)
    assert waited == [Ignore("repeated_while_it_waited")]
    (moved,) = decide(REQUEST, REPEATED, None, WORLD, 300)
    assert isinstance(moved, Store), "read before the confirmations it is a repeat, and the newest"
    (again,) = decide(REQUEST, DISPATCHED, None, WORLD, 300, waited=True)
    assert isinstance(again, Dispatch), "read again"
    other = msgspec.structs.replace(REQUEST, content_digest="d2")
    (refused,) = decide(other, REPEATED, None, WORLD, 300, waited=True)
    assert isinstance(refused, Reply)
    assert refused.record.refusal is Refusal.REFERENCE_HAS_OTHER_CONTENT
