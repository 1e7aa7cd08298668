"""Processes of a stack: started on a leash, waited for, ended in order; what they say goes to a file each."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ops.folder_lock import shared
from ops.interrupts import held
from ops.ports import Address

_LOOK_S = 0.05
_TAIL_LINES = 12
_TAIL_BYTES = 1 << 16


class ProcessError(Exception):
    """A process did not start, or ended by itself. The message holds its last words and the file with all of them."""


class Process:
    """One program. `ready` says whether it does its work; it may raise `OSError` for as long as it does not."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        ready: Callable[[], bool],
    ) -> None:
        self.name = name
        self.log = log
        self.environment: dict[str, str] = {}  # added to this one's, in each of its lives
        self._command = list(command)
        self._ready = ready
        self._popen: subprocess.Popen[bytes] | None = None
        self._before = 0  # bytes of its file that are of earlier lives

    @property
    def pid(self) -> int:
        """Its process id. Raises `ProcessError` when it was not started."""
        if self._popen is None:
            raise ProcessError(f"{self.name} was not started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, and return at once. What it says is added to its file. It ends with this thread (`ops.leash`).

        `environment` is added for this one of its lives. It has a share in the locks of folders (`ops.folder_lock`).
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with held(), self.log.open("ab") as out:
            self._before = out.tell()
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "ops.leash", *self._command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONIOENCODING": "utf-8", **self.environment, **(environment or {})},
                pass_fds=shared(),
                start_new_session=True,  # an interrupt at the terminal is for whoever started it, who ends all in order
            )

    def wait_ready(self, limit_s: float = 30.0) -> None:
        """Until it does its work. Raises `ProcessError`."""
        until = time.monotonic() + limit_s
        while True:
            self.check()
            if self.is_ready():
                return
            if time.monotonic() > until:
                raise ProcessError(f"{self.name} was not ready within {limit_s:g} s{self._last_words()}")
            time.sleep(_LOOK_S)

    def is_ready(self) -> bool:
        """Whether it does its work now."""
        with contextlib.suppress(OSError):
            return self._ready()
        return False

    def said(self) -> str:
        """What it has said in this life of it, or the end of that."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(self._before, self.log.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
        return ""

    def check(self) -> None:
        """Raise `ProcessError` when it has ended."""
        if self._popen is None or (status := self._popen.poll()) is not None:
            ended = "was not started" if self._popen is None else f"ended with status {status}"
            raise ProcessError(f"{self.name} {ended}{self._last_words()}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(number)

    def terminate(self) -> None:
        """Ask it to end in order."""
        self.send(signal.SIGTERM)

    def wait(self, limit_s: float) -> int | None:
        """Until it has ended; its exit status (negative: by which signal), or None when it had not by then."""
        if self._popen is None:
            return None
        try:
            return self._popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, limit_s: float = 30.0) -> int | None:
        """End it in order, or by force after `limit_s`; its exit status. None: it was never started."""
        self.terminate()
        status = self.wait(limit_s)
        if status is None and self._popen is not None:
            self.kill()
            status = self._popen.returncode
        return status

    def kill(self) -> None:
        """End it at once: nothing of its own is done any more."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:]
        except OSError:
            return ""
        return f" (all of it in {self.log}):\n  " + "\n  ".join(lines) if lines else f" and said nothing ({self.log})"


def aborted(process: Process) -> str | None:
    """Which signal ended it, where nobody sends one like that: a library that gave up (SIGABRT), memory (SIGSEGV).

    None for one that runs, ended by itself or in order, or was killed.
    """
    status = None if process.running else process.wait(0)
    if status is None or status >= 0 or -status in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        return None
    return f"{process.name} was ended by {signal.Signals(-status).name}: see {process.log}"


def service(
    name: str, package: str, arguments: Sequence[str], log: Path, metrics: Address, python: str = sys.executable
) -> Process:
    """One of the gateway's services, with its metrics at this address; ready when its ``/readyz`` says so."""
    command = [*version_of(python), package, *arguments, "--metrics-port", str(metrics[1])]
    return Process(name, command, log, lambda: is_ready(metrics))


def version_of(python: str) -> list[str]:
    """The begin of a command that runs a module of the version in this interpreter's environment, wherever it is."""
    return [python, "-P", "-m"]  # else what lies in the present folder comes first


def is_ready(metrics: Address) -> bool:
    """What the service with its metrics there answers to ``/readyz``. Raises `OSError` when it does not answer."""
    url = f"http://{metrics[0]}:{metrics[1]}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(json.load(answer)["ok"])
    except urllib.error.HTTPError:  # an OSError, too: it answers, and says no
        return False
