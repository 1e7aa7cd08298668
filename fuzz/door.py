"""The door: any bytes, and any course of a session, from a client that may be anybody.

`door` is a raw stream; its first byte is the size of the pieces (0: all at once) in which it comes. `session` is made
of lines, each the payload of a frame, but for these:

    =…    bytes as they are                            .     log and router answer; the reply must be confirmed
    +N    N milliseconds pass                          :     log and router answer; it need not be
    ~N    and nobody has looked at the clock yet       !     the log fails
    ^     the gateway stops

What must hold: nothing is raised; memory is bounded; nothing is stored before a sound hello, and nothing unsound; a
session that is turned away is over; what is told never shows the card; and the laws of `ingress.core`.
"""

import hashlib
import json
import re

from fuzz.streams import pieces_of
from ingress.acts import (
    Act,
    Close,
    Delivery,
    Opened,
    Send,
    StoreDelivered,
    StoreInquiry,
    StoreRequest,
    StoreUndeliverable,
)
from ingress.config import Settings
from ingress.core import Session, SessionStage
from schemas.client_frames import LENGTH_BYTES, Settled, frame
from schemas.installation import Customer
from schemas.records import Answer, Outcome, ReplyReady, Status

TOKEN = "development-token-ap02"  # noqa: S105  public
SETTINGS = Settings(
    host="127.0.0.1",
    port=0,
    tls=None,
    customers={"AP02": Customer(id="AP02", token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(), partners={})},
    slots=1,
    max_sessions=8,
    max_in_flight=3,
    max_frame_bytes=1_024,
    hello_timeout_ms=1_000,
    idle_timeout_ms=9_000,
    wait_max_ms=3_000,
    confirm_ms=500,
    gone_after_ms=200,
    drain_ms=5_000,
)
ANSWER = Answer(
    outcome=Outcome.APPROVED,
    result_code="000",
    approval_code="123456",
    error_code=None,
    trace_number=7,
    route_number=3,
    business_date="20250401",
)
_CARD = re.compile(rb"[0-9]{13}")  # of what is told, only a reference could hold so many, and must not


def door(data: bytes) -> None:
    """One stream of bytes, whole and in pieces."""
    if not data:
        return
    whole = _told([data[1:]])
    assert whole == _told(pieces_of(data[0], data[1:])), "the pieces of a stream decide what follows from it"


def _told(pieces: list[bytes]) -> list[Act]:
    visit = Visit()
    for piece in pieces:
        visit.receive(piece)
    return visit.acts


def session(data: bytes) -> None:
    """One course of a session, to its end."""
    visit = Visit()
    for line in data.split(b"\n"):
        if visit.over:
            break
        visit.play(line)
    visit.leave_alone()


