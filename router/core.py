"""What the router decides: record, state, now → acts. Pure.

The life of a transaction (`schemas.records.Stage`):

    RequestAccepted ─▶ DISPATCHED ─ReportReceived─▶ REPLIED ─ReplyDelivered─▶ ANSWERED
                  │       │  │  └──turned round, in error──▶ RETURNED
                  │       │  └─ReportMissing, deadline─▶ IN_DOUBT ────settled─▶ CANCELLED / REFUSED / ATTENTION
                  └▶ REFUSED ◀─NeverSent                REPLIED ─undeliverable, deadline─▶ UNDELIVERED ─settled─▶ …

Four rules carry the money:

* The first record in the log wins. What arrives for a stage that has passed changes nothing and is counted.
* A record that is read again, after a crash, is known by what it left in the state, and gets the same acts once more.
  Whoever receives them knows copies: the line by transaction, faults by transaction, ingress by session and number.
* A report counts as delivered by any confirmation of any delivery, but as lost before the deadline only by word of the
  *first* delivery: a later one says nothing about an earlier one, which may have been confirmed meanwhile.
* A follow-up whose original is replied is not refused yet: its client may know the original's end already, from a
  confirmation that is stored in another topic and not read here. So the request is put behind it, into `deliveries`,
  and decided where it is read: whatever its client was told as settled before it asked stands in front of it.
"""

from dataclasses import dataclass
from typing import assert_never

import msgspec

from router.acts import Act, Dispatch, Forget, HandToFaults, Ignore, Input, Store, Wait, World
from router.intake import accept, inquire, may_be_confirmed, repeat
from router.replies import as_original, ended, reply_of, with_delivery
from schemas.records import (
    Answer,
    CancelEnd,
    CancelSettled,
    DeadlinePassed,
    Doubt,
    InquiryAsked,
    NeverSent,
    Original,
    Outcome,
    ReleaseRoute,
    ReplyDelivered,
    ReplyLost,
    ReplyUndeliverable,
    ReportMissing,
    ReportReceived,
    RequestAccepted,
    RequestInDoubt,
    Stage,
    TransactionState,
)
from schemas.refusals import Refusal

# --- decisions ------------------------------------------------------------------------------------------------------


def decide(
    record: Input,
    state: TransactionState | None,
    original: TransactionState | None,
    world: World,
    now_ms: int,
    *,
    waited: bool = False,
) -> list[Act]:
    """What follows from `record`. `state` is its transaction's, `original` that of the original it names.

    `waited`: it is a request that is read behind the confirmations.
    """
    match record:
        case RequestAccepted():
            if state is None and not waited and may_be_confirmed(original):
                return [Wait(record)]
            if state is None:
                return accept(record, original, world, now_ms)
            return repeat(record, state, world, now_ms, waited=waited)
        case InquiryAsked():
            return inquire(record, state, world, now_ms)
        case ReportReceived() | ReportMissing() | NeverSent():
            return [Ignore("report_of_unknown")] if state is None else _report(record, state, world, now_ms)
        case ReplyDelivered() | ReplyUndeliverable():
            return [Ignore("delivery_of_unknown")] if state is None else _delivery(record, state, world, now_ms)
        case CancelSettled():
            return [Ignore("settlement_of_unknown")] if state is None else _settled(record, state, world, now_ms)
        case DeadlinePassed():
            return [Ignore("deadline_of_unknown")] if state is None else _deadline(record, state, world, now_ms)
        case _:
            assert_never(record)


# --- what comes from the line ---------------------------------------------------------------------------------------


def _report(
    record: ReportReceived | ReportMissing | NeverSent, state: TransactionState, world: World, now_ms: int
) -> list[Act]:
    match record:
        case ReportReceived():
            return _received(record, state, world, now_ms)
        case ReportMissing():
            return _missing(record, state, world, now_ms)
        case NeverSent():
            if state.stage is Stage.DISPATCHED and state.line == record.line:
                refused = msgspec.structs.replace(state, refusal=record.refusal)
                refused = ended(refused, Stage.REFUSED, world.settings, now_ms)
                return [Store(refused), reply_of(refused, world.settings)]
            if state.stage is Stage.REFUSED and state.refusal is record.refusal:
                return [reply_of(state, world.settings)]  # read again
            return [Ignore("not_sent_after_the_end")]


def _received(record: ReportReceived, state: TransactionState, world: World, now_ms: int) -> list[Act]:
    answer = Answer(
        outcome=record.outcome,
        trace_number=record.trace_number,
        route_number=record.route_number,
        business_date=record.business_date,
        result_code=record.result_code,
        approval_code=record.approval_code,
        error_code=record.error_code,
    )
    if state.stage is not Stage.DISPATCHED or state.line != record.line:
        if state.answer == answer and not record.late and state.stage in (Stage.REPLIED, Stage.RETURNED):
            return [reply_of(state, world.settings)]  # read again
        return [Ignore("late_report")]
    answered = msgspec.structs.replace(state, answer=answer)
    if record.outcome in (Outcome.TURNED_ROUND, Outcome.IN_ERROR):
        answered = ended(answered, Stage.RETURNED, world.settings, now_ms)
        return [Store(answered), reply_of(answered, world.settings)]
    answered = msgspec.structs.replace(answered, stage=Stage.REPLIED, changed_ms=now_ms)
    answered = with_delivery(answered, world.settings, now_ms)
    return [Store(answered), reply_of(answered, world.settings)]


