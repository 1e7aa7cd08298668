"""One command at a time has a folder: a second one is told who has it and changes nothing, until the first ends."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import folder_lock
from ops.folder_lock import NAME, FolderLock, FolderTakenError
from ops.processes import Process

ROOT = Path(__file__).parents[2]
GO = 30.0
HOLDER = """
import sys, time
from pathlib import Path
from ops.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("mine", flush=True)
time.sleep(600)
"""
HEIR = """
import os, signal, sys
from pathlib import Path
from ops.folder_lock import FolderLock, shared
from subprocess import Popen
lock = FolderLock(Path(sys.argv[1]))
child = Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=shared())
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@contextlib.contextmanager
def holder(program: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    ) as popen:  # fmt: skip
        try:
            yield popen
        finally:
            popen.kill()


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {each.name: (each.read_bytes(), each.stat().st_mtime_ns) for each in folder.iterdir()}


def test_a_second_command_is_told_who_has_the_folder_since_when_and_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "up"
    with holder(HOLDER, folder) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "mine\n"
        before = everything(folder)
        with pytest.raises(FolderTakenError) as told:
            FolderLock(folder)
        said = str(told.value)
        assert said.startswith(f"{folder} は使用中です  is in use by `denbun ")
        assert re.search(rf"` \(pid {first.pid}, since 20[-0-9]{{8}} [0-9:.]{{12}} JST\):", said)
        assert f"use that one, stop it (Ctrl-C there, or kill {first.pid}), or give this one another --folder" in said
        assert everything(folder) == before
        first.kill()
        first.wait(GO)
    with FolderLock(folder):  # the system has given it back
        assert str(os.getpid()) in (folder / NAME).read_text("utf-8")


def test_it_is_free_again_after_its_release(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(FolderTakenError):
        FolderLock(tmp_path)
    FolderLock(tmp_path).release()


def test_what_a_killed_command_has_started_keeps_the_folder_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holder(HEIR, tmp_path) as first:
        assert first.stdout is not None
        child = int(first.stdout.readline())
        first.wait(GO)
    said: list[str] = []
    try:
        with monkeypatch.context() as short:
            short.setattr(folder_lock, "_LEFT_S", 0.0)
            with pytest.raises(FolderTakenError, match="has ended, and not all that it started"):
                FolderLock(tmp_path)

        def end_it(text: str) -> None:
            said.append(text)
            os.kill(child, signal.SIGKILL)

        FolderLock(tmp_path, end_it).release()
    finally:
        if not said:
            os.kill(child, signal.SIGKILL)
    assert len(said) == 1
    assert "waiting for what a killed command left there to end" in said[0]


def test_a_process_of_ours_has_a_share_in_the_lock(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "stage")
    waits = Process("demo", [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "log", lambda: True)
    waits.start()
    try:
        lock.release()
        with pytest.raises(FolderTakenError):  # its number is ours, and we run
            FolderLock(tmp_path / "stage")
    finally:
        waits.kill()
    FolderLock(tmp_path / "stage").release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file"):
        FolderLock(tmp_path / "file" / "up")


@pytest.mark.parametrize("left", ["", "{", "[1]", '{"pid": "x"}'])
def test_whatever_stands_in_the_file_the_lock_decides(tmp_path: Path, left: str) -> None:
    (tmp_path / NAME).write_text(left, "utf-8")
    with FolderLock(tmp_path):
        (tmp_path / NAME).write_text(left, "utf-8")
        with pytest.raises(FolderTakenError, match="is in use by"):
            FolderLock(tmp_path)
