"""Which orders take the last way to a partner away, and from whom: a table of lines as they stand."""

import tomllib
from typing import Any

import msgspec
import pytest

from ops.installations import DEVELOPMENT
from ops.last_way import Lost, lost_by_hold, lost_by_order
from ops.line_board import Row, board
from schemas.installation import Installation
from schemas.records import LineOrder, LineStage, LineState, LineWish, RouteHeld

NOW = 1_000_000
OPEN = LineState(
    line="", partner="cafis", node="node0", stage=LineStage.OPEN, reason=None, since_ms=NOW - 40_000,
    wish=LineWish.OPEN, wished_by="calendar", wished_since_ms=NOW - 90_000, connected_ms=NOW - 60_000, asked_ms=None,
    answered_ms=None, in_flight=0, cancels_waiting=0, routes_held=0, told_ms=NOW - 2_000, spared=None,
)  # fmt: skip
STATES: dict[str, LineState | None] = {
    "open": OPEN,
    "connecting": msgspec.structs.replace(OPEN, stage=LineStage.CONNECTING),
    "closed": msgspec.structs.replace(OPEN, stage=LineStage.CLOSED, wish=LineWish.CLOSED),
    "closing": msgspec.structs.replace(OPEN, wish=LineWish.CLOSED),
    "drained": msgspec.structs.replace(OPEN, stage=LineStage.DRAINING, wish=LineWish.DRAINED),
    "spared": msgspec.structs.replace(OPEN, spared="cafis"),
    "silent": msgspec.structs.replace(OPEN, told_ms=NOW - 60_000),
    "unowned": None,
}
KINDS = ["authorisation", "sale", "cancel", "refund"]
CLOSED = ("1970-01-01T00:00/2100-01-01T00:00",)


def installation(**more: Any) -> Installation:
    """Two lines of cafis, of three routes each, and one of cardnet."""
    raw = tomllib.loads(DEVELOPMENT.read_text("utf-8"))
    cafis, cardnet = raw["line"]
    second = {**cafis, "name": "cafis-2", "port": 7211, "station_id": "DNB00009"}
    raw["line"] = [{**cafis, "routes": [1, 3], **more}, {**second, "routes": [1, 3]}, cardnet]
    return Installation.model_validate(raw)


def rows(made: Installation, first: str, second: str, held: tuple[int, ...] = ()) -> list[Row]:
    names = {"cafis-1": STATES[first], "cafis-2": STATES[second], "cardnet-1": OPEN}
    states = {name: msgspec.structs.replace(state, line=name) for name, state in names.items() if state is not None}
    holds = [
        RouteHeld(line="cafis-1", route_number=each, transaction_id="AP02:x", trace_number=1, business_date="20260401",
                  reason="cancel", since_ms=NOW, expires_ms=None)
        for each in held
    ]  # fmt: skip
    return board(made.line, states, holds, NOW)


@pytest.mark.parametrize("order", [LineOrder.CLOSE, LineOrder.DRAIN])
@pytest.mark.parametrize(
    ("first", "second", "last"),
    [
        ("open", "open", False),
        ("open", "connecting", True),
        ("open", "closed", True),
        ("open", "closing", True),
        ("open", "drained", True),
        ("open", "spared", True),
        ("open", "silent", True),
        ("open", "unowned", True),
        ("connecting", "closed", True),
        ("connecting", "open", False),
        ("unowned", "unowned", True),
        ("closed", "closed", False),
        ("drained", "closed", False),
        ("closing", "closed", False),
    ],
)
def test_the_last_line_that_takes_requests_is_the_last_way(
    order: LineOrder, first: str, second: str, last: bool
) -> None:
    made = installation()
    lost = lost_by_order(made, rows(made, first, second), made.line_named("cafis-1"), order, NOW)
    assert lost == ([Lost("cafis", {"AP02": KINDS})] if last else [])


def test_to_let_its_hours_speak_takes_the_way_away_only_where_they_close_it() -> None:
    for maintenance, last in ((CLOSED, True), ((), False)):
        made = installation(maintenance=maintenance)
        lost = lost_by_order(made, rows(made, "open", "closed"), made.line_named("cafis-1"), LineOrder.CALENDAR, NOW)
        assert bool(lost) is last


def test_to_open_a_line_takes_nothing_away() -> None:
    made = installation()
    assert lost_by_order(made, rows(made, "open", "closed"), made.line_named("cafis-1"), LineOrder.OPEN, NOW) == []


def test_a_partner_that_is_carried_is_lost_with_the_line_that_carries_it() -> None:
    carries = [{"partner": "cardnet", "code": "CAR1", "company_code": "300001"}]
    made = installation(carries=carries)
    standing = [row for row in rows(made, "open", "open") if row.line.name != "cardnet-1"]
    lost = lost_by_order(made, standing, made.line_named("cafis-1"), LineOrder.CLOSE, NOW)
    assert [each.partner for each in lost] == ["cardnet"]
    assert "AP22" in lost[0].kinds


@pytest.mark.parametrize(
    ("held", "second", "last"),
    [
        ((), "closed", False),
        ((1,), "closed", False),
        ((1, 2), "closed", True),
        ((1, 2), "open", False),
        ((1, 2, 3), "closed", False),
    ],
)
def test_the_last_free_route_of_the_last_line_is_the_last_way(held: tuple[int, ...], second: str, last: bool) -> None:
    made = installation()
    lost = lost_by_hold(made, rows(made, "open", second, held), made.line_named("cafis-1"), 3)
    assert bool(lost) is last
