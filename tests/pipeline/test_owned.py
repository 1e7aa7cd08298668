"""The loop over owned partitions: nothing acts before its state is stored, nothing is lost, and a rival is noticed."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from log_rig import GO, Broker, poll_until, values

from pipeline import owned, spans
from pipeline.log import Log, LogError, Message, NewTopic, Outgoing, Reader, TopicPartition, WriteFailed, Writer
from pipeline.memory import MemoryLog
from pipeline.owned import EPOCH, MARKER_KEY, Counters, OwnedLoop, Step, Superseded

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
            log or broker.log, member, prefix + "summing", [prefix + "numbers"], prefix + "sums", self.handler
        )
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


@pytest.fixture
def start(broker: Broker) -> Iterator[Start]:
    for name in ("numbers", "sums", "said"):
        broker.topic(name)
    with starting(broker) as start:
        yield start


@pytest.fixture
def start_in_memory(memory: Broker) -> Iterator[Start]:
    for name in ("numbers", "sums", "said"):
        memory.topic(name)
    with starting(memory) as start:
        yield start


def said(broker: Broker, count: int) -> list[int]:
    """The sums said, when there are `count` at least."""
    broker.first("said", count)
    return [int(message.value or b"") for message in broker.everything("said")]


def states(broker: Broker) -> list[bytes | None]:
    return values([message for message in broker.everything("sums") if message.key != MARKER_KEY])


def memory_log(broker: Broker) -> MemoryLog:
    assert isinstance(broker.log, MemoryLog)
    return broker.log


# --- a life without trouble -----------------------------------------------------------------------------------------


def test_it_says_every_sum_and_counts_every_number_as_done(broker: Broker, start: Start) -> None:
    broker.put("numbers", b"1", b"2", b"3")
    running = start("a")
    assert said(broker, 3) == [1, 3, 6]
    running.end()
    assert running.error is None
    assert states(broker)[-1] == b"0=1 1=3 2=6"
    assert broker.log.committed(broker.prefix + "summing", TopicPartition(broker.prefix + "numbers", 0)) == 3
    assert running.handler.partitions == {}  # given up in order


def test_the_next_owner_goes_on_with_the_state(broker: Broker, start: Start) -> None:
    broker.put("numbers", b"1", b"2")
    first = start("a")
    said(broker, 2)
    first.end()
    broker.put("numbers", b"4")
    second = start("b")
    assert said(broker, 3) == [1, 3, 7]
    second.end()
    assert second.handler.handled == [2]


def test_a_state_that_was_taken_away_is_not_restored(broker: Broker, start: Start) -> None:
    first = start("a")
    broker.put("numbers", b"5")
    said(broker, 1)
    first.end()
    epoch = next(each.offset for each in broker.everything("sums") if each.key == MARKER_KEY)
    gone = Outgoing(broker.prefix + "sums", b"k", None, ((EPOCH, b"%d" % epoch),), 0)
    broker.log.writer("a").write([gone])
    start("b")
    broker.put("numbers", b"2")
    assert said(broker, 2) == [5, 2]


def test_two_members_share_the_partitions_and_one_takes_all_when_the_other_stops(broker: Broker) -> None:
    for name in ("numbers", "sums"):
        broker.topic(name, 2)
    broker.topic("said")
    with starting(broker) as start:
        a, b = start("a"), start("b")
        pause = threading.Event()
        poll_until(lambda: pause.wait(0.02), lambda: set(a.loop._owned) == {0} and set(b.loop._owned) == {1})
        broker.put("numbers", b"1", partition=0)
        broker.put("numbers", b"10", partition=1)
        assert sorted(said(broker, 2)) == [1, 10]
        b.end()
        broker.put("numbers", b"20", partition=1)
        assert sorted(said(broker, 3)) == [1, 10, 30]
        assert (a.error, b.error) == (None, None)


def test_topics_that_belong_together_must_have_the_same_partitions(broker: Broker) -> None:
    broker.topic("numbers", 2)
    broker.topic("sums", 1)
    with starting(broker) as start:
        error = start("a").join()
    numbers, sums = broker.prefix + "numbers", broker.prefix + "sums"
    assert isinstance(error, LogError)
    assert str(error) == (
        f"topics that belong together differ in partitions: {{'{numbers}': 2, '{sums}': 1}}; "
        "create them anew, same count"
    )


def test_it_tells_its_metrics_what_it_did(memory: Broker) -> None:
    for name in ("numbers", "sums", "said"):
        memory.topic(name)
    told: dict[str, list[float]] = {"handled": [], "lag_ms": [], "partitions": [], "restored": []}
    counters = Counters(**{name: into.append for name, into in told.items()})
    memory.put("numbers", b"1", b"2")
    stop = threading.Event()
    handler = Summing()
    loop = OwnedLoop(memory.log, "a", "summing", ["numbers"], "sums", handler, counters, now_ms=lambda: 0)
    thread = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    thread.start()
    said(memory, 2)
    stop.set()
    thread.join(GO)
    assert loop.ready.is_set()
    assert sum(told["handled"]) == 2
    assert told["partitions"] == [1, 0]
    assert told["restored"] == [0]
    assert set(told["lag_ms"]) == {0}  # a clock behind the writer's makes no negative lag


# --- a crash between any two writes ---------------------------------------------------------------------------------


class RefusingWriter:
    """A writer that notes every message before it is stored, in the order in which the loop asks for it."""

    def __init__(self, inner: Writer, noted: list[Outgoing]) -> None:
        self._inner = inner
        self._noted = noted

    def write(self, batch: Sequence[Outgoing]) -> list[int]:
        offsets = self._inner.write(batch)
        self._noted += batch
        return offsets

    def close(self) -> None:
        self._inner.close()


class Noting(MemoryLog):
    """A log that notes what was stored, over all topics, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[Outgoing] = []

    def writer(self, name: str) -> Writer:  # type: ignore[override]
        inner = super().writer(name)
        return RefusingWriter(inner, self.noted) if name != "test" else inner


