"""What is measured: latencies, processor time and memory of processes."""

import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from schemas.japan_time import moment


@dataclass(frozen=True, slots=True)
class Latency:
    """How long things took, in milliseconds."""

    count: int
    p50: float
    p99: float
    p999: float
    max: float

    @classmethod
    def of(cls, taken_ms: Iterable[float]) -> "Latency":
        """The quantiles (nearest rank) of what was taken; all 0 of nothing."""
        ordered = sorted(taken_ms)
        if not ordered:
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        ranks = [min(len(ordered) - 1, int(len(ordered) * share)) for share in (0.5, 0.99, 0.999)]
        p50, p99, p999 = (round(ordered[rank], 2) for rank in ranks)
        return cls(len(ordered), p50, p99, p999, round(ordered[-1], 2))


class Meter:
    """The processor time of some processes, by name; processes of one name are added up."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._processes = {name: [psutil.Process(pid) for pid in each] for name, each in pids.items()}
        self.restart()

    def _now(self) -> dict[str, float]:
        return {
            name: sum(sum(each.cpu_times()[:2]) for each in processes)  # user and system
            for name, processes in self._processes.items()
        }

    def restart(self) -> None:
        """Count from now on."""
        self._restarted = time.monotonic()
        self._seconds = self._now()
        self._machine = psutil.cpu_times()

    def us_each(self, count: int) -> dict[str, float]:
        """Microseconds of processor time since the last restart, divided by `count`."""
        now = self._now()
        return {name: round((now[name] - before) / max(1, count) * 1e6, 1) for name, before in self._seconds.items()}

    def percents(self) -> dict[str, float]:
        """The processor time since the last restart, in percent of one core."""
        seconds, now = time.monotonic() - self._restarted, self._now()
        return {name: round((now[name] - before) / seconds * 100, 1) for name, before in self._seconds.items()}

    def elsewhere(self) -> float:
        """The share of the machine, in percent, that programs not counted here took since the last restart."""
        spans = {name: now - before for name, now, before in _beside(psutil.cpu_times(), self._machine)}
        whole = sum(spans.values())
        idle = spans["idle"] + spans.get("iowait", 0.0)
        now = self._now()
        ours = sum(now[name] - before for name, before in self._seconds.items())
        return round(max(0.0, (whole - idle - ours) / whole * 100), 1) if whole else 0.0

    def memory_mb(self) -> dict[str, float]:
        """The resident memory now."""
        return {
            name: round(sum(each.memory_info().rss for each in processes) / 1e6, 1)
            for name, processes in self._processes.items()
        }


def _beside(now: Any, before: Any) -> Iterable[tuple[str, float, float]]:
    guests = ("guest", "guest_nice")  # Linux counts them as user and nice, too
    return [(name, getattr(now, name), getattr(before, name)) for name in now._fields if name not in guests]


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy it was before."""
    return {
        "at": moment(time.time_ns() // 1_000_000),
        "cores": os.cpu_count(),
        "load_before": [round(each, 2) for each in os.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
