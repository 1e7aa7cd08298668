"""Routers on a log in memory, each on a thread of its own, and the words for what they write."""

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from service_rig import GO, Clock, NowMs, ServiceRig

from pipeline.log import Message, Outgoing
from pipeline.memory import MemoryLog
from router import shell
from router.config import PartnerTimes, Settings
from router.metrics import Metrics
from schemas import wire
from schemas.records import (
    DeadlinePassed,
    InquiryAsked,
    Kind,
    LineStage,
    LineState,
    LineWish,
    Outcome,
    ReleaseRoute,
    ReplyDelivered,
    ReplyLost,
    ReplyReady,
    ReportReceived,
    RequestAccepted,
    RequestInDoubt,
    Sealed,
    SendRequest,
    TransactionState,
)
from schemas.topics import Topics

LINES = ("cafis-1", "cafis-2")
SETTINGS = Settings(
    partners_of={"AP02": dict.fromkeys(Kind, "cafis")},
    times={"cafis": PartnerTimes(60_000, 30_000)},
    partners_of_line={"cafis-1": ("cafis",), "cafis-2": ("cafis",)},
    report_grace_ms=5_000,
    confirm_ms=60_000,
    confirm_grace_ms=2_000,
    remember_ms=3_600_000,
)
REPORT_DUE_MS = 60_000 + 30_000 + 5_000
CONFIRM_DUE_MS = 60_000 + 2_000
CARD = Sealed(key_id="card-1", nonce=b"n" * 12, ciphertext=b"the sealed card")
SENSITIVE = Sealed(key_id="sensitive-1", nonce=b"n" * 12, ciphertext=b"the sealed track")


class Ahead:
    """A router's idea of the time, `by_ms` ahead of the log's."""

    def __init__(self, clock: Clock, by_ms: int) -> None:
        self._clock = clock
        self.by_ms = by_ms

    def __call__(self) -> int:
        return self._clock() + self.by_ms


def router(
    log: MemoryLog, topics: Topics, node: str, registry: CollectorRegistry, stop: threading.Event, clock: NowMs
) -> None:
    shell.run(SETTINGS, log, topics, node, Metrics(registry), stop, clock)


class Rig(ServiceRig):
    """An installation with two lines."""

    def __init__(self) -> None:
        super().__init__(router, LINES, group="t-router", states="transactions", said=said)

    # --- what comes in

    def line(
        self, name: str, stage: LineStage = LineStage.OPEN, wish: LineWish = LineWish.OPEN, spared: str | None = None
    ) -> None:
        state = LineState(
            line=name, partner="cafis", node="n1", stage=stage, reason=None, since_ms=0, wish=wish,
            wished_by="calendar", wished_since_ms=0, connected_ms=None, asked_ms=None, answered_ms=None, in_flight=None,
            cancels_waiting=None, routes_held=None, told_ms=None, spared=spared,
        )  # fmt: skip
        value, headers = wire.encode(state)
        self.log.writer("test").write([Outgoing(self.topics("lines"), name.encode(), value, headers)])

    def ask(
        self, reference: str, *, slot: int = 0, original: str | None = None, mark: bytes | None = None, **changes: Any
    ) -> Message:
        record = RequestAccepted(
            transaction_id=f"AP02:{reference}", request_id=f"ask {reference}", customer="AP02", reference=reference,
            original_reference=original, kind=Kind.SALE if original is None else Kind.REFUND,
            terminal_id="4980123456789", amount=1_200, payment_method="10", card=CARD, sensitive=SENSITIVE,
            content_digest="d", slot=slot, session="s", accepted_ms=self.clock(), expires_ms=self.clock() + 60_000,
        )  # fmt: skip
        return self.write("requests", msgspec.structs.replace(record, **changes), original or reference, mark)

    def inquire(self, reference: str, request_id: str) -> Message:
        record = InquiryAsked(
            transaction_id=f"AP02:{reference}", request_id=request_id, customer="AP02", reference=reference,
            slot=1, session="t", asked_ms=self.clock(),
        )  # fmt: skip
        return self.write("requests", record, reference)

    def approve(self, reference: str, mark: bytes | None = None) -> Message:
        return self.write("reports", report(reference, self.clock()), reference, mark)

    def deliver(self, reference: str, number: int = 1) -> Message:
        record = ReplyDelivered(transaction_id=f"AP02:{reference}", delivery_no=number, confirmed_ms=self.clock())
        return self.write("deliveries", record, reference)

    # --- what is seen

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what a thread brings about without a word in the log."""
        end = time.monotonic() + GO
        while not condition():
            assert time.monotonic() < end, "it did not become so in time"
            threading.Event().wait(0.002)

    def until_ended(self, name: str) -> None:
        """Wait until no thread of this name is left."""
        self.until(lambda: all(thread.name != name for thread in threading.enumerate()))


def report(reference: str, now_ms: int) -> ReportReceived:
    return ReportReceived(
        transaction_id=f"AP02:{reference}", line="cafis-1", trace_number=7, route_number=3, business_date="20260401",
        outcome=Outcome.APPROVED, result_code="000", approval_code="A1", error_code=None, late=False,
        received_ms=now_ms,
    )  # fmt: skip


def said(message: Message) -> str:
    """A message in a few words."""
    if message.value is None:
        assert message.key is not None
        return f"{message.key.decode().removeprefix('AP02:')} forgotten"
    record: Any = wire.decode(message)
    who = record.transaction_id.removeprefix("AP02:")
    match record:
        case SendRequest():
            return who if record.original is None else f"{who} of t{record.original.trace_number}"
        case ReleaseRoute():
            return f"{who} released"
        case ReplyReady():
            return f"{who} {record.refusal or record.status} #{record.delivery_no}"
        case TransactionState():
            return f"{who} {record.stage}"
        case DeadlinePassed():
            return f"{who} {record.deadline} is over"
        case RequestInDoubt():
            return f"{who} {record.doubt}"
        case ReplyLost():
            return f"{who} lost"
        case ReportReceived():
            return f"{who} {record.outcome}"
        case ReplyDelivered():
            return f"{who} delivered"
        case RequestAccepted():
            return f"{who} waits"
    raise AssertionError(record)
