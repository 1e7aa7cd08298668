"""``denbun topology`` on the session's Kafka: of groups of plain members, whose loss is as foretold, and of a stack."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from topology_rig import sound, told
from typer.testing import CliRunner, Result

from egress.takeover import Places
from ops.__main__ import app
from ops.commands.topology import SERVICES, planned
from ops.installations import LINES, QUICK, write
from ops.ports import HOST, free_port
from ops.stage import playing
from ops.topology import contracts_of
from ops.topology_plan import spread
from pipeline.config import load
from pipeline.kafka import KafkaLog
from pipeline.log import Outgoing
from schemas import wire
from schemas.installation import Installation
from schemas.topics import Topics
from wiring import create_topics

NODES = ("node0", "node1", "node2")


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["topology", "--config", str(config), *arguments])


def facts(config: Path, *arguments: str) -> dict[str, Any]:
    result = run(config, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


class Members:
    """Plain members of the groups of an installation, under the names that its services give themselves."""

    def __init__(self, folder: Path, servers: str, prefix: str, log: KafkaLog) -> None:
        self.file = write(folder, servers, prefix=prefix, lines=LINES[:3], waits={"kafka": {"partitions": 7}}).file
        self.installation = load(Installation, self.file)
        self.topics = Topics(prefix)
        self._log = log
        self._running: list[tuple[str, threading.Event, threading.Thread]] = []
        create_topics(self.installation, log)

    def join(self, node: str, ranks: dict[str, int]) -> None:
        """Everything that one node runs; its egress with these ranks, by line."""
        prefix = self.topics.prefix
        self._join(node, f"router-{node}", f"{prefix}router", self.topics("requests"))
        self._join(node, f"faults-{node}", f"{prefix}faults", self.topics("timeouts"))
        for line, rank in ranks.items():
            places = Places.of(self.topics, line)
            self._join(node, f"{rank}-{node}", places.group, places.dispatch.topic)

    def _join(self, node: str, member: str, group: str, topic: str) -> None:
        stop = threading.Event()
        reader = self._log.group_reader(member, group, [topic], lambda _: None, lambda _: None)

        def work() -> None:
            while not stop.is_set():
                reader.poll(10, 0.1)
            reader.close()

        thread = threading.Thread(target=work, name=member, daemon=True)
        self._running.append((node, stop, thread))
        thread.start()

    def leave(self, *nodes: str) -> None:
        """End everything that these nodes run."""
        ended = [each for each in self._running if each[0] in nodes]
        self._running = [each for each in self._running if each[0] not in nodes]
        for _, stop, _ in ended:
            stop.set()
        for _, _, thread in ended:
            thread.join(30)

    def says(self, line: str, node: str) -> None:
        """A line's state, as its owner tells it."""
        value, headers = wire.encode(told(line, node))
        self._log.writer("test").write([Outgoing(self.topics("lines"), line.encode(), value, headers)])

    def settled(self, nodes: Iterable[str]) -> dict[str, Any]:
        """The facts once these nodes are those there are, and everything is somebody's."""

        def ready(found: dict[str, Any]) -> bool:
            now = found["now"]
            held = [partition for node in now["nodes"] for partition in node["router"] or ()]
            more = [partition for node in now["nodes"] for partition in node["faults"] or ()]
            return (
                [node["name"] for node in now["nodes"]] == list(nodes)
                and sorted(held) == sorted(more) == list(range(7))
                and all(node["router"] and node["faults"] for node in now["nodes"])
                and all(line["owner"] and sorted(line["order"]) == sorted(nodes) for line in now["lines"])
            )

        return waited(lambda: facts(self.file), ready)


