"""The measurement itself: with tiny numbers it runs to its end, reports every figure, and loses no payment."""

import json
from pathlib import Path

import pytest
from bench_rig import bench

SERVICES = {"router", "faults", "egress", "ingress"}


@pytest.mark.stack
def test_relay_and_gateway_are_measured_side_by_side_and_nothing_is_lost(kafka_servers: str, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    arguments = ["--seconds", "1", "--rates", "50", "--bootstrap-servers", kafka_servers, "--folder", str(tmp_path)]
    ended = bench(*arguments, "--out", str(out))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(out.read_text("utf-8"))

    relay = found["relay"]
    assert relay["saturated"] > 0
    assert relay["at_rate"]["50"]["count"] == 50
    assert set(relay["hop_us"]) == {"router", "egress", "router again", "ingress"}

    gateway = found["gateway"]
    assert gateway["losses"] == []
    assert gateway["not_approved"] == 0
    assert gateway["at_rate"]["50"]["latency"]["count"] == 50
    assert gateway["approved"] >= 50 + sum(step["latency"]["count"] for step in gateway["steps"])
    assert gateway["saturated"] in gateway["steps"]
    assert 0 <= gateway["saturated"]["elsewhere"] <= 100
    others = {"centres", "load generator"}  # the broker is not this measurement's own
    assert set(gateway["saturated"]["cpu_us"]) == set(gateway["memory_mb"]) == SERVICES | others

    by_budget = {(each["figure"].split(" (")[0], each["budget"]): each for each in found["verdicts"]}
    assert by_budget["lost, doubled or untold", "always"]["met"] is True
    for budget, limit in (("first aim", 3_000), ("final", 4_000)):
        verdict = by_budget["saturated", budget]
        assert verdict["limit"] == limit
        assert verdict["met"] == (verdict["value"] >= limit)
    assert "bare relay: 4 hops, 5 records of 400 bytes" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rates", "200,fast"], "'fast' is no rate: give whole numbers from 1 to 20000"),
        (["--rates", "0"], "'0' is no rate"),
        (["--seconds", "0"], "for '--seconds'"),
        (["--out", "no/such/folder/figures.json"], "name a file in a folder that is there"),
        (["--speed", "9"], "No such option: --speed"),
    ],
    ids=["a rate that is none", "no rate", "no time", "nowhere to write to", "an unknown flag"],
)
def test_a_wrong_flag_is_told_before_anything_is_started(arguments: list[str], said: str) -> None:
    ended = bench(*arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
