"""``denbun lines`` on a real stack: an operator looks, closes and opens lines, and holds and releases routes."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import ops.times
from ops import clocks
from ops.__main__ import app
from ops.commands import desk
from ops.installations import LINES, QUICK, write
from ops.player import CARD
from ops.ports import HOST, free_port
from ops.reading import read_topics
from ops.stage import Stage, playing
from pipeline.config import load
from schemas import wire
from schemas.installation import Installation
from schemas.records import Kind, LineOrderAnswered, RouteOrderAnswered
from wiring import create_topics, kafka_log

pytestmark = pytest.mark.stack
numbers = itertools.count(1)
WHY = ("--reason", "maintenance", "--by", "Sato")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, kafka_servers: str) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("lines")
    prefix = f"lines-{folder.name}-"
    with playing(folder, servers=kafka_servers, prefix=prefix, lines=LINES[:3], waits=QUICK) as stage:
        yield stage


def run(config: Path, *arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["lines", *arguments, "--config", str(config)], input=answer)


def told(result: Result) -> str:
    return " ".join(result.output.split())


def rows(stage: Stage) -> dict[str, dict[str, Any]]:
    """The board, by line."""
    result = run(stage.plan.file, "list", "--json")
    assert result.exit_code == 0, result.output
    return {row["line"]: row for row in json.loads(result.output)}


def comes_to(seen: Callable[[], bool], stage: Stage) -> None:
    for _ in range(60):
        if seen():
            return
        threading.Event().wait(0.1)
    raise AssertionError(run(stage.plan.file, "list").output)


def pay(stage: Stage) -> str:
    """What becomes of a payment."""
    with stage.client("cafis") as client:
        result = client.pay(
            kind=Kind.SALE, reference=f"p{next(numbers)}", amount=1_000, card=CARD, terminal_id="4980000000001",
            wait_ms=3_000,
        )  # fmt: skip
    return result.status if result.refusal is None else result.refusal.code


def answers(stage: Stage) -> list[LineOrderAnswered | RouteOrderAnswered]:
    topic = stage.topics("line-answers")
    return [wire.decode(each) for each in read_topics(stage.installation.kafka, [topic])[topic]]  # type: ignore[misc]


def test_the_board_shows_every_contracted_line(stage: Stage) -> None:
    found = rows(stage)
    assert sorted(found) == ["cafis-1", "cafis-2", "cardnet-1"]
    assert {(row["stage"], row["wish"], row["trouble"]) for row in found.values()} == {("open", "open", None)}
    assert all(row["node"] == "node0" and row["session_age_ms"] > 0 for row in found.values())
    said = told(run(stage.plan.file, "list"))
    assert "回線状態 line board: 3 要確認 to look at: 0" in said
    assert "開局 open" in said


@pytest.mark.parametrize("off_ms", [3_600_000, -3_600_000])
def test_a_machine_with_the_wrong_time_shows_the_same_board_and_hears_the_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, off_ms: int
) -> None:
    monkeypatch.setattr(ops.times, "time", SimpleNamespace(time_ns=lambda: time.time_ns() + off_ms * 1_000_000))
    found = rows(stage).values()
    assert [(row["stage"], row["trouble"]) for row in found] == [("open", None)] * 3
    assert all(0 < row["session_age_ms"] < 3_000_000 for row in found)
    result = run(stage.plan.file, "calendar", "cardnet-1", *WHY)
    assert (result.exit_code, "受付 accepted by node0" in told(result)) == (0, True), result.output
    held = run(stage.plan.file, "hold", "cardnet-1", "9", *WHY)
    assert (held.exit_code, "保留しました held" in told(held)) == (0, True), held.output
    assert run(stage.plan.file, "release", "cardnet-1", "9", "--yes", *WHY).exit_code == 0


def test_a_partner_whose_lines_are_closed_is_refused_at_once_until_they_are_open_again(stage: Stage) -> None:
    file, before = stage.plan.file, len(answers(stage))
    for line, answer in (("cafis-1", ""), ("cafis-2", "y\n")):
        result = run(file, "close", line, *WHY, answer=answer)
        assert result.exit_code == 0, result.output
        assert "受付 accepted by node0" in told(result)
        comes_to(lambda name=line: rows(stage)[name]["stage"] == "closed", stage)  # type: ignore[misc]
    comes_to(lambda: [rows(stage)[name]["stage"] for name in ("cafis-1", "cafis-2")] == ["closed"] * 2, stage)
    row = rows(stage)["cafis-1"]
    assert (row["reason"], row["wish"], row["wished_by"]) == ("closed by Sato: maintenance", "closed", "Sato")
    assert row["trouble"] is None
    comes_to(lambda: pay(stage) == "station_closed", stage)
    with stage.control("cafis") as control:
        assert control.ping()["open"] == []
    assert run(file, "drain", "cafis-1", *WHY).exit_code == 0
    comes_to(lambda: rows(stage)["cafis-1"]["stage"] == "draining", stage)
    assert pay(stage) == "station_closed"
    assert run(file, "calendar", "cafis-1", *WHY).exit_code == 0
    assert run(file, "open", "cafis-2", *WHY).exit_code == 0
    comes_to(lambda: [rows(stage)[name]["stage"] for name in ("cafis-1", "cafis-2")] == ["open"] * 2, stage)
    comes_to(lambda: pay(stage) == "approved", stage)
    said = answers(stage)[before:]
    kept = [(each.line, each.order, each.operator, each.reason) for each in said]  # type: ignore[union-attr]
    assert kept == [
        ("cafis-1", "close", "Sato", "maintenance"),
        ("cafis-2", "close", "Sato", "maintenance"),
        ("cafis-1", "drain", "Sato", "maintenance"),
        ("cafis-1", "calendar", "Sato", "maintenance"),
        ("cafis-2", "open", "Sato", "maintenance"),
    ]


@pytest.mark.parametrize("order", ["close", "drain"])
def test_the_last_line_to_a_partner_stays_open_unless_somebody_agrees(stage: Stage, order: str) -> None:
    before = len(answers(stage))
    for answer in ("n\n", ""):
        result = run(stage.plan.file, order, "cardnet-1", *WHY, answer=answer)
        assert (result.exit_code, "nothing was ordered" in told(result)) == (1, True), result.output
        assert "cardnet への最後の開局回線 the last open line to cardnet" in told(result)
        assert "AP22 (" in told(result)
    assert (rows(stage)["cardnet-1"]["wish"], len(answers(stage))) == ("open", before)
    assert run(stage.plan.file, order, "cardnet-1", "--yes", *WHY).exit_code == 0
    assert run(stage.plan.file, "open", "cardnet-1", *WHY).exit_code == 0
    comes_to(lambda: rows(stage)["cardnet-1"]["stage"] == "open", stage)


def test_a_route_is_held_and_released_after_it_was_shown_for_whom(stage: Stage) -> None:
    file = stage.plan.file
    assert "保留しました held" in told(run(file, "hold", "cardnet-1", "7", *WHY))
    (held,) = rows(stage)["cardnet-1"]["held_routes"]
    assert (held["route"], held["reason"]) == (7, "Sato: maintenance")
    again = run(file, "hold", "cardnet-1", "7", *WHY)
    assert (again.exit_code, "it is held already" in told(again)) == (1, True)
    refused = run(file, "release", "cardnet-1", "7", *WHY, answer="n\n")
    assert (refused.exit_code, "nothing was ordered" in told(refused)) == (1, True)
    assert f"対象取引 for │ {held['transaction']}" in told(refused)
    released = run(file, "release", "cardnet-1", "7", "--yes", *WHY)
    assert released.exit_code == 0, released.output
    assert f"released, was held for {held['transaction']}" in told(released)
    assert rows(stage)["cardnet-1"]["held_routes"] == []
    last = answers(stage)[-1]
    assert isinstance(last, RouteOrderAnswered)
    assert (last.route_number, last.hold, last.done, last.released) == (7, False, True, held["transaction"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("close", "cafis-9", *WHY), "no such line: one of cafis-1, cafis-2, cardnet-1"),
        (("close", "cafis-1", "--reason", " ", "--by", "Sato"), "--reason: give one line of 1 to 200 characters"),
        (("open", "cafis-1", "--reason", "card 4111 1111 1111 1111", "--by", "Sato"), "looks like a card number"),
        (("hold", "cafis-1", "201", *WHY), "cafis-1 has no route 201: 1 to 200"),
        (("release", "cafis-1", "3", "--yes", *WHY), "cafis-1, route 3: 保留されていません is not held"),
    ],
)
def test_an_order_that_makes_no_sense_is_told_and_changes_nothing(
    stage: Stage, arguments: tuple[str, ...], said: str
) -> None:
    before = len(answers(stage))
    result = run(stage.plan.file, *arguments)
    assert result.exit_code == 2
    assert said in told(result)
    assert len(answers(stage)) == before


def test_an_order_that_nobody_answers_stands_and_is_told_so(
    tmp_path: Path, kafka_servers: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "ANSWER_S", 0.0)
    monkeypatch.setattr(clocks, "QUIET_S", 0.0)  # no process will tell its time
    plan = write(tmp_path, kafka_servers, prefix=topic_prefix)

    installation = load(Installation, plan.file)
    create_topics(installation, kafka_log(installation.kafka))
    result = run(plan.file, "close", "cafis-1", "--yes", *WHY)
    assert result.exit_code == 1
    assert "nobody owns the line now; the order stands in the log" in told(result)
    found = json.loads(run(plan.file, "list", "--json").output)
    assert {row["trouble"] for row in found} == {"nobody has owned it yet"}
    assert run(plan.file, "list").exit_code == 0


def test_no_broker_answers(tmp_path: Path) -> None:
    servers = f"{HOST}:{free_port()}"
    result = run(write(tmp_path, servers).file, "list")
    assert result.exit_code == 1
    assert f"no Kafka broker answers at {servers}" in result.output
