"""The cancel service's only I/O: records in, `core.decide`, orders out. Runs in `pipeline.owned.OwnedLoop`."""

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import cast, get_args

from faults import crashes
from faults.config import Settings
from faults.core import Decision, Input, decide
from faults.metrics import Metrics
from faults.table import ENDS, UNDER_WAY, WAITING
from pipeline.log import Log, Message, Outgoing
from pipeline.owned import PULSE_S, Counters, Milestones, OwnedLoop, Step
from pipeline.pulse import Pulse
from pipeline.timers import Timers
from schemas import wire
from schemas.records import AttentionRaised, CancelStage, CancelState, DeadlinePassed, SendCancel
from schemas.topics import Topics

GROUP = "faults"
INPUTS = ("timeouts", "undelivered", "cancel-reports", "operator-commands")
_INPUT_TYPES = get_args(Input)
_WITH_PERSON = (CancelStage.ATTENTION, CancelStage.ORDERED)

_log = logging.getLogger(__name__)


class Cancels:
    """The cancels of one partition, and their deadlines."""

    def __init__(self) -> None:
        self.states: dict[str, CancelState] = {}
        self.timers = Timers()
        self.open = 0  # that the gateway still cancels by itself
        self.attention: Counter[tuple[str, str]] = Counter()  # that a person has, by partner and reason

    def put(self, transaction_id: str, state: CancelState | None) -> None:
        """Take over a state; None takes the cancel out."""
        self._count(self.states.get(transaction_id), -1)
        self._count(state, 1)
        if state is None:
            self.states.pop(transaction_id, None)
        else:
            self.states[transaction_id] = state
        self.timers.set(transaction_id, None if state is None else state.due_ms)

    def _count(self, state: CancelState | None, more: int) -> None:
        if state is None:
            return
        if state.stage in _WITH_PERSON:
            self.attention[state.partner, state.reason or "unknown"] += more
        elif state.stage in (*UNDER_WAY, *WAITING):
            self.open += more


