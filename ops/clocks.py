"""The broker's time and how far each machine's clock is from it, as the topic `clocks` tells.

The tools' own machine may have the wrong time, so nothing is decided by it. Every process sends a message to `clocks`
every two seconds, and the broker stamps it: the stamp of one that comes while a tool looks is the broker's time.
"""

import time

from ops.reading import ends, read_topics
from ops.topology import ProcessClock
from pipeline.log import Message
from schemas import wire
from schemas.installation import Kafka
from schemas.records import ClockTold
from schemas.topics import Topics

QUIET_S = 8.0
"""How long word of a process is awaited, before it is said that none runs: several times as long as any is silent."""

_RUNS_MS = 10_000  # a process that told so much earlier than the last one has ended
_LOOK_S = 0.2


def broker_time_ms(kafka: Kafka) -> int | None:
    """Milliseconds since the epoch by the broker's clock; None when no process tells: none runs. Raises `LogError`."""
    topic = Topics(kafka.topic_prefix)("clocks")
    before = ends(kafka, [topic])
    until = time.monotonic() + QUIET_S
    while not (messages := read_topics(kafka, [topic], after=before)[topic]):
        if time.monotonic() > until:
            return None
        time.sleep(_LOOK_S)
    return max(each.timestamp_ms for each in messages)


def machine_clocks(kafka: Kafka) -> tuple[ProcessClock, ...]:
    """How the processes had the time when one of them told it last. Raises `LogError`, `RecordError`."""
    topic = Topics(kafka.topic_prefix)("clocks")
    before_last = {place: offset - 1 for place, offset in ends(kafka, [topic]).items()}
    newest = read_topics(kafka, [topic], after=before_last)[topic]
    if not newest:
        return ()
    return told(read_topics(kafka, [topic], newest[-1].timestamp_ms - _RUNS_MS)[topic])


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
