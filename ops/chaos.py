"""Does faults to a stage that runs, at their times, and undoes them: what a drill is made of.

Everything is done from one thread, the one that started the stage (`ops.leash`). A service that ends by itself is
started again, as the supervisor of a production host would; that it did is written down.

Most faults come at their time. Some are about a moment that no clock knows, such as the opening of a line: those wait
until the line's owner tells that it is there (`ops.watch`), one after the other, and where it never is that is told.
"""

import heapq
import itertools
import signal
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from ops.courses import CANCELS, CONFIRMS
from ops.line_faults import LineFault
from ops.processes import Process, ProcessError, aborted
from ops.reopening import Reopening
from ops.stage import SERVICES, Stage
from ops.times import now_ms
from ops.watch import Watch
from ops.writing import write_record
from schemas.records import LineOrder, LineOrdered, LineStage
from simulator.control import ControlError

REQUESTS = ["sale_request", "authorisation_request", "cancel_request", "refund_request"]
KEEPALIVE = "keepalive_request"
OWNER, OWNERS_NODE = "owner of ", "node of "  # stand before a line's name, in place of a process or node
_READY_S = 90.0
_MOMENT_S = 25.0  # so long a moment is waited for when the load is over and nothing else happens
_TEND_S = 0.5


class Deed(StrEnum):
    """What is done to a process or a centre; what is done to a line stands in `LineFault`."""

    KILL = "kill -9"
    STOP = "stop in order"
    FREEZE = "freeze"
    CUT_OFF = "cut off from Kafka"  # a node: its lines, and its clients, it still reaches
    SLOW = "slow"  # a centre: every answer takes `amount` milliseconds
    CLOSE = "closed by order"  # a line; undone, its hours say again what it should be
    DRAIN = "drained by order"
    PARTNER_CLOSES = "closes its stations"  # a centre
    CALL_AGAIN = "called a second time"  # a line that listens
    SILENT = "answers nothing but openings"  # a centre: neither requests, nor cancels, nor keep-alives
    STALLED = "answers keep-alives alone"  # a centre
    CLOCK = "clock set wrong"  # a node's or a service's: by `amount` milliseconds, less than 0: behind
    MAINTENANCE = "in maintenance"  # a line, or all of a partner: its calendar says so


