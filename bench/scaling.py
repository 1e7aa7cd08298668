"""The same load and the same lines with one, two and three processes of each service, one after the other.

On one machine more processes bring no more throughput once its cores are busy. What is to be seen is that they share
the work: each takes less of a core, and the whole does not become slower.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from bench.budgets import NONE, Budget, Report, Row, shortened, verdict, verdicts
from bench.gateway import WAITS, Say, loading, losses, warm_up
from bench.load import AtOnce, AtRate, Load, Measured
from bench.nodes import settle
from bench.quantities import Meter
from ops.installations import LinePlan
from ops.stage import SERVICES, Stage, playing

AT_ONCE = (512, 2_048)  # payments under way; the better one is told
_PARTNERS = ("cafis", "cardnet")
_ROUTES = (1, 999)
_FALLS = 0.9  # less than this share of one node's throughput is a fall


@dataclass(frozen=True, slots=True)
class Shares:
    """One measurement. `cpu_us`: processor time a payment, by service; `percents`: of one core, by process."""

    at_once: int | None
    measured: Measured
    cpu_us: dict[str, float]
    percents: dict[str, float]
    elsewhere: float

    def busiest(self, service: str) -> float:
        """The share of a core that the busiest process of the service takes."""
        return max(share for name, share in self.percents.items() if name.startswith(f"{service}-"))


@dataclass(frozen=True, slots=True)
class Scaled:
    """What that many processes of each service did."""

    nodes: int
    at_rate: Shares
    saturated: Shares
    not_approved: int
    losses: list[str]


def lines(nodes: Sequence[int]) -> list[LinePlan]:
    """As many lines to each partner as can be shared evenly by each of these numbers of nodes."""
    return [
        LinePlan(f"{partner}-{number + 1}", partner, ("dial", "listen")[number % 2], _ROUTES)
        for partner in _PARTNERS
        for number in range(math.lcm(*nodes))
    ]


def measure(
    servers: str, prefix: str, folder: Path, *, nodes: Sequence[int], rate: int, seconds: float, broker: int | None,
    say: Say,
) -> list[Scaled]:  # fmt: skip
    """Measure on this broker (`broker`: its process). Raises what a stage raises, and `LoadError`."""
    found = []
    plans = lines(nodes)
    for count in nodes:
        say(f"scaling: {count} of each service, {len(plans)} lines")
        with playing(
            folder / f"nodes-{count}", servers=servers, prefix=f"{prefix}{count}-", nodes=count, lines=plans,
            waits=WAITS, story=False, say=say,
        ) as stage, loading(stage) as load:  # fmt: skip
            settle(stage)
            found.append(_Measurement(stage, load, broker, say).run(count, rate, seconds))
    return found


class _Measurement:
    def __init__(self, stage: Stage, load: Load, broker: int | None, say: Say) -> None:
        self._stage = stage
        self._load = load
        self._say = say
        pids = {name: [process.pid] for name, process in stage.services.items()}
        pids |= {"centres": [each.pid for each in stage.centres.values()], "load generator": [load.pid]}
        if broker is not None:
            pids["broker"] = [broker]
        self._meter = Meter(pids)

    def run(self, nodes: int, rate: int, seconds: float) -> Scaled:
        warm = warm_up(self._load, seconds, self._say)
        self._say(f"scaling: {rate} payments a second for {seconds:g} s")
        at_rate = self._shares(AtRate(rate, seconds))
        steps = []
        for at_once in AT_ONCE:
            self._say(f"scaling: {at_once} payments at once for {seconds:g} s")
            steps.append(self._shares(AtOnce(at_once, seconds)))
        self._say("scaling: comparing the centres' books with what the callers were told")
        others = [each.others for each in (warm, at_rate.measured, *(step.measured for step in steps))]
        return Scaled(
            nodes=nodes,
            at_rate=at_rate,
            saturated=max(steps, key=lambda step: step.measured.a_second),
            not_approved=sum(sum(each.values()) for each in others),
            losses=losses(self._stage, self._load.approved()),
        )

    def _shares(self, order: AtRate | AtOnce) -> Shares:
        self._meter.restart()
        measured = self._load.run(order)
        each_us = self._meter.us_each(measured.latency.count)
        by_service = {
            service: round(sum(us for name, us in each_us.items() if name.rpartition("-")[0] == service), 1)
            for service in SERVICES
        }
        rest = {name: us for name, us in each_us.items() if name not in self._stage.services}
        at_once = order.at_once if isinstance(order, AtOnce) else None
        return Shares(at_once, measured, by_service | rest, self._meter.percents(), self._meter.elsewhere())


# --- the report -----------------------------------------------------------------------------------------------------


def rows(scaled: Scaled, first: Scaled, rate: int) -> Iterator[Row]:
    """Every figure of one number of nodes, in the order of the table; `first` is what it is compared with."""
    at_rate, best, more = scaled.at_rate, scaled.saturated, scaled is not first
    falls = Budget("final", round(_FALLS * first.saturated.measured.a_second, 1), at_least=True)
    yield Row("saturated", "/s", best.measured.a_second, None, (falls,) if more else ())
    yield Row("at once, saturated", "", best.at_once or 0)
    yield Row("p50, saturated", "ms", best.measured.latency.p50)
    yield Row(f"p50 at {rate}/s", "ms", at_rate.measured.latency.p50)
    yield Row(f"p99 at {rate}/s", "ms", at_rate.measured.latency.p99)
    for service in SERVICES:
        less = Budget("final", first.at_rate.busiest(service))
        budgets = (less,) if more and service in ("router", "egress") else ()
        yield Row(f"busiest {service}, at {rate}/s", "% of a core", at_rate.busiest(service), None, budgets)
    for service in SERVICES:
        yield Row(f"busiest {service}, saturated", "% of a core", best.busiest(service))
    for name, shares in ((f"at {rate}/s", at_rate), ("saturated", best)):
        for who, us in shares.cpu_us.items():
            yield Row(f"CPU, {who}, {name}", "µs a payment", us)
        yield Row(f"taken by other programs, {name}", "%", shares.elsewhere)
    yield Row("not approved", "", scaled.not_approved, None, (NONE,))
    yield Row("lost, doubled or untold", "", len(scaled.losses), None, (NONE,))


def report(found: Sequence[Scaled], rate: int, seconds: float) -> Report:
    """The numbers of nodes side by side; less of a core each, and no less throughput, are the budgets."""
    table = Table(title=f"{len(lines([each.nodes for each in found]))} lines, constant load: {rate} payments a second")
    table.add_column("")
    table.add_column("")
    columns = [list(rows(each, found[0], rate)) for each in found]
    for each in found:
        table.add_column(f"{each.nodes} of each", justify="right")
    for beside in zip(*columns, strict=True):
        cells = [" ".join([f"{row.value:,g}", *(verdict(each, row) for each in row.budgets)]) for row in beside]
        table.add_row(beside[0].name, beside[0].unit, *cells)
    told = [
        f"{each.nodes} of each: {count} × {what}"
        for each in found
        for shares in (each.at_rate, each.saturated)
        for what, count in shares.measured.others.items()
    ]
    lost = [f"{each.nodes} of each: {loss}" for each in found for loss in each.losses]
    return Report(
        table=table,
        offences=[*told, *shortened(lost)],
        figures={
            "seconds": seconds,
            "rate": rate,
            "scaling": [asdict(each) for each in found],
            "verdicts": [
                {"nodes": each.nodes, **judged}
                for each, column in zip(found, columns, strict=True)
                for judged in verdicts(column)
            ],
        },
        lost=bool(lost or any(each.not_approved for each in found)),
    )
