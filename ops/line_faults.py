"""What can happen to a line between gateway and centre, as data, and the cutting of its bytes into telegrams.

A network never loses bytes in the middle of a connection that goes on: so what is swallowed, and what a cut leaves
behind, ends with the connection. Everything else comes in its order, late or in pieces, and what a centre may do
wrong it does with whole telegrams: twice, over another line, after the cancel.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from schemas.telegrams import DecodeError, FramingError, Message, PartnerSpec, Role

_ORDINARY_REPORTS = frozenset({
    Role.AUTHORISATION_REPORT, Role.SALE_REPORT, Role.CANCEL_REPORT, Role.REFUND_REPORT, Role.ERROR_REPORT,
})  # fmt: skip
CANCEL_REPORTS = frozenset({Role.FAULT_CANCEL_REPORT, Role.FAULT_CONFIRM_REPORT})
REPORTS = _ORDINARY_REPORTS | CANCEL_REPORTS

GARBAGE = b"\xff\x00 no telegram \xff"
NOISE = b"\x00" * 16  # a length of nothing, in every framing


class LineFault(StrEnum):
    """What can be done to a line. The first four happen at once, the others last until `heal`, or for `count` times."""

    CUT = "cut"  # both ends see the connection closed
    RESET = "reset"  # both ends see it reset
    GARBAGE = "garbage"  # a telegram that means nothing reaches the gateway
    NOISE = "noise"  # bytes that no telegram can begin with reach the gateway
    SWALLOW = "swallow"  # half-open: both ends believe in the connection, and nothing passes
    HALF_OPEN = "half_open"  # the same, for the connections there are now alone: another call is a good one
    DELAY = "delay"  # everything takes `ms` longer
    ONE_BYTE = "one_byte"  # one byte at a time
    COALESCE = "coalesce"  # what comes within `ms` goes out at once
    TWICE = "twice"  # the next `count` reports come twice
    ELSEWHERE = "elsewhere"  # the next `count` reports come over another line of the same partner
    HOLD = "hold"  # the next `count` reports come after the report of their cancel
    FLOOD = "flood"  # telegrams that mean nothing reach the gateway, as fast as it takes them
    DEAF = "deaf"  # nothing of the gateway's is read, and it is asked whether it is there as fast as it takes it


AT_ONCE = (LineFault.CUT, LineFault.RESET, LineFault.GARBAGE, LineFault.NOISE)
COUNTED = (LineFault.TWICE, LineFault.ELSEWHERE, LineFault.HOLD)
TIMED = (LineFault.DELAY, LineFault.COALESCE)


@dataclass(slots=True)
class Trouble:
    """How it stands with one line now."""

    swallow: bool = False
    half_open: bool = False
    flood: bool = False
    deaf: bool = False
    one_byte: bool = False
    delay_ms: int = 0
    coalesce_ms: int = 0
    twice: int = 0
    elsewhere: int = 0
    hold: int = 0

    def begin(self, fault: LineFault, count: int, ms: int) -> None:
        """A fault that lasts has come."""
        match fault:
            case LineFault.DELAY:
                self.delay_ms = ms
            case LineFault.COALESCE:
                self.coalesce_ms = ms
            case LineFault.SWALLOW | LineFault.HALF_OPEN | LineFault.FLOOD | LineFault.DEAF | LineFault.ONE_BYTE:
                setattr(self, fault, True)
            case LineFault.TWICE:
                self.twice = count
            case LineFault.ELSEWHERE:
                self.elsewhere = count
            case LineFault.HOLD:
                self.hold = count
            case _:
                raise ValueError(f"{fault} does not last")

    def end(self) -> None:
        """All is well again."""
        self.swallow = self.half_open = self.one_byte = self.flood = self.deaf = False
        self.delay_ms = self.coalesce_ms = self.twice = self.elsewhere = self.hold = 0


class Telegram(NamedTuple):
    """One telegram as it stood on the line, and what it says; None for bytes that say nothing."""

    raw: bytes
    message: Message | None


class Splitter:
    """Cuts the bytes of one direction into telegrams; where they cannot be cut it passes them as they are."""

    def __init__(self, partner: PartnerSpec) -> None:
        self._partner = partner
        self._deframer = partner.framing.deframer()
        self._raw = bytearray()
        self._lost = False  # no telegram can be found any more

    def feed(self, data: bytes) -> list[Telegram]:
        """The telegrams that these bytes complete."""
        if self._lost:
            return [Telegram(data, None)]
        self._raw += data
        try:
            payloads = self._deframer.feed(data)
        except FramingError as error:
            payloads, self._lost = list(error.telegrams), True
        found = [self._cut(payload) for payload in payloads]
        if self._lost:
            found.append(Telegram(bytes(self._raw), None))
            self._raw.clear()
        return found

    def _cut(self, payload: bytes) -> Telegram:
        size = len(self._partner.framing.wrap(payload))
        raw = bytes(self._raw[:size])
        del self._raw[:size]
        try:
            return Telegram(raw, self._partner.read(payload))
        except DecodeError:
            return Telegram(raw, None)


def names(message: Message) -> tuple[object, object]:
    """The request that a report answers, or that a cancel's report is about: business date and trace number."""
    values = message.values
    if message.role in CANCEL_REPORTS:
        return values.get("original_business_date"), values.get("original_trace_number")
    return values.get("business_date"), values.get("trace_number")