class Moment(StrEnum):
    """What a fault waits for, beside the stages of a line."""

    CALM = "calm"  # every line is open, and where it belongs, and nothing lasts
    HELD = "holding a route"  # a route of the line has just been held
    CALM_AND_HELD = "calm, and holding a route"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at`: when, as a share of the load's time; `lasts_s`: until it is undone, 0 for what happens once.

    `target` is a service ("router-0"), a node ("node-0"), a broker ("broker-0"), a line or a centre's partner; or
    "owner of cafis-1", the process that has the line then, or "node of cafis-1", its whole node. `amount` is what the
    deed counts: milliseconds or telegrams. With the end of one fault of a line all of that line end. `when`: not before
    the line is so; those that wait for a moment are done in their order.
    """

    at: float
    do: Deed | LineFault
    target: str
    lasts_s: float = 0.0
    amount: int = 0
    when: Moment | LineStage | None = None

    @property
    def line(self) -> str:
        """The line that it is about, where it is about one."""
        return self.target.removeprefix(OWNER).removeprefix(OWNERS_NODE)

    def told(self) -> str:
        """The fault in words."""
        counted = "" if not self.amount else f" {self.amount}"
        lasting = "" if not self.lasts_s else f" for {self.lasts_s:.1f} s"
        awaited = "" if self.when is None else f", as soon as it is {self.when}"
        return f"{self.target}: {self.do}{counted}{lasting}{awaited}"


@dataclass(frozen=True, slots=True)
class Done:
    """A fault that was done: to whom it was in the end, and when it had been."""

    fault: Fault
    target: str
    at_ms: int


Say = Callable[[str], None]


class Chaos:
    """Applies faults to `stage`. `say` is told what is done to whom; `teach` gives a centre its behaviour back."""

    def __init__(self, stage: Stage, say: Say, teach: Callable[[str], None]) -> None:
        self._stage = stage
        self._say = say
        self._teach = teach
        self._undo: list[tuple[float, int, Fault]] = []
        self._awaiting: deque[Fault] = deque()
        self._watch: Watch | None = None
        self._stirred = 0.0  # when something happened last
        self._numbers = itertools.count()
        self._meant: dict[str, int] = {}  # what is dead on purpose, and by how many faults
        self._frozen: dict[str, int] = {}
        self._tend_at = 0.0
        self.done: list[Done] = []
        self.missed: list[Fault] = []  # their moment never came
        self.ended: list[str] = []  # what ended by itself
        self.aborted: list[str] = []  # what a signal ended that nobody here had sent
        self._reopenings: list[Reopening] = []

    # --- time

    def run(self, faults: Iterable[Fault], over_s: float, busy: Callable[[], bool]) -> None:
        """Let the faults happen over so many seconds; return when all are done and undone, and the load is over."""
        began = time.monotonic()
        waiting = sorted(faults, key=lambda fault: fault.at, reverse=True)
        if any(fault.when for fault in waiting):
            self._watch = Watch(self._stage.log, self._stage.topics, self._stage.installation.line)
        while waiting or self._awaiting or self._undo or busy():
            now = time.monotonic() - began
            while waiting and waiting[-1].at * over_s <= now:
                fault = waiting.pop()
                if fault.when is None:
                    self._begin(fault, began)
                else:
                    self._awaiting.append(fault)
            if self._watch is not None:
                self._watch.look()
                self._seize(self._watch, began, busy)
            while self._undo and self._undo[0][0] <= time.monotonic():
                self._end(heapq.heappop(self._undo)[2])
                self._stirred = time.monotonic()
            self._tend()
            time.sleep(0.02)
        if self._watch is not None:
            self._watch.close()

    def _seize(self, watch: Watch, began: float, busy: Callable[[], bool]) -> None:
        """Do what has waited for this moment; with the load over and nothing happening, no moment comes any more."""
        while self._awaiting and self._is_there(watch, self._awaiting[0]):
            self._begin(self._awaiting.popleft(), began)
        if busy():
            self._stirred = time.monotonic()
        elif self._awaiting and time.monotonic() - self._stirred > _MOMENT_S:
            self.missed.append(self._awaiting.popleft())
            self._say(f"{time.monotonic() - began:5.1f} s  {self.missed[-1].told()}: it never was")

    def _is_there(self, watch: Watch, fault: Fault) -> bool:
        calm = watch.calm and not self._undo
        match fault.when:
            case Moment.CALM:
                return calm
            case Moment.HELD:
                return watch.held(fault.line)
            case Moment.CALM_AND_HELD:
                return calm and watch.held(fault.line)
            case stage:
                return watch.stage(fault.line) is stage

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
        while not (all(_ready(each) for each in stage.services.values()) and self._all_open()):
            self._tend()  # what lost the broker for too long may end now
            if time.monotonic() > until:
                for process in stage.services.values():
                    process.wait_ready(1)
                stage.wait_open(len(stage.installation.line), 1)
            time.sleep(0.1)

    def _all_open(self) -> bool:
        return self._stage.open_lines() >= len(self._stage.installation.line)

    def thaw(self) -> None:
        """Let whatever is frozen go on, so that it can be ended: the drill has broken off."""
        for name in self._frozen:
            self._process(name).send(signal.SIGCONT)

    def _begin(self, fault: Fault, began: float) -> None:
        found = self._found(fault)
        whom = "" if found is fault else f" ({found.target})"
        self._say(f"{time.monotonic() - began:5.1f} s  {fault.told()}{whom}")
        self._do(found)
        self._stirred = time.monotonic()
        self.done.append(Done(fault, found.target, now_ms()))
        if fault.lasts_s:
            heapq.heappush(self._undo, (self._stirred + fault.lasts_s, next(self._numbers), found))

    def _found(self, fault: Fault) -> Fault:
        """The fault, and who it is that has the line now."""
        if fault.line == fault.target or self._watch is None:
            return fault
        node = (self._watch.owner(fault.line) or "").removeprefix("node")
        return replace(fault, target=f"{'egress' if fault.target.startswith(OWNER) else 'node'}-{node}")

    # --- deeds

    def _do(self, fault: Fault) -> None:
        match fault.do:
            case Deed.KILL | Deed.STOP:
                for name in self._names(fault.target):
                    self._meant[name] = self._meant.get(name, 0) + 1
                self._take_down(fault)
            case Deed.FREEZE | Deed.CUT_OFF:
                for name in self._names(fault.target, fault.do):
                    self._frozen[name] = self._frozen.get(name, 0) + 1
                    self._process(name).send(signal.SIGSTOP)
            case Deed.CLOSE | Deed.DRAIN:
                self._order(fault.target, LineOrder.CLOSE if fault.do is Deed.CLOSE else LineOrder.DRAIN)
            case Deed.SLOW | Deed.SILENT | Deed.STALLED | Deed.PARTNER_CLOSES | Deed.CALL_AGAIN:
                with suppress(ControlError):
                    self._have_a_centre(fault)
            case Deed.CLOCK:
                self._set_clocks(fault, fault.amount)
            case Deed.MAINTENANCE:
                pass  # it stands in the installation since the stage began
            case LineFault():
                with self._stage.proxy() as proxy:
                    proxy.do(fault.target, fault.do, count=fault.amount, ms=fault.amount)

    def _have_a_centre(self, fault: Fault) -> None:
        """Have it be done by the centre."""
        if fault.do is Deed.CALL_AGAIN:
            (detour,) = (each for each in self._stage.plan.detours if each.line == fault.target)
            with self._stage.control(detour.partner) as control:
                control.call_again(detour.awaits)
            return
        with self._stage.control(fault.target) as control:
            match fault.do:
                case Deed.PARTNER_CLOSES:
                    control.close_stations()
                case Deed.SLOW:
                    control.behave(role=REQUESTS, do="late", after_ms=fault.amount)
                case Deed.SILENT:
                    control.behave(role=[*REQUESTS, *CONFIRMS, *CANCELS, KEEPALIVE], do="silent")
                case Deed.STALLED:
                    control.behave(role=[*REQUESTS, *CONFIRMS, *CANCELS], do="silent")

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
            self._look_at_end(process)

    def _end(self, fault: Fault) -> None:
        match fault.do:
            case Deed.KILL | Deed.STOP:
                self._restart(fault)
            case Deed.FREEZE | Deed.CUT_OFF:
                for name in self._left_alone(self._frozen, fault):
                    self._process(name).send(signal.SIGCONT)
                    self._watch_reopening(name)
            case Deed.SLOW | Deed.SILENT | Deed.STALLED:
                self._teach(fault.target)
            case Deed.CLOSE | Deed.DRAIN:
                self._order(fault.target, LineOrder.CALENDAR)
            case Deed.CLOCK:
                self._set_clocks(fault, 0)
            case Deed.PARTNER_CLOSES | Deed.CALL_AGAIN | Deed.MAINTENANCE:
                pass  # the line is opened again by itself
            case LineFault():
                with self._stage.proxy() as proxy:
                    proxy.heal(fault.target)

    def _restart(self, fault: Fault) -> None:
        """Start again what was killed or stopped on purpose."""
        for name in self._left_alone(self._meant, fault):
            if not self._process(name).running:
                self._start(name)
            self._watch_reopening(name)

    def _set_clocks(self, fault: Fault, off_ms: int) -> None:
        for name in self._names(fault.target):
            file = self._stage.clock_of(name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(str(off_ms), "utf-8")

    def _watch_reopening(self, name: str) -> None:
        if name.startswith("broker-"):
            self._reopenings.append(Reopening(self._stage, name))

    def reopened(self) -> list[str]:
        """How soon after each broker answered again all lines were open for good, in words."""
        return [each.told() for each in self._reopenings]

    def _left_alone(self, counts: dict[str, int], fault: Fault) -> Sequence[str]:
        """Those whom no other fault of this kind holds any more."""
        names = self._names(fault.target, fault.do)
        for name in names:
            counts[name] -= 1
        return [name for name in names if not counts[name]]

    # --- whom it meets

    def _names(self, target: str, do: Deed | LineFault | None = None) -> Sequence[str]:
        if do is Deed.CUT_OFF:
            return [target.replace("node-", "way-")]
        if target.startswith("node-"):
            return [f"{service}-{target.removeprefix('node-')}" for service in SERVICES]
        return [target]

    def _process(self, name: str) -> Process:
        if name.startswith("broker-"):
            return self._stage.brokers[int(name.removeprefix("broker-"))].process
        if name.startswith("way-"):
            return self._stage.ways[int(name.removeprefix("way-"))]
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

    def _look_at_end(self, process: Process) -> None:
        if told := aborted(process):
            self.aborted.append(told)

    def _revive(self, process: Process) -> None:
        if process.running:
            return
        try:
            process.check()
        except ProcessError as error:
            words = str(error).splitlines()
            self.ended.append(f"{words[0]}: {words[-1].strip()}")
            self._look_at_end(process)
            self._say(f"         {process.name} has ended by itself, and is started again")
        process.start()


def _ready(process: Process) -> bool:
    with suppress(OSError, ProcessError):
        process.wait_ready(0)
        return True
    return False
