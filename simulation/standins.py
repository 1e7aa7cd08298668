"""What stands in for time, threads and chance in the modules of the product while a simulation runs.

The modules name what they use (`time.monotonic()`, `threading.Thread(…)`, `uuid.uuid4()`); under `substituted` these
names mean the world's. So no product code knows that it is simulated, and none has to be handed a clock for it.
"""

import asyncio
import datetime as dt
import importlib
import pkgutil
import random
import secrets
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from schemas import wire
from schemas.records import Record
from simulation.world import SECOND, Strand, World

PACKAGES = ("client", "egress", "faults", "ingress", "pipeline", "router", "schemas", "simulator")
_LEFT = frozenset({"pipeline.kafka", "pipeline.telemetry", "client.sync", "simulator.control", "simulator.web"})
_JST = dt.timezone(dt.timedelta(hours=9))

# Waits that only look whether something has happened; made longer, so that a run has fewer of them.
_PACE = (
    ("egress.station", "_TELL_AGAIN_MS", 1_000),
    ("egress.tenure", "_TICK_S", 0.15),
    ("egress.tenure", "_STEP_S", 0.05),
    ("pipeline.owned", "_LOOK_S", 3.0),
    ("pipeline.clock", "_EVERY_S", 1.0),
    ("pipeline.clock", "_POLL_S", 0.01),
    ("simulator.server", "_REDIAL_S", 0.4),
    ("ingress.shell", "_TICK_S", 0.15),
)


class _Now:
    """The world that runs, and the records that were read in it, by the message they lie in."""

    world: World | None = None
    read: dict[int, tuple[wire.Carried, Record]] = {}  # noqa: RUF012  the process's, as the world is


def world() -> World:
    """The world that runs now."""
    assert _Now.world is not None, "no simulation runs"
    return _Now.world


@contextmanager
def inhabited(new: World) -> Iterator[None]:
    """Let this be the world."""
    _Now.world = new
    try:
        yield
    finally:
        _Now.world = None
        _Now.read = {}


# --- records

_decode = wire.decode


def _remembered(message: wire.Carried) -> Record:
    """`wire.decode`: a message of the log is read by many, and nobody can change what he reads."""
    found = _Now.read.get(id(message))
    if found is not None and found[0] is message:
        return found[1]
    record = _decode(message)
    _Now.read[id(message)] = message, record
    return record


# --- time


def _monotonic() -> float:
    return world().now_us / SECOND


def _monotonic_ns() -> int:
    return world().now_us * 1_000


def _time_ns() -> int:
    here = world()
    return here.epoch_ms * 1_000_000 + (here.now_us + here.here().node.offset_us) * 1_000


def _sleep(duration_s: float) -> None:
    strand = world().strand
    assert strand is not None
    strand.sleep(int(duration_s * SECOND))


