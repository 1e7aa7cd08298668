"""One command at a time has a folder: the lock that keeps a second one out of its topics, logs and configuration.

It is the operating system's (flock(2)) on the file ``denbun.lock`` in the folder, so it ends with whoever has it,
however that ends. Every process that a command starts has a share in it (`shared`): where the command is killed, the
folder is free when the last of them has ended, too.
"""

import errno
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops.times import clock, now_ms

NAME = "denbun.lock"
_LEFT_S, _LOOK_S = 30.0, 0.2  # how long processes that a killed command has left are awaited

_shared: set[int] = set()


class FolderTakenError(Exception):
    """Another command has the folder. The message says which, and what to do."""


class FolderLock:
    """The lock of a folder, which is made if need be; `release` gives it back.

    Raises `FolderTakenError`; `OSError` where the folder cannot be made or written to.
    """

    def __init__(self, folder: Path, say: Callable[[str], object] = lambda _: None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(folder, say)
        except BaseException:
            os.close(self._descriptor)
            raise
        holder = {"pid": os.getpid(), "since_ms": now_ms(), "command": _command()}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(holder).encode() + b"\n", 0)
        _shared.add(self._descriptor)

    def _take(self, folder: Path, say: Callable[[str], object]) -> None:
        until: float | None = None
        while not self._taken(folder):
            holder = self._holder()
            if until is None:
                if _lives(holder.get("pid")):
                    raise FolderTakenError(_told(folder, holder))
                say(f"{folder}: 前回の残りの終了を待っています  waiting for what a killed command left there to end")
                until = time.monotonic() + _LEFT_S
            if time.monotonic() > until:
                raise FolderTakenError(
                    f"{folder} は使用中です  is in use: {_named(holder)} has ended, and not all that it started. "
                    "Wait until that has ended or end it (ps), or give another --folder; nothing was changed"
                )
            time.sleep(_LOOK_S)

    def _taken(self, folder: Path) -> bool:
        """Whether it is ours now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
            raise OSError(
                error.errno, f"{folder / NAME}: {error.strerror}: give a --folder on a disk of this machine"
            ) from error
        return True

    def _holder(self) -> dict[str, Any]:
        """What whoever has it says of itself; empty when it has not said so yet."""
        try:
            found = json.loads(os.pread(self._descriptor, 4_096, 0))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give it back. What was started with a share in it keeps that until it ends."""
        if self._descriptor in _shared:
            _shared.remove(self._descriptor)
            os.close(self._descriptor)


def shared() -> tuple[int, ...]:
    """The open files that a process is started with, to have a share in each lock of ours."""
    return tuple(_shared)


def _command() -> str:
    return " ".join(["denbun", *sys.argv[1:2]])


def _lives(pid: object) -> bool:
    """Whether this process runs; who has not said its number yet is about to."""
    if not isinstance(pid, int):
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _named(holder: dict[str, Any]) -> str:
    if "pid" not in holder:
        return "another command"
    since = f", since {clock(holder['since_ms'])}" if isinstance(holder.get("since_ms"), int) else ""
    return f"`{holder.get('command')}` (pid {holder['pid']}{since})"


def _told(folder: Path, holder: dict[str, Any]) -> str:
    stop = f"stop it (Ctrl-C there, or kill {holder['pid']})" if "pid" in holder else "stop it"
    return (
        f"{folder} は使用中です  is in use by {_named(holder)}: use that one, {stop}, "
        "or give this one another --folder; nothing was changed"
    )
