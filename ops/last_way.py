"""Whether an order about a line takes the last way to a partner away, and from whom. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from ops.line_board import Row
from schemas.installation import Installation, Line
from schemas.records import LineOrder, LineStage, LineWish


class Lost(NamedTuple):
    """A partner to whom no line takes requests any more, and the kinds of requests that go there, by customer."""

    partner: str
    kinds: dict[str, list[str]]


def lost_by_order(
    installation: Installation, rows: Sequence[Row], line: Line, order: LineOrder, at_ms: int
) -> list[Lost]:  # fmt: skip
    """Whom nothing leads to once this order is carried out. Nobody where it closes nothing."""
    closes = order in (LineOrder.CLOSE, LineOrder.DRAIN)
    if order is LineOrder.CALENDAR:
        closes = not line.calendar.due(at_ms).open
    state = next(row.state for row in rows if row.line.name == line.name)
    if not closes or (state is not None and state.wish not in (LineWish.OPEN, None)):  # it is not open as it is
        return []
    return _lost(installation, rows, line)


def lost_by_hold(installation: Installation, rows: Sequence[Row], line: Line, route: int) -> list[Lost]:
    """Whom nothing leads to once this route is kept from all use."""
    (held,) = [{each.route_number for each in row.holds} for row in rows if row.line.name == line.name]
    first, last = line.routes
    free = set(range(first, last + 1)) - held
    return _lost(installation, rows, line) if free == {route} else []


def _lost(installation: Installation, rows: Sequence[Row], line: Line) -> list[Lost]:
    left = {
        partner
        for row in rows
        if row.line.name != line.name
        and row.state is not None
        and row.state.stage is LineStage.OPEN
        and row.trouble is None
        for partner in row.line.partners
    }
    return [Lost(partner, _kinds(installation, partner)) for partner in line.partners if partner not in left]


def _kinds(installation: Installation, partner: str) -> dict[str, list[str]]:
    found = {
        each.id: [str(kind) for kind, name in each.partners.items() if name == partner]
        for each in installation.customer
    }
    return {customer: kinds for customer, kinds in found.items() if kinds}
