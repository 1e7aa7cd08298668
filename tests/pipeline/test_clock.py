"""The broker's time as a process knows it: measured from stamps, unmoved by the machine's clock."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from log_rig import GO, Broker

from pipeline import clock as module
from pipeline.clock import Clock, ClockWatch, Machine, monotonic_ms
from pipeline.log import Done, LogError, NewTopic, Outgoing
from pipeline.memory import MemoryLog, MemorySender

EPOCH_MS = 1_775_000_000_000
DAY_MS = 86_400_000


class Still(Machine):
    """A machine whose two clocks stand until they are moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.counted_ms, self.machine_ms = 50_000, EPOCH_MS
        monkeypatch.setattr(module, "monotonic_ms", lambda: self.counted_ms)

    def now_ms(self) -> int:
        return self.machine_ms

    def pass_ms(self, ms: int) -> None:
        self.counted_ms += ms
        self.machine_ms += ms


class Shifted(Machine):
    """A machine whose clock is wrong by so much."""

    def __init__(self, shift_ms: int) -> None:
        super().__init__()
        self.shift_ms = shift_ms

    def now_ms(self) -> int:
        return super().now_ms() + self.shift_ms


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Still:
    return Still(monkeypatch)


def measured(machine: Still, tolerance_ms: int = 1_000, *, behind_ms: int = 0, way_ms: int = 0) -> Clock:
    """A clock that knows a broker's time, `behind_ms` of which its machine is behind."""
    clock = Clock(tolerance_ms, machine)
    at_ms = machine.counted_ms
    clock.measured(at_ms - way_ms, machine.machine_ms + behind_ms - way_ms // 2, at_ms)
    return clock


def test_before_the_first_measurement_it_is_the_machines_time_and_that_is_said(machine: Still) -> None:
    clock = Clock(1_000, machine)
    assert clock.now_ms() == EPOCH_MS
    assert clock.trouble() == "the broker's time is not known yet"


@pytest.mark.parametrize("behind_ms", [-DAY_MS, -3_600_000, -5_000, 0, 5_000, 1_200_000, 3_600_000, DAY_MS])
def test_it_is_the_brokers_time_however_wrong_the_machines_clock_is(machine: Still, behind_ms: int) -> None:
    clock = measured(machine, behind_ms=behind_ms)
    assert clock.now_ms() - (EPOCH_MS + behind_ms) in (0, 1)
    machine.pass_ms(7_000)
    assert clock.now_ms() - (EPOCH_MS + behind_ms + 7_000) in (0, 1)
    machine.machine_ms += 3_600_000  # somebody sets the machine's clock
    assert clock.now_ms() - (EPOCH_MS + behind_ms + 7_000) in (0, 1)


def test_a_slow_answer_leaves_it_uncertain_and_a_quick_one_later_does_not(machine: Still) -> None:
    clock = measured(machine, way_ms=3_000)
    assert clock.uncertainty_ms == 1_501
    assert clock.trouble() == "the broker's time is known to 1501 ms only: the broker answers too slowly"
    machine.pass_ms(1_000)
    clock.measured(machine.counted_ms, machine.machine_ms + 400, machine.counted_ms)
    assert (clock.uncertainty_ms, clock.now_ms() - machine.machine_ms) == (1, 400)
    machine.pass_ms(1_000)
    clock.measured(machine.counted_ms - 3_000, machine.machine_ms - 2_600, machine.counted_ms)
    assert clock.uncertainty_ms <= 2, "a slow answer takes nothing away from what is known"


def test_a_step_of_the_brokers_clock_is_followed(machine: Still) -> None:
    clock = measured(machine)
    machine.pass_ms(5_000)
    clock.measured(machine.counted_ms - 2, machine.machine_ms + 3_600_000, machine.counted_ms)
    assert abs(clock.now_ms() - machine.machine_ms - 3_600_000) <= 2


@pytest.mark.parametrize(
    ("behind_ms", "said"),
    [
        (0, None),
        (999, None),
        (-1_000, None),
        (1_001, None),
        (-1_001, None),
        (1_002, "this machine's clock is 1 s behind the broker's"),
        (-1_002, "this machine's clock is 1 s ahead of the broker's"),
        (1_003, "this machine's clock is 1 s behind the broker's"),
        (-1_004, "this machine's clock is 1 s ahead of the broker's"),
        (1_203_000, "this machine's clock is 20 min 3 s behind the broker's"),
        (-DAY_MS - 3_600_000, "this machine's clock is 1 d 1 h ahead of the broker's"),
        (-DAY_MS - 3_600_000 - 300_000, "this machine's clock is 1 d 1 h ahead of the broker's"),
    ],
)
def test_a_clock_that_is_off_by_more_than_the_tolerance_is_said(
    machine: Still, behind_ms: int, said: str | None
) -> None:  # fmt: skip
    told = measured(machine, behind_ms=behind_ms).trouble()
    rest = ", more than clock_tolerance_ms 1000: set it (NTP), or the broker's"
    assert told == (None if said is None else f"{said}{rest}")


def _between(low: int, high: int, clock: Clock) -> None:
    """A measurement: so much, at least and at most, is to be added to the clock that only counts."""
    clock.measured(1_000, high - 1 + 1_000, high - 1 + 1_000 - low)


@pytest.mark.parametrize(("low", "high", "left"), [(992, 994, 992), (975, 979, 979), (985, 987, 986)])
def test_measurements_that_can_both_be_right_leave_what_both_allow(
    machine: Still, caplog: pytest.LogCaptureFixture, low: int, high: int, left: int
) -> None:  # fmt: skip
    clock = Clock(1_000, machine)
    _between(980, 991, clock)
    _between(low, high, clock)
    assert clock.now_ms() == machine.counted_ms + left
    assert clock.uncertainty_ms == (1 if left == 986 else 0)
    assert caplog.records == []


@pytest.mark.parametrize(("low", "high", "by_ms"), [(993, 994, 14), (975, 978, -3), (5_000, 5_001, 4_021)])
def test_measurements_of_which_one_must_be_wrong_are_a_clock_that_was_set(
    machine: Still, caplog: pytest.LogCaptureFixture, low: int, high: int, by_ms: int
) -> None:  # fmt: skip
    clock = Clock(1_000, machine)
    _between(980, 991, clock)
    _between(low, high, clock)
    assert clock.now_ms() == machine.counted_ms + (low + high) // 2
    (said,) = caplog.records
    assert (said.message, said.__dict__["by_ms"]) == ("the broker's clock has been set", by_ms)


def test_what_was_measured_is_believed_for_two_minutes(machine: Still) -> None:
    clock = measured(machine)
    machine.pass_ms(120_000)
    assert clock.trouble() is None
    machine.pass_ms(1)
    told = "the broker's time was measured 120 s ago: nothing can be written to the topic clocks"
    assert clock.trouble() == told


def test_what_is_known_to_just_the_tolerance_is_known_well_enough(machine: Still) -> None:
    clock = measured(machine, way_ms=1_998)
    assert (clock.uncertainty_ms, clock.trouble()) == (1_000, None)
    machine.machine_ms += 2_000
    assert clock.trouble() is None
    machine.machine_ms += 2
    assert clock.trouble() is not None


def test_with_no_tolerance_a_millisecond_is_said(machine: Still) -> None:
    clock = Clock(0, machine)
    for low, high in ((980, 991), (990, 994), (984, 989)):
        _between(low, high, clock)
    assert clock.uncertainty_ms == 0
    machine.machine_ms = clock.now_ms()
    assert clock.trouble() is None
    machine.machine_ms += 1
    told = "this machine's clock is 1 ms ahead of the broker's, more than clock_tolerance_ms 0: set it (NTP)"
    assert clock.trouble() == f"{told}, or the broker's"


def test_a_machines_clock_is_wrong_by_what_a_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: EPOCH_MS * 1_000_000 + 999_999)
    file = tmp_path / "shift"
    assert (Machine().now_ms(), Machine(file).now_ms()) == (EPOCH_MS, EPOCH_MS)
    for text, shift_ms in (("5000", 5_000), ("-3600000", -3_600_000), ("", 0), ("soon", 0)):
        file.write_text(text, "utf-8")
        assert Machine(file).now_ms() == EPOCH_MS + shift_ms