def waited(look: Callable[[], dict[str, Any]], ready: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What is seen once it is as it is to become."""
    for _ in range(150):
        if ready(found := look()):
            return found
        threading.Event().wait(0.1)
    raise AssertionError(json.dumps(found, ensure_ascii=False, indent=1))


@pytest.fixture
def members(tmp_path: Path, kafka_servers: str, topic_prefix: str, kafka_log: KafkaLog) -> Iterator[Members]:
    found = Members(tmp_path, kafka_servers, topic_prefix, kafka_log)
    yield found
    found.leave(*NODES)


@pytest.mark.stack
def test_three_nodes_stand_as_planned_and_the_loss_of_one_leaves_what_was_foretold(members: Members) -> None:
    orders = spread(contracts_of(members.installation), NODES)
    for node in NODES:
        members.join(node, {line: order.index(node) for line, order in orders.items()})
    found = members.settled(NODES)
    held = {node["name"]: node["router"] for node in found["now"]["nodes"]}
    assert held == {"node0": [0, 1, 2], "node1": [3, 4], "node2": [5, 6]}
    assert {line["contract"]["name"]: line["order"] for line in found["now"]["lines"]} == {
        line: list(order) for line, order in orders.items()
    }
    assert {line["contract"]["name"]: line["owner"] for line in found["now"]["lines"]} == {
        "cafis-1": "node0", "cafis-2": "node1", "cardnet-1": "node0",
    }  # fmt: skip

    (foretold,) = (loss for loss in found["losses_now"] if loss["node"] == "node0")
    assert foretold["lines"] == {"cafis-1": "node1", "cardnet-1": "node1"}
    members.leave("node0")
    after = members.settled(NODES[1:])
    for service in ("router", "faults"):
        assert {node["name"]: node[service] for node in after["now"]["nodes"]} == foretold[service]
    owners = {line["contract"]["name"]: line["owner"] for line in after["now"]["lines"]}
    assert owners == {"cafis-2": "node1"} | foretold["lines"]


@pytest.mark.stack
def test_nobody_is_there_yet_and_two_nodes_are_planned(members: Members) -> None:
    members.says("cafis-1", "node7")
    found = facts(members.file, "--nodes", "2")
    assert found["now"]["nodes"] == []
    assert [line["owner"] for line in found["now"]["lines"]] == [None] * 3
    assert [line["stage"] for line in found["now"]["lines"]] == ["open", None, None]
    assert [node["name"] for node in found["plan"]["then"]["nodes"]] == ["node0", "node1"]
    assert found["plan"]["ranks"]["cafis-2"] == {"node1": 0, "node0": 1}
    assert [[each["name"] for each in order["new"]] for order in found["plan"]["orders"]] == [[], ["cardnet-2"]]
    assert "稼働中のノードなし\n    no node runs" in run(members.file).output


@pytest.mark.stack
def test_a_drawing_that_cannot_be_written_is_told(members: Members, tmp_path: Path) -> None:
    result = run(members.file, "--svg", str(tmp_path))
    assert result.exit_code == 2
    assert f"--svg {tmp_path}: フォルダです is a folder: name a file in it" in " ".join(result.output.split())


@pytest.mark.stack
def test_the_topics_are_not_there(tmp_path: Path, kafka_servers: str, topic_prefix: str) -> None:
    result = run(write(tmp_path, kafka_servers, prefix=topic_prefix).file)
    assert result.exit_code == 1
    assert "create the topics first (`denbun topics create`)" in " ".join(result.output.split())


def test_lines_are_planned_for_the_nodes_that_they_name_running_or_not(tmp_path: Path) -> None:
    installation = load(Installation, write(tmp_path, f"{HOST}:9092", nodes=3, lines=LINES[:3]).file)
    alone = sound("node2", members={line.name: ("2-node2",) for line in installation.line})

    def orders(count: int) -> dict[str, tuple[str, ...]]:
        return {line.contract.name: line.order for line in planned(alone, installation, count).then.lines}

    assert orders(1) == {"cafis-1": ("node2",), "cafis-2": ("node2",), "cardnet-1": ("node2",)}
    assert orders(3) == {
        "cafis-1": ("node0", "node1", "node2"),
        "cafis-2": ("node1", "node2", "node0"),
        "cafis-3": ("node2", "node0", "node1"),
        "cardnet-1": ("node0", "node1", "node2"),
        "cardnet-2": ("node1", "node2", "node0"),
        "cardnet-3": ("node2", "node0", "node1"),
    }
    assert orders(4)["cafis-2"] == ("node1", "node2", "node0", "node3")
    assert orders(4)["cafis-4"] == ("node3", "node0", "node1", "node2")


def test_no_broker_answers(tmp_path: Path) -> None:
    servers = f"{HOST}:{free_port()}"
    result = run(write(tmp_path, servers).file)
    assert result.exit_code == 1
    assert f"no Kafka broker answers at {servers}" in result.output


def test_the_configuration_is_not_there(tmp_path: Path) -> None:
    result = run(tmp_path / "denbun.toml")
    assert result.exit_code == 2
    assert "name another with --config" in " ".join(result.output.split())


@pytest.mark.stack
def test_two_real_nodes_are_told_drawn_and_planned(tmp_path: Path, kafka_servers: str, topic_prefix: str) -> None:
    drawing = tmp_path / "topology.svg"
    with playing(tmp_path / "stack", servers=kafka_servers, prefix=topic_prefix, nodes=2, waits=QUICK) as stage:
        file = stage.plan.file

        def settled(found: dict[str, Any]) -> bool:
            now = found["now"]
            return (
                [len(node["router"] or ()) + len(node["faults"] or ()) for node in now["nodes"]] == [6, 6]
                and all(line["stage"] == "open" and len(line["order"]) == 2 for line in now["lines"])
                and not any("引継ぎ中" in remark["japanese"] for remark in now["remarks"])
                and len(now["clocks"]) == 8
            )

        found = waited(lambda: facts(file), settled)
        assert [node["name"] for node in found["now"]["nodes"]] == ["node0", "node1"]
        assert all(node["egress"] for node in found["now"]["nodes"])
        assert found["now"]["brokers"] == [kafka_servers]
        assert (found["now"]["partitions"], found["now"]["slots"]) == (6, 2)
        assert {(each["service"], each["node"]) for each in found["now"]["clocks"]} == {
            (service, node) for service in SERVICES for node in ("node0", "node1")
        }
        assert not any("時刻ずれ" in remark["japanese"] for remark in found["now"]["remarks"])
        stage.clock_of("router-0").parent.mkdir(exist_ok=True)
        stage.clock_of("router-0").write_text("3630000", "utf-8")

        def noticed(found: dict[str, Any]) -> bool:
            return any(
                remark["japanese"].startswith("node0: 時刻ずれ 60 min 進み") for remark in found["now"]["remarks"]
            )

        waited(lambda: facts(file), noticed)
        result = run(file, "--nodes", "3", "--svg", str(drawing))
    assert result.exit_code == 0, result.output
    for said in (
        "現在の配置  now", "回線  lines", "3 ノードの計画  plan for 3 nodes", "移動  what moves",
        "相手先への依頼・発注  to be ordered from the partners", "cafis-3: 発呼 dial, 200 経路 routes",
        "ingress.slots を 2 から 3 へ", "時刻ずれ  the machines' clocks", "使用ノードはログに現れない",
    ):  # fmt: skip
        assert said in result.output, result.output
    words = [each.text for each in ET.parse(drawing).iter("{http://www.w3.org/2000/svg}text")]
    assert {"node0", "node1", "node2", "cardnet-3", "CAFIS"} <= set(words)