class _Datetime(dt.datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return dt.datetime.fromtimestamp(_time_ns() / 1e9, tz or _JST)


# --- threads


class Thread:
    """`threading.Thread`: a strand of the process that starts it."""

    def __init__(self, *, target: Callable[..., object], name: str = "thread", args: Any = (), **_: Any) -> None:
        self._target = target
        self._arguments = args
        self._name = name
        self._strand: Strand | None = None

    def start(self) -> None:
        self._strand = Strand(world().here(), lambda: self._target(*self._arguments), self._name)

    def join(self, timeout: float | None = None) -> None:
        strand, here = self._strand, world().strand
        assert strand is not None
        assert here is not None
        until_us = None if timeout is None else world().now_us + int(timeout * SECOND)
        while not strand.ended and (until_us is None or world().now_us < until_us):
            strand.joining.append((here, here.parking()))
            here.park(until_us)

    def is_alive(self) -> bool:
        return self._strand is not None and not self._strand.ended


class Event:
    """`threading.Event`."""

    def __init__(self) -> None:
        self._set = False
        self._waiting: list[tuple[Strand, int]] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for strand, parking in waiting:
            strand.process.world.after(0, strand.process, strand.wake, parking)

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        here = world().strand
        assert here is not None
        until_us = None if timeout is None else world().now_us + int(timeout * SECOND)
        while not self._set and (until_us is None or world().now_us < until_us):
            self._waiting.append((here, here.parking()))
            here.park(until_us)
        return self._set


class _Awaited:
    """What `run_coroutine_threadsafe` gives: its result can be waited for from another strand."""

    def __init__(self, work: Coroutine[Any, Any, Any], loop: Any) -> None:
        self._done = Event()
        self._value: Any = None
        self._error: BaseException | None = None
        self._work: Coroutine[Any, Any, Any] | None = work
        self._task: asyncio.Task[Any] | None = None
        world().here().at_end.append(self._drop)
        loop.call_soon(self._begin, loop)

    def _begin(self, loop: Any) -> None:
        if self._work is None:
            return
        self._task = loop.create_task(self._work)
        self._task.add_done_callback(self._ended)
        self._work = None

    def _drop(self) -> None:
        if self._work is not None:
            self._work.close()

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._drop()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if task.cancelled():
            return
        self._error = task.exception()
        if self._error is None:
            self._value = task.result()
        self._done.set()

    def result(self, timeout: float | None = None) -> Any:
        if not self._done.wait(timeout):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._value


# --- the modules


def _like(module: types.ModuleType, **changes: Any) -> types.ModuleType:
    stand_in = types.ModuleType(module.__name__)
    stand_in.__dict__.update(module.__dict__)
    stand_in.__dict__.update(changes)
    return stand_in


def _token_bytes(count: int) -> bytes:
    return world().chance.randbytes(count)


def _token_hex(count: int) -> str:
    return _token_bytes(count).hex()


def _uniform(least: float, most: float) -> float:
    return world().chance.uniform(least, most)


def _unscripted(*_: object, **__: object) -> Any:
    raise AssertionError("this way to time or chance is not simulated")


_STAND_INS: dict[str, tuple[types.ModuleType, types.ModuleType]] = {
    "time": (
        time,
        _like(
            time, monotonic=_monotonic, monotonic_ns=_monotonic_ns, time_ns=_time_ns, sleep=_sleep, time=_unscripted,
            perf_counter=_unscripted,
        ),
    ),
    "threading": (threading, _like(threading, Thread=Thread, Event=Event, Lock=_unscripted, Condition=_unscripted)),
    "asyncio": (asyncio, _like(asyncio, run_coroutine_threadsafe=_Awaited)),
    "uuid": (
        uuid,
        _like(uuid, uuid4=lambda: uuid.UUID(int=world().chance.getrandbits(128), version=4), uuid1=_unscripted),
    ),
    "secrets": (
        secrets,
        _like(
            secrets,
            token_bytes=_token_bytes,
            token_hex=_token_hex,
        ),
    ),
    "random": (
        random,
        _like(random, uniform=_uniform, random=_unscripted),
    ),
    "dt": (dt, _like(dt, datetime=_Datetime)),
}  # fmt: skip


class Silent:
    """Metrics that count nothing: making real ones for each life of a process takes longer than the run."""

    def __getattr__(self, name: str) -> Any:
        return Rivals() if name == "rivals" else self

    def labels(self, *_: object) -> "Silent":
        return self

    def set(self, _: float) -> None:
        """Count nothing."""

    def observe(self, _: float) -> None:
        """Count nothing."""

    def inc(self, _: float = 1) -> None:
        """Count nothing."""

    def __getitem__(self, _: object) -> "Silent":
        return self

    def __call__(self, *_: object, **__: object) -> "Silent":
        return self


SILENT: Any = Silent()


class Rivals:
    """The one counter that a run wants to know: how often a line's owner met another's record."""

    def labels(self, _: str) -> "Rivals":
        return self

    def inc(self, count: int = 1) -> None:
        world().counters["rivals of a line noticed"] += count


def _modules() -> Iterator[types.ModuleType]:
    for package in PACKAGES:
        for each in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if each.name not in _LEFT and not each.name.endswith("__main__"):
                yield importlib.import_module(each.name)


@contextmanager
def substituted() -> Iterator[None]:
    """Let the names of time, threads and chance mean the world's in every module of the product."""
    before: list[tuple[types.ModuleType, str, Any]] = []
    try:
        for module in _modules():
            for name, (real, stand_in) in _STAND_INS.items():
                if module.__dict__.get(name) is real:
                    before.append((module, name, real))
                    setattr(module, name, stand_in)
        for place, name, value in (
            *_PACE,
            ("ingress.shell", "Metrics", SILENT),
            ("schemas.wire", "decode", _remembered),
        ):
            module = sys.modules[place]
            before.append((module, name, getattr(module, name)))
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in reversed(before):
            setattr(module, name, value)