class Faults:
    """`pipeline.owned.Handler` of the cancel service."""

    def __init__(self, settings: Settings, topics: Topics, metrics: Metrics) -> None:
        self._settings = settings
        self._topics = topics
        self._metrics = metrics
        self._partitions: defaultdict[int, Cancels] = defaultdict(Cancels)
        self._gauged: dict[tuple[str, str], int] = {}

    # --- pipeline.owned.Handler

    def restore(self, partition: int, state: Message) -> None:
        assert state.key is not None
        restored = None if state.value is None else wire.decode_as(CancelState, state)
        self._partitions[partition].put(state.key.decode(), restored)

    def drop(self, partition: int) -> None:
        self._partitions.pop(partition, None)

    def handle(self, message: Message, now_ms: int) -> Step:
        record = wire.decode(message)
        if not isinstance(record, _INPUT_TYPES):
            raise wire.misplaced(message, record)
        assert message.key is not None
        owned = self._partitions[message.partition]
        before = owned.states.get(record.transaction_id)
        if isinstance(record, DeadlinePassed) and (early_ms := record.due_ms - message.timestamp_ms) > 0:
            if before is not None and before.due_ms == record.due_ms:
                owned.timers.set(record.transaction_id, now_ms + early_ms)
            return Step((), ())
        decision = decide(cast("Input", record), before, self._settings, now_ms, message.key.decode())
        self._count(decision)
        states: list[Outgoing] = []
        if decision.changed:
            owned.put(record.transaction_id, decision.state)
            states.append(self.current(message.partition, record.transaction_id.encode()))
        return Step(states, self._written(decision, message.key, message.partition))

    def due(self, now_ms: int) -> Sequence[Outgoing]:
        passed = []
        for partition, owned in self._partitions.items():
            for transaction_id, _ in owned.timers.take(now_ms):
                state = owned.states[transaction_id]
                assert state.due_ms is not None
                record = DeadlinePassed(
                    transaction_id=transaction_id, deadline=state.stage, due_ms=state.due_ms, noticed_ms=now_ms
                )
                value, headers = wire.encode(record)
                key = state.transaction_key.encode()
                passed.append(Outgoing(self._topics("cancel-reports"), key, value, headers, partition))
        self._gauge()
        return passed

    def current(self, partition: int, key: bytes) -> Outgoing:
        state = self._partitions[partition].states.get(key.decode())
        value, headers = (None, ()) if state is None else wire.encode(state)
        return Outgoing(self._topics("cancels"), key, value, headers, partition)

    # --- inside

    def _gauge(self) -> None:
        """Tell how many cases there are now; a pair of partner and reason that had some has none from then on."""
        owned = self._partitions.values()
        self._metrics.open.set(sum(each.open for each in owned))
        for pair in {*self._gauged, *(pair for each in owned for pair in each.attention)}:
            count = sum(each.attention[pair] for each in owned)
            if self._gauged.get(pair) != count:
                self._metrics.attention.labels(*pair).set(count)
                self._gauged[pair] = count

    def _written(self, decision: Decision, key: bytes, partition: int) -> list[Outgoing]:
        state = decision.state
        answers = [each for each in (decision.answer, decision.closed) if each is not None]
        told = [Outgoing(self._topics("operator-answers"), key, *wire.encode(each), partition) for each in answers]
        if state is None:
            return told
        line = self._topics("dispatch", state.original.line)
        acts = [Outgoing(line, key, *wire.encode(order)) for order in decision.orders]
        if decision.attention is not None:
            # Keyed by transaction: the list is compacted. Its partition is that of the transaction.
            value, headers = wire.encode(decision.attention)
            acts.append(Outgoing(self._topics("attention"), state.transaction_id.encode(), value, headers, partition))
            _announce(decision.attention)
        if decision.closed is not None:
            acts.append(Outgoing(self._topics("attention"), state.transaction_id.encode(), None, (), partition))
        if decision.settlement is not None:
            value, headers = wire.encode(decision.settlement)
            acts.append(Outgoing(self._topics("settlements"), key, value, headers, partition))
        return acts + told

    def _count(self, decision: Decision) -> None:
        self._metrics.events.labels(decision.event.name.lower()).inc()
        for order in decision.orders:
            if isinstance(order, SendCancel):
                self._metrics.commands.labels(order.command).inc()
        if decision.answer is not None:
            self._metrics.orders.labels(decision.answer.order, decision.answer.refusal or "accepted").inc()
        ended = (*ENDS, CancelStage.ATTENTION)
        if decision.changed and decision.state is not None and decision.state.stage in ended:
            self._metrics.ended.labels(decision.state.stage, decision.state.partner).inc()


def _announce(case: AttentionRaised) -> None:
    """Say that a person has a case now. A case that was stored just before a crash may be told twice."""
    told = {
        "transaction": case.transaction_id, "partner": case.partner, "line": case.line, "amount": case.amount,
        "trace_number": case.trace_number, "attempts": case.attempts, "why": case.reason.replace("_", " "),
        "remedy": (
            f"ask the partner whether the payment stands there: denbun faults show {case.transaction_id}, "
            "then denbun faults repeat or settle"
        ),
    }  # fmt: skip
    _log.warning("要対応 a case for a person", extra=told)


def group_of(topics: Topics) -> str:
    """The consumer group of all cancel services."""
    return f"{topics.prefix}{GROUP}"


def run(
    settings: Settings, log: Log, topics: Topics, node: str, metrics: Metrics, stop: threading.Event,
    now_ms: Callable[[], int], ready: threading.Event | None = None, pulse: Pulse | None = None,
) -> None:  # fmt: skip
    """Run a cancel service until `stop`. Raises `LogError` or `RecordError`; nothing is lost, it can be run again."""
    loop = OwnedLoop(
        log=log,
        member=f"faults-{node}",
        group=group_of(topics),
        inputs=[topics(name) for name in INPUTS],
        state_topic=topics("cancels"),
        handler=Faults(settings, topics, metrics),
        now_ms=now_ms,
        counters=Counters(
            handled=metrics.records.inc,
            lag_ms=lambda lag_ms: metrics.lag.observe(lag_ms / 1000),
            partitions=metrics.partitions.set,
            restored=metrics.restored.inc,
        ),
        milestones=Milestones(crashes.stored, crashes.written),
        ready=ready or threading.Event(),
        pulse=pulse or Pulse("the loop", PULSE_S),
    )
    loop.run(stop)
