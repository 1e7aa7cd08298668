"""Starts again what ends by itself, as a supervisor of services does: after a pause that grows, and tells it.

Nothing here waits: `Supervisor.look` is called again and again, and does what is due.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ops.broker import Broker, BrokerError
from ops.causes import cause
from ops.processes import Process

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
STEADY_S = 60.0
"""What has done its work for so long begins with the first pause again when it ends."""

Say = Callable[[str], object]


class Kept(NamedTuple):
    """What is to run always: its present process, and what starts it again (and returns at once)."""

    name: str
    process: Process
    start: Callable[[], object]


def kept_process(process: Process) -> Kept:
    """A process that is started again as it is."""
    return Kept(process.name, process, process.start)


def kept_broker(broker: Broker) -> Kept:
    """A broker: it is started again on the same data and at the same address."""
    return Kept(broker.process.name, broker.process, broker.launch)


@dataclass(slots=True)
class _Life:
    ended: int = 0  # how often, since it was steady
    again_at_s: float | None = None  # the end of its pause
    starting: bool = False
    ready_s: float = 0.0


class Supervisor:
    """Keeps everything running. For the thread that starts processes (`ops.leash`)."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._lives: dict[str, _Life] = {}

    def look(self, everything: Iterable[Kept]) -> None:
        """Start again what is due, and tell what has ended and what runs again."""
        for each in everything:
            self._look_at(each, self._lives.setdefault(each.name, _Life()), self._clock())

    def _look_at(self, kept: Kept, life: _Life, now_s: float) -> None:
        if kept.process.running:
            life.again_at_s = None  # somebody else may have started it: a roll
            if life.starting and kept.process.is_ready():
                life.starting, life.ready_s = False, now_s
                self._say(f"{kept.name}: 再稼働しました  runs again")
            elif not life.starting and now_s - life.ready_s > STEADY_S:
                life.ended = 0
        elif life.again_at_s is None:
            self._ended(kept, life, now_s, f"{cause(kept.process)} ({kept.process.log})")
        elif now_s >= life.again_at_s:
            self._start(kept, life, now_s)

    def _start(self, kept: Kept, life: _Life, now_s: float) -> None:
        life.again_at_s, life.starting = None, True
        try:
            kept.start()
        except (BrokerError, OSError) as error:
            self._ended(kept, life, now_s, " ".join(str(error).split()))

    def _ended(self, kept: Kept, life: _Life, now_s: float, why: str) -> None:
        pause_s = min(FIRST_PAUSE_S * 2**life.ended, LONGEST_PAUSE_S)
        life.ended += 1
        life.again_at_s, life.starting = now_s + pause_s, True
        if pause_s < LONGEST_PAUSE_S:
            self._say(f"{kept.name}: 停止、{pause_s:g} 秒後に再起動  ended, is started again in {pause_s:g} s: {why}")
        else:
            self._say(
                f"{kept.name}: 停止の繰り返し、{pause_s:g} 秒ごとに再起動、ほかは継続  "
                f"ends again and again, tried every {pause_s:g} s, the others go on: {why}"
            )
