"""Every service refuses what it cannot start with, says all of it with its remedy, and has done nothing before."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import Field
from words_rig import out_of

import egress.__main__
import faults.__main__
import ingress.__main__
import router.__main__
import wiring
from pipeline.config import load
from pipeline.service import FAILED, MISCONFIGURED, OK
from pipeline.telemetry import Health
from schemas.installation import Installation
from schemas.sealing import KeyRingError, create_ring

ROOT = Path(__file__).parents[2]
DEVELOPMENT = ROOT / "deploy" / "environments" / "development" / "denbun.toml"
GO = 60
MAIN: Mapping[str, Callable[[Sequence[str]], int]] = {
    "ingress": ingress.__main__.main,
    "router": router.__main__.main,
    "egress": egress.__main__.main,
    "faults": faults.__main__.main,
}
WITH_KEYS = ("ingress", "egress")


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where the ring of a refused configuration would lie; it is never made."""
    for name in [name for name in os.environ if name.startswith("DENBUN_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "ring" / "keys.json"
    monkeypatch.setenv("DENBUN_KEYS__RING", str(path))
    yield path
    assert not path.parent.exists()


Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a service that must not start; gives what it says."""

    def run(service: str, *argv: str | Path) -> str:
        assert MAIN[service]([str(each) for each in argv]) == MISCONFIGURED
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    return run


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """The development file with some text replaced."""
    text = DEVELOPMENT.read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "denbun.toml"
    path.write_text(text, "utf-8")
    return path


# --- a sound configuration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", MAIN)
def test_the_development_file_is_sound_and_checking_it_makes_nothing(
    service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert MAIN[service](["--config", str(DEVELOPMENT), "--check"]) == OK
    assert capsys.readouterr() == (f"{DEVELOPMENT}: ok for {service}\n", "")


@pytest.mark.parametrize("service", MAIN)
def test_the_environment_names_the_file_and_the_command_line_wins_over_it(
    service: str, refused: Refused, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DENBUN_CONFIG", str(DEVELOPMENT))
    assert MAIN[service](["--check"]) == OK
    assert capsys.readouterr().out == f"{DEVELOPMENT}: ok for {service}\n"
    other = tmp_path / "none.toml"
    assert refused(service, "--config", other, "--check").startswith(f"{other}: No such file")


def test_the_environment_gives_what_the_file_leaves_out(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = changed(tmp_path, ('bootstrap_servers = "127.0.0.1:9092"\n', ""))
    assert refused("router", "--config", path) == (
        f"{path}: kafka.bootstrap_servers: missing: it has no default, give it a value\n"
    )
    monkeypatch.setenv("DENBUN_KAFKA__BOOTSTRAP_SERVERS", "kafka-1:9092,kafka-2:9092")
    assert router.__main__.main(["--config", str(path), "--check"]) == OK
    assert capsys.readouterr().out == f"{path}: ok for router\n"


# --- a configuration that cannot be used ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", MAIN)
def test_no_configuration(service: str, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        "no configuration: give --config FILE, or set DENBUN_CONFIG: `denbun up` writes .denbun/up/denbun.toml; "
        "deploy/environments has one for each environment\n"
    )
    assert refused(service) == said
    monkeypatch.setenv("DENBUN_CONFIG", "")
    assert refused(service, "--check") == said


@pytest.mark.parametrize("service", MAIN)
def test_a_file_that_cannot_be_read(service: str, refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "denbun.toml"
    assert refused(service, "--config", path) == (
        f"{path}: No such file or directory: name the configuration with --config\n"
    )
    assert (
        refused(service, "--config", tmp_path) == f"{tmp_path}: Is a directory: name the configuration with --config\n"
    )
    path.write_text("kafka: 127.0.0.1\n", "utf-8")
    assert refused(service, "--config", path) == (
        f"{path}: is not TOML: Expected '=' after a key in a key/value pair (at line 1, column 6): correct the syntax\n"
    )


@pytest.mark.parametrize("service", MAIN)
def test_all_faults_are_told_at_once(
    service: str, refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = changed(
        tmp_path,
        ("replication = 1\n", ""),
        ("slots = 2", "slot = 2"),
        ('code = "200001"\nroutes = [1, 200]', 'code = "200001"\nroutes = [200, 1]'),
    )
    monkeypatch.setenv("DENBUN_ROUTER__METRICS_PORT", "70000")
    no_port = out_of(Annotated[int, Field(le=65535)], 70000)
    assert refused(service, "--config", path).splitlines() == [
        f"{path}: kafka.replication: missing: it has no default, give it a value",
        f"{path}: ingress.slots: missing: it has no default, give it a value",
        f"{path}: ingress.slot: unknown name: did you mean slots?",
        f"environment DENBUN_ROUTER__METRICS_PORT: router.metrics_port: {no_port}",
        f"{path}: line.1: routes: 200 is above 1: give the lower number first",
    ]


@pytest.mark.parametrize("service", MAIN)
def test_all_contradictions_are_told_at_once(service: str, refused: Refused, tmp_path: Path) -> None:
    path = changed(tmp_path, ('name = "cardnet-1"\npartner = "cardnet"', 'name = "cafis-1"\npartner = "jcn"'))
    assert refused(service, "--config", path) == (
        f"{path}: (whole file): line cafis-1 stands 2 times: keep one; "
        "line cafis-1: there is no partner jcn: one of cafis, cardnet; "
        "partner cardnet has no line: add a [[line]] with partner = 'cardnet'\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DENBUN_LOG_LEVEL", "LOUD", "environment DENBUN_LOG_LEVEL: log_level: "),
        ("DENBUN_CLOCK_TOLERANCE_MS", "1", "environment DENBUN_CLOCK_TOLERANCE_MS: clock_tolerance_ms: "),
        ("DENBUN_LOG_LEVL", "DEBUG", "unknown name: did you mean DENBUN_LOG_LEVEL?"),
        ("DENBUN_KAFKA_PARTITIONS", "6", "unknown name: did you mean DENBUN_KAFKA__PARTITIONS"),
    ],
)
def test_a_variable_that_is_wrong_or_misspelt_is_told(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert said in refused("router", "--config", DEVELOPMENT)


def test_an_override_that_makes_no_sense(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENBUN_LOG_LEVEL__NAME", "DEBUG")
    monkeypatch.setenv("DENBUN_KAFKA__PARTITION", "6")
    no_level = out_of(Installation.model_fields["log_level"].annotation, {})
    assert refused("faults", "--config", DEVELOPMENT).splitlines() == [
        "environment DENBUN_KAFKA__PARTITION: kafka.partition: unknown name: did you mean partitions?",
        f"environment DENBUN_LOG_LEVEL__NAME: log_level: {no_level}",
    ]


# --- what only one service can see ----------------------------------------------------------------------------------


@pytest.mark.parametrize("slot", ["2", "-1"])
def test_a_slot_that_is_none(slot: str, refused: Refused) -> None:
    assert refused("ingress", "--config", DEVELOPMENT, "--slot", slot) == (
        f"--slot {slot}: must be 0 to 1, or raise ingress.slots\n"
    )


def test_certificates_that_are_not_there(refused: Refused, tmp_path: Path) -> None:
    files = '[ingress]\ntls = { certificate = "door.pem", key = "door.key" }'
    said = refused("ingress", "--config", changed(tmp_path, ("[ingress]", files)), "--check")
    assert str(tmp_path / "door.pem") in said


def test_a_line_that_is_none(refused: Refused) -> None:
    assert refused("egress", "--config", DEVELOPMENT, "--line", "cafis-1", "--line", "cafis-2") == (
        "--line cafis-2: there is no such line: one of cafis-1, cardnet-1\n"
    )


EGRESS_FAULTS = {
    "routes that the partner has not": (
        ('partner = "cafis"\nmode', 'routes = [0, 200]\npartner = "cafis"\nmode'),
        "line cafis-1: routes: cafis has 1 to 999: choose within them",
    ),
    "a company code that does not fit": (
        ('company_code = "100001"', 'company_code = "10001"'),
        (
            "line cafis-1: cafis telegram authorisation_request, field company_code: has 5 characters where 6 belong: "
            "correct it to what is contracted"
        ),
    ),
}


@pytest.mark.parametrize("name", EGRESS_FAULTS)
def test_lines_that_do_not_fit_their_partner(name: str, refused: Refused, tmp_path: Path) -> None:
    change, said = EGRESS_FAULTS[name]
    path = changed(tmp_path, change)
    if "routes" in change[1]:
        text = path.read_text("utf-8")
        path.write_text(text.replace("routes = [1, 200]\n", "", 1), "utf-8")
    assert refused("egress", "--config", path) == f"{said}\n"


@pytest.mark.parametrize("service", ["egress", "faults"])
def test_telegrams_that_are_not_there(service: str, refused: Refused, tmp_path: Path) -> None:
    said = refused(service, "--config", changed(tmp_path, ('telegrams = "cardnet"', 'telegrams = "jcn"')), "--check")
    assert re.match(r"partner cardnet: .*jcn", said), said


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["--metrics-port", "70000"], "argument --metrics-port: '70000' is no port: give 0 to 65535"),
        (["--metrics-port", "any"], "argument --metrics-port: 'any' is no port: give 0 to 65535"),
        (["--conf", "x"], "unrecognized arguments: --conf x"),
    ],
)
@pytest.mark.parametrize("service", MAIN)
def test_a_command_line_that_is_wrong(
    service: str, argv: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        MAIN[service](argv)
    assert ended.value.code == MISCONFIGURED
    assert capsys.readouterr().err.endswith(f"denbun run {service}: error: {problem}\n")


# --- a sound configuration in a world that does not fit -------------------------------------------------------------


def run_all(services: Sequence[str], *argv: str, **environment: str) -> dict[str, tuple[int, str]]:
    """Run services as processes, side by side; gives the exit status of each and what it says on stderr."""
    source = (
        "import sys, pipeline.kafka as k; k._ADMIN_S = 3.0; from {}.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    started = {
        service: subprocess.Popen(
            [sys.executable, "-W", "error", "-c", source.format(service), "--config", str(DEVELOPMENT), *argv],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for service in services
    }
    ended = {}
    for service, process in started.items():
        with process:
            _, said = process.communicate(timeout=GO)
            ended[service] = (process.returncode, said)
    return ended


def test_a_port_for_metrics_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_all(list(MAIN), "--metrics-port", str(port))
    problem = f"metrics address 127.0.0.1:{port}: Address already in use: choose another metrics_port"
    assert ended == {service: (FAILED, f"{service}: {problem}\n") for service in MAIN}


@pytest.fixture
def closed_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return int(gone.getsockname()[1])


def test_no_broker_at_the_address(closed_port: int, tmp_path: Path) -> None:
    create_ring(tmp_path / "keys.json")
    address = f"127.0.0.1:{closed_port}"
    ended = run_all(
        list(MAIN),
        "--metrics-port",
        "0",
        DENBUN_KAFKA__BOOTSTRAP_SERVERS=address,
        DENBUN_KEYS__RING=str(tmp_path / "keys.json"),
    )
    for service, (status, said) in ended.items():
        assert status == FAILED, (service, said)
        assert said.startswith(f"{service}: no Kafka broker answers at {address} ("), said
        assert "): start it (`denbun up`) or correct kafka.bootstrap_servers; where one runs there" in said


def test_a_key_ring_that_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{}", "utf-8")
    path.chmod(0o600)
    ended = run_all(WITH_KEYS, "--metrics-port", "0", DENBUN_KEYS__RING=str(path))
    problem = f"key ring {path}: not a key ring (KeyError): restore it from its backup"
    assert ended == {service: (FAILED, f"{service}: {problem}\n") for service in WITH_KEYS}
    assert path.read_text("utf-8") == "{}", "what was there is left as it was"


def test_a_key_ring_that_is_not_there_is_made_only_where_that_is_allowed(ring: Path) -> None:
    ended = run_all(WITH_KEYS, "--metrics-port", "0", DENBUN_KEYS__CREATE="false")
    problem = f"key ring {ring}: No such file or directory: name the ring under [keys]; `denbun keys create` makes one"
    assert ended == {service: (FAILED, f"{service}: {problem}\n") for service in WITH_KEYS}
    with pytest.raises(KeyRingError):
        wiring.key_ring(
            load(Installation, DEVELOPMENT, {"DENBUN_KEYS__CREATE": "false", "DENBUN_KEYS__RING": str(ring)})
        )


def test_a_development_ring_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "made" / "keys.json"
    installation = load(Installation, DEVELOPMENT, {"DENBUN_KEYS__RING": str(path)})
    first = wiring.key_ring(installation)
    assert path.stat().st_mode & 0o777 == 0o600
    sealed = first.seal("card", "AP02:r1", b"what")
    assert wiring.key_ring(installation).open("card", "AP02:r1", sealed) == b"what"


_HEARING = """
import json, sys, wiring
from confluent_kafka import KafkaError

def work(process):
    process.entered.set()
    before = process.health.troubles(ready=True)
    process.log._troubles.hear(KafkaError(KafkaError._TRANSPORT, "gone"))
    print(json.dumps([before, process.health.troubles(ready=True)]))
    return 0

sys.exit(wiring.run("router", sys.argv[1:], work, metrics_port=lambda _: 0))
"""


def test_a_broker_of_which_trouble_is_told_makes_a_service_not_ready(closed_port: int) -> None:
    address = f"127.0.0.1:{closed_port}"
    done = subprocess.run(
        [sys.executable, "-c", _HEARING, "--config", str(DEVELOPMENT), "--metrics-port", "0"],
        cwd=ROOT, env={**os.environ, "DENBUN_KAFKA__BOOTSTRAP_SERVERS": address}, capture_output=True, text=True,
        timeout=GO, check=True,
    )  # fmt: skip
    before, after = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[")))
    assert before == {"clock": "the broker's time is not known yet"}
    assert after.keys() == {"broker", "clock"}
    assert after["broker"].startswith(f"no Kafka broker answers at {address} (")


def test_a_service_leaves_no_image_of_its_memory() -> None:
    source = "import resource, sys; from router.__main__ import main; main(sys.argv[1:]); {}"
    told = "print(resource.getrlimit(resource.RLIMIT_CORE))"
    arguments = [sys.executable, "-c", source.format(told), "--config", str(DEVELOPMENT), "--check"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=GO, check=True)
    assert done.stdout.splitlines()[-1] == "(0, 0)"


def test_a_loop_that_hangs_makes_the_process_neither_live_nor_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr("pipeline.pulse.time.monotonic", lambda: now_s[0])
    unused: Any = None
    process = wiring.Process(
        "egress", "n1", unused, unused, unused, unused, CollectorRegistry(), Health(), threading.Event(), unused,
        unused,
    )  # fmt: skip
    process.pulse("the loop", 10.0).beat()
    now_s[0] = 9.0
    assert process.health.troubles(ready=True) == {}
    now_s[0] = 11.0
    for ready in (False, True):
        assert process.health.troubles(ready=ready) == {"pulse": "the loop has not turned for 11 s"}
