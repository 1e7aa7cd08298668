"""Ctrl-C, SIGTERM and a closed terminal: the first is raised once, never within `held`, and later ones are not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops.interrupts import Interrupted, dropped_if_interrupted

ROOT = Path(__file__).parents[2]
GO = 30.0
BEGIN = """
import os, signal, sys, time
from ops import interrupts
from ops.guard import guarded
def send(number): os.kill(os.getpid(), number)
def work():
"""
END = "sys.exit(guarded(work, 'denbun work'))"


def run(work: str, *, ignored: tuple[int, ...] = ()) -> "subprocess.CompletedProcess[str]":
    """Run the lines of `work` as a command."""
    ready = "".join(f"import signal; signal.signal({number}, signal.SIG_IGN)\n" for number in ignored)
    program = ready + BEGIN + "".join(f"    {line}\n" for line in work.strip().splitlines()) + END
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True, text=True, timeout=GO, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_interrupted_says_so_and_ends_with_the_status_of_the_signal(number: signal.Signals) -> None:
    done = run(f"print('begun', flush=True)\nsend({number.value})\nprint('never')")
    assert (done.returncode, done.stdout) == (128 + number, "begun\n")
    assert done.stderr == "中断しました  interrupted: what was started has been ended\n"


def test_what_is_held_is_done_whole_and_then_it_is_interrupted() -> None:
    work = """
with interrupts.held():
    send(signal.SIGINT)
    with interrupts.held():
        print('started', flush=True)
    print('and kept', flush=True)
print('never')
"""
    done = run(work)
    assert (done.returncode, done.stdout) == (130, "started\nand kept\n")


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_later_signal_changes_nothing(again: signal.Signals) -> None:
    work = f"""
try:
    send(signal.SIGTERM)
finally:
    send({again.value})
    print('ended in order', flush=True)
"""
    done = run(work)
    assert (done.returncode, done.stdout) == (143, "ended in order\n")
    assert "ending already" in done.stderr


def test_a_command_for_which_an_interrupt_is_the_ordinary_end_ends_well() -> None:
    done = run("try:\n    send(signal.SIGINT)\nexcept KeyboardInterrupt:\n    print('ended')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


def test_a_closed_terminal_that_is_ignored_stays_so() -> None:
    done = run("send(signal.SIGHUP)\nprint('goes on')", ignored=(signal.SIGHUP,))
    assert (done.returncode, done.stdout) == (0, "goes on\n")


def test_whoever_has_ways_of_his_own_gets_the_signals_as_they_were() -> None:
    done = run("interrupts.leave()\nsend(signal.SIGTERM)")
    assert done.returncode == -signal.SIGTERM


def test_ctrl_c_while_the_command_is_imported_ends_it_without_a_word() -> None:
    program = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "import ops.__main__\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=GO, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_once_it_is_imported_ctrl_c_is_what_it_was() -> None:
    program = "import signal, ops.__main__; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=GO, check=False
    )
    assert done.stdout == "True\n"


@pytest.mark.parametrize("ours", [True, False])
def test_a_folder_for_this_work_alone_goes_with_an_interrupt(tmp_path: Path, *, ours: bool) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    with pytest.raises(Interrupted), dropped_if_interrupted(folder if ours else None):
        raise Interrupted(signal.SIGINT)
    assert folder.exists() is not ours
