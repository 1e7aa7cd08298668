"""Each step of the bridge between log and loop, with a loop and events that do nothing by themselves."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline import bridge
from pipeline.bridge import LoopReader, LoopWriter, on_loop
from pipeline.log import Done, LogError, Outgoing, Stored

MESSAGE = Outgoing("t", b"k", b"v")


class Todo:
    """A loop that keeps what it is to do: after how long, and what."""

    def __init__(self) -> None:
        self.kept: list[tuple[float, Callable[[], None]]] = []

    def call_soon(self, work: Callable[[], None]) -> None:
        self.kept.append((0, work))

    def call_later(self, after_s: float, work: Callable[[], None]) -> None:
        self.kept.append((after_s, work))

    def do(self) -> None:
        """The first of it."""
        _, work = self.kept.pop(0)
        work()

    @property
    def named(self) -> list[tuple[float, str]]:
        return [(after_s, getattr(work, "__name__", "?")) for after_s, work in self.kept]


class Slow:
    """A sender that acknowledges all at the turn that is told, or raises then."""

    def __init__(self) -> None:
        self.sent: list[Done] = []
        self.turn: Exception | bool = False

    def send(self, _: Outgoing, done: Done) -> None:
        self.sent.append(done)

    def serve(self) -> float | None:
        if isinstance(self.turn, Exception):
            raise self.turn
        while self.turn and self.sent:
            self.sent.pop(0)(Stored(0, 0), None)
        return 0.125 if self.sent else None

    def close(self) -> None:
        """There is nothing to close."""


def nothing(*_: Any) -> None:
    """Whoever hears of it does nothing."""


@pytest.fixture
def todo(monkeypatch: pytest.MonkeyPatch) -> Todo:
    loop = Todo()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    return loop


def test_acknowledgements_are_asked_for_by_one_turn_at_a_time_as_long_as_any_is_awaited(todo: Todo) -> None:
    sender = Slow()
    writer = LoopWriter(sender)
    writer.write(MESSAGE, nothing)
    assert todo.named == [(0, "_send")]
    todo.do()
    assert todo.named == [(0, "_serve")]
    writer.write(MESSAGE, nothing)  # it is sent before the first turn
    todo.kept.reverse()
    todo.do()
    assert todo.named == [(0, "_serve")]
    todo.do()
    assert todo.named == [(0.125, "_serve")]
    writer.write(MESSAGE, nothing)  # and this one between two turns
    todo.kept.reverse()
    todo.do()
    assert todo.named == [(0.125, "_serve")]
    sender.turn = True
    todo.do()
    assert todo.named == []
    assert writer.unacknowledged == 0
    writer.write(MESSAGE, nothing)
    todo.do()
    assert todo.named == [(0, "_serve")]


def test_a_turn_that_fails_is_followed_by_the_next_at_once(todo: Todo) -> None:
    sender = Slow()
    writer = LoopWriter(sender)
    writer.write(MESSAGE, nothing)
    todo.do()
    sender.turn = ArithmeticError("mine")
    with pytest.raises(ArithmeticError):
        todo.do()
    assert todo.named == [(0, "_serve")]


def test_nothing_is_sent_and_nobody_asked_where_nothing_has_gathered(todo: Todo) -> None:
    writer = LoopWriter(Slow())
    writer._send()
    assert todo.named == []


# --- a reader


def test_a_reader_asks_for_two_hundred_at_a_time_on_a_thread_that_ends_with_the_process() -> None:
    asked: list[tuple[int, float]] = []
    let_go = threading.Event()

    class Empty:
        def poll(self, count: int, timeout_s: float) -> list[Any]:
            asked.append((count, timeout_s))
            let_go.wait(30)
            return []

        def close(self) -> None:
            """There is nothing to close."""

    async def work() -> None:
        reader = LoopReader("r", Empty, nothing, nothing)
        assert reader.reading
        assert reader._thread.daemon
        let_go.set()
        await reader.close()
        assert asked[0] == (200, 0.05)
        assert not reader.reading

    asyncio.run(work())


class Event:
    """An event that is set when it has been awaited so often; and for how long each time."""

    def __init__(self, after: int) -> None:
        self._left = after
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        self._left -= 1
        return self._left <= 0

    def is_set(self) -> bool:
        self._left -= 1
        return self._left <= 0

    def set(self) -> None:
        """It is set by itself."""


def waiting(turn: Event, stop: Event) -> LoopReader:
    reader = LoopReader.__new__(LoopReader)
    reader._turn, reader._stop, reader._turned_s = cast("threading.Event", turn), cast("threading.Event", stop), -1.0
    reader._wait_for_turn()
    return reader


def test_a_reader_looks_every_half_second_whether_it_is_its_turn_and_is_not_stuck_meanwhile() -> None:
    turn = Event(3)
    assert waiting(turn, Event(99))._turned_s > 0
    assert turn.waits == [0.5, 0.5, 0.5]
    at_once = Event(1)
    assert waiting(at_once, Event(99))._turned_s == -1
    assert at_once.waits == [0.5]


def test_a_reader_that_is_to_stop_waits_for_no_turn() -> None:
    turn = Event(99)
    waiting(turn, Event(2))
    assert turn.waits == [0.5, 0.5]


@pytest.mark.parametrize(
    ("stuck_s", "alive", "stalled"), [(89.5, True, False), (90.0, True, True), (90.0, False, False)]
)
def test_a_reader_is_stalled_from_ninety_seconds_on(
    monkeypatch: pytest.MonkeyPatch, stuck_s: float, alive: bool, stalled: bool
) -> None:
    reader = LoopReader.__new__(LoopReader)
    reader._name, reader._turned_s = "cafis-1", 1_000.0
    reader._thread = cast("threading.Thread", SimpleNamespace(is_alive=lambda: alive))
    monkeypatch.setattr(bridge.time, "monotonic", lambda: 1_000.0 + stuck_s)
    assert reader.stalled() == ("the reader cafis-1 has not turned for 90 s" if stalled else None)


# --- the loop, asked from another thread


class Task:
    """What has been handed to a loop that is stuck, or has just ended it."""

    def __init__(self) -> None:
        self.asked_s: list[float | None] = []
        self.cancelled = False

    def result(self, timeout: float | None = None) -> None:
        self.asked_s.append(timeout)

    def cancel(self) -> None:
        self.cancelled = True


@pytest.mark.parametrize(("limit_s", "looks"), [(0.1, 1), (0.5, 1), (2.0, 4), (10.0, 20)])
def test_a_loop_that_is_stuck_is_looked_at_every_half_second_up_to_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit_s: float, looks: int
) -> None:
    ended, task = Event(99), Task()
    with pytest.raises(LogError, match=rf"^drain: the loop did not do it within {limit_s:g} s$"):
        asked(monkeypatch, ended, task, limit_s)
    assert ended.waits == [0.5] * looks
    assert task.cancelled


def test_what_the_loop_has_ended_is_asked_for_with_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task()
    asked(monkeypatch, Event(2), task, 2.0)
    assert task.asked_s == [0.5]
    assert not task.cancelled


def asked(monkeypatch: pytest.MonkeyPatch, ended: Event, task: Task, limit_s: float) -> None:
    """Ask a loop that hands over this task, and tells its end by this event."""

    def handed_over(work: Coroutine[Any, Any, None], _: Any) -> Task:
        work.close()
        return task

    async def drain() -> None:
        """Nobody does it."""

    monkeypatch.setattr(bridge.threading, "Event", lambda: ended)
    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", handed_over)
    on_loop(cast("asyncio.AbstractEventLoop", None), drain, limit_s, "drain")
