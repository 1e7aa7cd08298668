"""``denbun broker``: the embedded Kafka alone, in a folder of its own, until a signal; killed, it is started again."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ops.broker import brokers_at
from ops.ports import free_port

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]


def begin(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "ops", "broker", "--folder", str(folder), *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def heard(popen: "subprocess.Popen[str]", text: str) -> str:
    """Everything until a line with this text."""
    assert popen.stdout is not None
    said = ""
    for line in popen.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(said)


def test_it_runs_until_ctrl_c_and_is_started_again_when_it_is_killed(tmp_path: Path) -> None:
    port = str(free_port())
    with begin(tmp_path, "--port", port) as popen:
        try:
            said = heard(popen, "running")
            assert f'bootstrap_servers = "127.0.0.1:{port}"' in said
            (kafka,) = psutil.Process(popen.pid).children()
            with begin(tmp_path) as second:
                told, _ = second.communicate(timeout=60)
            assert second.returncode == 3
            assert f"(pid {popen.pid}, since 20" in told
            kafka.kill()
            assert re.search(r"kafka: .* started again in 1 s: SIGKILL", heard(popen, "kafka: "))
            heard(popen, "runs again")
            assert brokers_at(f"127.0.0.1:{port}") == 1
            popen.send_signal(signal.SIGINT)
            rest, _ = popen.communicate(timeout=60)
        finally:
            popen.kill()
    assert popen.returncode == 0
    assert rest.rstrip().endswith(f"its data stays in {tmp_path}")
    assert brokers_at(f"127.0.0.1:{port}") == 0


def test_a_port_that_was_asked_for_is_refused_where_it_is_taken(tmp_path: Path, kafka_servers: str) -> None:
    with begin(tmp_path, "--port", kafka_servers.rpartition(":")[2]) as popen:
        said, _ = popen.communicate(timeout=60)
    assert popen.returncode == 1
    assert "is taken: end what listens there" in said
