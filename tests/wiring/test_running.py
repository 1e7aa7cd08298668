"""What a service has around it while it runs: probes, metrics, logs, a name, and a collector that comes by seldom."""

import gc
import json
import logging
import socket
import time
from pathlib import Path

import pytest
from memory_service import NODE, SERVICE, MemoryBroker, get, run_on, troubles, with_topics

import router.__main__
from ops.installations import DEVELOPMENT
from ops.ports import free_port
from pipeline.service import MISCONFIGURED, OK
from wiring import Process

HOUR_MS = 3_600_000
UNKNOWN_TIME = "the broker's time is not known yet"


@pytest.fixture
def broker() -> MemoryBroker:
    return with_topics(MemoryBroker())


@pytest.fixture
def port() -> int:
    return free_port()


# --- its probes


def test_a_service_that_has_not_entered_is_live_and_not_ready(broker: MemoryBroker, port: int) -> None:
    told = []

    def work(_: Process) -> None:
        told.extend([troubles(port, "/livez"), troubles(port, "/readyz")])

    assert run_on(broker, work, metrics_port=port) == OK
    assert told == [{}, {"start": "starting", "clock": UNKNOWN_TIME}]


def test_a_service_that_has_entered_is_ready(broker: MemoryBroker, port: int) -> None:
    told = []

    def work(process: Process) -> None:
        process.enters()
        told.append(troubles(port, "/readyz"))

    assert run_on(broker, work, metrics_port=port) == OK
    assert told == [{}]


def test_a_service_whose_broker_is_in_trouble_is_live_and_not_ready(broker: MemoryBroker, port: int) -> None:
    told = []

    def work(process: Process) -> None:
        process.enters()
        broker.told = "no broker answers"
        told.extend([troubles(port, "/livez"), troubles(port, "/readyz")])

    assert run_on(broker, work, metrics_port=port) == OK
    assert told == [{}, {"broker": "no broker answers"}]


def test_a_service_on_a_machine_with_a_wrong_clock_is_live_and_not_ready(port: int) -> None:
    late = with_topics(MemoryBroker(lambda: time.time_ns() // 1_000_000 - HOUR_MS))
    told = []

    def work(process: Process) -> None:
        process.enters()
        told.extend([troubles(port, "/livez"), troubles(port, "/readyz")])

    assert run_on(late, work, metrics_port=port) == OK
    live, ready = told
    assert live == {}
    assert ready.keys() == {"clock"}
    assert "ahead of the broker's" in ready["clock"]


# --- its metrics


@pytest.mark.parametrize("ahead_h", [3, -3])
def test_the_metrics_tell_how_far_the_machine_s_clock_is_ahead_of_the_broker_s(ahead_h: int, port: int) -> None:
    broker = with_topics(MemoryBroker(lambda: time.time_ns() // 1_000_000 - ahead_h * HOUR_MS))
    pages = []

    def work(process: Process) -> None:
        process.enters()
        pages.append(get(port, "/metrics")[1])

    assert run_on(broker, work, metrics_port=port) == OK
    (line,) = [each for each in pages[0].splitlines() if each.startswith("denbun_wiring_clock_off_seconds ")]
    assert round(float(line.split()[1]) / 3_600) == ahead_h


def test_the_port_on_the_command_line_wins_over_the_one_in_the_file(broker: MemoryBroker, port: int) -> None:
    other, told = free_port(), []

    def work(_: Process) -> None:
        told.append(get(other, "/livez")[0])
        with pytest.raises(ConnectionRefusedError):
            get(port, "/livez")

    assert run_on(broker, work, "--metrics-port", str(other), metrics_port=port) == OK
    assert told == [200]


@pytest.mark.parametrize("text", ["0", "65535"])
def test_a_port_for_metrics_is_one_from_0_to_65535(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert router.__main__.main(["--config", str(DEVELOPMENT), "--metrics-port", text, "--check"]) == OK
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["65536", "-1", "\uff17\uff11", "7.1", ""])
def test_any_other_text_is_no_port_for_metrics(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        router.__main__.main(["--config", str(DEVELOPMENT), f"--metrics-port={text}", "--check"])
    assert ended.value.code == MISCONFIGURED
    told = f"denbun run router: error: argument --metrics-port: {text!r} is no port: give 0 to 65535\n"
    assert capsys.readouterr().err.endswith(told)


# --- its logs and its name


@pytest.mark.parametrize(
    ("level", "told"),
    [("DEBUG", ["debug", "info", "warning"]), ("INFO", ["info", "warning"]), ("WARNING", ["warning"])],
)
def test_it_logs_from_the_level_in_the_file_on(
    level: str, told: list[str], broker: MemoryBroker, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "denbun.toml"
    file.write_text(f'log_level = "{level}"\n{DEVELOPMENT.read_text("utf-8")}', "utf-8")

    def work(_: Process) -> None:
        for each in ("debug", "info", "warning"):
            logging.getLogger("denbun").log(logging.getLevelNamesMapping()[each.upper()], "here")

    assert run_on(broker, work, file=file) == OK
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in lines if line["event"] == "here"] == told


@pytest.mark.parametrize(("given", "name"), [(None, socket.gethostname()), (NODE, NODE)])
def test_a_node_is_called_as_the_command_line_says_or_else_as_its_host(
    given: str | None, name: str, broker: MemoryBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def work(process: Process) -> None:
        seen.append(process.node)
        logging.getLogger("denbun").info("here")

    assert run_on(broker, work, node=given) == OK
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["service"], line["node"]) == (SERVICE, name)
    assert seen == [name]


# --- its command line


@pytest.mark.parametrize(
    "told",
    [
        "--config CONFIG the installation's file",
        "--node NODE this node's name, in logs and states",
        "--metrics-port METRICS_PORT instead of the one in the file; 0: a free one",
        "--check check the configuration and do nothing else",
    ],
)
def test_the_help_says_what_each_argument_is(told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        router.__main__.main(["--help"])
    assert ended.value.code == OK
    _, _, each = " ".join(capsys.readouterr().out.split()).partition("options:")
    each, _, _ = each.partition(" 必要なもの")
    assert f" {told} --" in f"{each} --"


# --- its collector


def test_cyclic_garbage_is_looked_for_seldom(broker: MemoryBroker) -> None:
    seen, before = [], gc.get_threshold()
    assert run_on(broker, lambda _: seen.append(gc.get_threshold())) == OK
    try:
        gc.set_threshold(20_000, 20, 100)
        assert seen == [gc.get_threshold()], "some versions of Python know of fewer generations"
    finally:
        gc.set_threshold(*before)


def test_what_was_loaded_before_the_work_is_not_looked_through(broker: MemoryBroker) -> None:
    frozen: list[int] = []
    assert run_on(broker, lambda _: frozen.append(gc.get_freeze_count())) == OK
    assert frozen[0] > 0