NUMBERS = [(b"k", b"1"), (b"j", b"10"), (b"k", b"2"), (b"k", b"4"), (b"j", b"20")]
SAID_OF = {b"k": [1, 3, 7], b"j": [10, 30]}


def numbers_waiting(log: MemoryLog) -> Broker:
    broker = Broker(log, "", kafka=False)
    for name in ("numbers", "sums", "said"):
        broker.topic(name)
    log.writer("test").write([Outgoing("numbers", key, value) for key, value in NUMBERS])
    return broker


def assert_all_was_said(broker: Broker) -> None:
    """Every sum was said, the first time in its order, and nothing was said that is none."""
    for key, expected in SAID_OF.items():
        told = [int(each.value or b"") for each in broker.everything("said") if each.key == key]
        assert list(dict.fromkeys(told)) == expected
        assert told[-1] == expected[-1]


def test_every_state_is_stored_before_the_first_act_of_its_batch() -> None:
    log = Noting()
    broker = numbers_waiting(log)
    with starting(broker) as start:
        start("a")
        said(broker, len(NUMBERS))
    topics = [each.topic for each in log.noted]
    assert topics == ["sums"] * (1 + len(NUMBERS)) + ["said"] * len(NUMBERS)  # the marker, the states, the acts
    assert log.noted[0].key == MARKER_KEY


WRITES = 1 + 2 * len(NUMBERS)  # of a life without trouble: the marker, a state and an act for each number


@pytest.mark.parametrize("cut", range(WRITES))
def test_a_crash_after_any_write_loses_nothing(cut: int) -> None:
    log = MemoryLog()
    broker = numbers_waiting(log)
    log.break_writes(True, after=cut)
    with starting(broker) as start:
        died = start("a")
        assert isinstance(died.join(), WriteFailed)
        stored = sum(len(log.everything(topic)) for topic in ("sums", "said"))
        assert stored == cut
        if cut <= 1 + len(NUMBERS):
            assert log.everything("said") == []  # no act before all states
        assert log.committed("summing", TopicPartition("numbers", 0)) is None
        log.break_writes(False)
        before = len(log.everything("said"))
        next_owner = start("b")
        said(broker, before + len(NUMBERS))
        next_owner.end()
    assert_all_was_said(broker)
    assert next_owner.handler.handled == [0, 1, 2, 3, 4]
    assert log.committed("summing", TopicPartition("numbers", 0)) == len(NUMBERS)


