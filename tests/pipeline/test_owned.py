"""The loop over owned partitions: nothing acts before its state is stored, and nothing is lost."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from log_rig import GO, Broker, poll_until
from owned_rig import (
    NUMBERS,
    SAID_OF,
    Start,
    Summing,
    UnreadableError,
    memory_log,
    numbers_waiting,
    owning,
    said,
    starting,
    states,
)

from pipeline.log import Headers, LogError, Outgoing, TopicPartition, WriteFailed, Writer
from pipeline.memory import MemoryLog, MemoryWriter
from pipeline.owned import EPOCH, MARKER_KEY, Counters, OwnedLoop

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


MARKER = Outgoing("sums", MARKER_KEY, b"earlier", (), 0)


@pytest.mark.parametrize(
    ("before", "headers", "believed"),
    [
        pytest.param([MARKER], ((EPOCH, b"0"),), True, id="behind its owner's marker"),
        pytest.param([], ((EPOCH, b"0"),), True, id="its owner's marker compacted away"),
        pytest.param([], (), True, id="of no owner, behind none"),
        pytest.param([MARKER], (), False, id="of no owner, behind one"),
    ],
)
def test_a_stored_state_is_believed_unless_a_later_owners_marker_stands_before_it(
    memory: Broker, before: list[Outgoing], headers: Headers, believed: bool
) -> None:
    memory.topic("sums")
    memory.log.writer("earlier").write([*before, Outgoing("sums", b"k", b"0=5", headers, 0)])
    handler = Summing()
    owning(memory_log(memory), handler)
    assert handler.partitions == ({0: {b"k": {0: 5}}} if believed else {})


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
    loop = OwnedLoop(memory.log, "a", "summing", ["numbers"], "sums", handler, lambda: 0, counters)
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


def test_nothing_is_said_when_a_state_was_stored_nobody_knows_where() -> None:
    class Miscounting(MemoryWriter):
        def write(self, batch: Sequence[Outgoing]) -> list[int]:
            offsets = super().write(batch)
            return offsets[:-1] if len(offsets) > 1 else offsets

    class Miscounted(MemoryLog):
        def writer(self, name: str) -> MemoryWriter:  # noqa: ARG002  the contract's
            return Miscounting(self)

    log = Miscounted()
    broker = numbers_waiting(log)
    unused: Any = None
    with pytest.raises(ValueError, match="shorter"):
        owning(log)._handle(broker.everything("numbers"), unused)
    assert log.everything("said") == []


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


def test_a_group_that_is_not_shared_out_again_is_given_up_and_joined_anew(
    memory: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr("pipeline.owned.time.monotonic", lambda: now_s[0])
    unused: Any = None
    loop = OwnedLoop(memory.log, "m", "t-router", ["t"], "s", unused, lambda: 0)
    loop._await_share()
    loop._revoked([])
    now_s[0] = 1_060.0
    loop._await_share()
    now_s[0] = 1_060.1
    with pytest.raises(
        LogError, match=r"^the group t-router has shared nothing out for 60 s: start, and join it, anew$"
    ):
        loop._await_share()
    loop._assigned([])
    loop._await_share()
