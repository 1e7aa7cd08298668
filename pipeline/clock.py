"""The broker's time: the one clock that every process of an installation shares.

A machine's clock may be wrong, and two machines' clocks differ. So no service decides by its own: what must be decided
by time is decided by the broker's, which stamps every message that it stores. A process measures how far that is from
a clock of its own that only counts (`time.monotonic`), at the start and every few seconds, from the stamp of a message
of its own: the broker set it after the message was sent and before it was acknowledged. `Clock.now_ms` is then the
broker's time, right to half of that; a step of the machine's own clock does not move it.

How far the machine's own clock (`time.time`) is off is told, and is a reason not to be ready: somebody should set it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.log import Log, Outgoing, Stored, WriteFailed

SHIFT_FILE = "DENBUN_CLOCK_SHIFT_FILE"
"""In the environment of a service of a development installation: the file that says by how many milliseconds its
machine's clock is wrong. Where there is none it is right. It may be written while the service runs."""

_EVERY_S = 2.0
_POLL_S = 0.002
_TRIES = 20  # measurements at the start, until one is near enough
_DRIFT_MS = 1  # by how much two sound clocks part between two measurements
_LIMIT_S = 45.0  # longer than the log takes to say that it could not store something
_FRESH_MS = 120_000  # a measurement is believed for so long: longer than the log takes to fail twice

_log = logging.getLogger(__name__)


def monotonic_ms() -> int:
    """Milliseconds that only count."""
    return time.monotonic_ns() // 1_000_000


@dataclass(slots=True)
class Machine:
    """The machine's own clock. `shift_file` makes it wrong on purpose, for drills."""

    shift_file: Path | None = None

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as this machine has it."""
        return time.time_ns() // 1_000_000 + self._shift_ms()

    def _shift_ms(self) -> int:
        if self.shift_file is None:
            return 0
        try:
            return int(self.shift_file.read_text("utf-8"))
        except (OSError, ValueError):  # none, or it is being written
            return 0


MACHINE = Machine()


class Clock:
    """The broker's time, as far as this process knows it. Shared by its threads; one of them calls `measured`."""

    def __init__(self, tolerance_ms: int, machine: Machine = MACHINE) -> None:
        self.tolerance_ms = tolerance_ms
        self._machine = machine
        here_ms = machine.now_ms() - monotonic_ms()
        self._bounds = (here_ms, here_ms)  # of what is to be added to the clock that only counts
        self._middle_ms = here_ms
        self.known = False  # whether it has been measured
        self._measured_ms = monotonic_ms()

    def now_ms(self) -> int:
        """Milliseconds since the epoch, by the broker's clock; before the first measurement by the machine's."""
        return monotonic_ms() + self._middle_ms

    @property
    def uncertainty_ms(self) -> int:
        """How far `now_ms` may be from the broker's clock."""
        low, high = self._bounds
        return (high - low + 1) // 2

    @property
    def machine_ms(self) -> int:
        """The time by the machine's own clock."""
        return self._machine.now_ms()

    @property
    def off_ms(self) -> int:
        """How far the machine's own clock is ahead of the broker's; less than 0: behind it."""
        return self.machine_ms - self.now_ms()

    def measured(self, sent_ms: int, stamp_ms: int, heard_ms: int) -> None:
        """The broker stamped something `stamp_ms` between two moments of the clock that only counts."""
        low, high = stamp_ms - heard_ms, stamp_ms + 1 - sent_ms  # a stamp is cut to whole milliseconds
        if self.known:
            known_low, known_high = self._bounds[0] - _DRIFT_MS, self._bounds[1] + _DRIFT_MS
            if low <= known_high and known_low <= high:
                low, high = max(low, known_low), min(high, known_high)
            else:
                _log.warning("the broker's clock has been set", extra={"by_ms": (low + high) // 2 - known_low})
        self._bounds, self._middle_ms = (low, high), (low + high) // 2
        self.known, self._measured_ms = True, heard_ms

    def trouble(self) -> str | None:
        """Why what depends on this machine's clock should not be done here; None while it is right."""
        if not self.known:
            return "the broker's time is not known yet"
        if monotonic_ms() - self._measured_ms > _FRESH_MS:
            since_s = (monotonic_ms() - self._measured_ms) // 1_000
            return f"the broker's time was measured {since_s} s ago: nothing can be written to the topic clocks"
        if self.uncertainty_ms > self.tolerance_ms:
            return f"the broker's time is known to {self.uncertainty_ms} ms only: the broker answers too slowly"
        off_ms = self.off_ms
        if abs(off_ms) - self.uncertainty_ms <= self.tolerance_ms:
            return None
        return (
            f"this machine's clock is {_words(abs(off_ms))} {'ahead of' if off_ms > 0 else 'behind'} the broker's, "
            f"more than clock_tolerance_ms {self.tolerance_ms}: set it (NTP), or the broker's"
        )


def _words(duration_ms: int) -> str:
    """A duration for people: its two largest units."""
    parts = []
    for name, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        count, duration_ms = divmod(duration_ms, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) if parts else f"{duration_ms} ms"


class ClockWatch:
    """Measures a `Clock` against a log, by messages that `message` makes: at the start, then every few seconds."""

    def __init__(self, clock: Clock, log: Log, name: str, message: Callable[[Clock], Outgoing]) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._message = message
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="clock", daemon=True)
        self._said: str | None = None

    def start(self) -> None:
        """Know the broker's time, then go on measuring in the background. Raises `LogError`."""
        self._sender = self._log.sender(self._name)
        for _ in range(_TRIES):
            self._measure()
            if self._clock.uncertainty_ms <= self._clock.tolerance_ms // 4:
                break
        self._tell()
        self._thread.start()

    def close(self) -> None:
        """Stop measuring."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            try:
                self._measure()
            except Exception as error:  # noqa: BLE001  the clock that only counts goes on; `trouble` says since when
                _log.warning("the broker's time cannot be measured", extra={"reason": str(error)})
            self._tell()

    def _measure(self) -> None:
        heard: list[Stored | Exception] = []

        def done(stored: Stored | None, error: Exception | None) -> None:
            outcome = stored or error
            assert outcome is not None
            heard.append(outcome)

        sent_ms = monotonic_ms()
        self._sender.send(self._message(self._clock), done)
        while not heard and monotonic_ms() - sent_ms < _LIMIT_S * 1_000 and not self._stop.is_set():
            self._sender.serve()
            if not heard:
                time.sleep(_POLL_S)
        match heard:
            case [Stored(timestamp_ms=stamp_ms)]:
                self._clock.measured(sent_ms, stamp_ms, monotonic_ms())
            case [Exception() as error]:
                raise error
            case _:
                if not self._stop.is_set():
                    raise WriteFailed(f"{self._name}: the broker has not answered for {_LIMIT_S:g} s")

    def _tell(self) -> None:
        """Say once that the machine's clock is wrong, and once that it is right again."""
        trouble = self._clock.trouble()
        if (trouble is None) != (self._said is None):
            if trouble is None:
                _log.info("this machine's clock is right again", extra={"off_ms": self._clock.off_ms})
            else:
                _log.error("clock wrong", extra={"reason": trouble, "off_ms": self._clock.off_ms})
        self._said = trouble
