"""What the rigs of router and cancel service share: services on a log in memory, each on a thread of its own."""

import threading
import time
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry

from pipeline.log import Message, NewTopic, Outgoing, TopicPartition
from pipeline.memory import MemoryLog
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.records import Record
from schemas.topics import Topics

GO = 10.0
PARTITIONS = 3


class Clock:
    """The time of the services and of the log; a test lets it pass."""

    def __init__(self) -> None:
        self._shift_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self._shift_ms

    def pass_ms(self, ms: int) -> None:
        self._shift_ms += ms


NowMs = Callable[[], int]
Service = Callable[[MemoryLog, Topics, str, CollectorRegistry, threading.Event, NowMs], None]
"""Runs a service of this node until the event is set."""


class Running:
    """One service, until it is stopped or fails."""

    def __init__(self, service: Service, log: MemoryLog, topics: Topics, node: str, clock: NowMs) -> None:
        self.registry = CollectorRegistry()
        self.error: BaseException | None = None
        self._stop = threading.Event()
        given = (log, topics, node, self.registry, self._stop, clock)
        self._thread = threading.Thread(target=self._run, args=(service, given), name=node, daemon=True)
        self._thread.start()

    def _run(self, service: Service, given: tuple[object, ...]) -> None:
        try:
            service(*given)  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001  what ended it is what the tests ask
            self.error = error

    def measures(self, value: float, name: str, **labels: str) -> None:
        """Wait for what a metric says."""
        until = time.monotonic() + GO
        while (found := self.registry.get_sample_value(name, labels)) != value:
            assert time.monotonic() < until, (name, found)
            self._stop.wait(0.005)

    def failure(self) -> str:
        """What it could not go on from."""
        self._thread.join(GO)
        assert not self._thread.is_alive(), "the service did not end"
        assert self.error is not None
        return str(self.error)

    def stop(self) -> None:
        """End it as SIGTERM does."""
        self._stop.set()
        self._thread.join(GO)
        assert not self._thread.is_alive(), "the service did not end"


class ServiceRig:
    """The topics of an installation, and as many services as a test starts; its states are what `states` holds."""

    def __init__(
        self, service: Service, lines: Sequence[str], *, group: str, states: str, said: Callable[[Message], str]
    ) -> None:
        self.clock = Clock()
        self.log = MemoryLog(self.clock)
        self.topics = Topics("t-")
        self._service, self._group, self._states, self._words = service, group, states, said
        self._lines = lines
        self._running: list[Running] = []
        wanted = self.topics.creations(lines, PARTITIONS, len(lines))
        self.log.create(NewTopic(each.name, each.partitions, each.config) for each in wanted)

    def start(self, node: str = "n1", clock: NowMs | None = None) -> Running:
        self._running.append(Running(self._service, self.log, self.topics, node, clock or self.clock))
        return self._running[-1]

    def stop_all(self) -> None:
        for service in self._running:
            service.stop()

    # --- what comes in

    def write(self, topic: str, record: Record, key: str, mark: bytes | None = None) -> Message:
        """Write a record under this transaction key; with `mark`, as of a schema of that fingerprint."""
        value, headers = wire.encode(record)
        headers = headers if mark is None else ((wire.HEADER, mark),)
        return self.write_raw(Outgoing(self.topics(topic), f"AP02:{key}".encode(), value, headers))

    def write_raw(self, outgoing: Outgoing) -> Message:
        self.log.writer("test").write([outgoing])
        return [each for each in self.log.everything(outgoing.topic) if each.key == outgoing.key][-1]

    # --- what is seen

    def messages(self, topic: str, line: str | None = None) -> list[Message]:
        """What was written to it; of the dispatches, those of the first line where none is named."""
        line = self._lines[0] if topic == "dispatch" and line is None else line
        return [each for each in self.log.everything(self.topics(topic, line)) if each.key != MARKER_KEY]

    def said(self, topic: str, line: str | None = None) -> list[str]:
        return [self._words(message) for message in self.messages(topic, line)]

    def hears(self, topic: str, *expected: str, line: str | None = None) -> None:
        """Wait until the topic says exactly this, in whatever order."""
        self.wait(lambda: sorted(self.said(topic, line)) == sorted(expected), lambda: (topic, self.said(topic, line)))

    def comes_to_be(self, reference: str, stage: str) -> None:
        """Wait for the newest state."""
        self.wait(lambda: self.stage(reference) == stage, lambda: (reference, self.said(self._states)))

    def stage(self, reference: str) -> str | None:
        told = [each for each in self.messages(self._states) if each.key == f"AP02:{reference}".encode()]
        return self._words(told[-1]).split()[-1] if told else None

    def wait(self, condition: Callable[[], bool], what: Callable[[], object]) -> None:
        """Wait for what is written to the log."""
        with self.log.changed:
            assert self.log.changed.wait_for(condition, GO), what()

    def position(self, message: Message) -> int | None:
        """How far the group has come in the partition of this message."""
        return self.log.committed(self._group, TopicPartition(message.topic, message.partition))
