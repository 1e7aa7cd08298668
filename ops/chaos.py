"""Does faults to a stage that runs, at their times, and undoes them: what a drill is made of.

Everything is done from one thread, the one that started the stage (`ops.leash`). A service that ends by itself is
started again, as the supervisor of a production host would; that it did is written down.
"""

import heapq
import itertools
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from ops.line_faults import LineFault
from ops.processes import Process, ProcessError
from ops.stage import SERVICES, Stage
from ops.times import now_ms
from ops.writing import write_record
from schemas.records import LineOrder, LineOrdered
from simulator.control import ControlError

REQUESTS = ["sale_request", "authorisation_request", "cancel_request", "refund_request"]
_READY_S = 90.0
_TEND_S = 0.5


class Deed(StrEnum):
    """What is done to a process or a centre; what is done to a line stands in `LineFault`."""

    KILL = "kill -9"
    STOP = "stop in order"
    FREEZE = "freeze"
    SLOW = "slow"  # a centre: every answer takes `amount` milliseconds
    CLOSE = "closed by order"  # a line; undone, its hours say again what it should be
    DRAIN = "drained by order"
    PARTNER_CLOSES = "closes its stations"  # a centre


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at`: when, as a share of the load's time; `lasts_s`: until it is undone, 0 for what happens once.

    `target` is a service ("router-0"), a node ("node-0"), a broker ("broker-0"), a line or a centre's partner. `amount`
    is what the deed counts: milliseconds or telegrams. With the end of one fault of a line all of that line end.
    """

    at: float
    do: Deed | LineFault
    target: str
    lasts_s: float = 0.0
    amount: int = 0

    def told(self) -> str:
        """The fault in words."""
        counted = "" if not self.amount else f" {self.amount}"
        lasting = "" if not self.lasts_s else f" for {self.lasts_s:.1f} s"
        return f"{self.target}: {self.do}{counted}{lasting}"


Say = Callable[[str], None]


class Chaos:
    """Applies faults to `stage`. `say` is told what is done to whom; `teach` gives a centre its behaviour back."""

    def __init__(self, stage: Stage, say: Say, teach: Callable[[str], None]) -> None:
        self._stage = stage
        self._say = say
        self._teach = teach
        self._undo: list[tuple[float, int, Fault]] = []
        self._numbers = itertools.count()
        self._meant: dict[str, int] = {}  # what is dead on purpose, and by how many faults
        self._frozen: dict[str, int] = {}
        self._tend_at = 0.0
        self.done: list[Fault] = []
        self.ended: list[str] = []  # what ended by itself

    # --- time

    def run(self, faults: Iterable[Fault], over_s: float, busy: Callable[[], bool]) -> None:
        """Let the faults happen over so many seconds; return when all are done and undone, and the load is over."""
        began = time.monotonic()
        waiting = sorted(faults, key=lambda fault: fault.at, reverse=True)
        while waiting or self._undo or busy():
            now = time.monotonic() - began
            while waiting and waiting[-1].at * over_s <= now:
                self._begin(waiting.pop(), began)
            while self._undo and self._undo[0][0] <= time.monotonic():
                self._end(heapq.heappop(self._undo)[2])
            self._tend()
            time.sleep(0.02)

    def heal(self) -> None:
        """Undo whatever lasts, start what is dead, wait until all do their work. Raises `ProcessError`, `OSError`."""
        while self._undo:
            self._end(heapq.heappop(self._undo)[2])
        stage = self._stage
        if stage.proxies:
            with stage.proxy() as proxy:
                proxy.heal()
        for partner in stage.centres:
            self._teach(partner)
        for process in stage.services.values():
            self._revive(process)
        self._tend_at = 0.0
        until = time.monotonic() + _READY_S
        while not all(_ready(process) for process in stage.services.values()):
            self._tend()
            if time.monotonic() > until:
                for process in stage.services.values():
                    process.wait_ready(1)
            time.sleep(0.1)
        stage.wait_open(len(stage.installation.line), _READY_S)

    def thaw(self) -> None:
        """Let whatever is frozen go on, so that it can be ended: the drill has broken off."""
        for name in self._frozen:
            self._process(name).send(signal.SIGCONT)

    def _begin(self, fault: Fault, began: float) -> None:
        self._say(f"{time.monotonic() - began:5.1f} s  {fault.told()}")
        self.done.append(fault)
        self._do(fault)
        if fault.lasts_s:
            due = time.monotonic() + fault.lasts_s
            heapq.heappush(self._undo, (due, next(self._numbers), fault))

    # --- deeds

    def _do(self, fault: Fault) -> None:
        match fault.do:
            case Deed.KILL | Deed.STOP:
                for name in self._names(fault.target):
                    self._meant[name] = self._meant.get(name, 0) + 1
                self._take_down(fault)
            case Deed.FREEZE:
                for name in self._names(fault.target):
                    self._frozen[name] = self._frozen.get(name, 0) + 1
                    self._process(name).send(signal.SIGSTOP)
            case Deed.SLOW:
                with suppress(ControlError), self._stage.control(fault.target) as control:
                    control.behave(role=REQUESTS, do="late", after_ms=fault.amount)
            case Deed.CLOSE:
                self._order(fault.target, LineOrder.CLOSE)
            case Deed.DRAIN:
                self._order(fault.target, LineOrder.DRAIN)
            case Deed.PARTNER_CLOSES:
                with suppress(ControlError), self._stage.control(fault.target) as control:
                    control.close_stations()
            case LineFault():
                with self._stage.proxy() as proxy:
                    proxy.do(fault.target, fault.do, count=fault.amount, ms=fault.amount)

    def _order(self, line: str, order: LineOrder) -> None:
        """Order it as `denbun lines` does."""
        record = LineOrdered(
            order_id=uuid.uuid4().hex, line=line, order=order, operator="drill", reason="drill", ordered_ms=now_ms()
        )
        write_record(self._stage.log, "drill", self._stage.topics("line-orders"), line, record)

    def _take_down(self, fault: Fault) -> None:
        processes = [self._process(name) for name in self._names(fault.target)]
        if fault.do is Deed.STOP:
            for process in processes:
                process.terminate()
        for process in processes:
            if fault.do is Deed.KILL or process.wait(15) is None:
                process.kill()

    def _end(self, fault: Fault) -> None:
        match fault.do:
            case Deed.KILL | Deed.STOP:
                for name in self._left_alone(self._meant, fault):
                    if not self._process(name).running:
                        self._start(name)
            case Deed.FREEZE:
                for name in self._left_alone(self._frozen, fault):
                    self._process(name).send(signal.SIGCONT)
            case Deed.SLOW:
                self._teach(fault.target)
            case Deed.CLOSE | Deed.DRAIN:
                self._order(fault.target, LineOrder.CALENDAR)
            case Deed.PARTNER_CLOSES:
                pass  # the line is opened again by itself
            case LineFault():
                with self._stage.proxy() as proxy:
                    proxy.heal(fault.target)

    def _left_alone(self, counts: dict[str, int], fault: Fault) -> Sequence[str]:
        """Those whom no other fault of this kind holds any more."""
        names = self._names(fault.target)
        for name in names:
            counts[name] -= 1
        return [name for name in names if not counts[name]]

    # --- whom it meets

    def _names(self, target: str) -> Sequence[str]:
        if target.startswith("node-"):
            return [f"{service}-{target.removeprefix('node-')}" for service in SERVICES]
        return [target]

    def _process(self, name: str) -> Process:
        if name.startswith("broker-"):
            return self._stage.brokers[int(name.removeprefix("broker-"))].process
        return self._stage.services[name]

    def _start(self, name: str) -> None:
        if name.startswith("broker-"):
            self._stage.brokers[int(name.removeprefix("broker-"))].launch()
        else:
            self._stage.services[name].start()

    def _tend(self) -> None:
        """Start again what has ended by itself."""
        if time.monotonic() < self._tend_at:
            return
        self._tend_at = time.monotonic() + _TEND_S
        for name, process in self._stage.services.items():
            if not process.running and not self._meant.get(name):
                self._revive(process)

    def _revive(self, process: Process) -> None:
        if process.running:
            return
        try:
            process.check()
        except ProcessError as error:
            words = str(error).splitlines()
            self.ended.append(f"{words[0]}: {words[-1].strip()}")
            self._say(f"         {process.name} has ended by itself, and is started again")
        process.start()


def _ready(process: Process) -> bool:
    with suppress(OSError, ProcessError):
        process.wait_ready(0)
        return True
    return False
