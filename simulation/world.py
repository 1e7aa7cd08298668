"""The world: a clock, a heap of events, chance, nodes, processes, and strands, which are what a process calls threads.

Nothing runs at the same time as anything else, and nothing happens but by an event of the heap: the same seed gives the
same history. A strand is a greenlet; it runs until it parks, so that code which waits (for the broker, for another
thread) can be the real code. Times are microseconds of the world (`_us`); each node's clock differs from it.
"""

import asyncio
import heapq
import random
from asyncio import events
from collections import Counter
from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

MS = 1_000
SECOND = 1_000_000

_swap_task = getattr(asyncio.tasks, "_swap_current_task", None)  # 3.12 and later: the task of the thread, not the loop


class Crashed(BaseException):
    """The process is no more. No code of a process may catch it and go on: everything it tries raises it again."""


class Node:
    """A machine: its clock, and the processes on it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.offset_us = 0  # its clock against the world's
        self.rank = 0


class Process:
    """One process: it lives, may be frozen, and ends. What it holds of the world is in `sockets` and `members`."""

    def __init__(self, world: "World", name: str, node: Node, *, fragile: bool = True) -> None:
        self.world = world
        self.name = name
        self.node = node
        self.fragile = fragile  # whether mischief may be done to it
        self.dead = False
        self.frozen = False
        self.silent_since_us: int | None = None  # frozen or dead or cut off: no heartbeats
        self.strands: list[Strand] = []
        world.processes.append(self)
        self.at_end: list[Callable[[], None]] = []
        self._thaw_us = 0
        self._put_off: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def __repr__(self) -> str:
        return self.name

    def put_off(self, act: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Do this when the process goes on."""
        self._put_off.append((act, arguments))

    # --- freezing

    def freeze(self, duration_us: int) -> None:
        """Stop it, as SIGSTOP does. Called from one of its own strands, that strand goes on only afterwards."""
        world = self.world
        self._thaw_us = max(self._thaw_us, world.now_us + duration_us)
        if not self.frozen:
            self.frozen = True
            self.silent_since_us = world.now_us
        world.after(duration_us, None, self._thaw)
        strand = world.strand
        if strand is not None and strand.process is self:
            self._put_off.append((strand.wake, (strand.parking(),)))
            strand.park()

    def _thaw(self) -> None:
        if self.dead or not self.frozen or self.world.now_us < self._thaw_us:
            return
        self.frozen = False
        self.silent_since_us = None
        put_off, self._put_off = self._put_off, []
        for act, arguments in put_off:
            self.world.after(0, self, act, *arguments)

    # --- ending

    def kill(self) -> None:
        """End it, as kill -9 does. Called from one of its own strands, it raises `Crashed` there."""
        if not self.dead:
            self.dead = True
            self.silent_since_us = self.world.now_us
            self.world.after(0, None, self.bury)
        strand = self.world.strand
        if strand is not None and strand.process is self:
            raise Crashed

    def bury(self) -> None:
        """Let go of everything it held; from the hub only."""
        for strand in list(self.strands):  # each takes itself out
            strand.throw()
        self.strands.clear()
        self._put_off.clear()
        for act in self.at_end:
            act()

    def check(self) -> None:
        """Raise `Crashed` where the process is no more."""
        if self.dead:
            raise Crashed

    def point(self, what: str) -> None:
        """A step of the process is about to be done, or has just been: here it may end, or freeze."""
        if self.dead:
            raise Crashed
        world = self.world
        if self.fragile:
            world.points -= 1
            if world.points <= 0:
                world.strike(self, what)
                self.check()


