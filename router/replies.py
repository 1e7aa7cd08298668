"""The states and replies that several decisions of the router share. Pure."""

from collections.abc import Mapping

import msgspec

from router.acts import Reply
from router.config import Settings
from schemas.records import Original, Outcome, ReplyReady, Stage, Status, TransactionState


def with_delivery(state: TransactionState, settings: Settings, now_ms: int) -> TransactionState:
    """The state with one more delivery of its reply under way."""
    due_ms = now_ms + settings.confirm_ms + settings.confirm_grace_ms
    return msgspec.structs.replace(state, delivery_no=state.delivery_no + 1, due_ms=due_ms)


def ended(state: TransactionState, stage: Stage, settings: Settings, now_ms: int) -> TransactionState:
    """The state at its end; its deadline is when it may be forgotten. What a person has is not: see `faults.core`."""
    due_ms = None if stage is Stage.ATTENTION else now_ms + settings.remember_ms
    return msgspec.structs.replace(state, stage=stage, changed_ms=now_ms, due_ms=due_ms)


def as_original(state: TransactionState) -> Original:
    """The transaction as a cancel or a follow-up names it to the partner."""
    assert state.line is not None
    assert state.answer is not None
    return Original(
        kind=state.kind,
        line=state.line,
        trace_number=state.answer.trace_number,
        route_number=state.answer.route_number,
        business_date=state.answer.business_date,
        approval_code=state.answer.approval_code,
        terminal_id=state.terminal_id,
        amount=state.amount,
        accepted_ms=state.accepted_ms,
    )


_STATUS: Mapping[Stage, Status] = {
    Stage.DISPATCHED: Status.IN_PROCESS,
    Stage.IN_DOUBT: Status.BEING_CANCELLED,
    Stage.UNDELIVERED: Status.BEING_CANCELLED,
    Stage.REFUSED: Status.REFUSED,
    Stage.CANCELLED: Status.CANCELLED,
    Stage.ATTENTION: Status.ATTENTION,
}
_OUTCOME: Mapping[Outcome, Status] = {
    Outcome.APPROVED: Status.APPROVED,
    Outcome.DECLINED: Status.DECLINED,
    Outcome.TURNED_ROUND: Status.TURNED_ROUND,
    Outcome.IN_ERROR: Status.IN_ERROR,
}
_TOLD = (Stage.REPLIED, Stage.ANSWERED, Stage.RETURNED)  # the stages in which the client may know the partner's answer


def reply_of(state: TransactionState, settings: Settings, *, inquiry: bool = False) -> Reply:
    """What the client is told in this state. A reply that must be confirmed says by when."""
    answer = state.answer if state.stage in _TOLD else None
    confirm_by_ms = None
    if state.stage is Stage.REPLIED:
        assert state.due_ms is not None
        confirm_by_ms = state.due_ms - settings.confirm_grace_ms
    return Reply(
        state.slot,
        ReplyReady(
            transaction_id=state.transaction_id,
            transaction_key=state.transaction_key,
            request_id=state.asker,
            session=state.session,
            customer=state.customer,
            reference=state.reference,
            inquiry=inquiry,
            status=_STATUS[state.stage] if answer is None else _OUTCOME[answer.outcome],
            refusal=state.refusal if state.stage is Stage.REFUSED else None,
            answer=answer,
            delivery_no=state.delivery_no,
            confirm_by_ms=confirm_by_ms,
        ),
    )
