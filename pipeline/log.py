"""The log as the services see it: messages in, messages out, offsets. `kafka` and `memory` keep the same contract.

The contract, shown for both by one conformance suite:

* A partition is a sequence. Offsets are contiguous: what one writer writes gets one number after the other, unless
  somebody else wrote in between. `owned` and egress rest on this to notice a rival.
* `Writer.write` returns only when the broker has stored every message of the batch, in order within a partition.
* After `WriteFailed` it is *unknown* which messages of the batch were stored.
* Each message is stamped by the broker's clock, never by its writer's (``message.timestamp.type=LogAppendTime``).
* A group gives each partition to one member; what is not committed is read again by the next owner.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class LogError(Exception):
    """The log cannot do what was asked. Nothing was committed; whoever restarts goes on where the log stands."""


class WriteFailed(LogError):  # noqa: N818  it tells what happened, as the failures of the log do
    """Some messages may not have been stored, and some may have been: the outcome is unknown."""


class TopicPartition(NamedTuple):
    """One partition of one topic, by full name."""

    topic: str
    partition: int


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message as it lies in the log. `timestamp_ms` is the broker's clock when it stored the message."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A message to write. Without a partition the key decides (murmur2, as Kafka's own clients do)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class NewTopic(NamedTuple):
    """A topic to create."""

    name: str
    partitions: int
    config: Mapping[str, str]


class Stored(NamedTuple):
    """Where a message lies, and the time by the broker's clock when it was stored there."""

    offset: int
    timestamp_ms: int


Done = Callable[[Stored | None, Exception | None], None]
Listener = Callable[[list[TopicPartition]], None]


class Writer(Protocol):
    """Writes batches and waits. For one thread."""

    def write(self, batch: Sequence[Outgoing]) -> list[int]:
        """Store the batch; give the offset of each message. Raises `WriteFailed`."""
        ...

    def close(self) -> None: ...


class Sender(Protocol):
    """Writes single messages without waiting. For one thread, which hears in `serve` what became of them."""

    def send(self, message: Outgoing, done: Done) -> None:
        """Store the message; then call ``done(Stored, None)``, or ``done(None, WriteFailed)``. Raises nothing."""
        ...

    def serve(self) -> float | None:
        """Call each `done` that is due, in order per partition.

        Gives in how many seconds to ask again, or None when nothing is awaited. Raises what a `done` raises; the others
        are due at the next call.
        """
        ...

    def close(self) -> None:
        """Serve until nothing is awaited."""
        ...


class Reader(Protocol):
    """Reads given partitions from given offsets, in no group. For one thread."""

    def poll(self, count: int, timeout_s: float) -> list[Message]:
        """The next messages, at most `count`; an empty list when none came in time. Raises `LogError`."""
        ...

    def close(self) -> None: ...


class GroupReader(Reader, Protocol):
    """Reads as a member of a group: the listeners are called from within `poll` and `close`."""

    def done(self, positions: Mapping[TopicPartition, int]) -> None:
        """Everything before these offsets is done with: commit them in the background, and when `revoked` has returned.

        For partitions that are this member's no more it does nothing: their next owner reads again.
        """
        ...


class Log(Protocol):
    """A broker."""

    def writer(self, name: str) -> Writer: ...

    def sender(self, name: str) -> Sender: ...

    def reader(self, name: str, starts: Mapping[TopicPartition, int]) -> Reader: ...

    def group_reader(
        self, member: str, group: str, topics: Sequence[str], assigned: Listener, revoked: Listener
    ) -> GroupReader:
        """Join `group`. Partitions go to the members in the order of their names (`range`), by topic co-partitioned.

        `assigned` is called before the first message of the partitions is given out, `revoked` after the last. Whenever
        somebody joins or leaves, everything is revoked and given out anew: `assigned` is called with what is this
        member's then, be it nothing.
        """
        ...

    def create(self, topics: Iterable[NewTopic]) -> list[str]:
        """Create the topics that do not exist; give their names. Raises `LogError` where one exists differently."""
        ...

    def partition_count(self, topic: str) -> int:
        """How many partitions the topic has. Raises `LogError` when there is no such topic."""
        ...

    def span(self, place: TopicPartition) -> tuple[int, int]:
        """The first offset that is still there, and the one the next message will get."""
        ...

    def offset_at(self, place: TopicPartition, timestamp_ms: int) -> int:
        """The offset of the first message that is not older; the end when there is none."""
        ...

    def members(self, group: str, limit_s: float = 15.0) -> list[str]:
        """The members of a group, who joined it last among them while it is shared out anew. Raises `LogError`."""
        ...

    def committed(self, group: str, place: TopicPartition) -> int | None:
        """The offset the group goes on from; None when it has committed none."""
        ...
