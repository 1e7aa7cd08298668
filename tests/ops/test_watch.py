"""What a drill knows of the lines while it runs, from the records of their owners."""

from collections.abc import Callable

import msgspec

from ops.watch import Watch
from pipeline.log import NewTopic, Outgoing
from pipeline.memory import MemoryLog
from schemas import wire
from schemas.installation import Line
from schemas.records import LineStage, LineState, LineWish, Record, RouteHeld
from schemas.topics import Topics

NOW = 1_000_000
STATE = LineState(
    line="a", partner="cafis", node="node0", stage=LineStage.OPEN, reason=None, since_ms=NOW, wish=LineWish.OPEN,
    wished_by="calendar", wished_since_ms=NOW, connected_ms=None, asked_ms=None, answered_ms=None, in_flight=0,
    cancels_waiting=0, routes_held=0, told_ms=NOW, spared=None,
)  # fmt: skip


def line(name: str, nodes: tuple[str, ...]) -> Line:
    return Line.model_validate({
        "name": name, "partner": "cafis", "mode": "dial", "host": "127.0.0.1", "port": 1, "station_id": "DNB00001",
        "company_code": "1", "routes": [1, 9], "nodes": nodes,
    })  # fmt: skip


def watching(*lines: Line) -> tuple[Watch, Callable[[str, str, Record | None], None]]:
    log = MemoryLog()
    log.create([NewTopic(name, 1, {}) for name in ("lines", "holds")])
    writer = log.writer("owner")

    def write(topic: str, key: str, record: Record | None) -> None:
        value, headers = (None, ()) if record is None else wire.encode(record)
        writer.write([Outgoing(topic, key.encode(), value, headers, 0)])

    return Watch(log, Topics(""), lines, lambda: NOW), write


def told(stage: LineStage, name: str = "a", node: str = "node0") -> LineState:
    return msgspec.structs.replace(STATE, line=name, stage=stage, node=node)


def test_it_knows_the_last_word_of_each_owner_once_it_looks() -> None:
    watch, write = watching(line("a", ("node0",)))
    assert (watch.stage("a"), watch.owner("a")) == (None, None)
    write("lines", "a", told(LineStage.OPENING))
    write("lines", "a", told(LineStage.CLOSING, node="node1"))
    assert watch.stage("a") is None
    watch.look()
    assert (watch.stage("a"), watch.owner("a")) == (LineStage.CLOSING, "node1")


def test_all_is_calm_when_every_line_is_open_where_it_belongs() -> None:
    watch, write = watching(line("a", ("node0", "node1")), line("b", ()))
    for state, calm in (
        (told(LineStage.OPEN), False),
        (told(LineStage.OPEN, "b", "node7"), True),
        (told(LineStage.SUSPENDED), False),
        (told(LineStage.OPEN, node="node1"), False),
        (told(LineStage.OPEN), True),
    ):
        write("lines", state.line, state)
        watch.look()
        assert watch.calm is calm, state


def test_a_route_that_was_not_let_go_at_once_is_held_until_it_is_or_has_been_for_long() -> None:
    watch, write = watching(line("a", ()))
    hold = RouteHeld(
        line="a", route_number=7, transaction_id="t", trace_number=1, business_date="", reason="in_doubt",
        since_ms=NOW - 400, expires_ms=None,
    )  # fmt: skip
    for record, held in (
        (hold, True),
        (None, False),
        (msgspec.structs.replace(hold, since_ms=NOW - 401), False),
        (msgspec.structs.replace(hold, since_ms=NOW - 100), True),
        (msgspec.structs.replace(hold, since_ms=NOW - 99), False),
        (hold, True),
    ):
        write("holds", "a/7", record)
        watch.look()
        assert watch.held("a") is held
    assert not watch.held("b")
