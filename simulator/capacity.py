"""How much a centre can do at once, and what becomes of more. Pure; time is an argument.

[capacity]
tps = 200                    # payments and cancels a second, the whole centre
in_flight = 400              # taken and not answered yet, the whole centre
line_tps = 50                # the same of each line
line_in_flight = 100
burst = 20                   # how many may come at once before tps counts; a tenth of tps where it is left out
overload = "queue"           # or "slow", "refuse", "drop"
queue_ms = 20000             # queue: what would wait longer is refused
slow = 800                   # slow: how much later it is answered, a latency of simulator/latency.py
code = "R02"                 # refuse: what a turned-round request says; cancels say the first code of trouble

A telegram counts as in flight until its answer goes out; one that is answered by silence only while it comes in.
"""

import heapq
import math
import random
from collections import Counter
from enum import StrEnum
from typing import NamedTuple

import msgspec

from simulator.latency import LONGEST_MS, Latency, drawn_ms, problem_of

_BURST_S = 0.1  # of tps, where no burst is given


class Overload(StrEnum):
    """What becomes of a telegram that is too much."""

    QUEUE = "queue"  # it waits for its turn
    SLOW = "slow"  # it is done at once and answered late
    REFUSE = "refuse"  # a request is turned round 折返し, a cancel is not carried out
    DROP = "drop"  # it is lost


class Capacity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The limits; None: none."""

    tps: float | None = None
    in_flight: int | None = None
    line_tps: float | None = None
    line_in_flight: int | None = None
    burst: int | None = None
    overload: Overload = Overload.QUEUE
    queue_ms: int = 20_000
    slow: Latency = 500
    code: str | None = None

    @property
    def is_limited(self) -> bool:
        return any(each is not None for each in (self.tps, self.in_flight, self.line_tps, self.line_in_flight))


def capacity_problem(capacity: Capacity) -> str | None:
    """What is wrong with the limits, and the remedy; None where nothing is."""
    for name in ("tps", "in_flight", "line_tps", "line_in_flight", "burst"):
        value = getattr(capacity, name)
        if value is not None and not 0 < value < math.inf:
            return f"{name}: must be above 0, or left out for no limit"
    if not capacity.is_limited:
        return "no limit is given: one of tps, in_flight, line_tps, line_in_flight, or leave the section out"
    if not 0 <= capacity.queue_ms <= LONGEST_MS:
        return f"queue_ms: must be from 0 to {LONGEST_MS}"
    if capacity.code is not None and capacity.overload not in (Overload.REFUSE, Overload.QUEUE):
        return f"code: {capacity.overload} refuses nothing: leave it out"
    problem = problem_of(capacity.slow)
    return None if problem is None else f"slow: {problem}"


class Admission(NamedTuple):
    """What becomes of a telegram: refused, dropped, or taken and answered so much later than else."""

    verdict: Overload | None = None  # REFUSE or DROP; None: it is taken
    wait_ms: int = 0


TAKEN = Admission()


class _Gate:
    """One limit of telegrams a second and in flight."""

    def __init__(self, tps: float | None, in_flight: int | None, burst: int | None) -> None:
        self._gap_s = 0.0 if tps is None else 1 / tps
        allowed = 1 if tps is None else max(1, tps * _BURST_S if burst is None else burst)
        self._ahead_s = (allowed - 1) * self._gap_s
        self._due_s = float("-inf")  # when the next one would come if all came evenly
        self._places = in_flight
        self._free_s: list[float] = []  # when each place that is or was taken is free again; the first one first

    def start_s(self, now_s: float) -> float:
        """When one that comes now can be begun."""
        start_s = max(now_s, self._due_s - self._ahead_s)
        if self._places is not None and len(self._free_s) >= self._places:
            start_s = max(start_s, self._free_s[0])
        return start_s

    def take(self, start_s: float, end_s: float) -> None:
        """One is begun and answered then."""
        self._due_s = max(self._due_s, start_s) + self._gap_s
        if self._places is None:
            return
        if len(self._free_s) >= self._places:
            heapq.heapreplace(self._free_s, max(end_s, self._free_s[0]))
        else:
            heapq.heappush(self._free_s, end_s)


class Load:
    """What a centre has to do, against what it can."""

    def __init__(self, capacity: Capacity | None, seed: int) -> None:
        self.capacity = capacity
        self.counters: Counter[str] = Counter()  # queued, slowed, refused, dropped
        self._chance = random.Random(f"{seed}:load")  # noqa: S311  a game, and to be had again
        self._centre = None if capacity is None else _Gate(capacity.tps, capacity.in_flight, capacity.burst)
        self._lines: dict[str, _Gate] = {}

    def _gates(self, station: str) -> list[_Gate]:
        if self.capacity is None or self._centre is None:
            return []
        if station not in self._lines:
            capacity = self.capacity
            self._lines[station] = _Gate(capacity.line_tps, capacity.line_in_flight, capacity.burst)
        return [self._centre, self._lines[station]]

    def admit(self, station: str, now_s: float) -> Admission:
        """One comes over this line."""
        capacity = self.capacity
        if capacity is None:
            return TAKEN
        wait_ms = round(1000 * (max(gate.start_s(now_s) for gate in self._gates(station)) - now_s))
        if wait_ms == 0:
            return TAKEN
        if capacity.overload is Overload.QUEUE and wait_ms <= capacity.queue_ms:
            self.counters["queued"] += 1
            return Admission(wait_ms=wait_ms)
        if capacity.overload is Overload.SLOW:
            self.counters["slowed"] += 1
            return Admission(wait_ms=drawn_ms(capacity.slow, self._chance))
        if capacity.overload is Overload.DROP:
            self.counters["dropped"] += 1
            return Admission(Overload.DROP)
        self.counters["refused"] += 1
        return Admission(Overload.REFUSE)

    def taken(self, station: str, now_s: float, admission: Admission, after_ms: int) -> None:
        """It was taken, and is answered so long after it was begun."""
        start_s = now_s + admission.wait_ms / 1000
        for gate in self._gates(station):
            gate.take(start_s, start_s + after_ms / 1000)
