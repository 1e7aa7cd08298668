"""A bare relay with as many hops as a payment has: what the broker and the Kafka client cost without a gateway.

    source ─requests▶ router ─dispatch▶ egress ─reports▶ router ─replies▶ ingress ─deliveries▶ sink

Five records a payment, as on the gateway's way from the client's request to the confirmation that it is settled; what
is not on that way (`transactions`, `sent`) is not relayed. Each of the four hops is a process of its own with plain
confluent-kafka: it reads a batch and writes every record on, commits in the background, and decides nothing. Source
and sink share a process, and so a clock.

``python -m bench.relay SERVERS GROUP FROM TO`` is one hop.
"""

import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Producer

from bench.quantities import Latency, Meter
from ops.processes import Process
from pipeline.kafka import KafkaLog
from pipeline.log import NewTopic

RECORD_BYTES = 400
IN_FLIGHT = 5_000  # records at once when saturated
_BATCH = 500
_STAMP_BYTES = 8
_LIMIT_S = 30.0
_PADDING = bytes(RECORD_BYTES - _STAMP_BYTES)


class Hop(NamedTuple):
    """One process: what it reads, and where it writes it on."""

    name: str
    source: str
    target: str


HOPS = (
    Hop("router", "requests", "dispatch"),
    Hop("egress", "dispatch", "reports"),
    Hop("router again", "reports", "replies"),
    Hop("ingress", "replies", "deliveries"),
)
PARTITIONS = {"requests": 6, "dispatch": 1, "reports": 6, "replies": 1, "deliveries": 6}  # as the gateway's


class RelayError(Exception):
    """Records did not come through."""


@dataclass(frozen=True, slots=True)
class RelayFigures:
    """What the relay did. `hop_us`: processor time a record, by hop, when saturated."""

    saturated: float
    at_rate: dict[int, Latency]
    hop_us: dict[str, float]


def _consumer(servers: str, group: str, topic: str) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 500,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "socket.nagle.disable": True,
            "log_level": 3,
        }
    )
    consumer.subscribe([topic])
    return consumer


def _producer(servers: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "linger.ms": 0,
            "partitioner": "murmur2_random",
            "socket.nagle.disable": True,
            "log_level": 3,
        }
    )


def _read(consumer: Consumer) -> list[Any]:
    """The next records, in the way that was measured to be the fastest (`pipeline.kafka.KafkaReader`)."""
    found = consumer.consume(_BATCH, 0.001)
    if not found:
        one = consumer.poll(0.05)
        found = [] if one is None else [one]
    return [each for each in found if each.error() is None]


def _write(producer: Producer, topic: str, value: bytes, key: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.01)
        else:
            return


def hop(servers: str, group: str, source: str, target: str) -> None:
    """Carry records from `source` to `target` until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    consumer, producer = _consumer(servers, group, source), _producer(servers)
    while not stop.is_set():
        for message in _read(consumer):
            _write(producer, target, message.value(), message.key())
        producer.poll(0)
    producer.flush(5)
    consumer.close()


class Ends:
    """Source and sink of the relay."""

    def __init__(self, servers: str, first: str, last: str, group: str) -> None:
        self._producer = _producer(servers)
        self._consumer = _consumer(servers, group, last)
        self._first = first
        self._written = 0
        self._taken_ms: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._take, name="sink", daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while not self._stop.is_set():
            for message in _read(self._consumer):
                value = message.value()
                self._taken_ms.append((time.monotonic_ns() - int.from_bytes(value[:_STAMP_BYTES])) / 1e6)
        self._consumer.close()

    def close(self) -> None:
        """End the sink."""
        self._stop.set()
        self._thread.join()

    def _send(self, stamp_ns: int) -> None:
        value = stamp_ns.to_bytes(_STAMP_BYTES) + _PADDING
        _write(self._producer, self._first, value, str(self._written).encode())
        self._written += 1

    def _arrived(self, limit_s: float = _LIMIT_S) -> None:
        """Wait for what was written. Raises `RelayError`."""
        until = time.monotonic() + limit_s
        while (left := self._written - len(self._taken_ms)) > 0:
            self._producer.poll(0.01)
            if time.monotonic() > until:
                raise RelayError(f"{left} of {self._written} records did not come through within {limit_s:g} s")

    def _begin(self) -> None:
        self._arrived()
        self._taken_ms.clear()
        self._written = 0

    def warm(self, count: int) -> None:
        """Have so many records come through."""
        for _ in range(count):
            self._send(time.monotonic_ns())
        self._arrived()

    def at_rate(self, rate: int, seconds: float) -> Latency:
        """Latencies at a constant arrival rate, each counted from the time at which the record was due."""
        self._begin()
        began = time.monotonic_ns()
        for number in range(int(rate * seconds)):
            due = began + number * 1_000_000_000 // rate
            while (wait := due - time.monotonic_ns()) > 0:
                self._producer.poll(0)
                time.sleep(wait / 1e9)
            self._send(due)
        self._arrived()
        return Latency.of(self._taken_ms)

    def saturated(self, seconds: float) -> tuple[float, int]:
        """Records a second, with so many in flight that more would bring nothing; and how many there were."""
        self._begin()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self._written - len(self._taken_ms) < IN_FLIGHT:
                self._send(time.monotonic_ns())
            else:
                self._producer.poll(0.001)
        self._arrived()
        return self._written / (time.monotonic() - began), self._written


def measure(servers: str, prefix: str, folder: Path, rates: Sequence[int], seconds: float) -> RelayFigures:
    """Run the relay on this broker. Raises `RelayError`, `LogError`, `ProcessError`."""
    KafkaLog(servers).create(NewTopic(f"{prefix}{name}", count, {}) for name, count in PARTITIONS.items())
    processes = []
    for each in HOPS:
        name = each.name.replace(" ", "-")
        arguments = [servers, f"{prefix}{name}", f"{prefix}{each.source}", f"{prefix}{each.target}"]
        command = [sys.executable, "-m", "bench.relay", *arguments]
        processes.append(Process(f"relay {each.name}", command, folder / "logs" / f"relay-{name}.log", lambda: True))
    ends = Ends(servers, f"{prefix}requests", f"{prefix}deliveries", f"{prefix}sink")
    try:
        for process in processes:
            process.start()
        ends.warm(1_000)
        meter = Meter({each.name: [process.pid] for each, process in zip(HOPS, processes, strict=True)})
        at_rate = {rate: ends.at_rate(rate, seconds) for rate in rates}
        meter.restart()
        saturated, count = ends.saturated(seconds)
        return RelayFigures(round(saturated), at_rate, meter.us_each(count))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.stop(5)
        ends.close()


if __name__ == "__main__":
    hop(*sys.argv[1:])
