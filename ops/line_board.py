"""The line board 回線状態: each contracted line beside what it should be, from its owner's last word. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ops.times import age, clock
from schemas.installation import Line
from schemas.line_rules import SILENT_MS
from schemas.records import ITS_OWNERS_END, LineStage, LineState, LineWish, RouteHeld

STAGES: Mapping[LineStage, str] = {
    LineStage.CONNECTING: "接続中",
    LineStage.OPENING: "開局中",
    LineStage.OPEN: "開局",
    LineStage.SUSPENDED: "縮退",
    LineStage.DRAINING: "閉局準備",
    LineStage.CLOSING: "閉局中",
    LineStage.CLOSED: "閉局",
    LineStage.FAILED: "障害",
}
WISHES: Mapping[LineWish, str] = {LineWish.OPEN: "開局", LineWish.DRAINED: "取消のみ", LineWish.CLOSED: "閉局"}


class Row(NamedTuple):
    """One line. `trouble`: what is not as it should be, in Japanese and English; None when all is."""

    line: Line
    state: LineState | None
    holds: Sequence[RouteHeld]
    trouble: tuple[str, str] | None


def board(
    lines: Iterable[Line], states: Mapping[str, LineState], holds: Iterable[RouteHeld], now_ms: int | None
) -> list[Row]:
    """All contracted lines, in the order of the configuration. `now_ms`: by the broker's clock; None: nothing runs."""
    of_line: dict[str, list[RouteHeld]] = {}
    for each in holds:
        of_line.setdefault(each.line, []).append(each)
    return [
        Row(line, states.get(line.name), of_line.get(line.name, []), _trouble(line, states.get(line.name), now_ms))
        for line in lines
    ]


def _trouble(line: Line, state: LineState | None, now_ms: int | None) -> tuple[str, str] | None:
    if state is None:
        return "担当なし", "nobody has owned it yet"
    if now_ms is None:
        last = clock(state.told_ms or state.since_ms)
        return f"稼働中のサービスなし(最終報告 {last})", f"no service runs; its owner's last word was at {last}"
    if state.told_ms is None or now_ms - state.told_ms > SILENT_MS or state.wished_by == ITS_OWNERS_END:
        silent = age(now_ms - (state.told_ms or state.since_ms))
        return f"{silent} 報告なし", f"no word from its owner for {silent}"
    if state.wish is None or state.stage is state.wish.stage:
        return (
            None
            if state.spared is None
            else (f"縮退中 {state.spared}", f"{state.spared} does not answer, and is spared")
        )
    since = age(now_ms - max(state.since_ms, state.wished_since_ms or 0))
    if state.wish is LineWish.CLOSED:
        return f"{since} 前から閉局待ち", f"should be closed, is {state.stage} for {since}"
    if line.mode == "listen" and state.stage in (LineStage.CONNECTING, LineStage.FAILED):
        return f"{since} 前に着信予定", f"should have been called {since} ago"
    return f"{since} 前に開局予定", f"should be {state.wish}, is {state.stage} for {since}"


def facts(row: Row, now_ms: int | None) -> dict[str, object]:
    """A row for machines. `now_ms` as `board` has it."""
    state = row.state
    told: dict[str, object] = {"line": row.line.name, "partner": row.line.partner, "mode": row.line.mode}
    if row.line.carries:
        told["carries"] = [each.partner for each in row.line.carries]
    if state is not None:
        told |= {
            "node": state.node, "stage": state.stage, "reason": state.reason, "since_ms": state.since_ms,
            "wish": state.wish, "wished_by": state.wished_by, "wished_since_ms": state.wished_since_ms,
            "session_age_ms": None if state.connected_ms is None or now_ms is None else now_ms - state.connected_ms,
            "asked_ms": state.asked_ms, "answered_ms": state.answered_ms, "in_flight": state.in_flight,
            "cancels_waiting": state.cancels_waiting, "spared": state.spared, "told_ms": state.told_ms,
        }  # fmt: skip
    names = ("route", "transaction", "reason", "since_ms")
    held = [(each.route_number, each.transaction_id, each.reason, each.since_ms) for each in row.holds]
    routes = [dict(zip(names, each, strict=True)) for each in held]
    return told | {"held_routes": routes, "trouble": None if row.trouble is None else row.trouble[1]}
