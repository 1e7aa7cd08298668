"""The broker's time and the processes that run, as the topic `clocks` tells them.

The tools' own machine may have the wrong time, so nothing is decided by it. Every process sends a message to `clocks`
every two seconds, and the broker stamps it: the stamp of one that comes while a tool looks is the broker's time.
"""

import time
from typing import NamedTuple

from ops.reading import Ends, ends, read_topics
from pipeline.log import Message
from schemas import wire
from schemas.installation import Kafka
from schemas.records import ClockTold
from schemas.topics import Topics

QUIET_S = 8.0
"""How long word of a process is awaited, before it is said that none runs: several times as long as any is silent."""

_RUNS_MS = 10_000  # a process whose last word is older has ended
_LOOK_S = 0.2


class ProcessClock(NamedTuple):
    """A process that runs, and how far its machine's clock is ahead of the broker's; less than 0: behind it."""

    service: str
    node: str
    off_ms: int


def broker_time_ms(kafka: Kafka) -> int | None:
    """Milliseconds since the epoch by the broker's clock; None when no process tells: none runs. Raises `LogError`."""
    topic = Topics(kafka.topic_prefix)("clocks")
    before = ends(kafka, [topic])
    until = time.monotonic() + QUIET_S
    while not (messages := _after(kafka, topic, before)):
        if time.monotonic() > until:
            return None
        time.sleep(_LOOK_S)
    return max(each.timestamp_ms for each in messages)


def running(kafka: Kafka) -> tuple[ProcessClock, ...]:
    """The processes that run, by service and node. Raises `LogError`, `RecordError`."""
    at_ms = broker_time_ms(kafka)
    if at_ms is None:
        return ()
    topic = Topics(kafka.topic_prefix)("clocks")
    return told(read_topics(kafka, [topic], at_ms - _RUNS_MS)[topic])


def told(messages: list[Message]) -> tuple[ProcessClock, ...]:
    """The last word of each process, by service and node. Pure. Raises `RecordError`.

    Where a process had not measured yet, its clock is held against the stamp of its message: that is later by its way.
    """
    last: dict[tuple[str, str], ProcessClock] = {}
    for message in messages:
        if message.value is not None:
            record = wire.decode_as(ClockTold, message)
            off_ms = record.machine_ms - message.timestamp_ms if record.off_ms is None else record.off_ms
            last[record.service, record.node] = ProcessClock(record.service, record.node, off_ms)
    return tuple(last[each] for each in sorted(last))


def _after(kafka: Kafka, topic: str, before: Ends) -> list[Message]:
    return read_topics(kafka, [topic], after=before)[topic]
