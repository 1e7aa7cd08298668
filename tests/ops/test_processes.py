"""Processes: ready or not, their last words, their end in order or by force; and the leash that leaves none behind."""

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ops import leash
from ops.ports import free_port
from ops.processes import Process, ProcessError, aborted, is_ready, service
from pipeline.telemetry import Health, TelemetryServer

GO = 30.0
ROOT = Path(__file__).parents[2]
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a program is run without a leash")

WAITS = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
)
GRACEFUL = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    "print('here', flush=True)\n"
    "time.sleep(600)"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "demo.log"


@pytest.fixture
def started() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.kill()


def run(started: list[Process], log: Path, program: str, **environment: str) -> Process:
    """A Python program, started; ready as soon as it says `here`."""
    process = Process("demo", [sys.executable, "-c", program], log, lambda: "here" in log.read_text("utf-8"))
    started.append(process)
    process.start(environment)
    return process


def ended(pid: int) -> bool:
    """Wait for the end of a process that is not ours."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        readable, _, _ = select.select([handle], [], [], GO)
        return bool(readable)
    finally:
        os.close(handle)


# --- from start to end


def test_a_process_is_ready_when_its_question_says_so(started: list[Process], log: Path) -> None:
    process = run(started, log, WAITS)
    process.wait_ready(GO)
    assert process.running
    process.check()


def test_a_question_that_cannot_be_asked_yet_is_asked_again(started: list[Process], log: Path) -> None:
    asked = 0

    def ready() -> bool:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise ConnectionRefusedError
        return True

    process = Process("demo", [sys.executable, "-c", WAITS], log, ready)
    started.append(process)
    process.start()
    process.wait_ready(GO)
    assert asked == 3


def test_a_process_gets_its_environment_beside_ours(
    started: list[Process], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_OURS", "ours")
    process = run(started, log, "import os; print(os.environ['DEMO_OURS'], os.environ['DEMO_MINE'])", DEMO_MINE="mine")
    assert process.wait(GO) == 0
    assert log.read_text("utf-8") == "ours mine\n"


def test_a_process_that_ends_by_itself_is_told_with_its_status_and_last_words(
    started: list[Process], log: Path
) -> None:
    lines = "\\n".join(f"line {number}" for number in range(20))
    process = run(started, log, f"import sys; print('{lines}'); sys.exit('no room')")
    with pytest.raises(ProcessError) as told:
        process.wait_ready(GO)
    last = "".join(f"\n  line {number}" for number in range(9, 20))
    assert str(told.value) == f"demo ended with status 1 (all of it in {log}):{last}\n  no room"
    assert not process.running


def test_a_process_that_ends_without_a_word_is_told_so(started: list[Process], log: Path) -> None:
    process = run(started, log, "pass")
    assert process.wait(GO) == 0
    with pytest.raises(ProcessError) as told:
        process.check()
    assert str(told.value) == f"demo ended with status 0 and said nothing ({log})"


def test_a_process_that_was_killed_is_told_with_the_signal(started: list[Process], log: Path) -> None:
    process = run(started, log, WAITS)
    process.wait_ready(GO)
    process.send(signal.SIGKILL)
    assert process.wait(GO) == -signal.SIGKILL
    with pytest.raises(ProcessError, match=r"^demo ended with status -9 "):
        process.check()


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("os.abort()", "SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", None),
        ("os.kill(os.getpid(), signal.SIGTERM)", None),
        ("sys.exit(1)", None),
        ("sys.exit(0)", None),
    ],
)
def test_a_signal_that_nobody_sends_is_told(started: list[Process], log: Path, ends: str, told: str | None) -> None:
    dies = Process("egress-0", [sys.executable, "-c", f"import os, signal, sys; {ends}"], log, lambda: True)
    assert aborted(dies) is None, "it was not started"
    started.append(dies)
    dies.start()
    assert dies.wait(20) is not None
    assert aborted(dies) == (None if told is None else f"egress-0 was ended by {told}: see {log}")


def test_a_process_that_never_gets_ready_is_told_with_its_last_words(started: list[Process], log: Path) -> None:
    process = run(started, log, WAITS)
    process.wait_ready(GO)
    process._ready = lambda: False
    with pytest.raises(ProcessError) as told:
        process.wait_ready(0.01)
    assert str(told.value) == f"demo was not ready within 0.01 s (all of it in {log}):\n  here"
    assert process.running


def test_what_was_said_before_a_second_start_stays(started: list[Process], log: Path) -> None:
    process = run(started, log, "print('here')")
    assert process.wait(GO) == 0
    process.start()
    assert process.wait(GO) == 0
    assert log.read_text("utf-8") == "here\nhere\n"


def test_a_process_that_was_not_started_says_so_and_can_be_stopped(log: Path) -> None:
    process = Process("demo", ["true"], log, lambda: True)
    for act in (process.check, process.wait_ready, lambda: process.pid):
        with pytest.raises(ProcessError, match=r"^demo was not started"):
            act()
    assert not process.running
    assert process.wait(0) is None
    assert process.stop() is None
    process.kill()


def test_a_program_that_does_not_exist_is_named(started: list[Process], log: Path) -> None:
    process = Process("demo", ["no-such-program", "--help"], log, lambda: False)
    started.append(process)
    process.start()
    with pytest.raises(ProcessError) as told:
        process.wait_ready(GO)
    assert str(told.value) == (
        f"demo ended with status 127 (all of it in {log}):\n  no-such-program: No such file or directory"
    )


# --- the end


def test_stop_asks_and_gives_the_status(started: list[Process], log: Path) -> None:
    process = run(started, log, GRACEFUL)
    process.wait_ready(GO)
    assert process.stop(GO) == 7
    assert process.stop(GO) == 7  # once more changes nothing


def test_stop_uses_force_on_what_does_not_listen(started: list[Process], log: Path) -> None:
    process = run(started, log, STUBBORN)
    process.wait_ready(GO)
    assert process.stop(0.05) == -signal.SIGKILL
    assert not process.running


def test_kill_waits_until_nothing_is_left(started: list[Process], log: Path) -> None:
    process = run(started, log, GRACEFUL)
    process.wait_ready(GO)
    pid = process.pid
    process.kill()
    assert not process.running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_interrupt_at_the_terminal_is_not_for_the_process(started: list[Process], log: Path) -> None:
    process = run(started, log, WAITS)
    process.wait_ready(GO)
    assert os.getpgid(process.pid) != os.getpgid(0)


# --- the leash

_STARTER = """
import sys, time
from pathlib import Path
from ops.processes import Process
log = Path(sys.argv[1])
process = Process("child", [sys.executable, "-c", sys.argv[2]], log, lambda: "here" in log.read_text())
process.start()
process.wait_ready()
print(process.pid, flush=True)
time.sleep(600)
"""


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "SIGTERM"])
def test_a_child_ends_with_its_starter(log: Path, number: signal.Signals) -> None:
    log.parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(log), WAITS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        os.kill(pid, 0)
        starter.send_signal(number)
        starter.wait(GO)
        assert ended(pid)


@linux
def test_a_starter_that_ended_before_the_leash_was_on_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([100, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(leash.ctypes, "CDLL", lambda _: _NoLeash())
    assert leash.main(["no-such-program"]) == 1


class _NoLeash:
    def prctl(self, *_: int) -> int:
        return 0


def test_the_leash_alone_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert leash.main([]) == 2
    assert capsys.readouterr().err == "usage: python -m ops.leash PROGRAM ARGUMENT…\n"


# --- a service


def test_a_service_is_started_as_its_module_with_its_metrics_port(log: Path) -> None:
    made = service("router-0", "router", ["--node", "n"], log, ("127.0.0.2", 7_001), "python9")
    assert made._command == ["python9", "-P", "-m", "router", "--node", "n", "--metrics-port", "7001"]


def test_a_service_is_ready_when_its_page_says_so() -> None:
    health = Health()
    trouble: list[str] = ["starting"]
    health.ready("work", lambda: trouble[0] if trouble else None)
    port = free_port()
    server = TelemetryServer("127.0.0.1", port, CollectorRegistry(), health)
    try:
        assert not is_ready(("127.0.0.1", port))
        trouble.clear()
        assert is_ready(("127.0.0.1", port))
    finally:
        server.close()
    with pytest.raises(OSError, match=re.compile("refused", re.IGNORECASE)):
        is_ready(("127.0.0.1", port))
