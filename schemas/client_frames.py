"""The client protocol, version 1: framing, and the frames of both directions. `docs/client-protocol.md` explains it.

A frame is a 4-byte big-endian length and that many bytes of UTF-8 JSON: one object whose ``type`` names the frame.
The gateway is strict: it refuses a field it does not know, for a misspelled field of a payment must not pass for a
missing one. Clients are lenient: they ignore fields and frame types they do not know, so that version 1 can grow.
"""

import re
from enum import StrEnum
from typing import Annotated

import msgspec

from schemas.card_numbers import holds_card_number
from schemas.records import Status
from schemas.refusals import Refusal

VERSION = 1
VERSIONS = (1,)
LENGTH_BYTES = 4
FRAME_MAX_BYTES = 1_048_576  # what a client must be ready to take; what the gateway takes, it says in `welcome`

# --- framing --------------------------------------------------------------------------------------------------------


class FramingError(Exception):
    """The stream cannot be cut into frames any further: close it. `length` is what the four bytes announced."""

    def __init__(self, length: int, max_bytes: int) -> None:
        super().__init__(f"a frame of {length} bytes where 1 to {max_bytes} are allowed")
        self.length = length


class Deframer:
    """Cuts a byte stream into the payloads of frames: bytes in, payloads out, no I/O."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next(self) -> bytes | None:
        """The next complete payload, or None when more bytes are needed. Raises `FramingError`."""
        start = self._at + LENGTH_BYTES
        if len(self._buffer) < start:
            return None
        length = int.from_bytes(self._buffer[self._at : start])
        if not 1 <= length <= self._max_bytes:
            raise FramingError(length, self._max_bytes)
        if len(self._buffer) < start + length:
            return None
        self._at = start + length
        return bytes(self._buffer[start : self._at])

    def peek(self, count: int) -> bytes:
        """The first of the bytes that are held."""
        return bytes(self._buffer[self._at : self._at + count])

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._buffer) - self._at


# --- what both sides check ------------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,32}")
_CARD_LIKE = re.compile(r"[0-9]{13}")

COUNT_MAX = 2**31 - 1
Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]


def reference_fault(reference: str, field: str = "reference") -> str | None:
    """What is wrong with a reference, in words that do not hold it; None when it is sound."""
    if not _REFERENCE.fullmatch(reference):
        return f"{field} must be 1 to 32 characters of A-Z a-z 0-9 . _ -"
    if _CARD_LIKE.search(reference):
        return f"{field} must not hold 13 or more digits in a row, which could be a card number"
    if holds_card_number(reference):
        return f"{field} must not hold a card number, nor one whose digits stand in groups"
    return None


# --- client → gateway -----------------------------------------------------------------------------------------------


class ClientFrame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The base of what a client sends."""


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A card: its number (13–19 digits) and expiry (YYMM). Its repr shows neither."""

    number: str
    expiry: str

    def __repr__(self) -> str:
        return "Card(…)"


class Hello(ClientFrame, frozen=True, kw_only=True, tag_field="type", tag="hello"):
    """The first frame of a session: who asks, with what software."""

    version: int
    customer: str
    token: str
    client: str

    def __repr__(self) -> str:
        return f"Hello(version={self.version}, customer={self.customer!r}, client={self.client!r})"


class Request(ClientFrame, frozen=True, kw_only=True, tag_field="type", tag="request"):
    """Ask for a payment. The same reference with the same content is the same payment, however often it is sent."""

    reference: str
    kind: str
    terminal_id: str
    amount: int
    payment_method: str
    card: Card
    wait_ms: int
    track2: str | None = None
    security_code: str | None = None
    original_reference: str | None = None

    def __repr__(self) -> str:
        return f"Request(reference={self.reference!r}, kind={self.kind!r}, amount={self.amount})"


class Ack(ClientFrame, frozen=True, kw_only=True, tag_field="type", tag="ack"):
    """The client has this reply and somebody waits for it."""

    reference: str
    delivery_no: Count


class Inquiry(ClientFrame, frozen=True, kw_only=True, tag_field="type", tag="inquiry"):
    """What became of this transaction? A cancel's or refund's inquiry names the original as its request did."""

    reference: str
    original_reference: str | None = None


class Ping(ClientFrame, frozen=True, kw_only=True, tag_field="type", tag="ping"):
    """Keeps an idle session alive."""

    n: Count


class Bye(ClientFrame, frozen=True, kw_only=True, tag_field="type", tag="bye"):
    """Nothing new comes from here: finish what is in flight, then close. Sent by either side."""


AnyClientFrame = Hello | Request | Ack | Inquiry | Ping | Bye


class Greeting(msgspec.Struct):
    """What is read of a session's first frame before its version is known."""

    type: str
    version: int | None = None


