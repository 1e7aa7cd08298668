"""Reading what lies between two offsets of a partition."""

import time
from collections.abc import Iterator

from pipeline.log import Log, LogError, Message, TopicPartition

_READ_COUNT = 5_000
_READ_S = 30.0


def read_span(log: Log, name: str, place: TopicPartition, start: int, end: int) -> Iterator[Message]:
    """What still lies from `start` up to, not including, `end`; the message before `end` must still be there.

    (So it is with an `end` that a writer has just been given, or that `Log.span` has just told.) Raises `LogError`.
    """
    if start >= end:
        return
    reader = log.reader(name, {place: start})
    try:
        until = time.monotonic() + _READ_S
        while True:
            batch = reader.poll(_READ_COUNT, 0.2)
            for message in batch:
                if message.offset >= end:
                    return
                yield message
                if message.offset == end - 1:
                    return
            if batch:
                until = time.monotonic() + _READ_S
            elif time.monotonic() > until:
                raise LogError(f"{place.topic}/{place.partition} could not be read up to {end}: see the broker's log")
    finally:
        reader.close()