class Visit:
    """A client at the door, and a judge who writes down all that the session does. Raises `AssertionError`."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.acts: list[Act] = []
        self.over = False
        self._session = Session(SETTINGS, "s-1", self.now_ms)
        self._heard = b""
        self._opened = False
        self._under_way: list[Act] = []
        self._deliveries = 0
        self._confirmed: set[tuple[str, int]] = set()  # stored in time
        self._undeliverable: set[tuple[str, int]] = set()

    # --- what happens

    def play(self, line: bytes) -> None:
        """One line of a script."""
        head, rest = line[:1], line[1:]
        if head == b"=":
            self.receive(rest)
        elif head == b"+" and rest.isdigit():
            self.pass_time(int(rest[:6]))
        elif head == b"~" and rest.isdigit():
            self.now_ms += int(rest[:6])
        elif line == b".":
            self._answer(confirm=True)
        elif line == b":":
            self._answer(confirm=False)
        elif line == b"!":
            self._fail()
        elif line == b"^":
            self._take(self._session.stop())
        elif line:
            self.receive(len(line).to_bytes(LENGTH_BYTES) + line)

    def receive(self, data: bytes) -> None:
        """Bytes from the client; none are taken from one who was turned away, as in `ingress.connection`."""
        if self.over:
            return
        self._heard += data
        self._take(self._session.receive(data, self.now_ms))
        if not self.over:
            held = self._session._deframer.pending
            assert held < SETTINGS.max_frame_bytes + LENGTH_BYTES, "the buffer holds more than a frame"
        assert self._session.in_flight <= SETTINGS.max_in_flight, "more is in flight than is allowed"

    def pass_time(self, by_ms: int) -> None:
        """The clock goes on."""
        self.now_ms += by_ms
        self._take(self._session.tick(self.now_ms))

    def leave_alone(self) -> None:
        """A client who says nothing any more is let go, and nothing is left of him."""
        if not self.over:
            self.pass_time(SETTINGS.idle_timeout_ms)
        assert self.over, "a silent session stays open"
        for act in self._under_way:
            if isinstance(act, StoreDelivered):
                self._stored(act.delivery, stored=True)
        lost = {(each.reference, each.delivery_no) for each in self._session.gone()}
        assert not lost & (self._confirmed | self._undeliverable), "a delivery has two ends"

    def _answer(self, *, confirm: bool) -> None:
        answered, self._under_way = self._under_way, []
        for act in answered:
            match act:
                case StoreRequest():
                    self._reply(act.request.reference, inquiry=False, confirm=confirm)
                case StoreInquiry():
                    self._reply(act.inquiry.reference, inquiry=True, confirm=confirm)
                case StoreDelivered():
                    self._stored(act.delivery, stored=True)

    def _fail(self) -> None:
        failed, self._under_way = self._under_way, []
        for act in failed:
            match act:
                case StoreRequest():
                    self._take(self._session.not_stored(act.request.reference, inquiry=False))
                case StoreInquiry():
                    self._take(self._session.not_stored(act.inquiry.reference, inquiry=True))
                case StoreDelivered():
                    self._stored(act.delivery, stored=False)

    def _stored(self, delivery: Delivery, *, stored: bool) -> None:
        if stored and self.now_ms <= delivery.confirm_by_ms:
            self._confirmed.add((delivery.reference, delivery.delivery_no))
        self._take(self._session.stored(delivery, self.now_ms if stored else None, self.now_ms))

    def _reply(self, reference: str, *, inquiry: bool, confirm: bool) -> None:
        if self.over:
            return
        self._deliveries += 1
        record = ReplyReady(
            transaction_id=f"AP02:{reference}",
            transaction_key=f"AP02:{reference}",
            request_id="q-1",
            session="s-1",
            customer="AP02",
            reference=reference,
            inquiry=inquiry,
            status=Status.APPROVED,
            refusal=None,
            answer=ANSWER,
            delivery_no=self._deliveries,
            confirm_by_ms=self.now_ms + SETTINGS.confirm_ms if confirm else None,
        )
        self._take(self._session.tell(record, self.now_ms)[0])

    # --- what is judged

    def _take(self, acts: list[Act]) -> None:
        self.acts += acts
        for act in acts:
            assert not self.over, "something follows after the end"
            self._judge(act)
        assert self.over is (self._session.stage is SessionStage.CLOSED), "the session's stage is not its acts'"

    def _judge(self, act: Act) -> None:
        shown = repr(act)
        match act:
            case Opened():
                assert not self._opened, "opened twice"
                assert _greets(self._heard), "opened without a sound hello"
                self._opened = True
            case Send():
                told = frame(act.frame)
                shown += told[LENGTH_BYTES:].decode()
                assert _CARD.search(told) is None, "what could be a card number is told"
                if isinstance(act.frame, Settled) and act.frame.confirmed:
                    key = (act.frame.reference, act.frame.delivery_no)
                    assert key in self._confirmed, "told as confirmed, and not stored in time"
            case StoreUndeliverable():
                self._undeliverable.add((act.delivery.reference, act.delivery.delivery_no))
            case StoreRequest() | StoreInquiry() | StoreDelivered():
                self._judge_store(act)
            case Close():
                self.over = True
        if self._heard.count(TOKEN.encode()) == 1 and b"\\" not in self._heard:  # else it may be a reference as well
            assert TOKEN not in shown, "a token is shown"

    def _judge_store(self, act: StoreRequest | StoreInquiry | StoreDelivered) -> None:
        assert self._opened, "something is stored for a stranger"
        if isinstance(act, StoreRequest):
            assert act.request.card.number not in repr(act), "a card number is shown"
            assert re.fullmatch(r"[0-9]{13,19}", act.request.card.number), "no card number is stored as one"
            assert act.request.amount >= 1, "an amount that is none is stored"
            assert self.now_ms < act.expires_ms <= self.now_ms + SETTINGS.wait_max_ms, "an unsound deadline is stored"
        if isinstance(act, StoreDelivered):
            key = (act.delivery.reference, act.delivery.delivery_no)
            assert key not in self._undeliverable, "delivered after undeliverable"
        self._under_way.append(act)


def _greets(heard: bytes) -> bool:
    """Whether a stream begins with a hello that proves who it is; read by another decoder than the door's."""
    length = int.from_bytes(heard[:LENGTH_BYTES])
    hello = json.loads(heard[LENGTH_BYTES : LENGTH_BYTES + length])
    known = (hello["type"], hello["version"], hello["customer"], hello["token"])
    return known == ("hello", 1, "AP02", TOKEN)
