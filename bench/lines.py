"""How soon keep-alives of the partners are answered while payments go on.

The simulated centres send them, as many a second on every line as is asked for, whether or not the last one was
answered, and take the time until the answer was read. That contains the centre's own delay: it reads the reports' share
of the load in the same thread.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.budgets import NONE, Budget, Report, Row, load_rows, plain_table, shortened, verdicts
from bench.gateway import LINES, WAITS, Say, loading, losses, warm_up
from bench.load import AtRate, Load, Measured
from bench.quantities import Latency, Meter
from ops.stage import Stage, playing
from simulator.control import Control

_ANSWERED_S = 10.0
_BUDGET = Budget("final", 100)


@dataclass(frozen=True, slots=True)
class LineFigures:
    """Keep-alives and the load beside them. `sent` and `answers` are of all lines, `by_line` is the answers' again."""

    a_second: int  # keep-alives, on each line
    rate: int
    sent: int
    answers: Latency
    by_line: dict[str, Latency]
    load: Measured
    percents: dict[str, float]  # processor time of each process, of one core
    elsewhere: float  # the share of the machine, in percent, that other programs took
    not_approved: int
    losses: list[str]


class _Asking(threading.Thread):
    """Has the centres send keep-alives at a constant rate until it is told to stop."""

    def __init__(self, controls: list[Control], a_second: int) -> None:
        super().__init__(name="keep-alives", daemon=True)
        self._controls = controls
        self._pause_s = 1 / a_second
        self._enough = threading.Event()
        self.sent = 0
        self.error: Exception | None = None

    def run(self) -> None:
        due = time.monotonic()
        try:
            while not self._enough.wait(max(0.0, due - time.monotonic())):
                self.sent += sum(control.keepalive() for control in self._controls)
                due += self._pause_s
        except Exception as error:  # noqa: BLE001  told by `end`
            self.error = error

    def end(self) -> int:
        """Stop; gives how many were sent. Raises `ControlError`."""
        self._enough.set()
        self.join()
        if self.error is not None:
            raise self.error
        return self.sent


def measure(
    servers: str, prefix: str, folder: Path, *, rate: int, a_second: int, seconds: float, broker: int | None,
    say: Say,
) -> LineFigures:  # fmt: skip
    """Measure on this broker. Raises what a stage raises, `ControlError` and `LoadError`."""
    with playing(folder, servers=servers, prefix=prefix, lines=LINES, waits=WAITS, story=False, say=say) as stage:
        with loading(stage) as load, ExitStack() as stack:
            warm = warm_up(load, seconds, say)
            say(f"lines: {a_second} keep-alives a second on each, {rate} payments a second, for {seconds:g} s")
            controls = [stack.enter_context(stage.control(partner)) for partner in stage.centres]
            asking = _Asking(controls, a_second)
            meter = Meter(
                {name: [process.pid] for name, process in stage.services.items()} | _beside(stage, load, broker)
            )
            asking.start()
            try:
                loaded = load.run(AtRate(rate, seconds))
            finally:
                sent = asking.end()
            percents, elsewhere = meter.percents(), meter.elsewhere()
            times = _times(controls, sent)
            say("lines: comparing the centres' books with what the callers were told")
            lost = losses(stage, load.approved())
        names = {line.station_id: line.name for line in stage.installation.line}
    return LineFigures(
        a_second=a_second,
        rate=rate,
        sent=sent,
        answers=Latency.of(ms for _, ms in times),
        by_line={
            name: Latency.of(ms for each, ms in times if each == station) for station, name in sorted(names.items())
        },
        load=loaded,
        percents=percents,
        elsewhere=elsewhere,
        not_approved=sum(warm.others.values()) + sum(loaded.others.values()),
        losses=lost,
    )


def _beside(stage: Stage, load: Load, broker: int | None) -> dict[str, list[int]]:
    """The processes beside the services."""
    return {
        "centres": [each.pid for each in stage.centres.values()],
        "load generator": [load.pid],
        **({} if broker is None else {"broker": [broker]}),
    }


def _times(controls: list[Control], sent: int) -> list[tuple[str, float]]:
    """Station and milliseconds of every answer; waited for until all are there, or no more can come."""
    until = time.monotonic() + _ANSWERED_S
    while True:
        found = [(row["station"], row["ms"]) for control in controls for row in control.keepalive_times()]
        if len(found) >= sent or time.monotonic() > until:
            return found
        time.sleep(0.1)


def rows(figures: LineFigures) -> Iterator[Row]:
    """Every figure, in the order of the table."""
    answers = figures.answers
    yield Row("keep-alives answered", "", answers.count)
    yield Row("keep-alives not answered", "", figures.sent - answers.count, None, (NONE,))
    yield Row("answer, p50", "ms", answers.p50, None, (_BUDGET,))
    yield Row("answer, p99", "ms", answers.p99, None, (_BUDGET,))
    yield Row("answer, worst", "ms", answers.max, None, (_BUDGET,))
    for line, latency in figures.by_line.items():
        yield Row(f"answer on {line}, p99", "ms", latency.p99)
        yield Row(f"answer on {line}, worst", "ms", latency.max)
    yield from load_rows(figures.load, "load")
    for process, share in figures.percents.items():
        yield Row(f"CPU, {process}", "% of a core", share)
    yield Row("taken by other programs", "%", figures.elsewhere)
    yield Row("not approved", "", figures.not_approved, None, (NONE,))
    yield Row("lost, doubled or untold", "", len(figures.losses), None, (NONE,))


def report(figures: LineFigures, seconds: float) -> Report:
    """The figures beside their budgets."""
    title = f"{figures.a_second} keep-alives a second on each line, {figures.rate} payments a second"
    told = [f"{count} × {what}" for what, count in figures.load.others.items()]
    return Report(
        table=plain_table(title, rows(figures)),
        offences=[*told, *shortened(figures.losses)],
        figures={"seconds": seconds, "lines": asdict(figures), "verdicts": verdicts(rows(figures))},
        lost=bool(figures.losses or figures.not_approved),
    )