# --- gateway → client -----------------------------------------------------------------------------------------------


class GatewayFrame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The base of what the gateway sends. A client ignores fields it does not know."""


class Welcome(GatewayFrame, frozen=True, kw_only=True, tag_field="type", tag="welcome"):
    """The session is open; these are its limits."""

    version: int
    session: str
    max_frame_bytes: int
    max_in_flight: int
    idle_timeout_ms: int
    wait_max_ms: int
    confirm_ms: int


class RefusalTold(msgspec.Struct, frozen=True, kw_only=True):
    """Why the gateway refused to send a request on (`schemas.refusals.Refusal`)."""

    code: str
    text_ja: str
    text_en: str
    retryable: bool

    @classmethod
    def of(cls, refusal: Refusal) -> "RefusalTold":
        """The refusal as it is told."""
        return cls(code=refusal.value, text_ja=refusal.japanese, text_en=refusal.english, retryable=refusal.retryable)


class Told(GatewayFrame, frozen=True, kw_only=True):
    """What a client is told about a transaction. The partner's fields are there when the partner answered."""

    reference: str
    status: Status
    refusal: RefusalTold | None = None
    approval_code: str | None = None
    result_code: str | None = None
    error_code: str | None = None
    trace_number: int | None = None
    route_number: int | None = None
    business_date: str | None = None


class Reply(Told, frozen=True, kw_only=True, tag_field="type", tag="reply"):
    """The answer to a request. With `confirm` it is provisional: acknowledge it and wait for `settled`."""

    delivery_no: int
    confirm: bool


class StatusTold(Told, frozen=True, kw_only=True, tag_field="type", tag="status"):
    """The answer to an inquiry when no reply is owed."""


class Settled(GatewayFrame, frozen=True, kw_only=True, tag_field="type", tag="settled"):
    """The end of an acknowledged reply. Not confirmed: the reply is void, inquire."""

    reference: str
    delivery_no: int
    confirmed: bool


class Pong(GatewayFrame, frozen=True, kw_only=True, tag_field="type", tag="pong"):
    """The answer to a ping."""

    n: int