class Strand:
    """A thread of a process. `loop` is that of an event loop's own thread."""

    __slots__ = ("_greenlet", "_parking", "_target", "ended", "joining", "loop", "name", "process")

    def __init__(self, process: Process, target: Callable[[], object], name: str, loop: Any = None) -> None:
        self.process = process
        self.name = name
        self.loop = loop
        self.ended = False
        self.joining: list[tuple[Strand, int]] = []
        self._target = target
        self._parking = 0
        self._greenlet = greenlet(self._run, process.world.hub)
        process.strands.append(self)
        process.world.after(0, process, self._resume)

    def _run(self) -> None:
        try:
            self._target()
        except (Crashed, GreenletExit):
            pass
        except BaseException as error:  # noqa: BLE001  told, and the run fails
            self.process.world.trouble(self.process, error)
        self.ended = True
        for strand, parking in self.joining:
            self.process.world.after(0, strand.process, strand.wake, parking)
        if self in self.process.strands:
            self.process.strands.remove(self)

    def _resume(self) -> None:
        if self.ended:
            return
        world = self.process.world
        world.strand = self
        if self.loop is not None and world.loop is not self.loop:
            world.loop = self.loop
            events._set_running_loop(self.loop)  # noqa: SLF001  asyncio keeps it by thread, and strands share one
        self._greenlet.switch()
        world.strand = None

    def parking(self) -> int:
        """The number of the next parking, for whoever is to wake it."""
        return self._parking + 1

    def park(self, until_us: int | None = None) -> None:
        """Let others run until `wake`, at the latest `until_us`. Raises `Crashed`."""
        process = self.process
        if process.dead:
            raise Crashed
        self._parking += 1
        if until_us is not None:
            process.world.at(until_us, process, self.wake, self._parking)
        if self.loop is None or not _swap_task:
            process.world.hub.switch()
        else:
            self._leave_task()
        if process.dead:
            raise Crashed

    def _leave_task(self) -> None:
        """Park in the middle of a loop's work: meanwhile this thread works on another task, or on none."""
        assert _swap_task is not None
        task = _swap_task(self.loop, None)
        try:
            self.process.world.hub.switch()
        finally:
            _swap_task(self.loop, task)

    def wake(self, parking: int) -> None:
        """Go on, if it still parks as it did when this was arranged."""
        if self._parking == parking:
            self._parking += 1
            self._resume()

    def sleep(self, duration_us: int) -> None:
        """Park for this long."""
        self.park(self.process.world.now_us + duration_us)

    def throw(self) -> None:
        """End it where it parks. From the hub only."""
        if self.ended or not self._greenlet:
            self.ended = True
            return
        world = self.process.world
        world.strand = self
        self._greenlet.throw(Crashed)
        world.strand = None


class World:
    """Everything there is. `run` lets time pass."""

    def __init__(self, seed: int, epoch_ms: int) -> None:
        self.hub = getcurrent()
        self.now_us = 0
        self.epoch_ms = epoch_ms
        self.chance = random.Random(seed)  # noqa: S311  that it can be had again is its purpose
        self.strand: Strand | None = None
        self.loop: object = None  # the event loop that asyncio takes for the running one
        self.points = 1 << 60  # how many steps of processes until mischief is done to one
        self.strike: Callable[[Process, str], None] = lambda _, __: None
        self.processes: list[Process] = []
        self.counters: Counter[str] = Counter()
        self.notes: list[tuple[int, str, str]] = []
        self.troubles: list[str] = []
        self._heap: list[tuple[int, int, Process | None, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0

    # --- events

    def at(self, at_us: int, process: Process | None, act: Callable[..., object], *arguments: object) -> None:
        """Do this then. What belongs to a process waits while it is frozen, and is dropped when it is dead."""
        self._number += 1
        heapq.heappush(self._heap, (at_us, self._number, process, act, arguments))

    def after(self, delay_us: int, process: Process | None, act: Callable[..., object], *arguments: object) -> None:
        """Do this after so long."""
        self._number += 1
        heapq.heappush(self._heap, (self.now_us + delay_us, self._number, process, act, arguments))

    def run(self, until_us: int) -> None:
        """Let everything happen that happens until then; sooner back when something went wrong."""
        heap = self._heap
        while heap and heap[0][0] <= until_us and not self.troubles:
            at_us, _, process, act, arguments = heapq.heappop(heap)
            self.now_us = max(self.now_us, at_us)  # what was due while its strand was frozen is due now
            if process is None:
                act(*arguments)
            elif process.dead:
                continue
            elif process.frozen:
                process.put_off(act, arguments)
            else:
                act(*arguments)
        self.now_us = max(self.now_us, until_us)

    def end(self) -> None:
        """End every process there still is."""
        for process in self.processes:
            if not process.dead:
                process.dead = True
                process.bury()
        self.processes.clear()
        self._heap.clear()
        events._set_running_loop(None)  # noqa: SLF001

    # --- what is seen

    def note(self, who: object, what: str) -> None:
        """A line of the trace."""
        self.notes.append((self.now_us, str(who), what))

    def trouble(self, who: object, what: object) -> None:
        """Something went wrong that must not: the run has failed."""
        text = f"{type(what).__name__}: {what}" if isinstance(what, BaseException) else str(what)
        if isinstance(what, BaseException):
            text += _place(what)
        self.troubles.append(f"{who}: {text}")
        self.note(who, f"TROUBLE {text}")

    # --- small things

    def here(self) -> Process:
        """The process whose code runs."""
        assert self.strand is not None, "no process runs"
        return self.strand.process

    def clock_ms(self, node: Node) -> int:
        """The time by a node's clock."""
        return self.epoch_ms + (self.now_us + node.offset_us) // MS

    def between(self, least: int, most: int) -> int:
        """A number by chance, both ends included; small ones oftener."""
        return least + int((most - least) * self.chance.random() ** 3)

    def happens(self, share: float) -> bool:
        """Whether it happens this time."""
        return self.chance.random() < share


def _place(error: BaseException) -> str:
    frame = error.__traceback__
    if frame is None:
        return ""
    while frame.tb_next is not None:
        frame = frame.tb_next
    return f" (at {frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno})"
