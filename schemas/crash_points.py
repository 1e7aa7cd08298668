"""Where a process can be made to die: the crash points of the life of one telegram, in the order of its steps.

The steps are those of docs/ARCHITECTURE.md, which shows the points beside them; a test holds both together, another
one that each point stands in the code once. `pipeline.crash` does it, `tests/scenarios` shows the promised ends.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple


class Point(StrEnum):
    """A crash point: right after what it names."""

    REQUEST_STORED = "request_stored"
    DISPATCHED_STORED = "dispatched_stored"
    DISPATCH_WRITTEN = "dispatch_written"
    SENT_STORED = "sent_stored"
    TELEGRAM_OUT = "telegram_out"
    REPORT_READ = "report_read"
    REPORT_STORED = "report_stored"
    REPLY_WRITTEN = "reply_written"
    CONFIRMATION_STORED = "confirmation_stored"
    ANSWERED_STORED = "answered_stored"
    MISSING_STORED = "missing_stored"
    IN_DOUBT_STORED = "in_doubt_stored"
    UNDELIVERABLE_STORED = "undeliverable_stored"
    UNDELIVERED_STORED = "undelivered_stored"
    CANCEL_STORED = "cancel_stored"
    COMMAND_WRITTEN = "command_written"
    SETTLEMENT_WRITTEN = "settlement_written"
    END_STORED = "end_stored"


class Place(NamedTuple):
    """One point: in which step, in which service."""

    step: int
    service: str
    point: Point


PLACES: Sequence[Place] = (
    Place(2, "ingress", Point.REQUEST_STORED),
    Place(3, "router", Point.DISPATCHED_STORED),
    Place(4, "router", Point.DISPATCH_WRITTEN),
    Place(5, "egress", Point.SENT_STORED),
    Place(6, "egress", Point.TELEGRAM_OUT),
    Place(7, "egress", Point.REPORT_READ),
    Place(7, "egress", Point.REPORT_STORED),
    Place(8, "router", Point.REPLY_WRITTEN),
    Place(9, "ingress", Point.CONFIRMATION_STORED),
    Place(10, "router", Point.ANSWERED_STORED),
    Place(11, "egress", Point.MISSING_STORED),
    Place(11, "router", Point.IN_DOUBT_STORED),
    Place(12, "ingress", Point.UNDELIVERABLE_STORED),
    Place(12, "router", Point.UNDELIVERED_STORED),
    Place(13, "faults", Point.CANCEL_STORED),
    Place(13, "faults", Point.COMMAND_WRITTEN),
    Place(14, "faults", Point.SETTLEMENT_WRITTEN),
    Place(14, "router", Point.END_STORED),
)

PROMISES: Mapping[int, str] = {
    1: "Nothing was taken. The client does not know that: after reconnecting it inquires, hears `unknown`, and sends "
    "it again under the same reference.",
    2: "Stored or not, nobody was told. The client reconnects and inquires; the router knows it or does not.",
    3: "`requests` is read again; the state is known, so the same dispatch is written in step 4.",
    4: "The dispatch is written a second time. The line knows copies by transaction.",
    5: "A new owner finds a sent record without an outcome: in doubt (step 11), never sent again.",
    6: "As 5.",
    7: "If it was not stored: in doubt, and confirm-cancelled; the partner's answer reached nobody. If it was: the new "
    "owner's doubt comes second in the log and changes nothing, and the router releases the route it held.",
    8: "`reports` is read again; the same reply is written.",
    9: "Without `settled` no client relies on the answer: it inquires, and hears what became of it.",
    10: "`deliveries` is read again.",
    11: "Timers live in the states and in `sent`. If egress is gone for good, the router's own deadline is the "
    "time-out.",
    12: "As 10; the deadline is in the state.",
    13: "The event is read again and gives the state's own order once more; the line knows copies by transaction and "
    "attempt.",
    14: "`settlements` is told again.",
}
"""What a crash right after each step leads to: what the document promises, and the tests show."""
