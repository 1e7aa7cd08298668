"""An installation whose lines go through the proxy: everybody finds it, and it finds every node."""

from pathlib import Path

import pytest

from ops.installations import LINES, write
from pipeline.config import load
from schemas.installation import Installation


def test_every_line_leads_through_the_proxy_to_its_centre_and_back(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=2, detoured=True)
    nodes = [load(Installation, plan.file_of(node)) for node in range(2)]
    assert [detour.line for detour in plan.detours] == [line.name for line in LINES]
    for number, detour in enumerate(plan.detours):
        lines = [node.line[number] for node in nodes]
        if nodes[0].line[number].mode == "dial":
            assert detour.gateway_calls
            assert {(line.host, line.port) for line in lines} == {("127.0.0.1", detour.awaits)}
            assert [port for _, port in detour.calls] == plan.centre_ports[detour.partner]
        else:
            assert not detour.gateway_calls
            assert list(detour.calls) == [(line.host, line.port) for line in lines]
            assert plan.called[detour.partner] == [[("127.0.0.1", detour.awaits)]]


@pytest.mark.parametrize("detoured", [False, True])
def test_nodes_differ_in_their_own_address_and_in_nothing_else(tmp_path: Path, *, detoured: bool) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=3, detoured=detoured)
    awaiting = [number for number, line in enumerate(LINES) if line.mode == "listen"]
    nodes = [load(Installation, plan.file_of(node)).model_dump() for node in range(3)]
    for host, node in zip(["127.0.0.1", "127.0.0.2", "127.0.0.3"], nodes, strict=True):
        own = [node.pop("metrics_host"), node["ingress"].pop("host")]
        assert {*own, *(node["line"][number].pop("host") for number in awaiting)} == {host}
    assert nodes[0] == nodes[1] == nodes[2]
    names = ["denbun.toml", "denbun-node1.toml", "denbun-node2.toml"]
    assert [plan.file_of(node).name for node in range(3)] == names


def test_the_topics_are_held_by_as_many_brokers_as_there_are(tmp_path: Path) -> None:
    assert load(Installation, write(tmp_path / "a", "127.0.0.1:9092").file).kafka.replication == 1
    assert load(Installation, write(tmp_path / "b", "127.0.0.1:9092", replication=3).file).kafka.replication == 3
