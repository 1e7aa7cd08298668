"""What one partner's flood costs the other's customers: the same load before it and while it lasts, side by side.

All lines of CARDNET bring telegrams that mean nothing, as fast as the gateway takes them; then they bring keep-alives,
and read no answer. The payments are CAFIS' alone, over the same processes. Every line goes through `ops.line_proxy`,
before the floods too.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.budgets import NONE, Budget, Report, Row, plain_table, shortened, verdicts
from bench.gateway import LINES, SESSIONS, WAITS, Say, losses, warm_up
from bench.load import AtOnce, AtRate, Customer, Load, Measured
from ops.line_faults import LineFault
from ops.stage import Stage, playing

PAYING, FLOODING = "cafis", "cardnet"
_AT_ONCE = 128
_COST = Budget("final", 10)


@dataclass(frozen=True, slots=True)
class Phase:
    """The load at a constant rate, and saturated."""

    name: str
    at_rate: Measured
    saturated: Measured

    @property
    def others(self) -> int:
        """How many payments were told anything but approved."""
        return sum(self.at_rate.others.values()) + sum(self.saturated.others.values())


@dataclass(frozen=True, slots=True)
class FloodFigures:
    """`phases`: the calm one first, then each flood. `pieces`: what of the floods met the gateway."""

    rate: int
    phases: list[Phase]
    pieces: dict[str, int]
    warm_others: int
    losses: list[str] = field(default_factory=list)


def measure(
    servers: str, prefix: str, folder: Path, *, rate: int, seconds: float, say: Say
) -> FloodFigures:  # fmt: skip
    """Measure on this broker. Raises what a stage raises, and `LoadError`."""
    with playing(
        folder, servers=servers, prefix=prefix, lines=LINES, waits=WAITS, story=False, detoured=True, say=say
    ) as stage:
        customer = stage.plan.customers[PAYING]
        customers = [Customer(customer, stage.plan.tokens[customer], stage.plan.doors)]
        with Load(customers, SESSIONS) as load:
            warm = warm_up(load, seconds, say)
            say(f"floods: {rate} payments a second, then {_AT_ONCE} at once, {seconds:g} s each, without a flood")
            phases = [_phase("calm", load, rate, seconds)]
            for fault in (LineFault.FLOOD, LineFault.DEAF):
                say(f"floods: the same, while the lines of {FLOODING} are {fault}")
                phases.append(_flooded(stage, fault, load, rate, seconds))
            say("floods: comparing the centres' books with what the callers were told")
            lost = losses(stage, load.approved())
        with stage.proxy() as proxy:
            pieces = {fault: proxy.count(fault) for fault in (LineFault.FLOOD, LineFault.DEAF)}
    return FloodFigures(rate, phases, dict(pieces), sum(warm.others.values()), lost)


def _flooded(stage: Stage, fault: LineFault, load: Load, rate: int, seconds: float) -> Phase:
    with stage.proxy() as proxy:
        for line in stage.installation.line:
            if line.partner == FLOODING:
                proxy.do(line.name, fault)
        try:
            return _phase(fault, load, rate, seconds)
        finally:
            proxy.heal()


def _phase(name: str, load: Load, rate: int, seconds: float) -> Phase:
    return Phase(name, load.run(AtRate(rate, seconds)), load.run(AtOnce(_AT_ONCE, seconds)))


def rows(figures: FloodFigures) -> Iterator[Row]:
    """Every figure, and by how much each flood has made it worse."""
    calm, *floods = figures.phases
    for phase in figures.phases:
        yield Row(f"{phase.name}: p50 at {figures.rate}/s", "ms", phase.at_rate.latency.p50)
        yield Row(f"{phase.name}: p99 at {figures.rate}/s", "ms", phase.at_rate.latency.p99)
        yield Row(f"{phase.name}: saturated", "/s", phase.saturated.a_second)
    for flood in floods:
        slower = 100 * (flood.at_rate.latency.p50 / calm.at_rate.latency.p50 - 1)
        fewer = 100 * (1 - flood.saturated.a_second / calm.saturated.a_second)
        yield Row(f"{flood.name}: p50 longer by", "%", round(slower, 1), None, (_COST,))
        yield Row(f"{flood.name}: fewer a second, saturated, by", "%", round(fewer, 1), None, (_COST,))
    for fault, pieces in figures.pieces.items():
        yield Row(f"pieces of {fault} that the gateway took", "", pieces)
    yield Row("not approved", "", _not_approved(figures), None, (NONE,))
    yield Row("lost, doubled or untold", "", len(figures.losses), None, (NONE,))


def _not_approved(figures: FloodFigures) -> int:
    return figures.warm_others + sum(phase.others for phase in figures.phases)


def report(figures: FloodFigures, seconds: float) -> Report:
    """The figures beside their budgets."""
    title = f"what floods of one partner cost the other's customers, {figures.rate} payments a second"
    return Report(
        table=plain_table(title, rows(figures)),
        offences=shortened(figures.losses),
        figures={"seconds": seconds, "floods": asdict(figures), "verdicts": verdicts(rows(figures))},
        lost=bool(figures.losses or _not_approved(figures)),
    )
