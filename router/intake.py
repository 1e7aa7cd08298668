"""What the router decides when a client asks: a new request, a repeat, an inquiry. Pure."""

import zlib
from collections.abc import Sequence

import msgspec

from router.acts import Act, Dispatch, Ignore, Reply, Store, World, key_of
from router.config import Settings
from router.replies import as_original, ended, reply_of, with_delivery
from schemas.records import (
    InquiryAsked,
    Outcome,
    ReplyReady,
    RequestAccepted,
    SendRequest,
    Stage,
    Status,
    TransactionState,
)
from schemas.refusals import Refusal

DELIVERIES_MAX = 16  # a client that asks for its answer again and again without confirming it does not get more time


def may_be_confirmed(original: TransactionState | None) -> bool:
    """Whether the log may hold a confirmation of this original that is not read yet."""
    return original is not None and original.stage is Stage.REPLIED


def accept(record: RequestAccepted, original: TransactionState | None, world: World, now_ms: int) -> list[Act]:
    """A request that is not known yet: refuse it, or store the intent and hand it to a line."""
    settings = world.settings
    partner = _partner(record, original, settings)
    send_by_ms = _send_by(record, settings, partner) if partner else record.expires_ms
    lines = world.open_lines.get(partner, ()) if partner else ()
    refusal = _refusal(record, original, partner, world, expired=now_ms > send_by_ms)
    line = None if refusal else _line(record, original, lines)
    state = TransactionState(
        transaction_id=record.transaction_id,
        transaction_key=key_of(record),
        stage=Stage.DISPATCHED,
        request_id=record.request_id,
        customer=record.customer,
        reference=record.reference,
        original_reference=record.original_reference,
        kind=record.kind,
        partner=partner,
        line=line,
        terminal_id=record.terminal_id,
        amount=record.amount,
        payment_method=record.payment_method,
        content_digest=record.content_digest,
        original=None if refusal or original is None else as_original(original),
        slot=record.slot,
        session=record.session,
        asker=record.request_id,
        delivery_no=0,
        accepted_ms=record.accepted_ms,
        changed_ms=now_ms,
        due_ms=None,
        refusal=refusal,
        answer=None,
        doubt=None,
        reason=None,
    )
    if refusal is not None:
        state = ended(state, Stage.REFUSED, settings, now_ms)
        return [Store(state), reply_of(state, settings)]
    assert partner is not None
    due_ms = send_by_ms + settings.times_of(partner).report_timeout_ms + settings.report_grace_ms
    state = msgspec.structs.replace(state, due_ms=due_ms)
    return [Store(state), _dispatch(record, state, settings)]


def _line(record: RequestAccepted, original: TransactionState | None, lines: Sequence[str]) -> str:
    """A follow-up goes over its original's line while that is open: trace numbers are unique within a line only."""
    if original is not None and original.line is not None and original.line in lines:
        return original.line
    return lines[zlib.crc32(record.transaction_id.encode()) % len(lines)]


def _partner(record: RequestAccepted, original: TransactionState | None, settings: Settings) -> str | None:
    """A follow-up goes to the partner its original went to; the rest as the customer's contract says."""
    contracted = settings.partners_of.get(record.customer, {}).get(record.kind)
    if contracted and original is not None and original.partner in settings.times:
        return original.partner
    return contracted


def _refusal(
    record: RequestAccepted,
    original: TransactionState | None,
    partner: str | None,
    world: World,
    *,
    expired: bool,
) -> Refusal | None:
    """The first refusal that applies, in the order of `schemas.refusals`."""
    if record.customer not in world.settings.partners_of:
        return Refusal.UNKNOWN_CUSTOMER
    if partner is None:
        return Refusal.KIND_NOT_CONTRACTED
    if expired:
        return Refusal.EXPIRED
    if record.kind.follows_an_original and (why := _original_refusal(record, original)) is not None:
        return why
    if world.open_lines.get(partner):
        return None
    if partner in world.closed:
        return Refusal.STATION_CLOSED
    return Refusal.PARTNER_SUSPENDED if partner in world.suspended else Refusal.NO_OPEN_LINE


