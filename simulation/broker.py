"""The broker: topics, groups, what is stored, who is a member. A process of the world sees it as `simulation.log`.

It is a machine of its own, with a clock of its own (`Broker.node`), which stamps every message: no writer's does.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from pipeline.log import Message, NewTopic, Outgoing, Stored, TopicPartition
from pipeline.murmur import partition_of
from simulation.world import MS, Node, Process, Strand, World

SESSION_US = 1_500 * MS
WAY_US = (300, 3 * MS)  # to the broker, and back


class Weather(NamedTuple):
    """How the broker behaves: shares of the writes."""

    slow: float = 0.0  # that take up to a second or two
    unacknowledged: float = 0.0  # that fail and are stored all the same, now or later
    refused: float = 0.0  # that fail and are not stored
    lagging: float = 0.0  # that are seen late by who reads
    pieces: float = 0.2  # polls that give out only some of what there is


class Partition:
    """A partition: its messages, up to where they can be read already, and how slow the clock of its leader is."""

    __slots__ = ("behind_ms", "hidden_from", "hidden_until_us", "messages", "waiting")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.waiting: list[tuple[Strand, int]] = []
        self.hidden_from = 0
        self.hidden_until_us = 0
        self.behind_ms = 0

    def is_led_by_another(self) -> None:
        """Its leader is gone, and with it the leader's clock."""
        self.behind_ms = 0

    def end(self, now_us: int) -> int:
        """Up to where it can be read."""
        return len(self.messages) if now_us >= self.hidden_until_us else self.hidden_from


class Member(Protocol):
    """A member of a group, as the broker knows it."""

    process: Process

    def holds_any(self, places: Iterable[TopicPartition]) -> bool: ...

    def nudge(self) -> None: ...


class Group:
    """A consumer group: its members in the order of their names, and how far it has come."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[str, Member] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.generation = 0
        self.joined = 0


class Broker:
    """All topics and groups."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.weather = Weather()
        self.node = Node("broker")
        self.topics: dict[str, list[Partition]] = {}
        self.configs: dict[str, dict[str, str]] = {}
        self.groups: dict[str, Group] = {}
        self.journal: list[tuple[int, str, Message]] = []

    def create(self, topics: Iterable[NewTopic]) -> None:
        """Create the topics."""
        for topic in topics:
            self.topics[topic.name] = [Partition() for _ in range(topic.partitions)]
            self.configs[topic.name] = dict(topic.config)

    def everything(self, topic: str) -> list[Message]:
        """All messages of a topic, by partition and offset."""
        return [message for partition in self.topics[topic] for message in partition.messages]

    def place_of(self, item: Outgoing) -> TopicPartition:
        """Where the message belongs."""
        if item.partition is not None:
            return TopicPartition(item.topic, item.partition)
        assert item.key is not None, "without a key the partition must be given"
        return TopicPartition(item.topic, partition_of(item.key, len(self.topics[item.topic])))

    def append(self, item: Outgoing, place: TopicPartition, process: Process) -> Stored:
        """Store a message, stamped by its leader's clock, which is the world's or slow; give where it lies."""
        world = self.world
        partition = self.topics[place.topic][place.partition]
        offset = len(partition.messages)
        now_ms = world.clock_ms(self.node) - partition.behind_ms
        message = Message(*place, offset, item.key, item.value, item.headers, now_ms)
        partition.messages.append(message)
        self.journal.append((world.now_us, process.name, message))
        if self.weather.lagging and world.happens(self.weather.lagging) and world.now_us >= partition.hidden_until_us:
            partition.hidden_from = offset
            partition.hidden_until_us = world.now_us + world.between(50 * MS, 3_000 * MS)
            world.counters["records seen late"] += 1
        self.wake(partition)
        return Stored(offset, now_ms)

    def wake(self, partition: Partition) -> None:
        """Whoever waits for its messages gets them when they can be seen."""
        world = self.world
        at_us = max(world.now_us, partition.hidden_until_us)
        waiting, partition.waiting = partition.waiting, []
        for strand, parking in waiting:
            world.at(at_us + world.between(*WAY_US), strand.process, strand.wake, parking)

    # --- members without heartbeats

    def watch(self, process: Process) -> None:
        """The process is frozen, dead or cut off: when its sessions have run out, its groups go on without it."""
        self.world.after(SESSION_US, None, self._run_out, process)

    def _run_out(self, process: Process) -> None:
        since_us = process.silent_since_us
        if since_us is None or self.world.now_us - since_us < SESSION_US:
            return
        for group in self.groups.values():
            for name, member in list(group.members.items()):
                if member.process is process:
                    self.expel(group, name)

    def expel(self, group: Group, name: str) -> None:
        """Let the session of a member run out."""
        del group.members[name]
        group.generation += 1
        self.world.counters["sessions run out"] += 1
        self.world.note("broker", f"{group.name}: the session of {name} has run out")
        self.nudge(group)

    def nudge(self, group: Group) -> None:
        """Something has changed for the members of a group."""
        for member in group.members.values():
            member.nudge()


class Fate(NamedTuple):
    """What becomes of a write: when it is stored (None: never), when its writer is told, and whether that it failed."""

    stored_us: int | None
    told_us: int
    failed: bool


def fate_of(broker: Broker) -> Fate:
    """What becomes of the next write, by the broker's weather."""
    world, weather = broker.world, broker.weather
    way_us, back_us = world.between(*WAY_US), world.between(*WAY_US)
    drawn = world.chance.random()
    if drawn < weather.slow:
        way_us += world.between(100 * MS, 2_500 * MS)
        world.counters["writes slow"] += 1
    elif drawn < weather.slow + weather.unacknowledged:
        world.counters["writes failed and stored"] += 1
        failed_us = world.between(10 * MS, 2_000 * MS)
        return Fate(way_us + world.between(0, 3_000 * MS), way_us + failed_us, failed=True)
    elif drawn < weather.slow + weather.unacknowledged + weather.refused:
        world.counters["writes failed and lost"] += 1
        return Fate(None, way_us + world.between(10 * MS, 2_000 * MS), failed=True)
    return Fate(way_us, way_us + back_us, failed=False)
