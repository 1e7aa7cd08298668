"""What the cancel service decides: record, state, now → next state and acts. Pure; the law is `faults.table`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import msgspec

from faults.config import Settings
from faults.table import ENDS, ENTRY, IMPOSSIBLE, TABLE, UNDER_WAY, WAITING, Act, Event
from schemas.installation import CancelPolicy
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
    NotCancelled,
    OperatorOrder,
    OperatorOrdered,
    OrderAnswered,
    OrderRefusal,
    ReleaseRoute,
    ReplyLost,
    RequestInDoubt,
    SendCancel,
)

Outcome = CancelReported | CancelSilent | CancelNotSent
Input = RequestInDoubt | ReplyLost | Outcome | OperatorOrdered | DeadlinePassed

_COMMAND = {
    Act.SEND_CONFIRM: Command.CONFIRM,
    Act.SEND_CONFIRM_AGAIN: Command.CONFIRM_AGAIN,
    Act.SEND_CANCEL: Command.CANCEL,
    Act.SEND_CANCEL_AGAIN: Command.CANCEL_AGAIN,
}
_END = {
    CancelStage.CANCELLED: CancelEnd.CANCELLED,
    CancelStage.NOTHING_SENT: CancelEnd.NOTHING_SENT,
    CancelStage.ATTENTION: CancelEnd.ATTENTION,
    CancelStage.CLEARED: CancelEnd.ATTENTION,  # what was handed to a person stays so
}
_AGAIN = {Command.CONFIRM: Command.CONFIRM_AGAIN, Command.CANCEL: Command.CANCEL_AGAIN}
_BY_ITSELF = "cancel_reported"  # why a case was closed that nobody settled: 8950 or 8960


@dataclass(frozen=True, slots=True)
class Decision:
    """Where the cancel stands now (None: there is none, or none any more), whether that is new, and what to write."""

    state: CancelState | None
    changed: bool
    event: Event
    orders: Sequence[SendCancel | ReleaseRoute]  # to the original's line
    settlement: CancelSettled | None
    attention: AttentionRaised | None
    closed: CaseClosed | None = None  # and its row leaves the attention list
    answer: OrderAnswered | None = None


def decide(record: Input, state: CancelState | None, settings: Settings, now_ms: int, key: str) -> Decision:
    """What follows from `record` for the cancel of its transaction. `key` is the transaction key."""
    if state is not None and _is_of_a_later_payment(record, state):
        state = None
    event = event_of(record, state, settings)
    stage = None if state is None else state.stage
    assert (stage, event) not in IMPOSSIBLE, (stage, event)
    row = TABLE[stage, event]
    if Act.FORGET in row.acts or row.next is None:
        return Decision(
            None, Act.FORGET in row.acts, event, (), None, None, answer=_answer(record, state, None, now_ms)
        )
    changed = row.next is not row.state
    then = _moved(record, state, row.next, settings, now_ms, key) if changed else state
    assert then is not None
    policy = settings.policy(then.partner)
    orders: list[SendCancel | ReleaseRoute] = [
        _command(then, command, policy) for act in row.acts if (command := _command_of(act, then)) is not None
    ]
    if Act.RELEASE_ROUTE in row.acts:
        orders.append(ReleaseRoute(transaction_id=then.transaction_id, reason=then.stage))
    return Decision(
        state=then,
        changed=changed,
        event=event,
        orders=orders,
        settlement=_settlement(then) if Act.SETTLE in row.acts else None,
        attention=_attention(then) if Act.RAISE_ATTENTION in row.acts else None,
        closed=_closed(then) if Act.CLOSE_CASE in row.acts else None,
        answer=_answer(record, state, then, now_ms),
    )


def _is_of_a_later_payment(record: Input, state: CancelState) -> bool:
    """Whether a client has used the name of an ended one again, which the router has forgotten, and this has not."""
    if not isinstance(record, (RequestInDoubt, ReplyLost)) or state.stage not in ENDS:
        return False
    return record.original.accepted_ms > state.original.accepted_ms


def event_of(record: Input, state: CancelState | None, settings: Settings) -> Event:
    """What the record means for a cancel in this state."""
    if isinstance(record, (RequestInDoubt, ReplyLost)):
        if state is not None:
            return Event.STALE
        return Event.REQUEST_IN_DOUBT if isinstance(record, RequestInDoubt) else Event.REPLY_LOST
    if state is None:
        return _ordered(record) if isinstance(record, OperatorOrdered) else Event.STALE
    if isinstance(record, DeadlinePassed):
        return _deadline(record, state, settings.policy(state.partner))
    if isinstance(record, OperatorOrdered):
        if (record.seen, record.seen_attempt) != (state.stage, state.attempt):
            return Event.STALE  # carried out already, or not made for this state
        return _ordered(record)
    if isinstance(record, CancelReported) and not record.in_error and record.error_code is None:
        return Event.DONE  # of whichever attempt: the partner says that it is cancelled
    if record.attempt != state.attempt or state.stage not in UNDER_WAY:
        return Event.STALE
    return _outcome(record, state, settings)


def _ordered(record: OperatorOrdered) -> Event:
    return Event.OPERATOR_REPEAT if record.order is OperatorOrder.REPEAT else Event.OPERATOR_SETTLED


def _outcome(record: Outcome, state: CancelState, settings: Settings) -> Event:
    """What came of the command that is under way."""
    policy = settings.policy(state.partner)
    match record:
        case CancelReported():
            if record.in_error or record.error_code not in settings.trouble_codes.get(state.partner, ()):
                return Event.ERROR
            last = state.troubles >= policy.troubles_max or _patience_used(state, policy)
            return Event.TROUBLE_LAST if last else Event.TROUBLE
        case CancelSilent():
            return Event.SILENT_LAST if _patience_used(state, policy) else Event.SILENT
        case CancelNotSent(reason=NotCancelled.ORIGINAL_NEVER_SENT):
            return Event.NEVER_SENT
        case CancelNotSent(reason=NotCancelled.DOES_NOT_FIT_TELEGRAM | NotCancelled.ORIGINAL_NOT_FOUND):
            return Event.UNSENDABLE
        case CancelNotSent():
            return Event.UNSENT_LAST if state.unsent >= policy.unsent_max else Event.UNSENT
        case _:
            assert_never(record)


def _deadline(record: DeadlinePassed, state: CancelState, policy: CancelPolicy) -> Event:
    if state.due_ms != record.due_ms or state.stage is CancelStage.ATTENTION:
        return Event.STALE
    if state.stage in ENDS:
        return Event.FORGET
    if state.stage in WAITING:
        return Event.PAUSE_OVER
    return Event.SILENT_LAST if _patience_used(state, policy) else Event.SILENT


def _patience_used(state: CancelState, policy: CancelPolicy) -> bool:
    return state.attempt - state.unsent >= policy.commands_max


def _moved(
    record: Input, state: CancelState | None, stage: CancelStage, settings: Settings, now_ms: int, key: str
) -> CancelState:
    """The state after the move to `stage`."""
    if state is None:
        assert isinstance(record, (RequestInDoubt, ReplyLost))
        state = CancelState(
            transaction_id=record.transaction_id,
            transaction_key=key,
            customer=record.customer,
            reference=record.reference,
            partner=record.partner,
            stage=stage,
            original=record.original,
            attempt=0,
            unsent=0,
            troubles=0,
            error_code=None,
            since_ms=record.since_ms,
            changed_ms=now_ms,
            due_ms=None,
            reason=None,
            begun_with=Command.CONFIRM if isinstance(record, RequestInDoubt) else Command.CANCEL,
            ordered=None,
        )
    policy = settings.policy(state.partner)
    troubled = isinstance(record, CancelReported) and stage in WAITING
    return msgspec.structs.replace(
        state,
        stage=stage,
        attempt=state.attempt + (stage in UNDER_WAY),
        unsent=state.unsent + isinstance(record, CancelNotSent),
        troubles=state.troubles + troubled,
        error_code=record.error_code if isinstance(record, CancelReported) else state.error_code,
        changed_ms=now_ms,
        due_ms=None if stage is CancelStage.ATTENTION else now_ms + _wait(record, stage, policy, settings),
        reason=_reason(record) or state.reason,
        ordered=record if isinstance(record, OperatorOrdered) else state.ordered,
    )


def _wait(record: Input, stage: CancelStage, policy: CancelPolicy, settings: Settings) -> int:
    """How long the new state may last, in milliseconds. Only a person's patience has no end."""
    if stage in ENDS:
        return settings.remember_ms
    if stage in UNDER_WAY:
        return policy.send_window_ms + policy.report_timeout_ms + settings.grace_ms
    match record:
        case CancelNotSent():
            return policy.unsent_pause_ms
        case CancelReported():
            return policy.trouble_pause_ms
        case _:
            return policy.silence_pause_ms


