"""The line board: every contracted line, and what is not as it should be."""

import msgspec
import pytest

from ops.line_board import STAGES, WISHES, board, facts
from ops.times import clock
from schemas.installation import Line
from schemas.records import ITS_OWNERS_END, LineStage, LineState, LineWish, RouteHeld

NOW = 1_000_000


def line(name: str, mode: str = "dial") -> Line:
    return Line.model_validate(
        {
            "name": name, "partner": "cafis", "mode": mode, "host": "127.0.0.1", "port": 1, "station_id": "DNB00001",
            "company_code": "1", "routes": [1, 9],
        }
    )  # fmt: skip


def state(stage: LineStage = LineStage.OPEN, wish: LineWish | None = LineWish.OPEN, **more: object) -> LineState:
    told = LineState(
        line="a", partner="cafis", node="node0", stage=stage, reason=None, since_ms=NOW - 40_000, wish=wish,
        wished_by="calendar", wished_since_ms=NOW - 90_000, connected_ms=NOW - 60_000, asked_ms=None, answered_ms=None,
        in_flight=3, cancels_waiting=0, routes_held=1, told_ms=NOW - 2_000, spared=None,
    )  # fmt: skip
    return msgspec.structs.replace(told, **more)


@pytest.mark.parametrize(
    ("mode", "told", "trouble"),
    [
        ("dial", state(), None),
        ("listen", state(LineStage.CONNECTING), "should have been called 40 s ago"),
        ("listen", state(LineStage.FAILED), "should have been called 40 s ago"),
        ("dial", state(LineStage.FAILED), "should be open, is failed for 40 s"),
        ("dial", state(LineStage.SUSPENDED), "should be open, is suspended for 40 s"),
        ("dial", state(LineStage.DRAINING, LineWish.DRAINED), None),
        ("dial", state(LineStage.DRAINING, LineWish.CLOSED), "should be closed, is draining for 40 s"),
        ("dial", state(LineStage.CLOSED, LineWish.CLOSED), None),
        ("dial", state(LineStage.CLOSED, wished_since_ms=NOW - 7_000), "should be open, is closed for 7 s"),
        ("dial", state(told_ms=NOW - 15_001), "no word from its owner for 15 s"),
        ("dial", state(LineStage.CLOSED, LineWish.CLOSED, wished_by=ITS_OWNERS_END), "no word from its owner for 2 s"),
        ("dial", state(wish=None), None),
        ("dial", None, "nobody has owned it yet"),
    ],
)
def test_what_is_not_as_it_should_be_is_told(mode: str, told: LineState | None, trouble: str | None) -> None:
    (row,) = board([line("a", mode)], {} if told is None else {"a": told}, [], NOW)
    assert (None if row.trouble is None else row.trouble[1]) == trouble
    assert facts(row, NOW)["trouble"] == trouble


def test_where_no_service_runs_no_owner_is_believed_however_young_its_last_word_looks() -> None:
    (row, never) = board([line("a"), line("b")], {"a": state()}, [], None)
    last = clock(NOW - 2_000)
    assert row.trouble == (
        f"稼働中のサービスなし(最終報告 {last})",
        f"no service runs; its owner's last word was at {last}",
    )
    assert never.trouble == ("担当なし", "nobody has owned it yet")
    assert facts(row, None)["session_age_ms"] is None


def test_a_line_shows_whose_telegrams_it_carries() -> None:
    carries = [{"partner": "cardnet", "code": "JCN1", "company_code": "1"}]
    carrying = Line.model_validate(line("mc").model_dump() | {"carries": carries})
    told = [facts(row, NOW).get("carries") for row in board([line("a"), carrying], {}, [], NOW)]
    assert told == [None, ["cardnet"]]


def test_a_line_shows_its_held_routes_and_no_other_lines() -> None:
    holds = [
        RouteHeld(
            line=name, route_number=4, transaction_id="AP02:x", trace_number=7, business_date="20260901",
            reason="in_doubt", since_ms=NOW - 1_000, expires_ms=None,
        )
        for name in ("a", "b")
    ]  # fmt: skip
    (row,) = board([line("a")], {"a": state()}, holds, NOW)
    told = facts(row, NOW)
    assert told["held_routes"] == [{"route": 4, "transaction": "AP02:x", "reason": "in_doubt", "since_ms": NOW - 1_000}]
    assert told["session_age_ms"] == 60_000


def test_every_stage_and_wish_has_its_japanese_word() -> None:
    assert set(STAGES) == set(LineStage)
    assert set(WISHES) == set(LineWish)
