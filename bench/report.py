"""The measurements of relay and gateway as one table, side by side, beside the budgets; and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.table import Table

from bench.budgets import NONE, Budget, Report, Row, shortened, verdict, verdicts
from bench.gateway import GatewayFigures
from bench.quantities import Latency
from bench.relay import HOPS, RECORD_BYTES, RelayFigures
from ops.stage import SERVICES


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
    yield Row(f"not approved (of {gateway.approved + gateway.not_approved:,})", "", gateway.not_approved, None, (NONE,))
    yield Row("lost, doubled or untold", "", len(gateway.losses), None, (NONE,))


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
        shown.add_row(row.name, relayed, f"{row.value:,g}", row.unit, verdict(aim, row), verdict(final, row))
    return shown


def told(gateway: GatewayFigures) -> list[str]:
    """What went wrong with the money, in a few lines."""
    lines = [
        f"{step.rate or step.at_once}{'/s' if step.rate else ' at once'}: {count} × {what}"
        for step in (*gateway.at_rate.values(), *gateway.steps)
        for what, count in step.others.items()
    ]
    return lines + shortened(gateway.losses)


def report(seconds: float, relay: RelayFigures, gateway: GatewayFigures) -> Report:
    """All there is to say."""
    return Report(
        table=table(relay, gateway),
        offences=told(gateway),
        figures=as_json(seconds, relay, gateway),
        lost=bool(gateway.losses or gateway.not_approved),
    )


def as_json(seconds: float, relay: RelayFigures, gateway: GatewayFigures) -> dict[str, Any]:
    """Everything that was measured, and every verdict."""
    return {
        "seconds": seconds,
        "relay": asdict(relay),
        "gateway": asdict(gateway),
        "verdicts": verdicts(rows(relay, gateway)),
    }
