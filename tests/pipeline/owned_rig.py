"""A handler that sums, and loops that run it: what the tests of `pipeline.owned` share."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from log_rig import GO, Broker, values

from pipeline.log import Log, Message, Outgoing, TopicPartition
from pipeline.memory import MemoryLog
from pipeline.owned import MARKER_KEY, OwnedLoop, Step

Sums = dict[bytes, dict[int, int]]  # key → offset of the number → the sum with it


class UnreadableError(Exception):
    """The handler met a message that it cannot read."""


class Summing:
    """A handler that keeps the sums of each key and says each new one.

    It knows a message read again by its offset, and then says again what it said of it.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.partitions: dict[int, Sums] = {}
        self.handled: list[int] = []
        self.has_one = threading.Event()
        self.go_on: threading.Event | None = None
        self.passed: list[Outgoing] = []

    def restore(self, partition: int, state: Message) -> None:
        assert state.key is not None
        sums = self.partitions.setdefault(partition, {})
        if state.value is None:
            sums.pop(state.key, None)
        else:
            pairs = (each.split(b"=") for each in state.value.split())
            sums[state.key] = {int(offset): int(total) for offset, total in pairs}

    def drop(self, partition: int) -> None:
        self.partitions.pop(partition, None)

    def handle(self, message: Message, now_ms: int) -> Step:  # noqa: ARG002  the contract's
        assert message.key is not None
        assert message.value is not None
        if not message.value.isdigit():
            raise UnreadableError(f"{message.topic}/{message.partition}@{message.offset}")
        self.handled.append(message.offset)
        self.has_one.set()
        if self.go_on is not None:
            assert self.go_on.wait(GO)
        sums = self.partitions.setdefault(message.partition, {}).setdefault(message.key, {})
        if message.offset not in sums:
            sums[message.offset] = max(sums.values(), default=0) + int(message.value)
        said = Outgoing(self.prefix + "said", message.key, b"%d" % sums[message.offset], (), 0)
        return Step([self.current(message.partition, message.key)], [said])

    def due(self, now_ms: int) -> Sequence[Outgoing]:  # noqa: ARG002  the contract's
        passed, self.passed = self.passed, []
        return passed

    def current(self, partition: int, key: bytes) -> Outgoing:
        sums = self.partitions.get(partition, {}).get(key)
        value = None if sums is None else b" ".join(b"%d=%d" % each for each in sorted(sums.items()))
        return Outgoing(self.prefix + "sums", key, value, (), partition)


class Running:
    """An `OwnedLoop` on a thread."""

    def __init__(self, broker: Broker, member: str, handler: Summing | None = None, log: Log | None = None) -> None:
        prefix = broker.prefix
        self.handler = handler or Summing(prefix)
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self.loop = OwnedLoop(
            log or broker.log, member, prefix + "summing", [prefix + "numbers"], prefix + "sums", self.handler,
            now_ms=lambda: time.time_ns() // 1_000_000,
        )  # fmt: skip
        self.thread = threading.Thread(target=self._run, name=member, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.loop.run(self.stop)
        except BaseException as error:  # noqa: BLE001  what ended the loop is what the tests ask
            self.error = error

    def join(self) -> BaseException | None:
        self.thread.join(GO)
        assert not self.thread.is_alive(), "the loop did not end"
        return self.error

    def end(self) -> None:
        self.stop.set()
        if self.handler.go_on is not None:
            self.handler.go_on.set()
        self.join()


Start = Callable[..., Running]


@contextmanager
def starting(broker: Broker) -> Iterator[Start]:
    """Gives a function that starts loops; whatever the test does, all of them have ended after it."""
    started: list[Running] = []

    def start(member: str, handler: Summing | None = None, log: Log | None = None) -> Running:
        started.append(Running(broker, member, handler, log))
        return started[-1]

    try:
        yield start
    finally:
        for running in started:
            running.end()


def said(broker: Broker, count: int) -> list[int]:
    """The sums said, when there are `count` at least."""
    broker.first("said", count)
    return [int(message.value or b"") for message in broker.everything("said")]


def states(broker: Broker) -> list[bytes | None]:
    return values([message for message in broker.everything("sums") if message.key != MARKER_KEY])


def memory_log(broker: Broker) -> MemoryLog:
    assert isinstance(broker.log, MemoryLog)
    return broker.log


NUMBERS = [(b"k", b"1"), (b"j", b"10"), (b"k", b"2"), (b"k", b"4"), (b"j", b"20")]
SAID_OF = {b"k": [1, 3, 7], b"j": [10, 30]}


def numbers_waiting(log: MemoryLog) -> Broker:
    broker = Broker(log, "", kafka=False)
    for name in ("numbers", "sums", "said"):
        broker.topic(name)
    log.writer("test").write([Outgoing("numbers", key, value) for key, value in NUMBERS])
    return broker


def owning(log: MemoryLog, handler: Summing | None = None, partitions: int = 1) -> OwnedLoop:
    """A loop that has taken so many partitions and that no thread runs: a test calls its steps by itself."""
    loop = OwnedLoop(log, "a", "summing", ["numbers"], "sums", handler or Summing(), now_ms=lambda: 0)
    loop._writer = log.writer("a")
    loop._assigned([TopicPartition("numbers", number) for number in range(partitions)])
    return loop
