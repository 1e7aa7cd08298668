"""The health checks of compose.yaml: each asks the right port, and tells healthy from not, shown on the real thing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from compose_rig import CENTRES, GATEWAY, ROOT, RUNNING, SERVICES, option, port_of
from prometheus_client import CollectorRegistry

from pipeline.telemetry import Health, TelemetryServer


def test_every_service_can_tell_whether_it_is_well_but_the_one_that_ends() -> None:
    mute = {name for name, service in SERVICES.items() if "test" not in service["healthcheck"]}
    assert mute == {"topics"}
    assert SERVICES["topics"]["healthcheck"] == {"disable": True}
    assert SERVICES["topics"]["restart"] == "no"


def probe(name: str, port: int, port_here: int) -> int:
    """Run a container's check with the port turned into one of this machine; gives its status."""
    kind, program, *arguments = SERVICES[name]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    assert sum(argument.count(str(port)) for argument in arguments) == 1
    command = [sys.executable, *(argument.replace(str(port), str(port_here)) for argument in arguments)]
    here = {**os.environ, "DENBUN_METRICS_HOST": "127.0.0.1"}
    return subprocess.run(command, cwd=ROOT, env=here, capture_output=True, check=False, timeout=60).returncode


@pytest.mark.parametrize("name", [name for name in GATEWAY if name.endswith("-a")])
def test_a_service_is_healthy_while_it_is_ready(name: str) -> None:
    trouble: str | None = None
    health = Health()
    health.ready("work", lambda: trouble)
    with closing(TelemetryServer("127.0.0.1", 0, CollectorRegistry(), health)) as server:
        port = port_of(GATEWAY[name]["command"][1])
        assert probe(name, port, server.port) == 0
        trouble = "waits for its partitions"
        assert probe(name, port, server.port) != 0
    assert probe(name, port, server.port) != 0


def test_both_nodes_are_asked_the_same() -> None:
    for name in GATEWAY:
        twin = f"{name.removesuffix('-b')}-a" if name.endswith("-b") else name
        assert SERVICES[name]["healthcheck"] == SERVICES[twin]["healthcheck"]


@contextmanager
def centre() -> Iterator[int]:
    """A centre as a process; gives its control port."""
    command = ["--partner", "cafis", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
    with subprocess.Popen(
        [sys.executable, "-m", "simulator", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().rsplit(" ", 1)[1])
        finally:
            process.terminate()


@pytest.mark.parametrize("name", CENTRES)
def test_a_centre_is_healthy_while_it_takes_commands(name: str) -> None:
    (control,) = option(RUNNING[name]["command"], "--control")
    host, port = control.split(":")
    assert host == "127.0.0.1"  # reached from inside its container alone
    with centre() as port_here:
        assert probe(name, int(port), port_here) == 0
    assert probe(name, int(port), port_here) != 0