def _original_refusal(record: RequestAccepted, original: TransactionState | None) -> Refusal | None:
    if original is None:
        return Refusal.ORIGINAL_UNKNOWN
    if not original.stage.ended:
        return Refusal.ORIGINAL_STILL_IN_PROCESS
    approved = original.answer is not None and original.answer.outcome is Outcome.APPROVED
    if original.stage is not Stage.ANSWERED or not approved:
        return Refusal.ORIGINAL_NOT_APPROVED
    if record.amount > original.amount:
        return Refusal.AMOUNT_EXCEEDS_ORIGINAL
    return None


def _send_by(record: RequestAccepted, settings: Settings, partner: str) -> int:
    return min(record.expires_ms, record.accepted_ms + settings.times_of(partner).send_window_ms)


def _dispatch(record: RequestAccepted, state: TransactionState, settings: Settings) -> Dispatch:
    assert state.line is not None
    assert state.partner is not None
    return Dispatch(
        state.line,
        SendRequest(
            transaction_id=record.transaction_id,
            customer=record.customer,
            reference=record.reference,
            kind=record.kind,
            terminal_id=record.terminal_id,
            amount=record.amount,
            payment_method=record.payment_method,
            card=record.card,
            sensitive=record.sensitive,
            original=state.original,
            send_by_ms=_send_by(record, settings, state.partner),
            report_timeout_ms=settings.times_of(state.partner).report_timeout_ms,
            partner=state.partner,
        ),
    )


def repeat(
    record: RequestAccepted, state: TransactionState, world: World, now_ms: int, *, waited: bool
) -> list[Act]:  # fmt: skip
    """A request whose reference is known: read again after a crash, repeated by its client, or another content."""
    if record.request_id == state.request_id:  # read again
        if state.stage is Stage.DISPATCHED:
            return [_dispatch(record, state, world.settings)]
        if state.stage is Stage.REFUSED and state.asker == record.request_id:
            return [reply_of(state, world.settings)]
        return [Ignore("request_again")]
    if record.content_digest != state.content_digest:
        return [Reply(record.slot, _refused_repeat(record))]
    if waited:  # its client has asked again meanwhile, and that was read first: there the answer goes
        return [Ignore("repeated_while_it_waited")]
    return _ask_again(record, state, world, now_ms)


def _refused_repeat(record: RequestAccepted) -> ReplyReady:
    return ReplyReady(
        transaction_id=record.transaction_id,
        transaction_key=key_of(record),
        request_id=record.request_id,
        session=record.session,
        customer=record.customer,
        reference=record.reference,
        inquiry=False,
        status=Status.REFUSED,
        refusal=Refusal.REFERENCE_HAS_OTHER_CONTENT,
        answer=None,
        delivery_no=0,
        confirm_by_ms=None,
    )


def inquire(record: InquiryAsked, state: TransactionState | None, world: World, now_ms: int) -> list[Act]:
    """A client wants to know what became of its request."""
    if state is not None:
        return _ask_again(record, state, world, now_ms)
    unknown = ReplyReady(
        transaction_id=record.transaction_id,
        transaction_key=key_of(record),
        request_id=record.request_id,
        session=record.session,
        customer=record.customer,
        reference=record.reference,
        inquiry=True,
        status=Status.UNKNOWN,
        refusal=None,
        answer=None,
        delivery_no=0,
        confirm_by_ms=None,
    )
    return [Reply(record.slot, unknown)]


def _ask_again(record: RequestAccepted | InquiryAsked, state: TransactionState, world: World, now_ms: int) -> list[Act]:
    """The client asks, by inquiry or repeat: what is still owed to it goes to where it asks from now."""
    inquiry = isinstance(record, InquiryAsked)
    silent = state.stage is Stage.DISPATCHED and not inquiry  # a repeat is answered when there is an answer
    if state.asker == record.request_id:  # read again
        return [] if silent else [reply_of(state, world.settings, inquiry=inquiry)]
    here = msgspec.structs.replace(state, slot=record.slot, session=record.session, asker=record.request_id)
    if state.stage is Stage.REPLIED and state.delivery_no < DELIVERIES_MAX:
        here = with_delivery(here, world.settings, now_ms)
    owed: list[Act] = [Store(here)] if state.stage in (Stage.DISPATCHED, Stage.REPLIED) else []
    return owed if silent else [*owed, reply_of(here, world.settings, inquiry=inquiry)]