def _missing(record: ReportMissing, state: TransactionState, world: World, now_ms: int) -> list[Act]:
    known = Answerless(record.trace_number, record.route_number, record.business_date)
    if state.stage is Stage.DISPATCHED and state.line == record.line:
        return _in_doubt(state, record.doubt, known, world, now_ms)
    if state.stage is Stage.IN_DOUBT and state.doubt is record.doubt:
        return [_doubted(state, known), reply_of(state, world.settings)]  # read again
    if state.stage in _HOLDS_NOTHING:
        # An owner of the line could not know that there was an answer, or that it was cancelled over another owner's
        # line: it holds a route that nobody will use.
        return [Dispatch(record.line, ReleaseRoute(transaction_id=state.transaction_id, reason=state.stage))]
    return [Ignore("silence_after_the_end")]


_HOLDS_NOTHING = frozenset({Stage.REPLIED, Stage.ANSWERED, Stage.RETURNED, Stage.REFUSED, Stage.CANCELLED})


@dataclass(frozen=True, slots=True)
class Answerless:
    """Under which numbers a request went out that nobody answered."""

    trace_number: int | None = None
    route_number: int | None = None
    business_date: str | None = None


def _in_doubt(state: TransactionState, doubt: Doubt, known: Answerless, world: World, now_ms: int) -> list[Act]:
    doubted = msgspec.structs.replace(state, stage=Stage.IN_DOUBT, doubt=doubt, due_ms=None, changed_ms=now_ms)
    return [Store(doubted), _doubted(doubted, known), reply_of(doubted, world.settings)]


def _doubted(state: TransactionState, known: Answerless) -> HandToFaults:
    assert state.partner is not None
    assert state.line is not None
    assert state.doubt is not None
    original = Original(
        kind=state.kind,
        line=state.line,
        trace_number=known.trace_number,
        route_number=known.route_number,
        business_date=known.business_date,
        approval_code=None,
        terminal_id=state.terminal_id,
        amount=state.amount,
        accepted_ms=state.accepted_ms,
    )
    return HandToFaults(
        RequestInDoubt(
            transaction_id=state.transaction_id,
            customer=state.customer,
            reference=state.reference,
            partner=state.partner,
            doubt=state.doubt,
            original=original,
            since_ms=state.changed_ms,
        )
    )


# --- what comes from the client's side, from faults, and from the clock ---------------------------------------------


def _delivery(
    record: ReplyDelivered | ReplyUndeliverable, state: TransactionState, world: World, now_ms: int
) -> list[Act]:
    if isinstance(record, ReplyDelivered):
        if state.stage is not Stage.REPLIED:
            return [Ignore("confirmed_again" if state.stage is Stage.ANSWERED else "confirmed_after_the_end")]
        return [Store(ended(state, Stage.ANSWERED, world.settings, now_ms))]
    if state.stage is Stage.REPLIED and record.delivery_no == state.delivery_no == 1:
        return _undelivered(state, record.reason, now_ms)
    if state.stage is Stage.UNDELIVERED and state.reason == record.reason:
        return [_lost(state)]  # read again
    return [Ignore("undeliverable_not_the_first")]


def _undelivered(state: TransactionState, reason: str, now_ms: int) -> list[Act]:
    lost = msgspec.structs.replace(state, stage=Stage.UNDELIVERED, reason=reason, due_ms=None, changed_ms=now_ms)
    return [Store(lost), _lost(lost)]


def _lost(state: TransactionState) -> HandToFaults:
    assert state.partner is not None
    return HandToFaults(
        ReplyLost(
            transaction_id=state.transaction_id,
            customer=state.customer,
            reference=state.reference,
            partner=state.partner,
            original=as_original(state),
            since_ms=state.changed_ms,
        )
    )


def _settled(record: CancelSettled, state: TransactionState, world: World, now_ms: int) -> list[Act]:
    if state.stage not in (Stage.IN_DOUBT, Stage.UNDELIVERED):
        return [Ignore("settled_again")]
    settled = msgspec.structs.replace(state, reason=record.reason)
    match record.end:
        case CancelEnd.CANCELLED:
            stage = Stage.CANCELLED
        case CancelEnd.ATTENTION:
            stage = Stage.ATTENTION
        case CancelEnd.NOTHING_SENT:
            stage = Stage.REFUSED
            settled = msgspec.structs.replace(settled, refusal=Refusal.NOT_SENT_IN_TIME)
        case _:
            assert_never(record.end)
    return [Store(ended(settled, stage, world.settings, now_ms))]


def _deadline(record: DeadlinePassed, state: TransactionState, world: World, now_ms: int) -> list[Act]:
    if state.due_ms == record.due_ms and state.stage == record.deadline:
        if state.stage is Stage.DISPATCHED:
            return _in_doubt(state, Doubt.NOBODY_SAID, Answerless(), world, now_ms)
        if state.stage is Stage.REPLIED:
            return _undelivered(state, "not_confirmed", now_ms)
        assert state.stage.ended, state.stage
        if state.stage is Stage.ATTENTION:  # as an earlier version ended it
            return [Store(msgspec.structs.replace(state, due_ms=None))]
        return [Forget(state.transaction_id)]
    if state.stage is Stage.IN_DOUBT and state.doubt is Doubt.NOBODY_SAID:
        return [_doubted(state, Answerless()), reply_of(state, world.settings)]  # read again
    if state.stage is Stage.UNDELIVERED and record.deadline == Stage.REPLIED:
        return [_lost(state)]  # read again
    return [Ignore("deadline_was_kept")]
