"""The log as one process of the world sees it: `pipeline.log.Log`, with everything that can befall it there.

It keeps the contract of `pipeline.log`, and uses the freedom that this leaves: an acknowledgement may be late, or lost,
or a failure may be told of what is stored, now or a little later; a batch of a writer that ends is stored in part; a
reader may lag, and gets its messages in pieces; commits come late and are lost with their process; a member without
heartbeats leaves its group when its session has run out, and does not know it before it polls again.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush

from pipeline.log import (
    Done,
    Listener,
    LogError,
    Message,
    NewTopic,
    Outgoing,
    Stored,
    TopicFound,
    TopicPartition,
    WriteFailed,
)  # fmt: skip
from simulation.broker import WAY_US, Broker, Fate, Group, Partition, fate_of
from simulation.world import MS, SECOND, Process, Strand

_IDLE_US = 800 * MS  # an empty poll takes longer than asked for: so do fewer of them
_IDLE_MEMBER_US = 250 * MS  # of a member, whose service looks at its deadlines between polls
_HEARD_US = 20 * MS  # so long may an acknowledgement lie unheard, where that of another was expected earlier
_COMMIT_US = (20 * MS, 600 * MS)


class SimLog:
    """`pipeline.log.Log` for one process."""

    def __init__(self, broker: Broker, process: Process) -> None:
        self.broker = broker
        self.process = process

    def writer(self, name: str) -> "SimWriter":  # noqa: ARG002  the contract's
        return SimWriter(self)

    def sender(self, name: str) -> "SimSender":  # noqa: ARG002  the contract's
        return SimSender(self)

    def reader(self, name: str, starts: Mapping[TopicPartition, int]) -> "SimReader":  # noqa: ARG002  the contract's
        return SimReader(self, dict(starts))

    def group_reader(
        self, member: str, group: str, topics: Sequence[str], assigned: Listener, revoked: Listener
    ) -> "SimGroupReader":
        joined = self.broker.groups.setdefault(group, Group(group))
        return SimGroupReader(self, joined, member, tuple(topics), assigned, revoked)

    def create(self, topics: Iterable[NewTopic]) -> list[str]:
        created = [topic for topic in topics if topic.name not in self.broker.topics]
        self.broker.create(created)
        return [topic.name for topic in created]

    def found(self, topics: Iterable[str]) -> dict[str, TopicFound]:
        self.process.check()
        there = self.broker.topics
        return {name: TopicFound(len(there[name]), 1, self.broker.configs[name]) for name in topics if name in there}

    def partition_count(self, topic: str) -> int:
        self.process.check()
        if topic not in self.broker.topics:
            raise LogError(f"there is no topic {topic}: create the topics first (`denbun topics create`)")
        return len(self.broker.topics[topic])

    def span(self, place: TopicPartition) -> tuple[int, int]:
        self.process.check()
        return 0, len(self.partition(place).messages)

    def offset_at(self, place: TopicPartition, timestamp_ms: int) -> int:
        self.process.check()
        stored = self.partition(place).messages
        return next((each.offset for each in stored if each.timestamp_ms >= timestamp_ms), len(stored))

    def members(self, group: str, limit_s: float = 15.0) -> list[str]:  # noqa: ARG002  the contract's
        self.process.check()
        known = self.broker.groups.get(group)
        return sorted(name.partition("#")[0] for name in known.members) if known else []

    def committed(self, group: str, place: TopicPartition) -> int | None:
        self.process.check()
        known = self.broker.groups.get(group)
        return known.committed.get(place) if known else None

    def partition(self, place: TopicPartition) -> Partition:
        """A partition. Raises `LogError`."""
        try:
            return self.broker.topics[place.topic][place.partition]
        except (KeyError, IndexError):
            raise LogError(f"there is no {place.topic}/{place.partition}: create the topics first") from None

    def strand(self) -> Strand:
        """The strand that waits for the broker. Raises `Crashed`."""
        self.process.check()
        strand = self.process.world.strand
        assert strand is not None
        return strand


class SimWriter:
    """`pipeline.log.Writer`."""

    def __init__(self, log: SimLog) -> None:
        self._log = log
        self._broker = log.broker

    def write(self, batch: Sequence[Outgoing]) -> list[int]:
        strand, process, world = self._log.strand(), self._log.process, self._broker.world
        process.point("write to the log")
        places = [self._broker.place_of(item) for item in batch]
        began_us = world.now_us
        fate = fate_of(self._broker)
        if fate.failed:
            self._fail(batch, places, fate)
            strand.park(began_us + fate.told_us)
            raise WriteFailed(f"{batch[0].topic}: not acknowledged: the broker did not answer in time")
        assert fate.stored_us is not None
        strand.park(began_us + fate.stored_us)
        offsets = []
        for number, (item, place) in enumerate(zip(batch, places, strict=True)):
            offsets.append(self._broker.append(item, place, process).offset)
            if number + 1 < len(batch):
                process.point("within a batch")
        process.point("stored, not yet told")
        if fate.told_us - fate.stored_us > MS:
            strand.park(began_us + fate.told_us)
        return offsets

    def _fail(self, batch: Sequence[Outgoing], places: Sequence[TopicPartition], fate: Fate) -> None:
        """The writer is told that it failed; some of it is stored all the same, now or later."""
        world = self._broker.world
        count = 0 if fate.stored_us is None else world.chance.randint(1, len(batch))
        world.note(self._log.process, f"a write of {len(batch)} to {batch[0].topic} fails, {count} are stored")
        for item, place in list(zip(batch, places, strict=True))[:count]:
            assert fate.stored_us is not None
            world.after(fate.stored_us, None, self._broker.append, item, place, self._log.process)

    def close(self) -> None:
        """Nothing is pending."""


class SimSender:
    """`pipeline.log.Sender`: to each partition in order."""

    def __init__(self, log: SimLog) -> None:
        self._broker = log.broker
        self._process = log.process
        self._log = log
        self._free_us: dict[TopicPartition, int] = {}  # when what was sent before is stored, by partition
        self._awaited_us: list[int] = []  # a heap: when the broker's answers arrive, if nothing delays this process
        self._pending = 0
        self._due: deque[tuple[Done, Stored | None]] = deque()

    def send(self, message: Outgoing, done: Done) -> None:
        process, world = self._process, self._broker.world
        process.point("send to the log")
        place = self._broker.place_of(message)
        fate = fate_of(self._broker)
        self._pending += 1
        stored_us = None
        if fate.stored_us is not None:
            stored_us = max(world.now_us + fate.stored_us, self._free_us.get(place, 0))
            self._free_us[place] = stored_us
        if fate.failed:
            world.note(process, f"a write to {message.topic} fails, {'not ' if stored_us is None else ''}stored")
            if stored_us is not None:
                world.at(stored_us, None, self._broker.append, message, place, process)
            heappush(self._awaited_us, world.now_us + fate.told_us)
            world.after(fate.told_us, process, self._told, done, None)
            return
        assert stored_us is not None
        # What has left the process is stored even when it ends or freezes meanwhile; the rest is not.
        left = world.happens(0.5)
        back_us = fate.told_us - (fate.stored_us or 0)
        heappush(self._awaited_us, stored_us + back_us)
        world.at(stored_us, None if left else process, self._store, message, place, done, back_us)

    def _store(self, message: Outgoing, place: TopicPartition, done: Done, back_us: int) -> None:
        stored = self._broker.append(message, place, self._process)
        self._broker.world.after(back_us, self._process, self._told, done, stored)

    def _told(self, done: Done, stored: Stored | None) -> None:
        self._due.append((done, stored))

    def serve(self) -> float | None:
        while self._due:
            done, stored = self._due.popleft()
            self._pending -= 1
            error = None if stored is not None else WriteFailed("not acknowledged: the broker did not answer in time")
            done(stored, error)
        if not self._pending:
            return None
        now_us, awaited_us = self._broker.world.now_us, self._awaited_us
        while awaited_us and awaited_us[0] < now_us:
            heappop(awaited_us)
        return max(MS, min(_HEARD_US, awaited_us[0] - now_us) if awaited_us else 0) / SECOND

    def close(self) -> None:
        while (again_s := self.serve()) is not None:
            self._log.strand().sleep(int(again_s * SECOND))


class SimReader:
    """`pipeline.log.Reader`."""

    _idle_us = _IDLE_US

    def __init__(self, log: SimLog, positions: dict[TopicPartition, int]) -> None:
        self.process = log.process
        self._log = log
        self._broker = log.broker
        self._positions = positions

    def poll(self, count: int, timeout_s: float) -> list[Message]:
        self.process.check()
        found = self._take(count)
        if not found and timeout_s > 0:
            self._wait()
            found = self._take(count)
        return found

    def _take(self, count: int) -> list[Message]:
        world = self._broker.world
        if count > 1 and world.happens(self._broker.weather.pieces):
            count = world.chance.randint(1, min(4, count))
        found: list[Message] = []
        for place, position in self._positions.items():
            partition = self._log.partition(place)
            end = partition.end(world.now_us)
            if end > position:
                taken = partition.messages[position : min(end, position + count - len(found))]
                self._positions[place] = position + len(taken)
                found += taken
        return found

    def _wait(self) -> None:
        strand, world = self._log.strand(), self._broker.world
        until_us = world.now_us + self._idle_us
        parking = strand.parking()
        for place, position in self._positions.items():
            partition = self._log.partition(place)
            if len(partition.messages) > position:  # there, and not to be seen yet
                until_us = min(until_us, max(partition.hidden_until_us, world.now_us + MS))
            partition.waiting = [each for each in partition.waiting if each[0] is not strand]
            partition.waiting.append((strand, parking))
        strand.park(until_us)

    def close(self) -> None:
        self._positions.clear()


class SimGroupReader(SimReader):
    """`pipeline.log.GroupReader`. A rebalance takes effect in each member's next `poll`."""

    _idle_us = _IDLE_MEMBER_US

    def __init__(
        self, log: SimLog, group: Group, member: str, topics: tuple[str, ...], assigned: Listener, revoked: Listener
    ) -> None:
        super().__init__(log, {})
        self._topics = topics
        self._group = group
        self._assigned = assigned
        self._revoked = revoked
        self._generation = -1
        self._member = member
        self._name = ""
        self._done: dict[TopicPartition, int] = {}
        self._committing = False
        self._waiting: tuple[Strand, int] | None = None
        self._join()

    def _join(self) -> None:
        self._group.joined += 1
        self._name = f"{self._member}#{self._group.joined}"
        self._group.members[self._name] = self
        self._group.generation += 1
        self._broker.nudge(self._group)

    @property
    def living(self) -> bool:
        """Whether it is a member."""
        return self._group.members.get(self._name) is self

    def holds_any(self, places: Iterable[TopicPartition]) -> bool:
        """Whether it reads one of them, as far as the group knows."""
        return any(place in self._positions for place in places)

    def nudge(self) -> None:
        """Its group has changed: a poll that waits ends."""
        if self._waiting is not None:
            strand, parking = self._waiting
            self._broker.world.after(self._broker.world.between(*WAY_US), self.process, strand.wake, parking)

    def poll(self, count: int, timeout_s: float) -> list[Message]:
        self.process.check()
        if not self._balanced():
            return []
        return super().poll(count, timeout_s)

    def _wait(self) -> None:
        strand = self._log.strand()
        self._waiting = (strand, strand.parking())
        super()._wait()
        self._waiting = None

    def _balanced(self) -> bool:
        """Take part in a rebalance, if there is one; False while another member still holds what is to be ours."""
        group = self._group
        if self._generation == group.generation:
            return True
        self._let_go()
        if not self.living:
            self._join()
        generation = group.generation
        mine = self._shares()[self._name]
        if any(each.holds_any(mine) for each in group.members.values() if each is not self):
            self._wait()
            return False
        self._generation = generation
        self._positions.update({place: group.committed.get(place, 0) for place in mine})
        self._broker.world.counters["rebalances"] += 1
        self._assigned(mine)
        return True

    def _shares(self) -> dict[str, list[TopicPartition]]:
        """The range assignment: per topic, contiguous ranges to the members in the order of their names."""
        given: dict[str, list[TopicPartition]] = {name: [] for name in self._group.members}
        takers = sorted(given)
        for topic in sorted(self._topics):
            size, extra = divmod(self._log.partition_count(topic), len(takers))
            start = 0
            for rank, name in enumerate(takers):
                end = start + size + (rank < extra)
                given[name] += [TopicPartition(topic, number) for number in range(start, end)]
                start = end
        return given

    def _let_go(self) -> None:
        """Give up everything; the next owner takes it only after `revoked` has returned."""
        held = list(self._positions)
        if not held:
            return
        try:
            self._revoked(held)
            self._commit()
        finally:
            if not self.process.dead:
                self._positions.clear()
                self._done.clear()
                self._broker.nudge(self._group)

    def done(self, positions: Mapping[TopicPartition, int]) -> None:
        self.process.check()
        self._done.update({place: offset for place, offset in positions.items() if place in self._positions})
        if not self._committing and any(self._group.committed.get(each) != at for each, at in self._done.items()):
            self._committing = True
            world = self._broker.world
            world.after(world.between(*_COMMIT_US), self.process, self._commit)

    def _commit(self) -> None:
        self._committing = False
        if self.living:
            self._group.committed.update(self._done)

    def close(self) -> None:
        self.process.check()
        self._let_go()
        if self.living:
            del self._group.members[self._name]
            self._group.generation += 1
            self._broker.nudge(self._group)
