"""The log in memory, for tests: the same contract as Kafka, kept by the same conformance suite.

One `MemoryLog` is one broker; services in threads of one process share it. A member of a group that stops polling stays
its member until `expel` is called, as a test's way to let its session run out.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.log import (
    Done,
    Listener,
    LogError,
    Message,
    NewTopic,
    Outgoing,
    Stored,
    TopicPartition,
    WriteFailed,
)
from pipeline.murmur import partition_of


@dataclass(slots=True)
class _Group:
    """A group: its members in joining order, what each may read, and how far the group has come."""

    members: dict[str, "MemoryGroupReader"] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    generation: int = 0


class MemoryLog:
    """`pipeline.log.Log` in memory. `clock_ms` is the broker's clock, which stamps the messages."""

    def __init__(self, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._clock_ms = clock_ms
        self.changed = threading.Condition()
        self._topics: dict[str, list[list[Message]]] = {}
        self._groups: dict[str, _Group] = {}
        self._storable: int | None = None  # how many messages are stored before every write fails

    # --- for tests

    def break_writes(self, broken: bool, *, after: int = 0) -> None:
        """Let every message after the next `after` fail to be stored, or let all be stored again."""
        with self.changed:
            self._storable = after if broken else None

    def expel(self, group: str, member: str) -> None:
        """Let the session of a member run out."""
        self.leave(self._groups[group], member)

    def everything(self, topic: str) -> list[Message]:
        """All messages of a topic, by partition and offset."""
        with self.changed:
            return [message for partition in self._topics[topic] for message in partition]

    # --- the contract

    def writer(self, name: str) -> "MemoryWriter":  # noqa: ARG002  the contract's
        return MemoryWriter(self)

    def sender(self, name: str) -> "MemorySender":  # noqa: ARG002  the contract's
        return MemorySender(self)

    def reader(self, name: str, starts: Mapping[TopicPartition, int]) -> "MemoryReader":  # noqa: ARG002  the contract's
        return MemoryReader(self, dict(starts))

    def group_reader(
        self, member: str, group: str, topics: Sequence[str], assigned: Listener, revoked: Listener
    ) -> "MemoryGroupReader":
        with self.changed:
            joined = self._groups.setdefault(group, _Group())
            reader = MemoryGroupReader(self, joined, member, tuple(topics), assigned, revoked)
            self.join(joined, member, reader)
        return reader

    def create(self, topics: Iterable[NewTopic]) -> list[str]:
        with self.changed:
            wanted = {topic.name: topic.partitions for topic in topics}
            for name, partitions in wanted.items():
                there = len(self._topics.get(name, ())) or partitions
                if there != partitions:
                    raise LogError(
                        f"topic {name} has {there} partitions where {partitions} are configured: "
                        "a change of partitions would part transactions from their state; use another topic prefix"
                    )
            created = [name for name in wanted if name not in self._topics]
            self._topics.update({name: [[] for _ in range(wanted[name])] for name in created})
        return created

    def partition_count(self, topic: str) -> int:
        if topic not in self._topics:
            raise LogError(f"there is no topic {topic}: create the topics first (`denbun topics create`)")
        return len(self._topics[topic])

    def span(self, place: TopicPartition) -> tuple[int, int]:
        return 0, len(self._partition(place))

    def offset_at(self, place: TopicPartition, timestamp_ms: int) -> int:
        stored = self._partition(place)
        return next((each.offset for each in stored if each.timestamp_ms >= timestamp_ms), len(stored))

    def members(self, group: str, limit_s: float = 15.0) -> list[str]:  # noqa: ARG002  the contract's
        with self.changed:
            known = self._groups.get(group)
            return sorted(known.members) if known else []

    def committed(self, group: str, place: TopicPartition) -> int | None:
        with self.changed:
            known = self._groups.get(group)
            return known.committed.get(place) if known else None

    # --- inside

    def _partition(self, place: TopicPartition) -> list[Message]:
        try:
            return self._topics[place.topic][place.partition]
        except (KeyError, IndexError):
            raise LogError(f"there is no {place.topic}/{place.partition}: create the topics first") from None

    def append(self, item: Outgoing) -> Stored:
        """Store one message; give where it lies."""
        with self.changed:
            if self._storable is not None:
                if self._storable == 0:
                    raise WriteFailed(f"{item.topic}: not acknowledged: the broker is told to fail")
                self._storable -= 1
            if item.topic not in self._topics:
                raise WriteFailed(f"{item.topic}: not acknowledged: unknown topic")
            partition = item.partition
            if partition is None:
                assert item.key is not None, "without a key the partition must be given"
                partition = partition_of(item.key, len(self._topics[item.topic]))
            if partition >= len(self._topics[item.topic]):
                raise WriteFailed(f"{item.topic}/{partition}: not acknowledged: unknown partition")
            stored = self._topics[item.topic][partition]
            offset = len(stored)
            now_ms = self._clock_ms()
            stored.append(Message(item.topic, partition, offset, item.key, item.value, item.headers, now_ms))
            self.changed.notify_all()
            return Stored(offset, now_ms)

    def fetch(self, positions: dict[TopicPartition, int], count: int) -> list[Message]:
        """Take what lies at `positions` and move them on. Holds no lock: partitions only grow."""
        found: list[Message] = []
        for place, position in positions.items():
            taken = self._partition(place)[position : position + count - len(found)]
            positions[place] = position + len(taken)
            found += taken
        return found

    def wait(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until something may have become ready, at most `timeout_s`."""
        with self.changed:
            self.changed.wait_for(ready, timeout_s)

    def has_more(self, positions: Mapping[TopicPartition, int]) -> bool:
        """Whether anything lies at or after `positions`."""
        return any(len(self._partition(place)) > position for place, position in positions.items())

    def shares(self, group: _Group) -> dict[str, list[TopicPartition]]:
        """The range assignment: per topic, contiguous ranges to the members in the order of their names."""
        given: dict[str, list[TopicPartition]] = {name: [] for name in group.members}
        for topic in sorted({topic for member in group.members.values() for topic in member.topics}):
            takers = sorted(name for name, member in group.members.items() if topic in member.topics)
            size, extra = divmod(self.partition_count(topic), len(takers))
            start = 0
            for rank, name in enumerate(takers):
                end = start + size + (rank < extra)
                given[name] += [TopicPartition(topic, number) for number in range(start, end)]
                start = end
        return given

    def join(self, group: _Group, member: str, reader: "MemoryGroupReader") -> None:
        """Put a member into its group; in the place of one of the same name, whose session has then run out."""
        with self.changed:
            group.members[member] = reader
            group.generation += 1
            self.changed.notify_all()

    def leave(self, group: _Group, member: str) -> None:
        """Take a member out of its group."""
        with self.changed:
            group.members.pop(member)
            group.generation += 1
            self.changed.notify_all()


class MemoryWriter:
    """`pipeline.log.Writer`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def write(self, batch: Sequence[Outgoing]) -> list[int]:
        return [self._log.append(item).offset for item in batch]

    def close(self) -> None:
        """Nothing is pending."""


class MemorySender:
    """`pipeline.log.Sender`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._due: deque[tuple[Done, Stored | None, Exception | None]] = deque()

    def send(self, message: Outgoing, done: Done) -> None:
        try:
            self._due.append((done, self._log.append(message), None))
        except WriteFailed as error:
            self._due.append((done, None, error))

    def serve(self) -> float | None:
        while self._due:
            done, stored, error = self._due.popleft()
            done(stored, error)
        return None

    def close(self) -> None:
        self.serve()


class MemoryReader:
    """`pipeline.log.Reader`."""

    def __init__(self, log: MemoryLog, positions: dict[TopicPartition, int]) -> None:
        self._log = log
        self._positions = positions

    def poll(self, count: int, timeout_s: float) -> list[Message]:
        found = self._log.fetch(self._positions, count)
        if not found and timeout_s > 0:
            self._log.wait(lambda: self._log.has_more(self._positions), timeout_s)
            found = self._log.fetch(self._positions, count)
        return found

    def close(self) -> None:
        self._positions.clear()


class MemoryGroupReader(MemoryReader):
    """`pipeline.log.GroupReader`. A rebalance takes effect in each member's next `poll`."""

    def __init__(
        self, log: MemoryLog, group: _Group, member: str, topics: tuple[str, ...], assigned: Listener, revoked: Listener
    ) -> None:
        super().__init__(log, {})
        self.topics = topics
        self._group = group
        self._member = member
        self._assigned = assigned
        self._revoked = revoked
        self._generation = -1

    def poll(self, count: int, timeout_s: float) -> list[Message]:
        if not self._balanced(timeout_s):
            return []
        return super().poll(count, timeout_s)

    def _balanced(self, timeout_s: float) -> bool:
        """Take part in a rebalance, if there is one; False while another member still holds what is to be ours."""
        if self._generation == self._group.generation:
            return True
        self._let_go()
        with self._log.changed:
            if not self._living():  # expelled: join again
                self._log.join(self._group, self._member, self)
            generation = self._group.generation
            mine = self._log.shares(self._group)[self._member]
            others = [each for each in self._group.members.values() if each is not self]
            # Nobody takes a partition before its former owner has let go of it.
            self._log.changed.wait_for(
                lambda: self._group.generation != generation or not any(each.holds_any(mine) for each in others),
                timeout_s,
            )
            if self._group.generation != generation or any(each.holds_any(mine) for each in others):
                return False
            self._generation = generation
            self._positions.update({place: self._group.committed.get(place, 0) for place in mine})
        self._assigned(mine)
        return True

    def _let_go(self) -> None:
        """Give up everything; the next owner takes it only after `revoked` has returned."""
        held = list(self._positions)
        if not held:
            return
        try:
            self._revoked(held)
        finally:
            with self._log.changed:
                self._positions.clear()
                self._log.changed.notify_all()

    def _living(self) -> bool:
        return self._group.members.get(self._member) is self

    def holds_any(self, places: Sequence[TopicPartition]) -> bool:
        """Whether this member still reads one of `places`, as a living member of its group."""
        return self._living() and any(place in self._positions for place in places)

    def done(self, positions: Mapping[TopicPartition, int]) -> None:
        with self._log.changed:
            if self._living():
                held = {place: offset for place, offset in positions.items() if place in self._positions}
                self._group.committed.update(held)

    def close(self) -> None:
        try:
            self._let_go()
        finally:
            with self._log.changed:
                if self._living():
                    self._log.leave(self._group, self._member)
