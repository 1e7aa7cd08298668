"""What the loop over owned partitions tells of itself: to its metrics, to its milestones, and in its log."""

import itertools
import logging
import threading
from collections.abc import Sequence

import pytest
from log_rig import GO, Broker
from owned_rig import Summing, memory_log, owning, said

from pipeline import owned
from pipeline.log import LogError, Message, Outgoing, TopicPartition
from pipeline.memory import MemoryLog
from pipeline.owned import EPOCH, MARKER_KEY, Counters, Milestones, OwnedLoop

STORED_MS, NOW_MS = 1_000, 4_500


class Told:
    """A loop that runs until `end`, and all that it tells."""

    def __init__(self, numbers: Sequence[bytes] = (), member: str = "a", log: MemoryLog | None = None) -> None:
        self.log = log or MemoryLog(lambda: STORED_MS)
        self.broker = Broker(self.log, "", kafka=False)
        for name in ("numbers", "sums", "said"):
            self.broker.topic(name)
        if numbers:
            self.broker.put("numbers", *numbers)
        self.handled: list[int] = []
        self.lag_ms: list[float] = []
        self.partitions: list[int] = []
        self.restored: list[int] = []
        self.steps: list[tuple[str, list[str]]] = []
        counters = Counters(self.handled.append, self.lag_ms.append, self.partitions.append, self.restored.append)
        milestones = Milestones(self._step("stored"), self._step("written"))
        self.stop = threading.Event()
        self.handler = Summing()
        self.loop = OwnedLoop(
            self.log, member, "summing", ["numbers"], "sums", self.handler, counters=counters, milestones=milestones,
            now_ms=lambda: NOW_MS,
        )  # fmt: skip
        self.thread = threading.Thread(target=self.loop.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def _step(self, name: str):  # noqa: ANN202  a milestone
        return lambda messages: self.steps.append((name, [each.topic for each in messages]))

    def end(self) -> None:
        self.stop.set()
        self.thread.join(GO)
        assert not self.thread.is_alive()


def test_what_was_handled_is_counted_with_the_age_of_the_last_of_it() -> None:
    stored_ms = itertools.count(STORED_MS, 100)
    told = Told([b"1", b"2", b"4"], log=MemoryLog(lambda: next(stored_ms)))
    said(told.broker, 3)
    told.end()
    assert told.handled == [3]
    assert told.lag_ms == [NOW_MS - (STORED_MS + 200)]


def test_each_batch_passes_both_milestones_with_what_it_wrote_and_an_idle_loop_none() -> None:
    told = Told()
    assert told.loop.ready.wait(GO)
    told.broker.put("numbers", b"1")
    said(told.broker, 1)
    told.end()
    assert told.steps == [("stored", ["sums"]), ("written", ["said"])]


def test_what_a_partition_held_is_counted_when_it_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pipeline.owned")
    log = MemoryLog(lambda: STORED_MS)
    broker = Broker(log, "", kafka=False)
    broker.topic("sums")
    stamp = ((EPOCH, b"0"),)
    log.writer("earlier").write(
        [
            Outgoing("sums", MARKER_KEY, b"earlier", (), 0),
            Outgoing("sums", b"k", b"0=5", stamp, 0),
            Outgoing("sums", b"j", b"1=7", stamp, 0),
        ]
    )
    told = Told(log=log)
    assert told.loop.ready.wait(GO)
    told.end()
    assert (told.restored, told.partitions) == ([2], [1, 0])
    taken, given_up = (record for record in caplog.records if record.name == "pipeline.owned")
    assert (taken.getMessage(), taken.levelname) == ("partition taken", "INFO")
    assert (taken.__dict__["partition"], taken.__dict__["states"]) == (0, 2)
    assert 0 <= taken.__dict__["seconds"] < GO
    assert (given_up.getMessage(), given_up.__dict__["partition"]) == ("partition given up", 0)


def test_how_long_a_partition_took_is_told_in_milliseconds(
    memory: Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [0.0]

    class Slow(Summing):
        def restore(self, partition: int, state: Message) -> None:
            now_s[0] += 1.23456
            super().restore(partition, state)

    caplog.set_level(logging.INFO, logger="pipeline.owned")
    monkeypatch.setattr("pipeline.owned.time.monotonic", lambda: now_s[0])
    memory.topic("sums")
    memory.put("sums", b"0=5")
    owning(memory_log(memory), Slow())
    (taken,) = caplog.records
    assert taken.__dict__["seconds"] == 1.235


def test_every_state_names_the_marker_of_its_owner_and_keeps_its_other_headers() -> None:
    told = Told([b"1"])
    said(told.broker, 1)
    told.end()
    marker, state = told.log.everything("sums")
    assert (marker.key, marker.value) == (MARKER_KEY, b"a")
    assert state.headers == ((EPOCH, str(marker.offset).encode()),)


def test_a_former_owners_states_are_told_by_their_keys(caplog: pytest.LogCaptureFixture) -> None:
    told = Told([b"1"])
    said(told.broker, 1)
    stranger = [Outgoing("sums", key, b"0=9", ((EPOCH, b"0"),), 0) for key in (b"k", b"j", b"k")]
    told.log.writer("stranger").write(stranger)
    told.broker.put("numbers", b"2")
    said(told.broker, 2)
    told.end()
    (warning,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert (warning.getMessage(), warning.__dict__["partition"]) == ("a former owner wrote states", 0)
    assert warning.__dict__["keys"] == 2
    last = {each.key: each.value for each in told.log.everything("sums") if each.key != MARKER_KEY}
    assert last == {b"k": b"0=1 1=3", b"j": None}  # its own again, of both keys


# --- when it looks for strangers


@pytest.fixture
def looking_at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_LOOK_S", 0.0)


@pytest.mark.usefixtures("looking_at_every_turn")
def test_an_owner_that_finds_no_stranger_says_nothing(memory: Broker, caplog: pytest.LogCaptureFixture) -> None:
    memory.topic("sums")
    loop = owning(memory_log(memory))
    for _ in range(3):
        loop._look_for_strangers()
    assert caplog.records == []


@pytest.mark.usefixtures("looking_at_every_turn")
def test_an_owner_that_finds_a_stranger_says_so_once(memory: Broker, caplog: pytest.LogCaptureFixture) -> None:
    memory.topic("sums")
    loop = owning(memory_log(memory))
    memory.put("sums", b"0=9")
    for _ in range(3):
        loop._look_for_strangers()
    (warning,) = caplog.records
    assert (warning.getMessage(), warning.__dict__["keys"]) == ("a former owner wrote states", 1)


@pytest.mark.usefixtures("looking_at_every_turn")
def test_an_owner_that_cannot_look_says_where_and_why(
    memory: Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(place: TopicPartition) -> tuple[int, int]:
        raise LogError(f"{place.topic}/{place.partition} cannot be asked")

    memory.topic("sums")
    loop = owning(memory_log(memory))
    loop._look_for_strangers()
    monkeypatch.setattr(memory.log, "span", silent)
    loop._look_for_strangers()
    (warning,) = caplog.records
    assert (warning.getMessage(), warning.levelname) == ("cannot look for strangers", "WARNING")
    assert (warning.__dict__["partition"], warning.__dict__["reason"]) == (0, "sums/0 cannot be asked")


@pytest.mark.usefixtures("looking_at_every_turn")
def test_a_partition_that_cannot_be_asked_hides_no_stranger_in_another(
    memory: Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = memory.log.span

    def half(place: TopicPartition) -> tuple[int, int]:
        if place.partition == 0:
            raise LogError(f"{place.topic}/0 cannot be asked")
        return span(place)

    memory.topic("sums", 2)
    loop = owning(memory_log(memory), partitions=2)
    monkeypatch.setattr(memory.log, "span", half)
    memory.put("sums", b"1=9", partition=1)
    for _ in range(3):
        loop._look_for_strangers()
    assert "a former owner wrote states" in caplog.messages
