"""Figures beside their budgets, as rows of a table and as JSON."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from bench.load import Measured

_SHOWN = 5


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


NONE = Budget("always", 0)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the gateway, the relay's beside it where it has one."""

    name: str
    unit: str
    value: float
    relay: float | None = None
    budgets: Sequence[Budget] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a measurement has to say. `lost`: a payment was, or money is wrong; `offences` tell what."""

    table: Table
    offences: Sequence[str]
    figures: dict[str, Any]
    lost: bool


def verdict(budget: Budget | None, row: Row) -> str:
    """What the budget is, and whether it was met."""
    if budget is None:
        return ""
    return f"{budget.shown()} " + ("[green]met[/green]" if budget.met(row.value) else "[red]not met[/red]")


def verdicts(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Every figure that has a budget, and whether it was met."""
    return [
        {
            "figure": row.name,
            "unit": row.unit,
            "value": row.value,
            "budget": budget.name,
            "limit": budget.limit,
            "met": budget.met(row.value),
        }
        for row in rows
        for budget in row.budgets
    ]


def plain_table(title: str, rows: Iterable[Row]) -> Table:
    """Figures without a relay's beside them."""
    shown = Table(title=title, min_width=len(title))
    shown.add_column("")
    for heading in ("", "", "budget"):
        shown.add_column(heading, justify="right")
    for row in rows:
        shown.add_row(
            row.name, f"{row.value:,g}", row.unit, "  ".join(verdict(budget, row) for budget in row.budgets)
        )  # fmt: skip
    return shown


def load_rows(load: Measured, what: str) -> list[Row]:
    """The figures of the load itself."""
    latency = load.latency
    return [
        Row(f"{what}: payments a second", "/s", load.a_second),
        Row(f"{what}: p50", "ms", latency.p50),
        Row(f"{what}: p99", "ms", latency.p99),
        Row(f"{what}: max", "ms", latency.max),
    ]


def shortened(offences: Sequence[str]) -> list[str]:
    """The first of them, and how many more there are."""
    more = len(offences) - _SHOWN
    return [*offences[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def spread(what: str, seconds: Sequence[float], budget: Budget | None) -> Iterator[Row]:
    """The middle of these, which has the budget, and the worst."""
    yield Row(f"{what}, median of {len(seconds)}", "s", round(statistics.median(seconds), 3), None, only(budget))
    yield Row(f"{what}, worst", "s", max(seconds))


def only(budget: Budget | None) -> Sequence[Budget]:
    """The budgets of a row that has one, or none."""
    return () if budget is None else (budget,)
