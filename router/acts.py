"""What the router can be told, what it can do, and what it knows of the world. Values only."""

from collections.abc import Mapping, Sequence

import msgspec

from router.config import Settings
from schemas.identity import transaction_id, transaction_key
from schemas.records import (
    CancelSettled,
    DeadlinePassed,
    InquiryAsked,
    NeverSent,
    ReleaseRoute,
    ReplyDelivered,
    ReplyLost,
    ReplyReady,
    ReplyUndeliverable,
    ReportMissing,
    ReportReceived,
    RequestAccepted,
    RequestInDoubt,
    SendRequest,
    TransactionState,
)

Input = (
    RequestAccepted
    | InquiryAsked
    | ReportReceived
    | ReportMissing
    | NeverSent
    | ReplyDelivered
    | ReplyUndeliverable
    | CancelSettled
    | DeadlinePassed
)


class Store(msgspec.Struct, frozen=True, gc=False):
    """Store this state; every other act waits for the acknowledgement."""

    state: TransactionState


class Forget(msgspec.Struct, frozen=True, gc=False):
    """The transaction ended long ago: take its state out."""

    transaction_id: str


class Dispatch(msgspec.Struct, frozen=True, gc=False):
    """Hand the request to this line."""

    line: str
    record: SendRequest | ReleaseRoute


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Let the ingress of this slot tell the client."""

    slot: int
    record: ReplyReady


class HandToFaults(msgspec.Struct, frozen=True, gc=False):
    """Let the cancel service end this one."""

    record: RequestInDoubt | ReplyLost


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Put the request behind the confirmations that are stored by now, and decide when it is read there."""

    record: RequestAccepted


class Ignore(msgspec.Struct, frozen=True, gc=False):
    """Change nothing; count why."""

    why: str


Act = Store | Forget | Dispatch | Reply | HandToFaults | Wait | Ignore


class World(msgspec.Struct, frozen=True):
    """What the router knows beyond the transaction: its settings, and the lines by partner."""

    settings: Settings
    open_lines: Mapping[str, Sequence[str]]
    closed: frozenset[str] = frozenset()  # partners whose lines are all meant not to be open now 閉局中
    suspended: frozenset[str] = frozenset()  # partners that some line spares 縮退運転


# --- ids ------------------------------------------------------------------------------------------------------------


def original_id(record: RequestAccepted) -> str | None:
    """The transaction id of the original a follow-up names."""
    original = record.original_reference
    return None if original is None else transaction_id(record.customer, original, None)


def key_of(record: RequestAccepted | InquiryAsked) -> str:
    """The transaction key: that of the original, if there is one."""
    original = record.original_reference if isinstance(record, RequestAccepted) else None
    return transaction_key(record.customer, record.reference, original)
