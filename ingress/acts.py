"""What a session can ask of the shell, and the deliveries its laws are about. Values only."""

from enum import Enum

import msgspec

from schemas.client_frames import GatewayFrame, Inquiry, Request
from schemas.records import ReplyReady


class DeliveryStage(Enum):
    """Where a delivery stands."""

    OWED = "owed"  # sent to the client, not acknowledged
    STORING = "storing"  # acknowledged, handed to the log
    CONFIRMED = "confirmed"
    VOID = "void"


class Delivery(msgspec.Struct, gc=False):
    """One delivery of one reply, which the client must confirm."""

    transaction_id: str
    transaction_key: str
    reference: str
    delivery_no: int
    confirm_by_ms: int
    stage: DeliveryStage = DeliveryStage.OWED

    @classmethod
    def of(cls, record: ReplyReady) -> "Delivery":
        """The delivery that a record asks for."""
        assert record.confirm_by_ms is not None
        return cls(
            record.transaction_id, record.transaction_key, record.reference, record.delivery_no, record.confirm_by_ms
        )


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send this frame to the client."""

    frame: GatewayFrame


class Opened(msgspec.Struct, frozen=True):
    """The client has proved who it is."""

    customer: str
    client: str


class StoreRequest(msgspec.Struct, frozen=True, gc=False):
    """Seal and store the request; tell `Session.not_stored` if that fails."""

    session: str
    customer: str
    request: Request
    accepted_ms: int
    expires_ms: int


class StoreInquiry(msgspec.Struct, frozen=True, gc=False):
    """Store the inquiry; tell `Session.not_stored` if that fails."""

    session: str
    customer: str
    inquiry: Inquiry
    asked_ms: int


class StoreDelivered(msgspec.Struct, frozen=True, gc=False):
    """Store that the client confirmed; tell `Session.stored` what came of it and when."""

    delivery: Delivery
    confirmed_ms: int


class StoreUndeliverable(msgspec.Struct, frozen=True, gc=False):
    """Store that the reply could not be handed over. If that fails, the router's deadline says the same."""

    delivery: Delivery
    reason: str
    noticed_ms: int


class Close(msgspec.Struct, frozen=True):
    """Send what is to be sent, then close the connection."""

    reason: str


Act = Send | Opened | StoreRequest | StoreInquiry | StoreDelivered | StoreUndeliverable | Close
