"""The loop of a service that owns the state of its partitions (router, faults).

The law, per batch: decide on every message; write all states and have the broker's acknowledgement; only then write
what follows from them (acts), and have that acknowledged; only then count the messages as done. So a crash anywhere is
followed by reading the batch again, with a state that already knows it. Handlers answer a message they know already
with the same acts, or with none. In front of a message that a handler cannot read the loop stops, when everything
before it is done with.

Time enters through the log alone: a deadline that passes is appended to the partition's own input, and acted on when it
is read back (`Handler.due`).

A rival. A process that was frozen longer than its session does not know that its partitions have a new owner, and may
wake up in the middle of a batch. No clock or lease closes that gap; the log does. A new owner first writes a *marker*
to the state's partition and reads up to it; from there on its states get contiguous offsets as long as nobody else
writes. Every state names its owner's marker (header ``epoch``). A former owner's state gets an offset that does not
follow its last one: it stops, before any act. The owner notices the same gap, and writes its own state again for the
keys the stranger wrote. A reader of the states ignores what an owner wrote after its successor's marker, and a new
owner that meets such a state while it restores writes its own over it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from pipeline.log import GroupReader, Log, LogError, Message, Outgoing, TopicPartition, Writer
from pipeline.pulse import Pulse
from pipeline.spans import read_span

MARKER_KEY = b"~owner"
EPOCH = "epoch"

_BATCH = 500
_IDLE_S = 0.05
_LOOK_S = 60.0
SHARE_S = 60.0  # how long a group that is shared out anew is awaited: a broker that is back does it in seconds
PULSE_S = 60.0  # a write that the broker does not take fails after half of that, and so does a state that is not read

_log = logging.getLogger(__name__)


class Step(NamedTuple):
    """What follows from a message: the states to store first, then the messages to write."""

    states: Sequence[Outgoing]
    acts: Sequence[Outgoing]


class Handler(Protocol):
    """What a service does with the partitions it owns."""

    def restore(self, partition: int, state: Message) -> None:
        """Take over a stored state (value None: it is gone). Called in order, before any message of the partition."""
        ...

    def handle(self, message: Message, now_ms: int) -> Step:
        """Decide. Raises for a message that cannot be read: the service then stops in front of it."""
        ...

    def due(self, now_ms: int) -> Sequence[Outgoing]:
        """The deadlines that have passed since the last call, as messages to this service itself."""
        ...

    def current(self, partition: int, key: bytes) -> Outgoing:
        """The state of `key` now, as it would be stored (without a value when there is none)."""
        ...

    def drop(self, partition: int) -> None:
        """Forget the partition: it has another owner."""
        ...


class Superseded(LogError):  # noqa: N818  it tells what happened
    """Another process owns the partition's state: stop before acting."""


@dataclass(slots=True)
class _Owned:
    """A partition of the state topic: its owner's marker, and the last offset written since."""

    marker: tuple[str, bytes]  # the header that names it
    last: int
    quiet: bool = False  # nothing was stored since strangers were last looked for


