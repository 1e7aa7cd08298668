"""The router's only I/O: records in, `core.decide`, acts out. Runs in `pipeline.owned.OwnedLoop`."""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, assert_never, cast, get_args

import msgspec

from pipeline.log import Headers, Log, Message, Outgoing, TopicPartition
from pipeline.owned import PULSE_S, Counters, Milestones, OwnedLoop, Step
from pipeline.pulse import Pulse
from pipeline.timers import Timers
from router import crashes
from router.acts import Dispatch, Forget, HandToFaults, Ignore, Input, Reply, Store, Wait, World, key_of, original_id
from router.config import Settings
from router.core import decide
from router.metrics import Metrics
from schemas import wire
from schemas.line_rules import SILENT_MS
from schemas.records import (
    ITS_OWNERS_END,
    DeadlinePassed,
    InquiryAsked,
    LineStage,
    LineState,
    LineWish,
    Record,
    RequestAccepted,
    RequestInDoubt,
    Stage,
    TransactionState,
)
from schemas.topics import Topics

GROUP = "router"
INPUTS = ("requests", "reports", "deliveries", "settlements")
_DUE = "due"  # header of a state: lets a million ended transactions be restored without reading them
_NO_OFFSET = -1  # of a state that is only about to be stored
_INPUT_TYPES = get_args(Input)
# Where a stage's deadline is told: the topic whose records it must stand behind.
_DEADLINE_TOPIC = {Stage.DISPATCHED: "reports", Stage.REPLIED: "deliveries"}


class Lines(NamedTuple):
    """The open lines by partner, in the order of their names.

    And the partners with none that is meant to be open, and those that have none because it would not answer 縮退運転.
    """

    open: Mapping[str, Sequence[str]]
    closed: frozenset[str]
    suspended: frozenset[str] = frozenset()


class Transactions:
    """The transactions of one partition, and their deadlines.

    What is over is kept as it was written, a third of a state that is read: many more are over than under way. So it is
    with what was restored. Both are read when they are first needed.
    """

    def __init__(self) -> None:
        self._states: dict[str, TransactionState | Message] = {}
        self.timers = Timers()

    def __len__(self) -> int:
        return len(self._states)

    def get(self, transaction_id: str) -> TransactionState | None:
        """The state of a transaction, or None when it is not known."""
        found = self._states.get(transaction_id)
        if isinstance(found, Message):
            found = wire.decode_as(TransactionState, found)
            self._states[transaction_id] = found
        return found

    def put(self, transaction_id: str, state: TransactionState | Message, due_ms: int | None) -> None:
        """Take over a state, read or as it was written."""
        self._states[transaction_id] = state
        self.timers.set(transaction_id, due_ms)

    def restore(self, message: Message) -> None:
        """Take over a stored state."""
        assert message.key is not None
        transaction_id = message.key.decode()
        if message.value is None:
            self.forget(transaction_id)
            return
        due = next((value for name, value in message.headers if name == _DUE), b"")
        self.put(transaction_id, message, int(due) if due else None)

    def forget(self, transaction_id: str) -> None:
        """Take a transaction out."""
        self._states.pop(transaction_id, None)
        self.timers.set(transaction_id, None)