def _reason(record: Input) -> str | None:
    """What the record says about why the cancel stands where it stands."""
    match record:
        case RequestInDoubt():
            return record.doubt
        case ReplyLost():
            return "reply_lost"
        case CancelReported():
            if record.in_error:
                return f"error_report {record.error_code or ''}".rstrip()
            return record.error_code
        case CancelSilent():
            return record.doubt
        case CancelNotSent():
            return record.reason
        case DeadlinePassed() | OperatorOrdered():
            return None


def _command_of(act: Act, state: CancelState) -> Command | None:
    """The telegram that an act puts on the line. What was never on the line is not repeated as a re-command."""
    if act is not Act.SEND_AS_ORDERED:
        return _COMMAND.get(act)
    return _AGAIN[state.begun_with] if state.attempt - 1 > state.unsent else state.begun_with


def _command(state: CancelState, command: Command, policy: CancelPolicy) -> SendCancel:
    return SendCancel(
        transaction_id=state.transaction_id,
        command=command,
        attempt=state.attempt,
        original=state.original,
        send_by_ms=state.changed_ms + policy.send_window_ms,
        report_timeout_ms=policy.report_timeout_ms,
        partner=state.partner,
    )


def _settlement(state: CancelState) -> CancelSettled:
    return CancelSettled(
        transaction_id=state.transaction_id,
        end=_END[state.stage],
        reason=state.reason,
        settled_ms=state.changed_ms,
    )