@dataclass(frozen=True, slots=True)
class Counters:
    """What the loop tells the metrics. Each is called with a number."""

    handled: Callable[[int], object] = lambda _: None
    lag_ms: Callable[[float], object] = lambda _: None
    partitions: Callable[[int], object] = lambda _: None
    restored: Callable[[int], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class Milestones:
    """Who is told, within a batch, that its states, and then that its acts are acknowledged (`pipeline.crash`)."""

    stored: Callable[[Sequence[Outgoing]], object] = lambda _: None
    written: Callable[[Sequence[Outgoing]], object] = lambda _: None


@dataclass(slots=True)
class OwnedLoop:
    """Runs `handler` on the partitions of `inputs` that the group gives this member; state lies in `state_topic`.

    The topics of `inputs` and `state_topic` have the same number of partitions; the first of `inputs` names ownership.
    """

    log: Log
    member: str
    group: str
    inputs: Sequence[str]
    state_topic: str
    handler: Handler
    now_ms: Callable[[], int]  # by the broker's clock
    counters: Counters = field(default_factory=Counters)
    milestones: Milestones = field(default_factory=Milestones)
    ready: threading.Event = field(default_factory=threading.Event)
    pulse: Pulse = field(default_factory=lambda: Pulse("the loop", PULSE_S))
    _owned: dict[int, _Owned] = field(default_factory=dict)
    _look_at: float = 0.0
    _revoked_s: float | None = None  # since when nothing has been shared out
    _writer: Writer = field(init=False)

    def run(self, stop: threading.Event) -> None:
        """Handle messages until `stop` is set. Raises `LogError`, or what the handler raises; then nothing is lost."""
        counts = {topic: self.log.partition_count(topic) for topic in (*self.inputs, self.state_topic)}
        if len(set(counts.values())) > 1:
            raise LogError(f"topics that belong together differ in partitions: {counts}; create them anew, same count")
        self._writer = self.log.writer(self.member)
        reader = self.log.group_reader(self.member, self.group, self.inputs, self._assigned, self._revoked)
        try:
            while not stop.is_set():
                self.pulse.beat()
                self._await_share()
                batch = reader.poll(_BATCH, _IDLE_S)
                if batch:
                    self._handle(batch, reader)
                else:
                    self._look_for_strangers()
                passed = self.handler.due(self.now_ms())
                if passed:
                    self._writer.write(passed)
        finally:
            self.pulse.rest()
            reader.close()
            self._writer.close()

    def _handle(self, batch: Sequence[Message], reader: GroupReader) -> None:
        now_ms = self.now_ms()
        states: list[Outgoing] = []
        acts: list[Outgoing] = []
        decided = 0
        unreadable: Exception | None = None
        for message in batch:
            try:
                step = self.handler.handle(message, now_ms)
            except Exception as error:  # noqa: BLE001  raised again, as soon as what stands before it is done
                unreadable = error
                break
            states += step.states
            acts += step.acts
            decided += 1
        if states:
            self._store(states)
            self.milestones.stored(states)
        if acts:
            self._writer.write(acts)
            self.milestones.written(acts)
        if decided:
            reader.done({TopicPartition(each.topic, each.partition): each.offset + 1 for each in batch[:decided]})
            self.counters.handled(decided)
            self.counters.lag_ms(max(0, now_ms - batch[decided - 1].timestamp_ms))
        if unreadable is not None:
            raise unreadable

    # --- ownership

    def _store(self, states: Iterable[Outgoing]) -> None:
        stamped = [self._stamp(state) for state in states]
        offsets = self._writer.write(stamped)
        rivals: dict[int, list[tuple[int, int]]] = {}
        for state, offset in zip(stamped, offsets, strict=True):
            assert state.partition is not None
            owned = self._owned[state.partition]
            if offset != owned.last + 1:
                rivals.setdefault(state.partition, []).append((owned.last + 1, offset))
            owned.last = offset
            owned.quiet = False
        for partition, gaps in rivals.items():
            self._settle(partition, gaps)

    def _stamp(self, state: Outgoing) -> Outgoing:
        assert state.partition is not None
        marker = self._owned[state.partition].marker
        return Outgoing(state.topic, state.key, state.value, (*state.headers, marker), state.partition)

    def _settle(self, partition: int, gaps: Sequence[tuple[int, int]]) -> None:
        """Somebody else wrote into our partition: stop if it is the new owner, else write our states over its."""
        keys: dict[bytes, None] = {}
        for start, end in gaps:
            for message in self._read(partition, start, end):
                if message.key == MARKER_KEY:
                    raise Superseded(f"{self.state_topic}/{partition} has a new owner since offset {message.offset}")
                assert message.key is not None
                keys[message.key] = None
        _log.warning("a former owner wrote states", extra={"partition": partition, "keys": len(keys)})
        self._store([self.handler.current(partition, key) for key in keys])

    def _look_for_strangers(self) -> None:
        """Look, now and then, at the partitions that had no states to store: a gap there would show at the next only.

        Compaction keeps the newest state of a key, whoever wrote it. So a stranger's must not stay the newest for as
        long as a segment lasts (`schemas.topics`: an hour), or the owner's would be gone when its successor restores.
        """
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_S
        for partition, owned in self._owned.items():
            if owned.quiet:
                try:
                    _, end = self.log.span(TopicPartition(self.state_topic, partition))
                except LogError as error:
                    _log.warning("cannot look for strangers", extra={"partition": partition, "reason": str(error)})
                    self._owned[partition] = self._owned.pop(partition)  # next time it is asked last
                    return
                if end > owned.last + 1:
                    gap = owned.last + 1, end
                    owned.last = end - 1
                    self._settle(partition, [gap])
            owned.quiet = True

    def _await_share(self) -> None:
        """A group that is not shared out again does not let its members know: whoever joins anew has it shared out."""
        if self._revoked_s is not None and time.monotonic() - self._revoked_s > SHARE_S:
            raise LogError(f"the group {self.group} has shared nothing out for {SHARE_S:g} s: start, and join it, anew")

    def _assigned(self, places: list[TopicPartition]) -> None:
        self._revoked_s = None
        for partition in sorted({place.partition for place in places if place.topic == self.inputs[0]}):
            self._take(partition)
        self.counters.partitions(len(self._owned))
        self.ready.set()

    def _take(self, partition: int) -> None:
        started = time.monotonic()
        marker = Outgoing(self.state_topic, MARKER_KEY, self.member.encode(), (), partition)
        (epoch,) = self._writer.write([marker])
        start, _ = self.log.span(TopicPartition(self.state_topic, partition))
        count, newest = 0, -1
        strays: dict[bytes, None] = {}
        for message in self._read(partition, start, epoch):
            self.pulse.beat()
            assert message.key is not None
            if message.key == MARKER_KEY:
                newest = message.offset
            elif _epoch_of(message) >= newest:
                self.handler.restore(partition, message)
                strays.pop(message.key, None)
                count += 1
            else:
                strays[message.key] = None
        self._owned[partition] = _Owned((EPOCH, str(epoch).encode()), epoch)
        if strays:  # their owner died before it noticed; the marker that betrays them is compacted away one day
            self._store([self.handler.current(partition, key) for key in strays])
        self.counters.restored(count)
        seconds = round(time.monotonic() - started, 3)
        _log.info("partition taken", extra={"partition": partition, "states": count, "seconds": seconds})

    def _read(self, partition: int, start: int, end: int) -> Iterable[Message]:
        """What still lies between `start` and `end` in the state's partition."""
        return read_span(self.log, f"{self.member}-restore", TopicPartition(self.state_topic, partition), start, end)

    def _revoked(self, places: list[TopicPartition]) -> None:
        self._revoked_s = time.monotonic()
        for partition in {place.partition for place in places if place.topic == self.inputs[0]}:
            if self._owned.pop(partition, None) is not None:
                self.handler.drop(partition)
                _log.info("partition given up", extra={"partition": partition})
        self.counters.partitions(len(self._owned))


def _epoch_of(message: Message) -> int:
    return next((int(value) for name, value in message.headers if name == EPOCH), -1)
