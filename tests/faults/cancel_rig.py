"""Cancel services on a log in memory, each on a thread of its own, and the words for what they write."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from faults import shell
from faults.config import Settings
from faults.metrics import Metrics
from pipeline.log import Message, NewTopic, Outgoing, TopicPartition
from pipeline.memory import MemoryLog
from pipeline.owned import MARKER_KEY
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
    Record,
    ReleaseRoute,
    ReplyLost,
    RequestInDoubt,
    SendCancel,
)
from schemas.topics import Topics

GO = 10.0
PARTITIONS = 3
LINE = "cafis-1"
POLICY = CancelPolicy(
    send_window_ms=60_000, report_timeout_ms=30_000, commands_max=2, silence_pause_ms=10_000, trouble_pause_ms=20_000
)
SETTINGS = Settings({"cafis": POLICY}, {"cafis": frozenset({"C13"})}, grace_ms=5_000, remember_ms=3_600_000)
COMMAND_DUE_MS = 60_000 + 30_000 + 5_000
CODE = {Command.CANCEL: "8910", Command.CANCEL_AGAIN: "8920", Command.CONFIRM: "8930", Command.CONFIRM_AGAIN: "8940"}


class Clock:
    """The time of the services and of the log; a test lets it pass."""

    def __init__(self) -> None:
        self._shift_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self._shift_ms

    def pass_ms(self, ms: int) -> None:
        self._shift_ms += ms


class Running:
    """One cancel service, until it is stopped or fails."""

    def __init__(self, log: MemoryLog, topics: Topics, node: str, clock: Clock) -> None:
        self.registry = CollectorRegistry()
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._work = partial(shell.run, SETTINGS, log, topics, node, Metrics(self.registry), self._stop, clock)
        self._thread = threading.Thread(target=self._run, name=node, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  what ended it is what the tests ask
            self.error = error

    def measures(self, value: float, name: str, **labels: str) -> None:
        """Wait for what a metric says."""
        until = time.monotonic() + GO
        while (found := self.registry.get_sample_value(f"denbun_faults_{name}", labels)) != value:
            assert time.monotonic() < until, (name, found)
            self._stop.wait(0.005)

    def failure(self) -> str:
        """What it could not go on from."""
        self._thread.join(GO)
        assert not self._thread.is_alive(), "the cancel service did not end"
        assert self.error is not None
        return str(self.error)

    def stop(self) -> None:
        """End it as SIGTERM does."""
        self._stop.set()
        self._thread.join(GO)
        assert not self._thread.is_alive(), "the cancel service did not end"


class Rig:
    """The topics of an installation with one line, and as many cancel services as a test starts."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.log = MemoryLog(self.clock)
        self.topics = Topics("t-")
        self.services: list[Running] = []
        wanted = self.topics.creations([LINE], PARTITIONS, 1)
        self.log.create(NewTopic(each.name, each.partitions, each.config) for each in wanted)

    def start(self, node: str = "n1") -> Running:
        self.services.append(Running(self.log, self.topics, node, self.clock))
        return self.services[-1]

    def stop_all(self) -> None:
        for service in self.services:
            service.stop()

    # --- what comes in

    def write(self, topic: str, record: Record, key: str, mark: bytes | None = None) -> Message:
        """Write a record under this transaction key; with `mark`, as of a schema of that fingerprint."""
        value, headers = wire.encode(record)
        headers = headers if mark is None else ((wire.HEADER, mark),)
        return self.write_raw(Outgoing(self.topics(topic), f"AP02:{key}".encode(), value, headers))

    def write_raw(self, outgoing: Outgoing) -> Message:
        self.log.writer("test").write([outgoing])
        return [each for each in self.log.everything(outgoing.topic) if each.key == outgoing.key][-1]

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

    def messages(self, topic: str) -> list[Message]:
        name = self.topics(topic, LINE if topic == "dispatch" else None)
        return [each for each in self.log.everything(name) if each.key != MARKER_KEY]

    def said_of(self, message: Message) -> str:
        return said(message)

    def said(self, topic: str) -> list[str]:
        return [said(message) for message in self.messages(topic)]

    def hears(self, topic: str, *expected: str) -> None:
        """Wait until the topic says exactly this, in whatever order."""
        self.wait(lambda: sorted(self.said(topic)) == sorted(expected), lambda: (topic, self.said(topic)))

    def comes_to_be(self, reference: str, stage: str) -> None:
        """Wait for the cancel's newest state."""
        self.wait(lambda: self.stage(reference) == stage, lambda: (reference, self.said("cancels")))

    def stage(self, reference: str) -> str | None:
        told = [each for each in self.messages("cancels") if each.key == f"AP02:{reference}".encode()]
        return said(told[-1]).split()[-1] if told else None

    def state(self, reference: str) -> CancelState:
        """The cancel's newest state."""
        told = [each for each in self.messages("cancels") if each.key == f"AP02:{reference}".encode()]
        return wire.decode_as(CancelState, told[-1])

    def wait(self, condition: Callable[[], bool], what: Callable[[], object]) -> None:
        """Wait for what is written to the log."""
        with self.log.changed:
            assert self.log.changed.wait_for(condition, GO), what()

    def position(self, message: Message) -> int | None:
        """How far the group has come in the partition of this message."""
        return self.log.committed("t-faults", TopicPartition(message.topic, message.partition))


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
