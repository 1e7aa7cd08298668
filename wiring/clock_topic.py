"""What a process says on the topic `clocks`: that it runs, and how far its machine's clock is off."""

from collections.abc import Callable

from pipeline.clock import Clock
from pipeline.log import Outgoing
from schemas import wire
from schemas.records import ClockTold
from schemas.topics import Topics


def clock_message(topics: Topics, service: str, node: str) -> Callable[[Clock], Outgoing]:
    """Makes the message by which a `pipeline.clock.ClockWatch` of this process measures."""
    topic, key = topics("clocks"), f"{service}-{node}".encode()

    def message(clock: Clock) -> Outgoing:
        off_ms = clock.off_ms if clock.known else None
        told = ClockTold(service=service, node=node, machine_ms=clock.machine_ms, off_ms=off_ms)
        value, headers = wire.encode(told)
        return Outgoing(topic, key, value, headers, 0)

    return message
