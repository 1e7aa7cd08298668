"""An installation whose lines go through the proxy: everybody finds it, and every node has ports of its own."""

from pathlib import Path

from ops.installations import LINES, write
from pipeline.config import load
from schemas.installation import Installation


def test_every_line_leads_through_the_proxy_to_its_centre_and_back(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=2, detoured=True)
    nodes = [load(Installation, plan.file_of(node)) for node in range(2)]
    assert [detour.line for detour in plan.detours] == [line.name for line in LINES]
    for number, detour in enumerate(plan.detours):
        ports = [node.line[number].port for node in nodes]
        if nodes[0].line[number].mode == "dial":
            assert detour.gateway_calls
            assert ports == [detour.awaits, detour.awaits]
            assert list(detour.calls) == plan.centre_ports[detour.partner]
        else:
            assert not detour.gateway_calls
            assert list(detour.calls) == ports
            assert plan.called_ports[detour.partner] == [detour.awaits]


def test_nodes_differ_in_the_ports_they_are_called_at_and_in_nothing_else(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=3, detoured=True)
    awaiting = [number for number, line in enumerate(LINES) if line.mode == "listen"]
    nodes = [load(Installation, plan.file_of(node)).model_dump() for node in range(3)]
    ports = [node["line"][number].pop("port") for node in nodes for number in awaiting]
    assert len(set(ports)) == len(ports) == 3 * len(awaiting)
    assert nodes[0] == nodes[1] == nodes[2]
    assert [plan.file_of(node).name for node in range(3)] == [f"denbun-node{node}.toml" for node in range(3)]


def test_without_a_proxy_all_nodes_have_one_file(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=2)
    assert plan.detours == []
    assert [plan.file_of(node) for node in range(2)] == [plan.file, plan.file]


def test_the_topics_are_held_by_as_many_brokers_as_there_are(tmp_path: Path) -> None:
    assert load(Installation, write(tmp_path / "a", "127.0.0.1:9092").file).kafka.replication == 1
    assert load(Installation, write(tmp_path / "b", "127.0.0.1:9092", replication=3).file).kafka.replication == 3