class Refused(GatewayFrame, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """A frame (or the whole session) was turned away; `code` is one of `Rejection`."""

    code: str
    text_ja: str
    text_en: str
    retryable: bool
    inquire: bool
    closing: bool
    reference: str | None = None


class GatewayBye(GatewayFrame, frozen=True, kw_only=True, tag_field="type", tag="bye"):
    """The gateway stops: start nothing new here, what is in flight is finished, then the connection closes."""


AnyGatewayFrame = Welcome | Reply | StatusTold | Settled | Pong | Refused | GatewayBye


class Rejection(StrEnum):
    """Why a frame or a session is turned away at the door, before anything was written."""

    BAD_FRAME = "bad_frame"
    FRAME_TOO_LONG = "frame_too_long"
    HELLO_EXPECTED = "hello_expected"
    HELLO_TIMEOUT = "hello_timeout"
    VERSION_UNKNOWN = "version_unknown"
    NOT_AUTHENTICATED = "not_authenticated"
    TOO_MANY_SESSIONS = "too_many_sessions"
    IDLE_TIMEOUT = "idle_timeout"
    INVALID_REQUEST = "invalid_request"
    REFERENCE_IN_FLIGHT = "reference_in_flight"
    TOO_MANY_IN_FLIGHT = "too_many_in_flight"
    STOPPING = "stopping"
    OUTCOME_UNKNOWN = "outcome_unknown"

    @property
    def retryable(self) -> bool:
        """Whether the same frame, sent again later or elsewhere, may be taken."""
        return _FACTS[self][0]

    @property
    def closing(self) -> bool:
        """Whether the gateway closes the connection after it."""
        return _FACTS[self][1]

    @property
    def inquire(self) -> bool:
        """Whether the request may have been taken all the same, so that the client must inquire."""
        return self is Rejection.OUTCOME_UNKNOWN

    @property
    def english(self) -> str:
        return _FACTS[self][2]

    @property
    def japanese(self) -> str:
        return _FACTS[self][3]

    def told(self, *, reference: str | None = None, place: str | None = None) -> Refused:
        """The frame that says so. `place` names what is wrong and never holds what the client sent."""
        return Refused(
            code=self.value,
            text_ja=self.japanese if place is None else f"{self.japanese}: {place}",
            text_en=self.english if place is None else f"{self.english}: {place}",
            retryable=self.retryable,
            inquire=self.inquire,
            closing=self.closing,
            reference=reference,
        )


# retryable, closing, English, Japanese
_FACTS: dict[Rejection, tuple[bool, bool, str, str]] = {
    Rejection.BAD_FRAME: (False, True, "the frame is not understood", "フレームを解釈できません"),
    Rejection.FRAME_TOO_LONG: (
        False,
        True,
        "the frame is longer than the session allows",
        "フレームが許容長を超えています",
    ),
    Rejection.HELLO_EXPECTED: (
        False,
        True,
        "the first frame of a session must be hello",
        "セッションの最初のフレームは hello でなければなりません",
    ),
    Rejection.HELLO_TIMEOUT: (True, True, "no hello came in time", "時間内に hello が届きませんでした"),
    Rejection.VERSION_UNKNOWN: (
        False,
        True,
        "this protocol version is not spoken here",
        "このプロトコルバージョンには対応していません",
    ),
    Rejection.NOT_AUTHENTICATED: (
        False,
        True,
        "customer or token is wrong",
        "顧客IDまたはトークンが正しくありません",
    ),
    Rejection.TOO_MANY_SESSIONS: (
        True,
        True,
        "every session of this gateway is in use",
        "セッション数が上限に達しています",
    ),
    Rejection.IDLE_TIMEOUT: (
        True,
        True,
        "nothing came from the client for too long",
        "クライアントからの受信が途絶えました",
    ),
    Rejection.INVALID_REQUEST: (False, False, "the request's content is wrong", "要求の内容が正しくありません"),
    Rejection.REFERENCE_IN_FLIGHT: (
        False,
        False,
        "a request of this reference and other content is in flight on this session; of that one this says nothing",
        "同じ参照番号で内容の異なる要求がこのセッションで処理中です(処理中の要求には影響しません)",
    ),
    Rejection.TOO_MANY_IN_FLIGHT: (
        True,
        False,
        "too many requests of this session are without an answer",
        "セッションの処理中要求数が上限に達しています",
    ),
    Rejection.STOPPING: (
        True,
        False,
        "the gateway stops: send this on another session",
        "ゲートウェイを停止中です。別のセッションへ送信してください",
    ),
    Rejection.OUTCOME_UNKNOWN: (
        False,
        False,
        "it is not known whether the request was taken: inquire",
        "要求が受け付けられたか不明です。照会してください",
    ),
}
assert set(_FACTS) == set(Rejection)

# --- bytes ----------------------------------------------------------------------------------------------------------

_encode = msgspec.json.Encoder().encode


def frame(message: ClientFrame | GatewayFrame) -> bytes:
    """The bytes of a frame, length included."""
    payload = _encode(message)
    return len(payload).to_bytes(LENGTH_BYTES) + payload
