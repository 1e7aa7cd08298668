"""Cancel services on a log in memory, each on a thread of its own, and the words for what they write."""

import threading
from typing import Any

from prometheus_client import CollectorRegistry
from service_rig import NowMs, ServiceRig

from faults import shell
from faults.config import Settings
from faults.metrics import Metrics
from pipeline.log import Message
from pipeline.memory import MemoryLog
from schemas import wire
from schemas.installation import CancelPolicy
from schemas.records import (
    AttentionRaised,
    CancelReported,
    CancelSettled,
    CancelSilent,
    CancelState,
    CaseClosed,
    CaseOutcome,
    Command,
    DeadlinePassed,
    Doubt,
    Kind,
    OperatorOrder,
    OperatorOrdered,
    OrderAnswered,
    Original,
    ReleaseRoute,
    ReplyLost,
    RequestInDoubt,
    SendCancel,
)
from schemas.topics import Topics

LINE = "cafis-1"
POLICY = CancelPolicy(
    send_window_ms=60_000, report_timeout_ms=30_000, commands_max=2, silence_pause_ms=10_000, trouble_pause_ms=20_000
)
SETTINGS = Settings({"cafis": POLICY}, {"cafis": frozenset({"C13"})}, grace_ms=5_000, remember_ms=3_600_000)
COMMAND_DUE_MS = 60_000 + 30_000 + 5_000
CODE = {Command.CANCEL: "8910", Command.CANCEL_AGAIN: "8920", Command.CONFIRM: "8930", Command.CONFIRM_AGAIN: "8940"}


def cancel_service(
    log: MemoryLog, topics: Topics, node: str, registry: CollectorRegistry, stop: threading.Event, clock: NowMs
) -> None:
    shell.run(SETTINGS, log, topics, node, Metrics(registry), stop, clock)


class Rig(ServiceRig):
    """An installation with one line."""

    def __init__(self) -> None:
        super().__init__(cancel_service, [LINE], group="t-faults", states="cancels", said=said)

    # --- what comes in

    def doubt(self, reference: str, *, key: str | None = None) -> Message:
        told = self._told(reference)
        return self.write("timeouts", RequestInDoubt(**told, doubt=Doubt.SILENCE), key or reference)

    def lose(self, reference: str) -> Message:
        return self.write("undelivered", ReplyLost(**self._told(reference)), reference)

    def _told(self, reference: str) -> dict[str, Any]:
        original = Original(
            kind=Kind.SALE, line=LINE, trace_number=7, route_number=3, business_date="20260401", approval_code=None,
            terminal_id="4980123456789", amount=1_200, accepted_ms=0,
        )  # fmt: skip
        return {
            "transaction_id": f"AP02:{reference}",
            "customer": "AP02",
            "reference": reference,
            "partner": "cafis",
            "original": original,
            "since_ms": 0,
        }

    def silent(self, reference: str, attempt: int) -> Message:
        record = CancelSilent(
            transaction_id=f"AP02:{reference}", line=LINE, attempt=attempt, command=Command.CONFIRM,
            doubt=Doubt.SILENCE, noticed_ms=self.clock(),
        )  # fmt: skip
        return self.write("cancel-reports", record, reference)

    def in_error(self, reference: str, attempt: int) -> Message:
        record = CancelReported(
            transaction_id=f"AP02:{reference}", line=LINE, attempt=attempt, command=Command.CONFIRM,
            in_error=True, error_code="C01", received_ms=self.clock(),
        )  # fmt: skip
        return self.write("cancel-reports", record, reference)

    def order(self, reference: str, order: OperatorOrder, seen: CancelState | None = None) -> Message:
        """An operator decides about the cancel as he sees it: as it stands now, by default."""
        seen = seen or self.state(reference)
        record = OperatorOrdered(
            transaction_id=f"AP02:{reference}", order_id=f"{reference}-{order}", order=order,
            outcome=CaseOutcome.STANDS if order is OperatorOrder.SETTLE else None, reason="by telephone",
            operator="Sato", seen=seen.stage, seen_attempt=seen.attempt, ordered_ms=self.clock(),
        )  # fmt: skip
        return self.write("operator-commands", record, reference)

    def done(self, reference: str, attempt: int, *, key: str | None = None, mark: bytes | None = None) -> Message:
        record = CancelReported(
            transaction_id=f"AP02:{reference}", line=LINE, attempt=attempt, command=Command.CONFIRM,
            in_error=False, error_code=None, received_ms=self.clock(),
        )  # fmt: skip
        return self.write("cancel-reports", record, key or reference, mark)

    # --- what is seen

    def said_of(self, message: Message) -> str:
        return said(message)

    def state(self, reference: str) -> CancelState:
        """The cancel's newest state."""
        told = [each for each in self.messages("cancels") if each.key == f"AP02:{reference}".encode()]
        return wire.decode_as(CancelState, told[-1])


def said(message: Message) -> str:
    """A message in a few words."""
    if message.value is None:
        assert message.key is not None
        return f"{message.key.decode().removeprefix('AP02:')} forgotten"
    record: Any = wire.decode(message)
    who = record.transaction_id.removeprefix("AP02:")
    match record:
        case SendCancel():
            return f"{CODE[record.command]} {who}#{record.attempt}"
        case ReleaseRoute():
            return f"{who} released"
        case CancelState():
            return f"{who} {record.stage}"
        case CancelSettled():
            return f"{who} {record.end}"
        case AttentionRaised():
            return f"{who} {record.reason}"
        case DeadlinePassed():
            return f"{who} {record.deadline} is over"
        case CancelReported():
            return f"{who}#{record.attempt} {'error' if record.in_error else 'done'}"
        case OrderAnswered():
            return f"{who} {record.order} {record.refusal or f'accepted: {record.stage}'}"
        case CaseClosed():
            return f"{who} closed by {record.operator}: {record.outcome}, {record.reason}"
        case CancelSilent():
            return f"{who}#{record.attempt} {record.doubt}"
    raise AssertionError(record)
