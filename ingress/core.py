"""The life of a client's session: bytes, records and time in, acts out. Pure.

    AWAITS_HELLO ─hello─▶ OPEN ─bye─▶ LEAVING ─drained─▶ CLOSED        (any ─refused with closing, time-out─▶ CLOSED)

and of each delivery of a reply that the client must confirm (money invariant 3):

    OWED ─ack in time─▶ STORING ─stored in time─▶ CONFIRMED      told: settled, confirmed
      │                    └──stored late, or not known to be stored─▶ VOID     told: settled, not confirmed
      └─ack late, no ack by confirm_by_ms─▶ VOID, `ReplyUndeliverable` is written

Its laws:

* Nothing is written for a session that has not proved who it is, and nothing unsound is written at all.
* "Confirmed" is told only when the broker has stamped `ReplyDelivered` not later than `confirm_by_ms`. The router
  acts on no deadline that the same broker has not stamped later than that: so the confirmation stands in the log before
  it, whatever anybody's clock says. In every other case the client is told nothing it could rely on.
* `ReplyUndeliverable` is never followed by `ReplyDelivered` of the same delivery.
* A reply for a session that is gone waits for the client to come back, then it is undeliverable.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import Enum
from typing import assert_never

from ingress.acts import (
    Act,
    Close,
    Delivery,
    DeliveryStage,
    Opened,
    Send,
    StoreDelivered,
    StoreInquiry,
    StoreRequest,
    StoreUndeliverable,
)
from ingress.checking import content_of, own_name_fault, request_fault
from ingress.config import Settings
from ingress.in_flight import Asked, InFlight
from ingress.protocol import Unreadable, read, read_first
from ingress.replies import settled, told
from ingress.strangers import counts_itself, guess
from schemas.card_numbers import holds_card_number
from schemas.client_frames import (
    LENGTH_BYTES,
    VERSION,
    Ack,
    AnyClientFrame,
    Bye,
    Deframer,
    FramingError,
    GatewayBye,
    Hello,
    Inquiry,
    Ping,
    Pong,
    Refused,
    Rejection,
    Request,
    Settled,
    Welcome,
    reference_fault,
)
from schemas.identity import transaction_id
from schemas.installation import Customer
from schemas.records import ReplyReady

NOT_CONFIRMED = "not_confirmed"

FRAMES_A_TURN = 128
"""How many frames of one client are taken before others have their turn."""

_CLIENT_MAX = 64
_AGAIN_MS = 1_000  # sooner a repeat on the session that awaits the answer changes nothing
_NOBODY = Customer(id="nobody", token_sha256="0" * 64, partners={})  # so that an unknown customer takes as long

# --- a session ------------------------------------------------------------------------------------------------------


class SessionStage(Enum):
    """Where a session stands."""

    AWAITS_HELLO = "awaits_hello"
    OPEN = "open"
    LEAVING = "leaving"  # the client starts nothing new
    CLOSED = "closed"


class Session:
    """One client connection. `id` is its name in the records, unique for ever."""

    def __init__(
        self, settings: Settings, session_id: str, now_ms: int, crowded: Callable[[str], str | None] = lambda _: None
    ) -> None:
        """`crowded`: why there is no place for another session of a customer, or None."""
        self.id = session_id
        self.stage = SessionStage.AWAITS_HELLO
        self.customer = ""
        self.more = False  # whether frames may wait to be taken: call `receive` again
        self._settings = settings
        self._deframer = Deframer(settings.max_frame_bytes)
        self._stopping = False
        self._crowded = crowded
        self._opened_ms = now_ms
        self._heard_ms = now_ms
        self._lay_ms = 0
        self._in_flight = InFlight(settings.max_in_flight)
        self._deliveries: dict[tuple[str, int], Delivery] = {}  # owed or being stored
        # Ended, until when they are known: for copies. Taking a plain dict's first passes by all that have gone before.
        self._over: OrderedDict[tuple[str, int], tuple[int, Delivery]] = OrderedDict()

    # --- from the client

    def receive(self, data: bytes, now_ms: int, lay_ms: int = 0) -> list[Act]:
        """What follows from these bytes and those left of earlier ones: of `FRAMES_A_TURN` frames, then see `more`.

        `lay_ms`: for how long they may have lain there unread. A request has been valid for that long already.
        """
        if data:
            self._lay_ms = lay_ms
        acts: list[Act] = []
        self.more = False
        try:
            self._deframer.feed(data)
            for _ in range(FRAMES_A_TURN):
                if self.stage is SessionStage.CLOSED or (payload := self._deframer.next()) is None:
                    break
                self._heard_ms = now_ms
                frame = read_first(payload) if self.stage is SessionStage.AWAITS_HELLO else read(payload)
                acts += self._take(frame, now_ms)
            else:
                self.more = True
        except Unreadable as error:
            acts += self._turn_away(error.refused)
        except FramingError as error:
            if error.length == 0:
                acts += self._turn_away(Rejection.BAD_FRAME.told(place="it is empty"))
            else:
                place = f"1 to {self._settings.max_frame_bytes} bytes"
                if self.stage is SessionStage.AWAITS_HELLO and (looks := self._looks()) is not None:
                    place = f"{place}; {looks}"
                acts += self._turn_away(Rejection.FRAME_TOO_LONG.told(place=place))
        return acts

    def _looks(self) -> str | None:
        return guess(self._deframer.peek(16), self._settings.max_frame_bytes)

    @property
    def truncated(self) -> bool:
        """Whether the client's last frame is not complete."""
        return self._deframer.pending > 0

    def _take(self, frame: AnyClientFrame, now_ms: int) -> Sequence[Act]:
        if self.stage is SessionStage.AWAITS_HELLO:
            return self._hello(frame) if isinstance(frame, Hello) else self._turn_away(Rejection.HELLO_EXPECTED.told())
        match frame:
            case Request():
                return self._request(frame, now_ms)
            case Ack():
                return self._ack(frame, now_ms)
            case Inquiry():
                return self._inquiry(frame, now_ms)
            case Ping():
                return [Send(Pong(n=frame.n))]
            case Bye():
                self.stage = SessionStage.LEAVING
                return self._close("left") if self.drained(now_ms) else []
            case Hello():
                return self._turn_away(Rejection.BAD_FRAME.told(place="hello comes once"))
            case _:
                assert_never(frame)

    def _hello(self, hello: Hello) -> list[Act]:
        if not (1 <= len(hello.client) <= _CLIENT_MAX and hello.client.isascii() and hello.client.isprintable()):
            place = f"client must be 1 to {_CLIENT_MAX} printable ASCII characters"
            return self._turn_away(Rejection.BAD_FRAME.told(place=place))
        if holds_card_number(hello.client):
            return self._turn_away(Rejection.BAD_FRAME.told(place="client must not hold a card number: it is logged"))
        known = self._settings.customers.get(hello.customer)
        if not (known or _NOBODY).accepts(hello.token) or known is None:
            return self._turn_away(Rejection.NOT_AUTHENTICATED.told())
        if (crowded := self._crowded(known.id)) is not None:
            return self._turn_away(Rejection.TOO_MANY_SESSIONS.told(place=crowded))
        self.stage = SessionStage.OPEN
        self.customer = known.id
        settings = self._settings
        welcome = Welcome(
            version=VERSION,
            session=self.id,
            max_frame_bytes=settings.max_frame_bytes,
            max_in_flight=settings.max_in_flight,
            idle_timeout_ms=settings.idle_timeout_ms,
            wait_max_ms=settings.wait_max_ms,
            confirm_ms=settings.confirm_ms,
        )
        return [Opened(known.id, hello.client), Send(welcome)]

    def _request(self, request: Request, now_ms: int) -> list[Act]:
        if (fault := request_fault(request)) is not None:
            unsound = own_name_fault(request) is not None  # then it may be anything, and is not repeated
            named = None if unsound else request.reference
            return [Send(Rejection.INVALID_REQUEST.told(reference=named, place=fault))]
        customer = self._settings.customers[self.customer]
        if (fault := self._settings.layouts.fault(customer, request, now_ms)) is not None:
            return [Send(Rejection.INVALID_REQUEST.told(reference=request.reference, place=fault))]
        expires_ms = now_ms - self._lay_ms + min(request.wait_ms, self._settings.wait_max_ms)
        named = transaction_id(self.customer, request.reference, request.original_reference)
        asked = Asked(named, now_ms, expires_ms, hash(content_of(request)))
        if self._in_flight.has_lately(request.reference, asked, _AGAIN_MS, inquiry=False):
            return []
        if (refused := self._enter(request.reference, asked, inquiry=False)) is not None:
            return [Send(refused)]
        return [StoreRequest(self.id, self.customer, request, now_ms, expires_ms)]

    def _inquiry(self, inquiry: Inquiry, now_ms: int) -> list[Act]:
        fault = reference_fault(inquiry.reference)
        if fault is not None:
            return [Send(Rejection.INVALID_REQUEST.told(place=fault))]
        if inquiry.original_reference is not None:
            fault = reference_fault(inquiry.original_reference, "original_reference")
        if fault is not None:
            return [Send(Rejection.INVALID_REQUEST.told(reference=inquiry.reference, place=fault))]
        named = transaction_id(self.customer, inquiry.reference, inquiry.original_reference)
        asked = Asked(named, now_ms, now_ms + self._settings.wait_max_ms)
        if self._in_flight.has_lately(inquiry.reference, asked, self._settings.wait_max_ms, inquiry=True):
            return []
        if (refused := self._enter(inquiry.reference, asked, inquiry=True)) is not None:
            return [Send(refused)]
        return [StoreInquiry(self.id, self.customer, inquiry, now_ms)]

    def _enter(self, reference: str, asked: Asked, *, inquiry: bool) -> Refused | None:
        """Count what is asked as in flight, or say why not."""
        if self.stage is SessionStage.LEAVING:
            return Rejection.STOPPING.told(reference=reference, place="bye was said")
        if self._stopping and not inquiry:
            return Rejection.STOPPING.told(reference=reference)
        return self._in_flight.enter(reference, asked, inquiry=inquiry)

    def _ack(self, ack: Ack, now_ms: int) -> list[Act]:
        delivery = self._known((ack.reference, ack.delivery_no))
        if delivery is None:  # of another session, or over long ago: whatever became of it, an inquiry tells
            if (fault := reference_fault(ack.reference)) is not None:
                return [Send(Rejection.INVALID_REQUEST.told(place=fault))]
            return [Send(Settled(reference=ack.reference, delivery_no=ack.delivery_no, confirmed=False))]
        match delivery.stage:
            case DeliveryStage.OWED if now_ms <= delivery.confirm_by_ms:
                delivery.stage = DeliveryStage.STORING
                return [StoreDelivered(delivery, now_ms)]
            case DeliveryStage.OWED:
                return self._void(delivery, now_ms)
            case DeliveryStage.STORING:
                return []  # `settled` follows
            case DeliveryStage.CONFIRMED | DeliveryStage.VOID:
                return [settled(delivery)]
            case _:
                assert_never(delivery.stage)

    def _known(self, key: tuple[str, int]) -> Delivery | None:
        delivery = self._deliveries.get(key)
        return self._over[key][1] if delivery is None and key in self._over else delivery

    def _void(self, delivery: Delivery, now_ms: int) -> list[Act]:
        self._end(delivery, DeliveryStage.VOID, now_ms)
        return [StoreUndeliverable(delivery, NOT_CONFIRMED, now_ms), settled(delivery)]

    def _end(self, delivery: Delivery, stage: DeliveryStage, now_ms: int) -> None:
        delivery.stage = stage
        key = (delivery.reference, delivery.delivery_no)
        self._deliveries.pop(key, None)
        self._over[key] = (now_ms + self._settings.confirm_ms + self._settings.gone_after_ms, delivery)

    # --- from the log

    def tell(self, record: ReplyReady, now_ms: int) -> tuple[list[Act], int | None]:
        """Hand a reply to the client. Gives too when the request was accepted, if this is its answer."""
        if self._in_flight.is_about_another(record):
            return self._withhold(record, now_ms), None
        asked_ms = self._in_flight.answered(record)
        if record.confirm_by_ms is None:
            return [Send(told(record))], asked_ms
        key = (record.reference, record.delivery_no)
        delivery = self._known(key)
        if delivery is not None and delivery.transaction_id != record.transaction_id:
            if key in self._deliveries:
                return [*self._withhold(record, now_ms), settled(Delivery.of(record))], asked_ms
            del self._over[key]  # the client knows how that one ended: from here on it speaks of this one
            delivery = None
        if delivery is not None:  # a copy; whoever asked again may not know the first
            return [settled(delivery) if delivery.stage is DeliveryStage.VOID else Send(told(record))], asked_ms
        self._deliveries[key] = delivery = Delivery.of(record)
        if now_ms >= delivery.confirm_by_ms:  # it came too late to be confirmed, so it is not even shown
            return self._void(delivery, now_ms), asked_ms
        return [Send(told(record))], asked_ms

    def _withhold(self, record: ReplyReady, now_ms: int) -> list[Act]:
        """Do not show a reply under a reference that stands here for another transaction.

        The client could not tell which of them it means, nor could its acknowledgement.
        """
        return [] if record.confirm_by_ms is None else [StoreUndeliverable(Delivery.of(record), NOT_CONFIRMED, now_ms)]

    def stored(self, delivery: Delivery, stamp_ms: int | None, now_ms: int) -> list[Act]:
        """The log has answered about a `StoreDelivered`: when the broker stored it; None: not known to be stored."""
        assert delivery.stage is DeliveryStage.STORING
        in_time = stamp_ms is not None and stamp_ms <= delivery.confirm_by_ms
        self._end(delivery, DeliveryStage.CONFIRMED if in_time else DeliveryStage.VOID, now_ms)
        return [] if self.stage is SessionStage.CLOSED else [settled(delivery)]

    def not_stored(self, reference: str, *, inquiry: bool) -> list[Act]:
        """It is not known whether a request or inquiry was stored."""
        self._in_flight.give_up(reference, inquiry=inquiry)
        return [] if self.stage is SessionStage.CLOSED else [Send(Rejection.OUTCOME_UNKNOWN.told(reference=reference))]

    # --- time and ends

    def tick(self, now_ms: int) -> list[Act]:
        """What follows from the time alone. To be called some times a second."""
        settings = self._settings
        if self.stage is SessionStage.AWAITS_HELLO:
            late = now_ms - self._opened_ms >= settings.hello_timeout_ms
            return self._turn_away(Rejection.HELLO_TIMEOUT.told(place=self._lacks())) if late else []
        acts: list[Act] = []
        for delivery in list(self._deliveries.values()):
            if delivery.stage is DeliveryStage.OWED and now_ms >= delivery.confirm_by_ms:
                acts += self._void(delivery, now_ms)
        while self._over and next(iter(self._over.values()))[0] <= now_ms:
            self._over.popitem(last=False)
        if self.stage is SessionStage.LEAVING and self.drained(now_ms):
            acts += self._close("left")
        elif now_ms - self._heard_ms >= settings.idle_timeout_ms:
            acts += self._turn_away(Rejection.IDLE_TIMEOUT.told())
        return acts

    def _lacks(self) -> str | None:
        """What a hello lacks that has begun."""
        if self._deframer.pending < LENGTH_BYTES:
            return None
        announced = int.from_bytes(self._deframer.peek(LENGTH_BYTES))
        if counts_itself(announced, self._deframer.pending - LENGTH_BYTES):
            return "four bytes are missing: the length does not count its own four"
        return "the frame is not whole"

    def stop(self) -> list[Act]:
        """The gateway stops: nothing new is accepted here any more."""
        self._stopping = True
        bye = Send(GatewayBye())
        return [bye, *self._close("stopping")] if self.stage is SessionStage.AWAITS_HELLO else [bye]

    def turn_away(self, code: Rejection, place: str | None = None) -> list[Act]:
        """There is no room for it."""
        return self._turn_away(code.told(place=place))

    def drained(self, now_ms: int) -> bool:
        """Whether nobody waits for anything here."""
        self._in_flight.forget_expired(now_ms)
        return not self._in_flight and not self._deliveries

    def gone(self) -> list[Delivery]:
        """The connection is lost or closed. Gives the deliveries nobody can confirm here any more."""
        self.stage = SessionStage.CLOSED
        return [each for each in self._deliveries.values() if each.stage is DeliveryStage.OWED]

    @property
    def in_flight(self) -> int:
        """How many requests and inquiries have no answer."""
        return len(self._in_flight)

    def _turn_away(self, refused: Refused) -> list[Act]:
        return [Send(refused), *self._close(refused.code)]

    def _close(self, reason: str) -> list[Act]:
        self.stage = SessionStage.CLOSED
        return [Close(reason)]
