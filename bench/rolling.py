"""A rolling restart ローリング再起動 of two nodes under load, again and again: what customers notice of it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.budgets import NONE, Budget, Report, Row, load_rows, plain_table, shortened, spread, verdicts
from bench.gateway import Say, loading
from bench.load import SLOW_MS, Measured, Steadily
from bench.nodes import NODES, money, settle
from ops.rolling import Roll
from ops.stage import playing

_NONE_FAILS = Budget("final", 0)


@dataclass(frozen=True, slots=True)
class RollFigures:
    """How long each roll took, in seconds, and the load meanwhile. `offences` must be empty."""

    took_s: list[float]
    load: Measured
    invariants: dict[str, str]
    offences: list[str] = field(default_factory=list)


def measure(servers: str, prefix: str, folder: Path, *, times: int, rate: int, say: Say) -> RollFigures:
    """Measure on this broker. Raises what a stage raises, `RollError`, `ControlError`, `LoadError`, `RecordError`."""
    with playing(folder, servers=servers, prefix=prefix, nodes=NODES, story=False, say=say) as stage:
        with loading(stage) as load:
            roll = Roll(stage, lambda _: None)
            say(f"roll: every service of {NODES} nodes, {times} times, {rate} payments a second")
            load.begin(Steadily(rate))
            took_s = []
            for _ in range(times):
                settle(stage)
                began = time.monotonic()
                roll.forward()
                took_s.append(round(time.monotonic() - began, 1))
                say(f"rolled in {took_s[-1]} s")
            measured = load.end()
            say("roll: judging the money")
            invariants, offences = money(stage, load)
        return RollFigures(took_s, measured, invariants, offences)


def rows(figures: RollFigures) -> Iterator[Row]:
    """Every figure, in the order of the table."""
    load = figures.load
    yield from spread("a roll of all services", figures.took_s, None)
    yield from load_rows(load, "load")
    failed, slow = sum(load.others.values()), f"payments slower than {SLOW_MS / 1_000:g} s"
    yield Row(f"payments not approved (of {load.latency.count:,})", "", failed, None, (_NONE_FAILS,))
    yield Row(slow, "", load.slow, None, (_NONE_FAILS,))
    yield Row("money wrong, or without an end", "", len(figures.offences), None, (NONE,))


def report(figures: RollFigures) -> Report:
    """The figures beside their budgets."""
    others: Sequence[str] = [f"{count} × {told}" for told, count in figures.load.others.items()]
    return Report(
        table=plain_table(f"roll: every service of {NODES} nodes replaced, one after the other", rows(figures)),
        offences=[*others, *shortened(figures.offences)],
        figures={"roll": asdict(figures), "verdicts": verdicts(rows(figures))},
        lost=bool(figures.offences),
    )
