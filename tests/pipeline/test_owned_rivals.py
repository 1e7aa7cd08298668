"""The loop over owned partitions: a rival is noticed, and what it wrote is not believed."""

import threading

import pytest
from log_rig import GO, Broker, values
from owned_rig import Start, Summing, memory_log, numbers_waiting, owning, said, starting, states

from pipeline import owned, spans
from pipeline.log import LogError, Message, NewTopic, Outgoing, Reader, TopicPartition
from pipeline.memory import MemoryLog
from pipeline.owned import EPOCH, MARKER_KEY, Superseded

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


class Asked(MemoryLog):
    """A log that counts how often it is asked how far a partition reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.create([NewTopic("sums", 1, {})])
        self.asked = 0

    def span(self, place: TopicPartition) -> tuple[int, int]:
        self.asked += 1
        return super().span(place)


def test_strangers_are_looked_for_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr("pipeline.owned.time.monotonic", lambda: now_s[0])
    log = Asked()
    loop = owning(log)
    log.asked = 0
    asked = {}
    for at_s in (0.0, 59.9, 60.0, 119.9, 120.0):
        now_s[0] = at_s
        loop._look_for_strangers()
        asked[at_s] = log.asked
    assert asked == {0.0: 0, 59.9: 0, 60.0: 1, 119.9: 1, 120.0: 2}


def test_a_partition_that_has_stored_a_state_meanwhile_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_LOOK_S", 0.0)
    log = Asked()
    loop = owning(log)
    loop._look_for_strangers()
    loop._store([loop.handler.current(0, b"k")])
    log.asked = 0
    loop._look_for_strangers()
    assert log.asked == 0
    loop._look_for_strangers()
    assert log.asked == 1


def test_the_owner_that_looks_writes_over_a_stranger_once(memory: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_LOOK_S", 0.0)
    memory.topic("sums")
    loop = owning(memory_log(memory))
    stranger_writes(memory, b"0=999")
    for _ in range(3):
        loop._look_for_strangers()
    assert states(memory) == [b"0=999", None]


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
