"""Measures, in a drill, how soon all lines are open again after a broker has come back."""

import contextlib
import threading
import time

from egress.takeover import Places
from ops.broker import brokers_at
from ops.stage import Stage
from pipeline.log import LogError

_READY_S = 90.0
_WATCHED_S, _LOOK_S = 12.0, 0.1  # how long the lines are watched after the broker is back; how often


class Reopening(threading.Thread):
    """Watches how soon all lines are open, and stay so, after a broker answers again."""

    def __init__(self, stage: Stage, broker: str) -> None:
        super().__init__(name=f"reopening after {broker}", daemon=True)
        self._stage = stage
        self._broker = broker
        self._groups_s = 0.0  # until it answered about groups: a busy machine takes its time to load them
        self._lasted_s: float | None = None
        self.start()

    def run(self) -> None:
        stage, lines = self._stage, len(self._stage.installation.line)
        servers = stage.brokers[int(self._broker.removeprefix("broker-"))].servers
        until = time.monotonic() + _READY_S
        while not brokers_at(servers):
            if time.monotonic() > until:
                return
        answered = last = time.monotonic()
        first = stage.installation.line[0].name
        with contextlib.suppress(LogError):  # then it is seen at the lines
            stage.log.members(Places.of(stage.topics, first).group, _READY_S)
        self._groups_s = time.monotonic() - answered
        while time.monotonic() - answered < _WATCHED_S:
            if stage.open_lines() < lines:
                last = time.monotonic()
            time.sleep(_LOOK_S)
        self._lasted_s = last - answered

    def told(self) -> str:
        """What was seen, in words."""
        self.join(_READY_S + _WATCHED_S)
        if self._lasted_s is None:
            return f"{self._broker} has not answered again"
        groups = f"{self._groups_s:.1f} s about its groups"
        return f"{self._broker} answered again, after {groups}: all lines open after {self._lasted_s:.1f} s"
