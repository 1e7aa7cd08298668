"""The rolling restart ローリング再起動: every service of every node replaced, one after the other, while work goes on.

The order is the same for containers and for systemd (`docs/deploying.md`): node by node, and on each node router,
faults, egress, ingress; the next one when the last does its work and as many lines are open as before. What is replaced
is ended in order (SIGTERM): partitions, lines and clients go to the other nodes. A new one that does not come up is put
back, and the roll ends there. A rollback is the same way backwards.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ops.processes import ProcessError, version_of
from ops.stage import SERVICES, Say, Stage

_CHECK_S = 60.0
_VERSION = "from importlib.metadata import version; print(version('denbun'))"


class RollError(Exception):
    """The roll was refused, or has ended before its end. The message says what runs now, and what to do."""


@dataclass(slots=True)
class Roll:
    """Rolls of one stage. `stopped`: whether the stage is about to end."""

    stage: Stage
    say: Say
    stopped: Callable[[], bool] = lambda: False
    _runs: dict[str, str] = field(default_factory=dict)  # by service: its interpreter, where it is not the first one
    _steps: list[tuple[str, str]] = field(default_factory=list)  # what the last roll has replaced, and what that ran

    def forward(self, python: str = sys.executable) -> None:
        """Replace everything by the version in this interpreter's environment. Raises `RollError`."""
        names = list(_in_order(self.stage.nodes))
        version = self._checked(python, names)
        self.say(f"to version {version}: {len(names)} processes, one after the other")
        self._steps = []
        lines = self.stage.open_lines()
        for name in names:
            old = self._runs.get(name, sys.executable)
            self._replace(name, python, old, lines)
            self._steps.append((name, old))

    def back(self) -> None:
        """Replace what the last roll has replaced by what ran before, in the opposite order. Raises `RollError`."""
        if not self._steps:
            raise RollError("nothing was rolled since `denbun up` began, or it was rolled back: there is no way back")
        self.say(f"back: {len(self._steps)} processes, one after the other")
        lines = self.stage.open_lines()
        while self._steps:
            name, python = self._steps[-1]
            self._replace(name, python, self._runs[name], lines)
            self._steps.pop()

    def _replace(self, name: str, python: str, old: str, lines: int) -> None:
        if self.stopped():
            raise RollError(f"the stack ends: {name} and what comes after it were not replaced")
        began = ended = time.monotonic()
        try:
            self.stage.end(name)
            ended = time.monotonic()
            self.stage.begin(name, python)
            self.stage.wait_open(lines)
        except (ProcessError, TimeoutError, OSError) as error:
            self._put_back(name, old, error)
        self._runs[name] = python
        self.say(f"{name}: ended in {ended - began:.1f} s, at work again after {time.monotonic() - ended:.1f} s")

    def _put_back(self, name: str, python: str, error: Exception) -> None:
        self.say(f"{name} does not come up; what ran before is put back")
        try:
            self.stage.end(name)
            self.stage.begin(name, python)
        except (ProcessError, OSError) as again:
            raise RollError(f"{name} does not come up, neither the new nor the old one: {error}\n{again}") from again
        raise RollError(
            f"{name} does not come up, and runs as before; the roll ends here: {error}\n"
            "Correct that and roll again, or roll back what was replaced (`denbun deploy roll --back`)"
        ) from error

    def _checked(self, python: str, names: Sequence[str]) -> str:
        """The version in this interpreter's environment; every service of it takes the configuration."""
        if self.stage.nodes == 1:
            raise RollError("one node has no other to do its work meanwhile: start it with --nodes 2 or more")
        version = _asked(
            [python, "-P", "-c", _VERSION], f"{python} is no interpreter in whose environment denbun is installed"
        )
        for name in names:
            _asked(self.stage.check_command(name, python), f"{name} of version {version} would not start")
        topics = [*version_of(python), "ops", "topics", "create", "--config", str(self.stage.plan.file)]
        _asked(topics, f"the topics of version {version} cannot be created")
        return version


def _in_order(nodes: int) -> Iterator[str]:
    for node in range(nodes):
        for service in SERVICES:
            yield f"{service}-{node}"


def _asked(command: Sequence[str], problem: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RollError(f"{problem} ({error}); nothing was replaced") from error
    if done.returncode != 0:
        raise RollError(f"{problem} ({(done.stderr or done.stdout).strip()[-500:]}); nothing was replaced")
    return done.stdout.strip()
