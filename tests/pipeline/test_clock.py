"""The broker's time as a process knows it: measured from stamps, unmoved by the machine's clock."""

import threading
import time

import pytest
from log_rig import GO, Broker

from pipeline import clock as module
from pipeline.clock import Clock, ClockWatch, Machine, monotonic_ms
from pipeline.log import LogError, NewTopic, Outgoing
from pipeline.memory import MemoryLog

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
        (1_003, "this machine's clock is 1 s behind the broker's"),
        (-1_004, "this machine's clock is 1 s ahead of the broker's"),
        (1_203_000, "this machine's clock is 20 min 3 s behind the broker's"),
        (-DAY_MS - 3_600_000, "this machine's clock is 1 d 1 h ahead of the broker's"),
    ],
)
def test_a_clock_that_is_off_by_more_than_the_tolerance_is_said(
    machine: Still, behind_ms: int, said: str | None
) -> None:  # fmt: skip
    told = measured(machine, behind_ms=behind_ms).trouble()
    rest = ", more than clock_tolerance_ms 1000: set it (NTP), or the broker's"
    assert told == (None if said is None else f"{said}{rest}")


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
    for shift_ms in (3_600_000, 0):
        machine.shift_ms = shift_ms
        for _ in range(4):
            turned.clear()
            assert turned.wait(GO)
    watch.close()
    assert [each.message for each in caplog.records] == ["clock wrong", "this machine's clock is right again"]


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
    assert clock.trouble() is None


def test_a_watch_that_never_started_can_be_closed() -> None:
    ClockWatch(Clock(1_000), MemoryLog(), "watch", lambda _: message("clocks")).close()


def test_the_clock_that_counts_counts() -> None:
    first = monotonic_ms()
    assert 0 <= monotonic_ms() - first < 60_000
