"""The measurements as one table, relay and gateway side by side, beside the budgets; and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from bench.gateway import GatewayFigures
from bench.quantities import Latency
from bench.relay import HOPS, RECORD_BYTES, RelayFigures
from ops.stage import SERVICES

_LOSSES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Budget:
    """What a figure should be: at least, or at most, `limit`."""

    name: str
    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether the figure is within it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def shown(self) -> str:
        """The budget in a few signs."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:,g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the gateway, the relay's beside it where it has one."""

    name: str
    unit: str
    gateway: float
    relay: float | None = None
    budgets: Sequence[Budget] = ()


def rows(relay: RelayFigures, gateway: GatewayFigures) -> Iterator[Row]:
    """Every figure, in the order of the table."""
    best = gateway.saturated
    throughput = (Budget("first aim", 3_000, at_least=True), Budget("final", 4_000, at_least=True))
    name = f"saturated ({best.at_once} at once)"
    yield Row(name, "/s", best.a_second, relay.saturated, throughput)
    for rate, step in gateway.at_rate.items():
        yield from _latencies(rate, step.latency, relay.at_rate[rate])
    cpu = Budget("final", 300)
    yield Row("CPU, services, saturated", "µs", best.services_us, round(sum(relay.hop_us.values()), 1), (cpu,))
    for process, us in best.cpu_us.items():
        yield Row(f"CPU, {process}, saturated", "µs", us)
    yield Row("taken by other programs, saturated", "%", best.elsewhere)
    for rate, step in gateway.at_rate.items():
        yield Row(f"CPU, services, at {rate}/s", "µs", step.services_us)
        yield Row(f"taken by other programs, at {rate}/s", "%", step.elsewhere)
    for process, megabytes in gateway.memory_mb.items():
        yield Row(f"memory, {process}", "MB", megabytes, None, (Budget("final", 150),) if process in SERVICES else ())
    yield Row(
        f"not approved (of {gateway.approved + gateway.not_approved:,})", "", gateway.not_approved, None, (_NONE,)
    )
    yield Row("lost, doubled or untold", "", len(gateway.losses), None, (_NONE,))


_NONE = Budget("always", 0)


def _latencies(rate: int, gateway: Latency, relay: Latency) -> Iterator[Row]:
    p99 = {200: (Budget("first aim", 50),), 500: (Budget("final", 40),)}
    p50 = {500: (Budget("final", 8),)}
    yield Row(f"p50 at {rate}/s", "ms", gateway.p50, relay.p50, p50.get(rate, ()))
    yield Row(f"p99 at {rate}/s", "ms", gateway.p99, relay.p99, p99.get(rate, ()))
    yield Row(f"p99.9 at {rate}/s", "ms", gateway.p999, relay.p999)
    yield Row(f"max at {rate}/s", "ms", gateway.max, relay.max)


def table(relay: RelayFigures, gateway: GatewayFigures) -> Table:
    """Side by side."""
    title = f"bare relay: {len(HOPS)} hops, {len(HOPS) + 1} records of {RECORD_BYTES} bytes · gateway: everything on"
    shown = Table(title=title)
    shown.add_column("")
    for heading in ("bare relay", "gateway", "", "first aim", "final"):
        shown.add_column(heading, justify="right")
    for row in rows(relay, gateway):
        budgets = {budget.name: budget for budget in row.budgets}
        aim, final = budgets.get("first aim"), budgets.get("final") or budgets.get("always")
        relayed = "" if row.relay is None else f"{row.relay:,g}"
        shown.add_row(row.name, relayed, f"{row.gateway:,g}", row.unit, _verdict(aim, row), _verdict(final, row))
    return shown


def _verdict(budget: Budget | None, row: Row) -> str:
    if budget is None:
        return ""
    return f"{budget.shown()} " + ("[green]met[/green]" if budget.met(row.gateway) else "[red]not met[/red]")


def told(gateway: GatewayFigures) -> list[str]:
    """What went wrong with the money, in a few lines."""
    lines = [
        f"{step.rate or step.at_once}{'/s' if step.rate else ' at once'}: {count} × {what}"
        for step in (*gateway.at_rate.values(), *gateway.steps)
        for what, count in step.others.items()
    ]
    lines += gateway.losses[:_LOSSES_SHOWN]
    if (more := len(gateway.losses) - _LOSSES_SHOWN) > 0:
        lines.append(f"and {more} more")
    return lines


def as_json(machine: dict[str, Any], seconds: float, relay: RelayFigures, gateway: GatewayFigures) -> dict[str, Any]:
    """Everything that was measured, and every verdict."""
    return {
        "machine": machine,
        "seconds": seconds,
        "relay": asdict(relay),
        "gateway": asdict(gateway),
        "verdicts": [
            {
                "figure": row.name,
                "unit": row.unit,
                "value": row.gateway,
                "budget": budget.name,
                "limit": budget.limit,
                "met": budget.met(row.gateway),
            }
            for row in rows(relay, gateway)
            for budget in row.budgets
        ],
    }