@pytest.mark.parametrize(("ns", "ms"), [(7_654_000_000, 7_654), (7_654_999_999, 7_654)])
def test_the_clock_that_counts_counts_milliseconds(ns: int, ms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic_ns", lambda: ns)
    assert monotonic_ms() == ms


def test_a_wrong_clock_that_is_set_is_right_again(machine: Still) -> None:
    clock = measured(machine, behind_ms=60_000)
    assert clock.trouble() is not None
    machine.machine_ms += 60_000
    assert clock.trouble() is None


# --- the watch


def message(topic: str) -> Outgoing:
    return Outgoing(topic, b"router-n1", b"a word", (), 0)


def test_the_watch_measures_the_log_it_is_given(broker: Broker) -> None:
    topic = broker.topic("clocks", 1)
    clock = Clock(60_000, Shifted(-DAY_MS))
    watch = ClockWatch(clock, broker.log, "watch", lambda _: message(topic))
    watch.start()
    try:
        assert clock.known
        assert abs(clock.now_ms() - time.time_ns() // 1_000_000) <= clock.uncertainty_ms + 5
        assert abs(clock.off_ms + DAY_MS) <= clock.uncertainty_ms + 5
    finally:
        watch.close()


def test_it_goes_on_measuring_and_says_once_that_the_clock_is_wrong_and_once_that_it_is_right(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "_EVERY_S", 0.005)
    caplog.set_level("INFO")
    machine, log = Shifted(0), MemoryLog()
    log.create([NewTopic("clocks", 1, {})])
    clock = Clock(1_000, machine)
    turned = threading.Event()

    def said(_: Clock) -> Outgoing:
        turned.set()
        return message("clocks")

    watch = ClockWatch(clock, log, "watch", said)
    watch.start()
    for shift_ms in (3_600_500, 0):  # half a second more: the broker's time is known to less
        machine.shift_ms = shift_ms
        for _ in range(4):
            turned.clear()
            assert turned.wait(GO)
    watch.close()
    wrong, right = caplog.records
    assert (wrong.message, right.message) == ("clock wrong", "this machine's clock is right again")
    assert str(wrong.__dict__["reason"]).startswith("this machine's clock is 1 h ahead of the broker's")
    assert abs(wrong.__dict__["off_ms"] - 3_600_000) < 60_000
    assert abs(right.__dict__["off_ms"]) < 60_000


def test_a_log_that_does_not_answer_ends_the_start_and_nothing_that_has_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "_EVERY_S", 0.005)
    log = MemoryLog()
    log.create([NewTopic("clocks", 1, {})])
    log.break_writes(broken=True)
    with pytest.raises(LogError, match="not acknowledged"):
        ClockWatch(Clock(1_000), log, "watch", lambda _: message("clocks")).start()
    log.break_writes(broken=False)
    clock = Clock(1_000)
    watch = ClockWatch(clock, log, "watch", lambda _: message("clocks"))
    watch.start()
    log.break_writes(broken=True)
    until = time.monotonic() + GO
    while not caplog.records:
        assert time.monotonic() < until
        time.sleep(0.005)
    watch.close()
    assert caplog.records[0].message == "the broker's time cannot be measured"
    assert "not acknowledged" in str(caplog.records[0].__dict__["reason"])
    assert clock.trouble() is None


@pytest.mark.parametrize(("tolerance_ms", "times"), [(4, 1), (3, 20), (60_000, 1)])
def test_it_measures_at_the_start_until_it_knows_the_time_to_a_quarter_of_the_tolerance(
    machine: Still, tolerance_ms: int, times: int
) -> None:
    log = MemoryLog(lambda: machine.machine_ms)
    log.create([NewTopic("clocks", 1, {})])
    watch = ClockWatch(Clock(tolerance_ms, machine), log, "watch", lambda _: message("clocks"))
    watch.start()
    watch.close()
    assert len(log.everything("clocks")) == times


class Silent(MemoryLog):
    """A log that never answers, where a second goes by with each look."""

    def __init__(self, machine: Still) -> None:
        super().__init__()
        self.looks = 0
        self._machine = machine

    def sender(self, name: str) -> MemorySender:  # noqa: ARG002  the contract's
        log = self

        class Mute(MemorySender):
            def send(self, message: Outgoing, done: Done) -> None:
                pass

            def serve(self) -> float | None:
                log.looks += 1
                log._machine.pass_ms(1_000)
                return 0.0

        return Mute(self)


def test_a_log_that_never_answers_is_waited_for_longer_than_a_write_takes_to_fail(machine: Still) -> None:
    log = Silent(machine)
    with pytest.raises(LogError, match=r"^watch: the broker has not answered for 45 s$"):
        ClockWatch(Clock(1_000, machine), log, "watch", lambda _: message("clocks")).start()
    assert log.looks == 45


def test_a_watch_that_is_closed_waits_for_no_answer(machine: Still) -> None:
    log = Silent(machine)
    watch = ClockWatch(Clock(1_000, machine), log, "watch", lambda _: message("clocks"))
    watch.close()
    watch.start()
    watch.close()
    assert log.looks == 0


def test_a_watch_that_never_started_can_be_closed() -> None:
    ClockWatch(Clock(1_000), MemoryLog(), "watch", lambda _: message("clocks")).close()


def test_the_clock_that_counts_counts() -> None:
    first = monotonic_ms()
    assert 0 <= monotonic_ms() - first < 60_000


def test_while_an_answer_is_awaited_it_sleeps_between_two_looks_and_not_behind_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns: list[int] = []

    class Slow(MemorySender):
        def serve(self) -> float | None:
            turns.append(1)
            return super().serve() if len(turns) > 3 else 0.0

    log, slept = MemoryLog(), list[tuple[float, int]]()
    log.create([NewTopic("clocks", 1, {})])
    monkeypatch.setattr(log, "sender", lambda _: Slow(log))
    monkeypatch.setattr(module, "time", SimpleNamespace(
        sleep=lambda seconds: slept.append((seconds, len(turns))), monotonic_ns=time.monotonic_ns, time_ns=time.time_ns
    ))  # fmt: skip
    watch = ClockWatch(Clock(1_000_000), log, "x", lambda _: Outgoing("clocks", b"k", b"v"))
    watch.start()
    watch.close()
    assert slept == [(0.002, 1), (0.002, 2), (0.002, 3)]
