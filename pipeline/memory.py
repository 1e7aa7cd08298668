"""The log in memory, for tests: the same contract as Kafka, kept by the same conformance suite.

One `MemoryLog` is one broker; services in threads of one process share it. A member of a group that stops polling stays
its member until `expel` is called, as a test's way to let its session run out.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.log import Done, Listener, LogError, Message, NewTopic, Outgoing, TopicPartition, WriteFailed
from pipeline.murmur import partition_of


@dataclass(slots=True)
class _Group:
    """A group: its members in joining order, what each may read, and how far the group has come."""

    members: dict[str, "MemoryGroupReader"] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    generation: int = 0


class MemoryLog:
    """`pipeline.log.Log` in memory. `clock_ms` stamps the messages."""

    def __init__(self, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._clock_ms = clock_ms
        self._changed = threading.Condition()
        self._topics: dict[str, list[list[Message]]] = {}
        self._groups: dict[str, _Group] = {}
        self._broken = False

    # --- for tests

    def break_writes(self, broken: bool) -> None:
        """Let every write fail, or work again."""
        self._broken = broken

    def expel(self, group: str, member: str) -> None:
        """Let the session of a member run out."""
        with self._changed:
            self._groups[group].members.pop(member)
            self._groups[group].generation += 1
            self._changed.notify_all()

    def everything(self, topic: str) -> list[Message]:
        """All messages of a topic, by partition and offset."""
        with self._changed:
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
        with self._changed:
            joined = self._groups.setdefault(group, _Group())
            reader = MemoryGroupReader(self, joined, member, tuple(topics), assigned, revoked)
            joined.members[member] = reader
            joined.generation += 1
            self._changed.notify_all()
        return reader

    def create(self, topics: Iterable[NewTopic]) -> list[str]:
        created = []
        with self._changed:
            for topic in topics:
                there = self._topics.get(topic.name)
                if there is None:
                    self._topics[topic.name] = [[] for _ in range(topic.partitions)]
                    created.append(topic.name)
                elif len(there) != topic.partitions:
                    raise LogError(
                        f"topic {topic.name} has {len(there)} partitions where {topic.partitions} are configured: "
                        "a change of partitions would part transactions from their state; use another topic prefix"
                    )
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

    def committed(self, group: str, place: TopicPartition) -> int | None:
        with self._changed:
            known = self._groups.get(group)
            return known.committed.get(place) if known else None

    # --- inside

    def _partition(self, place: TopicPartition) -> list[Message]:
        try:
            return self._topics[place.topic][place.partition]
        except (KeyError, IndexError):
            raise LogError(f"there is no {place.topic}/{place.partition}: create the topics first") from None

    def append(self, item: Outgoing) -> int:
        """Store one message; give its offset."""
        with self._changed:
            if self._broken:
                raise WriteFailed(f"{item.topic}: not acknowledged: the broker is told to fail")
            if item.topic not in self._topics:
                raise WriteFailed(f"{item.topic}: not acknowledged: unknown topic")
            partition = item.partition
            if partition is None:
                assert item.key is not None, "without a key the partition must be given"
                partition = partition_of(item.key, len(self._topics[item.topic]))
            stored = self._partition(TopicPartition(item.topic, partition))
            offset = len(stored)
            now_ms = self._clock_ms()
            stored.append(Message(item.topic, partition, offset, item.key, item.value, item.headers, now_ms))
            self._changed.notify_all()
            return offset

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
        with self._changed:
            self._changed.wait_for(ready, timeout_s)

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

    def leave(self, group: _Group, member: str) -> None:
        """Take a member out of its group."""
        with self._changed:
            group.members.pop(member, None)
            group.generation += 1
            self._changed.notify_all()


class MemoryWriter:
    """`pipeline.log.Writer`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def write(self, batch: Sequence[Outgoing]) -> list[int]:
        return [self._log.append(item) for item in batch]

    def close(self) -> None:
        """Nothing is pending."""


class MemorySender:
    """`pipeline.log.Sender`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def send(self, message: Outgoing, done: Done) -> None:
        try:
            offset = self._log.append(message)
        except WriteFailed as error:
            done(None, error)
        else:
            done(offset, None)

    def close(self) -> None:
        """Nothing is pending."""


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

    def _rebalance(self) -> None:
        if self._generation == self._group.generation:
            return
        if self._positions:
            held = list(self._positions)
            self._positions.clear()
            self._revoked(held)
        with self._log._changed:  # noqa: SLF001  one class in two
            self._generation = self._group.generation
            if self._member not in self._group.members:  # expelled: join again
                self._group.members[self._member] = self
                self._group.generation += 1
                self._generation = self._group.generation
            mine = self._log.shares(self._group)[self._member]
            others = [each for each in self._group.members.values() if each is not self]
        # Nobody takes a partition before its former owner has let go of it.
        self._log.wait(lambda: not any(each.holds_any(mine) for each in others), 5.0)
        self._positions.update({place: self._group.committed.get(place, 0) for place in mine})
        self._assigned(mine)

    def holds_any(self, places: Sequence[TopicPartition]) -> bool:
        """Whether this member still reads one of `places`, as a living member of its group."""
        return any(place in self._positions for place in places) and self._member in self._group.members

    def poll(self, count: int, timeout_s: float) -> list[Message]:
        self._rebalance()
        return super().poll(count, timeout_s)

    def done(self, positions: Mapping[TopicPartition, int]) -> None:
        with self._log._changed:  # noqa: SLF001  one class in two
            if self._generation == self._group.generation:
                self._group.committed.update(positions)

    def close(self) -> None:
        held = list(self._positions)
        self._positions.clear()
        if held:
            self._revoked(held)
        self._log.leave(self._group, self._member)