@pytest.mark.parametrize("cut", range(0, WRITES, 3))
@pytest.mark.parametrize("second_cut", range(0, WRITES + 1, 3))
def test_two_crashes_lose_nothing(cut: int, second_cut: int) -> None:
    log = MemoryLog()
    broker = numbers_waiting(log)
    with starting(broker) as start:
        for member, after in (("a", cut), ("b", second_cut)):
            log.break_writes(True, after=after)
            assert isinstance(start(member).join(), WriteFailed)
        log.break_writes(False)
        before = len(log.everything("said"))
        start("c")
        said(broker, before + len(NUMBERS))
    assert_all_was_said(broker)
    expected = {key: told[-1] for key, told in SAID_OF.items()}
    restored = {each.key: each.value for each in log.everything("sums") if each.key != MARKER_KEY}
    assert {key: int((value or b"").rpartition(b"=")[2]) for key, value in restored.items()} == expected


def test_what_was_decided_before_a_message_that_cannot_be_read_is_done(broker: Broker, start: Start) -> None:
    broker.put("numbers", b"1", b"2", b"not a number", b"4")
    place = TopicPartition(broker.prefix + "numbers", 0)
    died = start("a")
    error = died.join()
    assert isinstance(error, UnreadableError)
    assert str(error) == f"{place.topic}/0@2"
    assert said(broker, 2) == [1, 3]
    assert broker.log.committed(broker.prefix + "summing", place) == 2
    again = start("b")  # started again it stands in front of the same message, and skips nothing
    assert str(again.join()) == f"{place.topic}/0@2"
    assert said(broker, 2) == [1, 3]
    assert again.handler.handled == []


# --- deadlines ------------------------------------------------------------------------------------------------------


def test_a_deadline_comes_back_through_the_log(broker: Broker, start: Start) -> None:
    running = start("a")
    running.handler.passed = [Outgoing(broker.prefix + "numbers", b"k", b"100", (), 0)]
    assert said(broker, 1) == [100]
    assert [each.value for each in broker.everything("numbers")] == [b"100"]


def test_an_outcome_that_stands_before_the_deadline_in_the_log_is_handled_first(
    memory: Broker, start_in_memory: Start
) -> None:
    handler = Summing()
    handler.go_on = threading.Event()
    memory.put("numbers", b"1")
    start_in_memory("a", handler)
    assert handler.has_one.wait(GO)
    handler.passed = [Outgoing("numbers", b"k", b"100", (), 0)]  # has passed, but nobody has said so in the log
    memory.put("numbers", b"2")
    handler.go_on.set()
    assert said(memory, 3) == [1, 3, 103]


def test_a_deadline_that_cannot_be_written_ends_the_loop(memory: Broker, start_in_memory: Start) -> None:
    running = start_in_memory("a")
    memory.put("numbers", b"1")
    said(memory, 1)
    memory_log(memory).break_writes(True)
    running.handler.passed = [Outgoing("numbers", b"k", b"100", (), 0)]
    assert isinstance(running.join(), WriteFailed)


# --- a rival --------------------------------------------------------------------------------------------------------


def test_a_former_owner_that_wakes_up_stores_too_late_and_says_nothing(memory: Broker, start_in_memory: Start) -> None:
    sleeper = Summing()
    sleeper.go_on = threading.Event()
    frozen = start_in_memory("a", sleeper)
    memory.put("numbers", b"7")
    assert sleeper.has_one.wait(GO)  # it has the message in its hands
    memory_log(memory).expel("summing", "a")
    owner = start_in_memory("b")
    assert said(memory, 1) == [7]
    sleeper.go_on.set()
    error = frozen.join()
    assert isinstance(error, Superseded)
    marker = [each.offset for each in memory.everything("sums") if each.key == MARKER_KEY][-1]
    assert str(error) == f"sums/0 has a new owner since offset {marker}"
    assert said(memory, 1) == [7]  # and not twice
    # What it stored is not believed by anyone who restores, and the owner writes its own again at its next state.
    memory.put("numbers", b"1")
    assert said(memory, 2) == [7, 8]
    owner.end()
    start_in_memory("c")
    memory.put("numbers", b"2")
    assert said(memory, 3) == [7, 8, 10]


def stranger_writes(broker: Broker, value: bytes, *, key: bytes = b"k") -> None:
    """A state of somebody who was the owner before the present one."""
    epoch = max(each.offset for each in broker.everything("sums") if each.key == MARKER_KEY)
    stale = Outgoing(broker.prefix + "sums", key, value, ((EPOCH, b"%d" % (epoch - 1)),), 0)
    writer = broker.log.writer("a former owner")
    writer.write([stale])
    writer.close()