class Router:
    """`pipeline.owned.Handler` of the router."""

    def __init__(
        self,
        settings: Settings,
        topics: Topics,
        lines: Callable[[], Lines],
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._state_topic = topics("transactions")
        self._deliveries = topics("deliveries")
        self._lines = lines
        self._metrics = metrics
        self._partitions: defaultdict[int, Transactions] = defaultdict(Transactions)

    # --- pipeline.owned.Handler

    def restore(self, partition: int, state: Message) -> None:
        self._partitions[partition].restore(state)

    def drop(self, partition: int) -> None:
        self._partitions.pop(partition, None)

    def handle(self, message: Message, now_ms: int) -> Step:
        waited = message.topic == self._deliveries
        record = wire.decode(message) if waited else _stamped(message)  # what waited has its stamp
        if not isinstance(record, _INPUT_TYPES):
            raise wire.misplaced(message, record)
        owned = self._partitions[message.partition]
        state = owned.get(record.transaction_id)
        if isinstance(record, DeadlinePassed) and (early_ms := record.due_ms - message.timestamp_ms) > 0:
            self._metrics.ignored.labels("deadline_told_early").inc()
            if state is not None and state.due_ms == record.due_ms:
                owned.timers.set(record.transaction_id, now_ms + early_ms)
            return Step((), ())
        original = None
        if isinstance(record, RequestAccepted) and (named := original_id(record)) is not None:
            original = owned.get(named)
        world = World(self._settings, *self._lines())
        states: list[Outgoing] = []
        acts: list[Outgoing] = []
        for act in decide(cast("Input", record), state, original, world, now_ms, waited=waited):
            if isinstance(act, (Store, Forget)):
                states.append(self._keep(owned, message.partition, act))
            elif (written := self._written(act, record, state)) is not None:
                acts.append(written)
        return Step(states, acts)

    def due(self, now_ms: int) -> Sequence[Outgoing]:
        passed = []
        for partition, owned in self._partitions.items():
            for transaction_id, _ in owned.timers.take(now_ms):
                state = owned.get(transaction_id)
                assert state is not None
                assert state.due_ms is not None
                record = DeadlinePassed(
                    transaction_id=transaction_id, deadline=state.stage, due_ms=state.due_ms, noticed_ms=now_ms
                )
                topic = self._topics(_DEADLINE_TOPIC.get(state.stage, "reports"))
                passed.append(_outgoing(topic, state.transaction_key, wire.encode(record), partition))
        self._metrics.transactions.set(sum(map(len, self._partitions.values())))
        return passed

    def current(self, partition: int, key: bytes) -> Outgoing:
        state = self._partitions[partition].get(key.decode())
        if state is None:
            return self._tombstone(partition, key.decode())
        return self._stored(partition, state, *wire.encode(state))

    # --- acts

    def _keep(self, owned: Transactions, partition: int, act: Store | Forget) -> Outgoing:
        if isinstance(act, Forget):
            owned.forget(act.transaction_id)
            return self._tombstone(partition, act.transaction_id)
        state, (value, headers) = act.state, wire.encode(act.state)
        over = state.stage.ended
        kept = Message(self._state_topic, partition, _NO_OFFSET, None, value, headers, 0) if over else state
        owned.put(state.transaction_id, kept, state.due_ms)
        self._metrics.ended[state.stage].inc()
        return self._stored(partition, state, value, headers)

    def _stored(self, partition: int, state: TransactionState, value: bytes, headers: Headers) -> Outgoing:
        due: Headers = () if state.due_ms is None else ((_DUE, str(state.due_ms).encode()),)
        return Outgoing(self._state_topic, state.transaction_id.encode(), value, (*headers, *due), partition)

    def _tombstone(self, partition: int, transaction_id: str) -> Outgoing:
        return Outgoing(self._state_topic, transaction_id.encode(), None, (), partition)

    def _written(
        self, act: Dispatch | Reply | HandToFaults | Wait | Ignore, record: Input, state: TransactionState | None
    ) -> Outgoing | None:
        if isinstance(act, Ignore):
            self._metrics.ignored.labels(act.why).inc()
            return None
        key = state.transaction_key if state is not None else _key(record)
        match act:
            case Dispatch():
                self._metrics.acts["dispatch"].inc()
                return _outgoing(self._topics("dispatch", act.line), key, wire.encode(act.record))
            case Reply():
                self._metrics.acts["reply"].inc()
                if act.record.refusal is not None:
                    self._metrics.refused.labels(act.record.refusal).inc()
                return _outgoing(self._topics("replies"), key, wire.encode(act.record), act.slot)
            case HandToFaults():
                topic = "timeouts" if isinstance(act.record, RequestInDoubt) else "undelivered"
                self._metrics.acts[topic].inc()
                return _outgoing(self._topics(topic), key, wire.encode(act.record))
            case Wait():
                self._metrics.acts["wait"].inc()
                return _outgoing(self._deliveries, key, wire.encode(act.record))
            case _:
                assert_never(act)


def _stamped(message: Message) -> Record:
    """The record, a request's times by the broker's clock: it was accepted when it was stored.

    It is valid no longer from then on than its door has said, and no longer than by its door's own idea of the time.
    """
    record = wire.decode(message)
    if not isinstance(record, RequestAccepted):
        return record
    stamp_ms = message.timestamp_ms
    expires_ms = min(record.expires_ms, stamp_ms + record.expires_ms - record.accepted_ms)
    return msgspec.structs.replace(record, accepted_ms=stamp_ms, expires_ms=expires_ms)


def _key(record: Input) -> str:
    assert isinstance(record, (RequestAccepted, InquiryAsked)), "only these are answered without a state"
    return key_of(record)


def _outgoing(topic: str, key: str, encoded: wire.Encoded, partition: int | None = None) -> Outgoing:
    return Outgoing(topic, key.encode(), encoded.value, encoded.headers, partition)


class LinesWatch:
    """Follows `lines` on a thread of its own; `lines` gives always the newest knowledge."""

    def __init__(
        self, log: Log, topics: Topics, settings: Settings, metrics: Metrics, now_ms: Callable[[], int]
    ) -> None:
        self._log = log
        self._place = TopicPartition(topics("lines"), 0)
        self._partners_of_line = settings.partners_of_line
        self._metrics = metrics
        self._now_ms = now_ms
        self._states: dict[str, tuple[LineState, int]] = {}  # and when the broker stored it
        self._lines = Lines({}, frozenset())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="lines", daemon=True)
        self._trouble: Exception | None = None

    def lines(self) -> Lines:
        """How the lines stand. Raises what has ended the following."""
        if self._trouble is not None:
            raise self._trouble
        return self._lines

    def start(self) -> None:
        """Read everything there is, then go on reading in the background. Raises `LogError`, `RecordError`."""
        start, end = self._log.span(self._place)
        self._reader = self._log.reader("lines", {self._place: start})
        position = start
        while position < end:
            batch = self._reader.poll(1_000, 1.0)
            if not batch:
                break  # compacted up to the end
            self._take(batch)
            position = batch[-1].offset + 1
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                self._take(self._reader.poll(1_000, 0.2))
        except Exception as error:  # noqa: BLE001  raised where the lines are asked for
            self._trouble = error
        finally:
            self._reader.close()

    def _take(self, batch: Sequence[Message]) -> None:
        for message in batch:
            state = wire.decode_as(LineState, message)
            self._states[state.line] = state, message.timestamp_ms
        self._look(self._now_ms())

    def _look(self, now_ms: int) -> None:
        """See which lines are open: not by the last word of an owner that has died, for nobody takes its orders."""
        takes = sorted(self._partners_of_line.items())
        opened: dict[str, list[str]] = {partner: [] for _, partners in takes for partner in partners}
        wished: set[str] = set()
        spared: set[str] = set()
        for line, partners in takes:
            known, told_ms = self._states.get(line, (None, 0))
            owned = now_ms - told_ms <= SILENT_MS
            if known is not None and owned and known.stage in (LineStage.OPEN, LineStage.SUSPENDED):
                for partner in partners:
                    if known.stage is LineStage.SUSPENDED or partner in (known.spared or "").split(","):
                        spared.add(partner)
                    else:
                        opened[partner].append(line)
            if known is None or known.wish in (None, LineWish.OPEN) or known.wished_by == ITS_OWNERS_END:
                wished.update(partners)
        self._lines = Lines(opened, frozenset(opened.keys() - wished), frozenset(spared))
        for partner, lines in opened.items():
            self._metrics.open_lines.labels(partner).set(len(lines))


def group_of(topics: Topics) -> str:
    """The consumer group of all routers."""
    return f"{topics.prefix}{GROUP}"


def run(
    settings: Settings, log: Log, topics: Topics, node: str, metrics: Metrics, stop: threading.Event,
    now_ms: Callable[[], int], ready: threading.Event | None = None, pulse: Pulse | None = None,
) -> None:  # fmt: skip
    """Run a router until `stop`. Raises `LogError` or `RecordError`; then nothing is lost, and it can be run again."""
    watch = LinesWatch(log, topics, settings, metrics, now_ms)
    watch.start()
    try:
        loop = OwnedLoop(
            log=log,
            member=f"router-{node}",
            group=group_of(topics),
            inputs=[topics(name) for name in INPUTS],
            state_topic=topics("transactions"),
            handler=Router(settings, topics, watch.lines, metrics),
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
    finally:
        watch.close()
