"""The whole gateway by `denbun up`, a payment by `denbun pay`, and the end: in order, or with whoever ends first."""

import os
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rich.cells import cell_len

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
GO = 90.0
PROCESSES = ["egress", "faults", "ingress", "router", "simulator", "simulator"]


def module_of(process: psutil.Process) -> str:
    command = process.cmdline()
    return command[command.index("-m") + 1]


class Up:
    """`denbun up` as a process of its own, running."""

    def __init__(self, folder: Path, servers: str, prefix: str, nodes: int = 1, *, until: str = "running") -> None:
        self.folder = folder
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("DENBUN_")}
        self._environment |= {"DENBUN_KAFKA__TOPIC_PREFIX": prefix, "PYTHONUNBUFFERED": "1"}
        self.popen = subprocess.Popen(
            [
                sys.executable, "-m", "ops", "up", "--bootstrap-servers", servers, "--folder", str(folder),
                "--nodes", str(nodes),
            ],
            cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.said = ""
        self.heard(until)
        self.children = self.running()

    def heard(self, text: str) -> str:
        """The next line with this text."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.said += line
            if text in line:
                return line.rstrip()
        raise AssertionError(self.said)

    def running(self) -> list[psutil.Process]:
        return psutil.Process(self.popen.pid).children(recursive=True)

    def modules(self) -> list[str]:
        """What its children run."""
        return sorted(module_of(each) for each in self.children)

    def end(self) -> tuple[int, str]:
        """Wait for its end; gives the status and what was said since it ran."""
        said, _ = self.popen.communicate(timeout=GO)
        return self.popen.returncode, said

    def pay(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.denbun("pay", "--config", str(self.folder / "denbun.toml"), *arguments)

    def denbun(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "ops", *arguments],
            cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=GO, check=False,
        )  # fmt: skip


@pytest.fixture
def up(tmp_path: Path, kafka_servers: str, topic_prefix: str, request: pytest.FixtureRequest) -> Iterator[Up]:
    started = Up(tmp_path / "up", kafka_servers, topic_prefix, getattr(request, "param", 1))
    yield started
    started.popen.kill()
    started.popen.wait()
    if started.popen.stdout is not None:
        started.popen.stdout.close()


def still_there(children: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_a_payment_is_approved_and_its_story_told_and_sigterm_ends_all_in_order(up: Up) -> None:
    assert up.modules() == PROCESSES
    assert "denbun.toml" in up.said
    assert "development-token-ap02" in up.said

    paid = up.pay("--amount", "4200", "--reference", "R-1")
    assert (paid.returncode, paid.stderr) == (0, ""), paid.stdout
    first, *rest = paid.stdout.splitlines()
    assert first == "approved  承認  AP02:R-1 ¥4,200"
    records = re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", "\n".join(rest))
    order = ["RequestAccepted", "SendRequest", "TelegramSent", "ReportReceived", "ReplyReady", "ReplyDelivered"]
    places = [records.index(name) for name in order]
    assert places == sorted(places), records
    assert records.count("TransactionState") >= 3  # dispatched, replied, answered
    assert "4111111111111111" not in paid.stdout

    refunded = up.pay("--amount", "200", "--kind", "refund", "--original", "R-1", "--reference", "R-2")
    assert refunded.returncode == 0, refunded.stdout
    assert refunded.stdout.startswith("approved  承認  AP02:R-1/R-2 ¥200")
    refused = up.pay("--kind", "cancel", "--original", "R-9", "--partner", "cardnet")
    assert refused.returncode == 1
    assert refused.stdout.startswith("refused: original_unknown  拒否  AP22:R-9/")
    assert "元取引が見つかりません" in refused.stdout

    up.popen.send_signal(signal.SIGTERM)
    status, said = up.end()
    assert status == 0, said
    assert "closing the lines" in said
    assert f"topics and keys stay in {up.folder}" in said.replace("\n", " ")
    assert still_there(up.children) == []
    for log in (up.folder / "logs").glob("*-0.log"):
        assert '"event": "stopped"' in log.read_text("utf-8"), log.name


def test_a_service_that_is_killed_is_started_again_and_told_and_the_others_go_on(up: Up) -> None:
    (victim,) = (each for each in up.children if module_of(each) == "faults")
    victim.send_signal(signal.SIGKILL)
    log = up.folder / "logs" / "faults-0.log"
    assert up.heard("faults-0: ").endswith(f"ended, is started again in 1 s: SIGKILL ({log})")
    assert up.heard("faults-0: ").endswith("runs again")
    others = [each for each in up.children if each.pid != victim.pid]
    assert still_there(others) == others
    assert sorted(map(module_of, up.running())) == PROCESSES
    assert up.pay("--amount", "4200").returncode == 0
    up.popen.send_signal(signal.SIGINT)
    status, said = up.end()
    assert status == 0, said
    assert "Traceback" not in said
    assert still_there(up.children) == []


def test_a_line_that_an_operator_has_closed_stays_so_when_it_is_started_again(
    up: Up, kafka_servers: str, topic_prefix: str
) -> None:
    order = ("cafis-1", "--reason", "work on the line", "--by", "sato", "--config", str(up.folder / "denbun.toml"))
    closed = up.denbun("lines", "close", *order, "--yes")
    assert closed.returncode == 0, closed.stdout + closed.stderr
    up.popen.send_signal(signal.SIGTERM)
    assert up.end()[0] == 0
    again = Up(up.folder, kafka_servers, topic_prefix)
    try:
        told = "line cafis-1 stays closed, as wished by sato: denbun lines open cafis-1"
        assert told in " ".join(again.said.split())
        assert again.pay("--partner", "cardnet").returncode == 0
        opened = again.denbun("lines", "open", *order)
        assert opened.returncode == 0, opened.stdout + opened.stderr
        again.popen.send_signal(signal.SIGTERM)
        assert again.end()[0] == 0
    finally:
        again.popen.kill()
        again.popen.communicate()


def test_a_second_one_in_the_same_folder_is_refused_and_changes_nothing(up: Up) -> None:
    before = {each: each.stat().st_mtime_ns for each in up.folder.iterdir()}
    second = up.denbun("up", "--folder", str(up.folder))
    assert (second.returncode, second.stdout) == (3, "")
    assert f"is in use by `denbun up` (pid {up.popen.pid}, since 20" in second.stderr
    assert {each: each.stat().st_mtime_ns for each in up.folder.iterdir()} == before
    assert sorted(map(module_of, up.running())) == PROCESSES


def test_it_tells_where_everything_is_and_every_centre_has_its_page(up: Up) -> None:
    table = up.said[up.said.index("構成") :].splitlines()[:-1]
    plan = tomllib.loads((up.folder / "denbun.toml").read_text("utf-8"))
    for name in ("ingress", "router", "egress", "faults"):
        address = f"http://127.0.0.1:{plan[name]['metrics_port']}/metrics"
        assert any(line.endswith(address) for line in map(str.rstrip, table)), name
        with urllib.request.urlopen(address, timeout=GO) as page:
            assert b"denbun" in page.read()
    pages = [line.split()[-1] for line in table if line.rstrip().endswith("/") and "http" in line]
    assert len(pages) == 2
    for address in pages:
        with urllib.request.urlopen(address, timeout=GO) as page:
            assert page.read().startswith(b"<!doctype html>")
    short = [line.replace(str(up.folder), ".denbun/up").rstrip() for line in table]
    assert max(map(cell_len, short)) <= 80


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("until", ["creating the topics", "starting the centres", "opening the lines"])
def test_it_ends_everything_when_it_is_interrupted_while_it_starts(
    tmp_path: Path, kafka_servers: str, topic_prefix: str, number: signal.Signals, until: str
) -> None:
    starting = Up(tmp_path / "up", kafka_servers, topic_prefix, until=until)
    try:
        for _ in range(2):
            starting.popen.send_signal(number)
        status, said = starting.end()
    finally:
        starting.popen.kill()
    assert status in (0, 128 + number), said
    assert "Traceback" not in said
    assert still_there(starting.children) == []


def test_what_is_killed_without_a_word_leaves_nobody_behind(up: Up) -> None:
    up.popen.send_signal(signal.SIGKILL)
    up.end()
    _, alive = psutil.wait_procs(up.children, timeout=GO)
    assert still_there(alive) == []


@pytest.mark.parametrize("up", [2], indirect=True)
def test_two_nodes_are_rolled_by_the_command_and_what_it_cannot_do_is_said(up: Up) -> None:
    folder = str(up.folder)
    nothing = up.denbun("deploy", "roll", "--back", "--folder", folder)
    assert (nothing.returncode, nothing.stdout) == (
        1, "nothing was rolled since `denbun up` began, or it was rolled back: there is no way back\n",
    )  # fmt: skip
    rolled = up.denbun("deploy", "roll", "--folder", folder)
    assert rolled.returncode == 0, rolled.stdout
    order = re.findall(r"^(\S+): ended in", rolled.stdout, re.MULTILINE)
    assert order == [f"{service}-{node}" for node in (0, 1) for service in ("router", "faults", "egress", "ingress")]
    assert rolled.stdout.endswith("done: everything was replaced, and does its work\n")
    services = [each for each in up.children if module_of_ended(each) is None]
    assert len(services) == 8
    assert len(up.running()) == len(up.children) == 10
    paid = up.pay("--amount", "4200")
    assert paid.returncode == 0, paid.stdout
    elsewhere = up.denbun("deploy", "roll", "--folder", f"{folder}/elsewhere")
    assert elsewhere.returncode == 1
    assert elsewhere.stdout.replace("\n", " ").startswith(f"no `denbun up` runs in {folder}/elsewhere")
    up.popen.send_signal(signal.SIGTERM)
    assert up.end()[0] == 0


def module_of_ended(process: psutil.Process) -> str | None:
    """What it runs; None for one that has ended."""
    try:
        return module_of(process)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return None