def _attention(state: CancelState) -> AttentionRaised:
    return AttentionRaised(
        transaction_id=state.transaction_id,
        customer=state.customer,
        reference=state.reference,
        partner=state.partner,
        line=state.original.line,
        kind=state.original.kind,
        terminal_id=state.original.terminal_id,
        amount=state.original.amount,
        trace_number=state.original.trace_number,
        business_date=state.original.business_date,
        reason=state.reason or "unknown",
        error_code=state.error_code,
        attempts=state.attempt,
        since_ms=state.since_ms,
        raised_ms=state.changed_ms,
    )


def _closed(state: CancelState) -> CaseClosed:
    order = state.ordered
    settled = order is not None and order.order is OperatorOrder.SETTLE
    return CaseClosed(
        transaction_id=state.transaction_id,
        customer=state.customer,
        reference=state.reference,
        partner=state.partner,
        line=state.original.line,
        amount=state.original.amount,
        outcome=order.outcome if order is not None and settled else CaseOutcome.CANCELLED,
        reason=order.reason if order is not None and settled else _BY_ITSELF,
        operator=None if order is None else order.operator,
        order_id=None if order is None else order.order_id,
        attempts=state.attempt,
        since_ms=state.since_ms,
        closed_ms=state.changed_ms,
    )


def _answer(
    record: Input, before: CancelState | None, then: CancelState | None, now_ms: int
) -> OrderAnswered | None:  # fmt: skip
    """What an operator is told about his order."""
    if not isinstance(record, OperatorOrdered):
        return None
    command = None if then is None else next(filter(None, (_command_of(act, then) for act in ENTRY[then.stage])), None)
    return OrderAnswered(
        transaction_id=record.transaction_id,
        order_id=record.order_id,
        order=record.order,
        operator=record.operator,
        refusal=_refusal(record, before, then),
        stage=None if then is None else then.stage,
        command=command,
        attempt=None if then is None else then.attempt,
        answered_ms=now_ms,
    )


def _refusal(record: OperatorOrdered, before: CancelState | None, then: CancelState | None) -> OrderRefusal | None:
    """The first refusal that applies, in the order of `OrderRefusal`; None for an order that is carried out."""
    if before is None or then is None:
        return OrderRefusal.UNKNOWN
    if then.ordered is not None and then.ordered.order_id == record.order_id:
        return None  # now, or when it was read before
    if before.stage in ENDS:
        return OrderRefusal.ALREADY_ENDED
    if (record.seen, record.seen_attempt) != (before.stage, before.attempt):
        return OrderRefusal.CHANGED_MEANWHILE
    return OrderRefusal.COMMAND_UNDER_WAY if before.stage in UNDER_WAY else OrderRefusal.NOT_WITH_A_PERSON
