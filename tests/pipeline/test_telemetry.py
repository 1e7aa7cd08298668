"""What a service shows of itself over HTTP."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Counter

from pipeline import telemetry
from pipeline.telemetry import Health, TelemetryServer

HOST = "127.0.0.1"


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def server(registry: CollectorRegistry, health: Health) -> Iterator[TelemetryServer]:
    server = TelemetryServer(HOST, 0, registry, health)
    yield server
    server.close()


def get(server: TelemetryServer, path: str) -> tuple[int, str, str]:
    connection = HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def test_metrics_are_those_of_the_registry_given(server: TelemetryServer, registry: CollectorRegistry) -> None:
    Counter("denbun_test_records", "Records", ["kind"], registry=registry).labels("sale").inc(3)
    status, content_type, body = get(server, "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    assert 'denbun_test_records_total{kind="sale"} 3.0' in body
    assert get(server, "/metrics?name[]=x")[0] == 200


def test_a_service_without_trouble_is_live_and_ready(server: TelemetryServer, health: Health) -> None:
    health.live("thread", lambda: None)
    health.ready("partitions", lambda: None)
    for path in ("/livez", "/readyz"):
        status, content_type, body = get(server, path)
        assert (status, content_type, json.loads(body)) == (200, "application/json", {"ok": True, "troubles": {}})


def test_a_service_that_is_not_ready_says_why_and_is_still_live(server: TelemetryServer, health: Health) -> None:
    health.ready("partitions", lambda: "waits for its partitions")
    health.ready("line", lambda: "回線 cafis-1 が開局していません")
    status, _, body = get(server, "/readyz")
    assert status == 503
    assert json.loads(body) == {
        "ok": False,
        "troubles": {"partitions": "waits for its partitions", "line": "回線 cafis-1 が開局していません"},
    }
    assert "回線" in body
    assert get(server, "/livez")[0] == 200


def test_a_service_that_should_be_started_anew_is_neither_live_nor_ready(
    server: TelemetryServer, health: Health
) -> None:
    health.live("loop", lambda: "has not turned for 30 s")
    for path in ("/livez", "/readyz"):
        status, _, body = get(server, path)
        assert status == 503
        assert json.loads(body)["troubles"] == {"loop": "has not turned for 30 s"}


def test_readiness_follows_its_check(server: TelemetryServer, health: Health) -> None:
    ready = threading.Event()
    health.ready("partitions", lambda: None if ready.is_set() else "waits for its partitions")
    assert get(server, "/readyz")[0] == 503
    ready.set()
    assert get(server, "/readyz")[0] == 200


def test_a_check_that_raises_is_a_trouble(server: TelemetryServer, health: Health) -> None:
    def check() -> str | None:
        raise KeyError("4111111111111111")

    health.ready("broken", check)
    status, _, body = get(server, "/readyz")
    assert status == 503
    assert json.loads(body)["troubles"] == {"broken": "the check itself failed: KeyError"}


def test_other_paths_are_told_what_is_here(server: TelemetryServer) -> None:
    assert get(server, "/") == (404, "text/plain", "only /metrics, /livez and /readyz are here\n")


def test_probes_write_no_lines(server: TelemetryServer, capfd: pytest.CaptureFixture[str]) -> None:
    get(server, "/livez")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("sent", [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_half_requests_keep_no_probe_out(server: TelemetryServer, sent: bytes) -> None:
    half = [socket.create_connection((HOST, server.port), timeout=10) for _ in range(4 * telemetry._MOST)]
    try:
        for each in half:
            _send(each, sent)
            assert get(server, "/livez")[0] == 200
        assert half[0].recv(1) == b"", "who was here longest has gone"
        assert len(server._server._open) <= telemetry._MOST
    finally:
        for each in half:
            each.close()


def _send(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it may have been hung up on
        connection.sendall(data)


@pytest.mark.parametrize("name", ["_STANDS_STILL_S", "_WHOLE_S"])
def test_a_request_that_does_not_come_to_its_end_is_hung_up_on(
    registry: CollectorRegistry, health: Health, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(telemetry, name, 0.01)
    server = TelemetryServer(HOST, 0, registry, health)
    with socket.create_connection((HOST, server.port), timeout=10) as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        assert slow.recv(1) == b""
    server.close()


def test_a_reader_that_is_gone_is_no_error(
    server: TelemetryServer, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    Counter("denbun_test_large", "x" * 4_000_000, registry=registry)
    gone = socket.create_connection((HOST, server.port), timeout=10)
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert gone.recv(1) == b"H"
    gone.close()
    while server._server._open:
        threading.Event().wait(0.002)
    assert get(server, "/livez")[0] == 200
    assert caplog.records == []


def test_a_taken_port_is_said_with_the_remedy(registry: CollectorRegistry, health: Health) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError) as raised:  # noqa: PT011  its text is compared below
            TelemetryServer(HOST, port, registry, health)
    assert raised.value.strerror == (
        f"metrics address 127.0.0.1:{port}: Address already in use: choose another metrics_port"
    )


def test_the_port_is_free_again_after_closing(registry: CollectorRegistry, health: Health) -> None:
    first = TelemetryServer(HOST, 0, registry, health)
    first.close()
    second = TelemetryServer(HOST, first.port, registry, health)
    assert get(second, "/livez")[0] == 200
    second.close()
