"""Ways to a broker that a node can be cut off by: what lies on them, and a forwarder that stands between."""

import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.broker import Broker, Seat
from ops.installations import write
from ops.ports import HOST, free_port, is_free
from ops.processes import Process
from pipeline.config import load
from schemas.installation import Installation

WAIT_S = 5.0


def test_each_node_finds_the_broker_by_its_own_way_and_nothing_else_of_it_differs(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=2, servers_of=["127.0.0.1:1", "127.0.0.1:2"])
    found = [load(Installation, plan.file_of(node)).kafka for node in range(2)]
    assert [each.bootstrap_servers for each in found] == ["127.0.0.1:1", "127.0.0.1:2"]
    assert len({each.model_copy(update={"bootstrap_servers": ""}).model_dump_json() for each in found}) == 1
    assert plan.servers == "127.0.0.1:9092"


def test_a_broker_tells_whoever_comes_by_a_way_to_come_by_it_again(tmp_path: Path) -> None:
    broker = Broker(tmp_path, 9092, ways=2)
    told = dict(line.split("=", 1) for line in broker._write_properties(9092, Seat(1, "x", [9093])).read_text().split())
    first, second = broker.ways
    assert len({first.awaits, first.leads_to, second.awaits, second.leads_to}) == 4
    assert f"WAY1://{HOST}:{second.leads_to}" in told["listeners"].split(",")
    assert f"WAY1://{HOST}:{second.awaits}" in told["advertised.listeners"].split(",")
    assert "WAY1:PLAINTEXT" in told["listener.security.protocol.map"].split(",")


@contextlib.contextmanager
def forwarder(tmp_path: Path, to: int) -> Iterator[tuple[Process, int]]:
    port = free_port()
    command = [sys.executable, "-m", "ops.forwarder", "--listen", f"{HOST}:{port}", "--to", f"{HOST}:{to}"]
    process = Process("forwarder", command, tmp_path / "log", lambda: not is_free(port))
    process.start()
    try:
        process.wait_ready()
        yield process, port
    finally:
        process.kill()


def test_bytes_go_both_ways_and_frozen_it_says_nothing_and_goes_on_where_it_was(tmp_path: Path) -> None:
    with (
        socket.create_server((HOST, 0)) as server,
        forwarder(tmp_path, server.getsockname()[1]) as (process, port),
        socket.create_connection((HOST, port), WAIT_S) as near,
    ):
        server.settimeout(WAIT_S)
        far, _ = server.accept()
        with far:
            far.settimeout(WAIT_S)
            near.sendall(b"there")
            assert far.recv(5) == b"there"
            far.sendall(b"back")
            assert near.recv(4) == b"back"
            process.send(signal.SIGSTOP)
            near.sendall(b"lost?")
            far.settimeout(0.2)
            with pytest.raises(TimeoutError):
                far.recv(5)
            process.send(signal.SIGCONT)
            far.settimeout(WAIT_S)
            assert far.recv(5) == b"lost?"
            near.shutdown(socket.SHUT_WR)
            assert far.recv(1) == b""


def test_where_nobody_answers_behind_it_the_caller_is_hung_up_on(tmp_path: Path) -> None:
    with forwarder(tmp_path, free_port()) as (_, port), socket.create_connection((HOST, port), WAIT_S) as near:
        assert near.recv(1) == b""


@pytest.mark.parametrize("wrong", ["9092", "host:", ":9092", "host:port", "host:70000", "host:²"])
def test_what_is_no_address_is_told(tmp_path: Path, wrong: str) -> None:
    command = [sys.executable, "-m", "ops.forwarder", "--listen", wrong, "--to", "127.0.0.1:1"]
    process = Process("forwarder", command, tmp_path / "log", lambda: False)
    process.start()
    assert process.wait(20) == 2
    assert "give HOST:PORT" in (tmp_path / "log").read_text()
