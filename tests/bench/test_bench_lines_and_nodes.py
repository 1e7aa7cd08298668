"""Keep-alives, takeovers and several nodes, measured with tiny numbers; what is lost is told, and counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from bench_rig import bench, limits, measured
from rich.table import Table

from bench import lines, rolling, scaling, takeover
from bench.__main__ import Ground, _run
from bench.budgets import Report
from bench.load import Measured
from bench.quantities import Latency

LOAD = Measured(1.0, Latency.of([1.0]), {}, 0)


@pytest.mark.stack
def test_keepalives_of_every_line_are_answered_and_timed_beside_the_load(kafka_servers: str, tmp_path: Path) -> None:
    arguments = ["lines", "--seconds", "1", "--rate", "30", "--keepalives", "5"]
    found, printed = measured(kafka_servers, tmp_path, *arguments)
    figures = found["lines"]
    assert figures["load"]["latency"]["count"] == 30
    assert figures["losses"] == []
    assert figures["answers"]["count"] == figures["sent"] > 0
    assert set(figures["by_line"]) == {"cafis-1", "cafis-2", "cardnet-1", "cardnet-2"}
    assert sum(each["count"] for each in figures["by_line"].values()) == figures["sent"]
    assert all(each["count"] for each in figures["by_line"].values())
    assert limits(found, "answer, ") == {100}
    assert "5 keep-alives a second on each line, 30 payments a second" in printed


@pytest.mark.stack
def test_the_same_load_is_measured_before_and_while_the_other_partner_floods(
    kafka_servers: str, tmp_path: Path
) -> None:
    found, printed = measured(kafka_servers, tmp_path, "flood", "--seconds", "1", "--rate", "20")
    figures = found["floods"]
    assert [phase["name"] for phase in figures["phases"]] == ["calm", "flood", "deaf"]
    assert all(phase["at_rate"]["latency"]["count"] == 20 for phase in figures["phases"])
    assert all(phase["saturated"]["latency"]["count"] for phase in figures["phases"])
    assert figures["losses"] == []
    assert all(figures["pieces"].values())
    assert limits(found, "flood: ") == limits(found, "deaf: ") == {10}
    assert "what floods of one partner cost the other's customers, 20 payments a second" in printed


@pytest.mark.stack
def test_a_node_is_killed_and_stopped_and_its_lines_change_hands_and_come_back(
    kafka_servers: str, tmp_path: Path
) -> None:
    found, printed = measured(
        kafka_servers, tmp_path, "takeover", "--times", "1", "--rate", "5", "--session-ms", "2000"
    )
    figures = found["takeover"]
    assert figures["session_ms"] == 2_000
    for ends in (figures["killed"], figures["stopped"]):
        (turn,) = ends["turns"]
        assert turn["node"] == "node0"
        assert set(turn["closed_s"]) == set(turn["back_s"]) == {"cafis-1", "cardnet-1"}
        assert ends["load"]["latency"]["count"] > 0
    assert figures["offences"] == []
    assert len(figures["invariants"]) == 7
    assert limits(found, "kill -9 of a node: ") == {3}
    assert limits(found, "SIGTERM of its egress: ") == {1}
    assert "takeover: 2 nodes, a session on the broker lasts 2,000 ms" in printed


@pytest.mark.stack
def test_two_nodes_are_rolled_under_load(kafka_servers: str, tmp_path: Path) -> None:
    found, printed = measured(kafka_servers, tmp_path, "roll", "--times", "1", "--rate", "5")
    figures = found["roll"]
    assert len(figures["took_s"]) == 1
    assert figures["load"]["latency"]["count"] > 0
    assert figures["offences"] == []
    assert len(figures["invariants"]) == 7
    assert limits(found, "payments ") == {0}
    assert "roll: every service of 2 nodes replaced, one after the other" in printed


@pytest.mark.stack
def test_one_node_and_two_carry_the_same_lines_and_what_each_process_takes_is_told(
    kafka_servers: str, tmp_path: Path
) -> None:
    found, printed = measured(kafka_servers, tmp_path, "scaling", "--seconds", "1", "--rate", "20", "--nodes", "2,1")
    one, two = found["scaling"]
    for number, scaled in enumerate((one, two), 1):
        assert scaled["nodes"] == number
        assert scaled["losses"] == []
        assert scaled["at_rate"]["measured"]["latency"]["count"] == 20
        processes = {f"{service}-{node}" for service in takeover.SERVICES for node in range(number)}
        assert set(scaled["saturated"]["percents"]) == processes | {"centres", "load generator"}
        assert set(scaled["saturated"]["cpu_us"]) == {*takeover.SERVICES, "centres", "load generator"}
    assert {each["nodes"] for each in found["verdicts"] if each["figure"].startswith("busiest egress")} == {2}
    assert "4 lines, constant load: 20 payments a second" in printed


def test_the_lines_of_each_partner_can_be_shared_evenly_by_every_number_of_nodes() -> None:
    plans = scaling.lines([1, 2, 3])
    for partner in ("cafis", "cardnet"):
        assert sum(each.partner == partner for each in plans) == 6


def shares() -> scaling.Shares:
    processes = [f"{service}-0" for service in scaling.SERVICES]
    return scaling.Shares(64, LOAD, dict.fromkeys(scaling.SERVICES, 1.0), dict.fromkeys(processes, 1.0), 0.0)


def of_lines(losses: list[str]) -> Report:
    found = lines.LineFigures(20, 1_000, 1, Latency.of([1.0]), {}, LOAD, {}, 0.0, 0, losses)
    return lines.report(found, 1.0)


def of_takeover(losses: list[str]) -> Report:
    turn = takeover.Turn("node0", 1.0, {"cafis-1": 1.0}, {"cafis-1": 1.0}, [], 0)
    ends = takeover.Ends([turn], LOAD)
    return takeover.report(takeover.TakeoverFigures(3_000, ends, ends, {}, losses))


def of_roll(losses: list[str]) -> Report:
    return rolling.report(rolling.RollFigures([1.0], LOAD, {}, losses))


def of_scaling(losses: list[str]) -> Report:
    return scaling.report([scaling.Scaled(1, shares(), shares(), 0, losses)], 1_000, 1.0)


@pytest.mark.parametrize("report", [of_lines, of_takeover, of_roll, of_scaling])
def test_what_is_lost_is_told_and_counts_and_nothing_else_does(report: Callable[[list[str]], Report]) -> None:
    lost = report(["A1 was approved and is not booked"])
    assert lost.lost
    assert any("A1 was approved and is not booked" in each for each in lost.offences)
    assert not report([]).lost


@pytest.mark.parametrize(("lost", "status"), [(True, 1), (False, 0)])
def test_the_command_ends_with_1_when_a_payment_was_lost(lost: bool, status: int, tmp_path: Path) -> None:
    told: list[Any] = []

    def work(ground: Ground) -> Report:
        told.append((ground.servers, ground.folder, ground.broker))
        return Report(Table(), [], {"figure": 1}, lost=lost)

    out = tmp_path / "figures.json"
    with pytest.raises(typer.Exit) as ended:
        _run(work, "127.0.0.1:9", out, tmp_path)
    assert ended.value.exit_code == status
    assert told == [("127.0.0.1:9", tmp_path, None)]
    assert '"figure": 1' in out.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seconds", "3", "lines"], "give the options of lines behind its name"),
        (["lines", "--keepalives", "0"], "for '--keepalives'"),
        (["takeover", "--session-ms", "100"], "for '--session-ms'"),
        (["scaling", "--nodes", "1,many"], "'many' is no number of nodes: give whole numbers from 1 to"),
    ],
    ids=["before the name", "no keep-alive", "a session too short", "a number that is none"],
)
def test_a_wrong_option_of_a_measurement_is_told_before_anything_is_started(arguments: list[str], said: str) -> None:
    ended = bench(*arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
