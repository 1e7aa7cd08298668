"""What ends by itself is started again after a pause that grows; what people are told of it, and why it has ended."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.causes import cause, last_words
from ops.processes import Process
from ops.supervising import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, Supervisor, kept_process

GO = 30.0
WAITS = "import time; print('here', flush=True); time.sleep(600)"


@pytest.fixture
def started() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.kill()


class Watched:
    """A process under a supervisor, and a clock that goes when it is told."""

    def __init__(self, started: list[Process], log: Path, program: str) -> None:
        self.process = Process("egress-0", [sys.executable, "-c", program], log, lambda: "here" in self.process.said())
        started.append(self.process)
        self.now_s = 0.0
        self.said: list[str] = []
        self.starts = 0
        self._supervisor = Supervisor(self.said.append, lambda: self.now_s)
        self.process.start()

    def look(self, after_s: float = 0.0) -> None:
        self.now_s += after_s
        running = self.process.running
        self._supervisor.look([kept_process(self.process)])
        self.starts += self.process.running and not running

    def until_ready(self) -> None:
        self.process.wait_ready(GO)
        self.look()

    def end(self) -> None:
        """It ends, and that is seen."""
        self.process.kill()
        self.look()


def test_what_is_killed_is_told_and_started_again_and_told_when_it_runs(started: list[Process], tmp_path: Path) -> None:
    log = tmp_path / "egress-0.log"
    watched = Watched(started, log, WAITS)
    watched.until_ready()
    assert watched.said == []
    watched.end()
    assert watched.said == [
        f"egress-0: 停止、1 秒後に再起動  ended, is started again in 1 s: SIGKILL ({log})"
    ]  # fmt: skip
    watched.look(FIRST_PAUSE_S / 2)
    assert not watched.process.running, "it has its pause"
    watched.look(FIRST_PAUSE_S / 2)
    assert watched.process.running
    watched.until_ready()
    assert watched.said[1:] == ["egress-0: 再稼働しました  runs again"]


def test_the_pause_grows_to_its_longest_and_goes_on_so(started: list[Process], tmp_path: Path) -> None:
    watched = Watched(started, tmp_path / "log", WAITS)
    for pause_s in (1, 2, 4, 8, 16, 30, 30):
        watched.until_ready()
        watched.end()
        assert f"、{pause_s} 秒" in watched.said[-1]
        watched.look(pause_s - 0.5)
        assert not watched.process.running
        watched.look(0.5)
        assert watched.process.running
    assert f"ends again and again, tried every {LONGEST_PAUSE_S:g} s, the others go on: SIGKILL" in watched.said[-1]


def test_what_was_steady_begins_with_the_first_pause_again(started: list[Process], tmp_path: Path) -> None:
    watched = Watched(started, tmp_path / "log", WAITS)
    watched.end()
    watched.look(FIRST_PAUSE_S)
    watched.until_ready()
    watched.look(STEADY_S + 1)
    watched.end()
    assert "started again in 1 s" in watched.said[-1]


def test_what_somebody_else_has_started_meanwhile_is_not_started_twice(started: list[Process], tmp_path: Path) -> None:
    watched = Watched(started, tmp_path / "log", WAITS)
    watched.end()
    watched.process.start()
    pid = watched.process.pid
    watched.look(LONGEST_PAUSE_S)
    watched.look()
    assert watched.process.pid == pid
    assert watched.starts == 0


def test_a_start_that_fails_is_told_and_tried_again(started: list[Process], tmp_path: Path) -> None:
    log = tmp_path / "logs" / "egress-0.log"
    watched = Watched(started, log, WAITS)
    watched.end()
    log.unlink()
    log.parent.rmdir()
    log.parent.touch()  # no folder any more
    watched.look(FIRST_PAUSE_S)
    assert "started again in 2 s: " in watched.said[-1]
    assert "logs" in watched.said[-1]
    log.parent.unlink()
    watched.look(2 * FIRST_PAUSE_S)
    assert watched.process.running


# --- why


def line(event: str, level: str = "info", **fields: object) -> str:
    return json.dumps({"service": "egress", "node": "node0", "event": event, "level": level, **fields})


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], ""),
        (["", "  "], ""),
        ([line("stopped")], "stopped"),
        ([line("halted", "error", reason="no Kafka broker answers"), "egress: no Kafka broker answers"],
         "halted: no Kafka broker answers"),
        ([line("halted", "error", reason="a"), line("stopping")], "halted: a"),
        ([line("ready"), "Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: no"],
         "ValueError: no"),
        ([line("ready"), "Assertion failed: rk"], "Assertion failed: rk"),
        (["[2026] [main] ERROR kafka.Kafka - cannot bind", "\tat kafka.Kafka.main", "[2026] [main] WARN bye"],
         "[2026] [main] ERROR kafka.Kafka - cannot bind"),
        (['{"no": "event"}'], '{"no": "event"}'),
        (["{broken"], "{broken"),
        ([line("halted", "error", reason="two\nlines\x1b[31m")], "halted: two lines [31m"),
        (["card 4111111111111111 there"], "card ******** there"),
        (["x" * 300], "x" * 159 + "…"),
    ],
)  # fmt: skip
def test_the_last_line_about_a_trouble_is_told_in_words(lines: list[str], words: str) -> None:
    assert last_words(lines) == words


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("sys.exit(3)", "status 3: halted: why"),
        ("os.abort()", "SIGABRT: halted: why"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_the_cause_is_of_this_life(started: list[Process], tmp_path: Path, ends: str, told: str) -> None:
    log = tmp_path / "log"
    log.write_text(line("halted", "error", reason="an earlier life") + "\n", "utf-8")
    said = line("halted", "error", reason="why")
    process = Process("x", [sys.executable, "-c", f"import os, signal, sys; print({said!r}, flush=True); {ends}"], log,
                      lambda: True)  # fmt: skip
    assert cause(process) == "it was not started"
    started.append(process)
    process.start()
    process.wait(GO)
    assert cause(process) == told
    log.write_text("", "utf-8")
    assert cause(process) == told.partition(":")[0], "its file was emptied"
