"""What the tests of the log share: a broker of either kind, and how to read all of a topic."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.log import Log, Message, NewTopic, Outgoing, TopicPartition

GO = 20.0


@dataclass(frozen=True, slots=True)
class Broker:
    """A log of either kind, and the prefix that keeps this test's topics apart."""

    log: Log
    prefix: str
    kafka: bool

    def topic(self, name: str, partitions: int = 1) -> str:
        """Create a topic; give its full name."""
        full = self.prefix + name
        self.log.create([NewTopic(full, partitions, {})])
        return full

    def put(self, topic: str, *values: bytes, key: bytes = b"k", partition: int | None = None) -> list[int]:
        """Write some messages; give their offsets."""
        writer = self.log.writer("test")
        try:
            return writer.write([Outgoing(self.prefix + topic, key, value, (), partition) for value in values])
        finally:
            writer.close()

    def everything(self, topic: str, partition: int = 0) -> list[Message]:
        """All messages of one partition, as they lie there now."""
        place = TopicPartition(self.prefix + topic, partition)
        start, end = self.log.span(place)
        return self.read(place, start, end - start)

    def first(self, topic: str, count: int, partition: int = 0) -> list[Message]:
        """The first messages of a partition; waits until there are `count`, and gives no more."""
        return self.read(TopicPartition(self.prefix + topic, partition), 0, count)

    def read(self, place: TopicPartition, start: int, count: int) -> list[Message]:
        """`count` messages from `start`, waiting for them."""
        reader = self.log.reader("test", {place: start})
        try:
            found: list[Message] = []
            poll_until(lambda: found.extend(reader.poll(1_000, 0.1)), lambda: len(found) >= count)
            return found[:count]
        finally:
            reader.close()


def poll_until(step: Callable[[], object], ready: Callable[[], bool]) -> None:
    """Repeat `step`, which waits by itself, until `ready`. Fails after `GO` seconds."""
    until = time.monotonic() + GO
    while not ready():
        assert time.monotonic() < until, "it did not become so in time"
        step()


def values(messages: Sequence[Message]) -> list[bytes | None]:
    return [message.value for message in messages]