def test_the_owner_writes_its_state_again_over_a_strangers(broker: Broker, start: Start) -> None:
    owner = start("b")
    broker.put("numbers", b"7")
    assert said(broker, 1) == [7]
    stranger_writes(broker, b"0=999")
    stranger_writes(broker, b"0=5", key=b"never heard of")
    broker.put("numbers", b"1", key=b"other")
    said(broker, 2)
    owner.end()
    assert owner.error is None
    assert states(broker) == [b"0=7", b"0=999", b"0=5", b"1=1", b"0=7", None]


def test_an_owner_with_nothing_to_store_looks_for_strangers_by_itself(
    broker: Broker, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owned, "_LOOK_S", 0.0)
    owner = start("b")
    broker.put("numbers", b"7")
    assert said(broker, 1) == [7]
    stranger_writes(broker, b"0=999")
    repaired = [message for message in broker.first("sums", 4) if message.key != MARKER_KEY]
    assert values(repaired) == [b"0=7", b"0=999", b"0=7"]
    owner.end()
    assert owner.error is None


def test_a_former_owner_with_nothing_to_store_sees_its_successor(
    memory: Broker, start_in_memory: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owned, "_LOOK_S", 0.0)
    running = start_in_memory("a")
    memory.put("numbers", b"7")
    assert said(memory, 1) == [7]
    memory.log.writer("successor").write([Outgoing("sums", MARKER_KEY, b"b", (), 0)])
    assert isinstance(running.join(), Superseded)


def test_looking_for_strangers_survives_a_broker_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_LOOK_S", 0.0)
    asked = threading.Event()

    class Silent(MemoryLog):
        silent = False

        def span(self, place: TopicPartition) -> tuple[int, int]:
            if self.silent:
                asked.set()
                raise LogError("sums/0 cannot be asked")
            return super().span(place)

    log = Silent()
    broker = numbers_waiting(log)
    with starting(broker) as start:
        start("a")
        said(broker, 5)
        log.silent = True
        assert asked.wait(GO)
        log.silent = False
        broker.put("numbers", b"100")
        assert said(broker, 6)[-1] == 107


def test_a_strangers_state_that_nobody_noticed_is_repaired_by_the_next_owner(broker: Broker, start: Start) -> None:
    first = start("a")
    broker.put("numbers", b"7")
    assert said(broker, 1) == [7]
    first.end()
    stranger_writes(broker, b"0=999")
    second = start("b")
    broker.put("numbers", b"1", key=b"other")
    said(broker, 2)
    second.end()
    assert states(broker) == [b"0=7", b"0=999", b"0=7", b"1=1"]
    # So it holds even when the marker that betrayed the stranger is gone: what a compacted topic would still hold.
    kept = {each.key: each for each in broker.everything("sums")}
    assert kept[b"k"].value == b"0=7"


def test_a_new_owner_that_meets_a_newer_one_while_it_takes_the_partition_stops() -> None:
    class Overtaken(MemoryLog):
        """Another owner's marker is written while the first reads its states."""

        def reader(self, name: str, starts: object) -> Reader:  # type: ignore[override]
            if name == "a-restore":
                super().writer("b").write([Outgoing("sums", MARKER_KEY, b"b", (), 0)])
            return super().reader(name, starts)  # type: ignore[arg-type]

    log = Overtaken()
    broker = numbers_waiting(log)
    log.writer("earlier").write([Outgoing("sums", MARKER_KEY, b"earlier", (), 0)])
    with starting(broker) as start:
        assert isinstance(start("a").join(), Superseded)
    assert log.everything("said") == []


def test_a_state_that_cannot_be_read_to_its_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_READ_S", 0.0)

    class Empty:
        def poll(self, count: int, timeout_s: float) -> list[Message]:  # noqa: ARG002  the contract's
            return []

        def close(self) -> None:
            pass

    class Deaf(MemoryLog):
        def reader(self, name: str, starts: object) -> Reader:  # type: ignore[override]
            return Empty() if name == "a-restore" else super().reader(name, starts)  # type: ignore[arg-type]

    log = Deaf()
    broker = numbers_waiting(log)
    log.writer("earlier").write([Outgoing("sums", MARKER_KEY, b"earlier", (), 0)])
    with starting(broker) as start:
        error = start("a").join()
    assert str(error) == "sums/0 could not be read up to 1: see the broker's log"


def test_topics_are_needed_first(memory: Broker) -> None:
    memory.log.create([NewTopic("sums", 1, {})])
    with starting(memory) as start:
        error = start("a").join()
    assert str(error) == "there is no topic numbers: create the topics first (`denbun topics create`)"
