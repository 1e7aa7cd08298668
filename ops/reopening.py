"""Measures, in a drill, how soon all lines are open again after a broker has come back."""

import threading
import time

from ops.broker import brokers_at
from ops.stage import Stage

_READY_S = 90.0
_WATCHED_S, _LOOK_S = 12.0, 0.1  # how long the lines are watched after the broker is back; how often


class Reopening(threading.Thread):
    """Watches how soon all lines are open, and stay so, after a broker answers again."""

    def __init__(self, stage: Stage, broker: str) -> None:
        super().__init__(name=f"reopening after {broker}", daemon=True)
        self._stage = stage
        self._broker = broker
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
        while time.monotonic() - answered < _WATCHED_S:
            if stage.open_lines() < lines:
                last = time.monotonic()
            time.sleep(_LOOK_S)
        self._lasted_s = last - answered

    def told(self) -> str:
        """What was seen, in words."""
        self.join(_READY_S + _WATCHED_S)
        when = "never answered again" if self._lasted_s is None else f"after {self._lasted_s:.1f} s"
        return f"{self._broker} answered again: all lines open {when}"
