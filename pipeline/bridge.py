"""The log joined to an event loop: threads wait for the broker, the loop is woken once per batch, never per message.

For services with sockets (ingress, egress).
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from pipeline.log import Done, LogError, Message, Outgoing, Reader, Sender, Stored

_LOOK_S = 0.5
_BUSY = 32  # messages under way: the next may gather, and leave in fewer requests
_GATHER_S, _GATHER_MOST_S = 0.000_0625, 0.005  # for each that is under way; in all
_BEHIND = 20_000  # messages: some seconds of a busy process; a sender holds ten times as many
_RELIEF_S = 0.02  # between looks whether the log has caught up
_STALLED_S = 90.0  # a reader's thread gives a line up for so long at most, and waits no longer for the broker


class LoopWriter:
    """Writes from the loop, without waiting; the acknowledgements come on the loop too.

    While the broker stalls, what is written gathers here. Whoever reads from a socket asks `behind` first, and leaves
    there what has come, so that no more gathers than was under way. A write that the broker never takes fails after the
    time-out of its sender; `unacknowledged` never falls for any other reason.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._loop = asyncio.get_running_loop()
        self._gathered: list[tuple[Outgoing, Done]] = []
        self._serving = False
        self._behind = False
        self.unacknowledged = 0

    @property
    def behind(self) -> bool:
        """Whether so much is unacknowledged that nothing more should be taken in; until half of it is done."""
        self._behind = self.unacknowledged > (_BEHIND // 2 if self._behind else _BEHIND)
        return self._behind

    def write(self, message: Outgoing, done: Done) -> None:
        """Hand the message to the log with all others of this turn of the loop, in the order of the calls.

        While many are under way, with all others of the next milliseconds: the broker has as much to do for a request
        of one message as for one of many, and would be what everything waits for. The more there are, the longer.

        In a later turn comes ``done(Stored, None)``, or ``done(None, WriteFailed)``.
        """
        if not self._gathered:
            if self.unacknowledged < _BUSY:
                self._loop.call_soon(self._send)
            else:
                self._loop.call_later(min(self.unacknowledged * _GATHER_S, _GATHER_MOST_S), self._send)
        self._gathered.append((message, partial(self._done, done)))
        self.unacknowledged += 1

    def _done(self, done: Done, stored: Stored | None, error: Exception | None) -> None:
        self.unacknowledged -= 1
        done(stored, error)

    def _send(self) -> None:
        gathered, self._gathered = self._gathered, []
        for message, done in gathered:
            self._sender.send(message, done)
        if gathered and not self._serving:
            self._serving = True
            self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        again_s: float | None = 0.0
        try:
            again_s = self._sender.serve()
        finally:
            self._serving = again_s is not None
            if again_s is not None:
                self._loop.call_later(again_s, self._serve)

    async def close(self) -> None:
        """Wait until everything handed over is acknowledged or has failed."""
        self._send()
        while (again_s := self._sender.serve()) is not None:  # noqa: ASYNC110  the broker wakes nobody
            await asyncio.sleep(again_s)
        self._sender.close()


class LoopReader:
    """Reads on a thread and gives batches to a function on the loop, one after the other.

    The next batch is handed over when the function has returned and `behind` says no more that the log is: so a busy
    loop, and a slow broker, slow the reading down.
    `failed` is called, on the loop, with what ended the thread other than `close`.
    """

    def __init__(
        self,
        name: str,
        open_reader: Callable[[], Reader],
        handle: Callable[[Sequence[Message]], None],
        failed: Callable[[BaseException], None],
        *,
        count: int = 200,
        idle_s: float = 0.05,
        idle: Callable[[], None] | None = None,
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._open = open_reader
        self._handle = handle
        self._failed = failed
        self._count = count
        self._idle_s = idle_s
        self._idle = idle
        self._behind = behind
        self._turned_s = time.monotonic()
        self._stop = threading.Event()
        self._turn = threading.Event()
        self.reading = True  # until it stops, and then leaves its group
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            reader = self._open()
            try:
                while not self._stop.is_set():
                    self._turned_s = time.monotonic()
                    batch = reader.poll(self._count, self._idle_s)
                    if self._idle is not None:
                        self._idle()
                    if batch:
                        self._turn.clear()
                        self._loop.call_soon_threadsafe(self._give, batch)
                        self._wait_for_turn()
            finally:
                self.reading = False
                reader.close()
        except BaseException as error:  # noqa: BLE001  handed to the loop, whose business it is
            if not self._stop.is_set():
                self._loop.call_soon_threadsafe(self._failed, error)

    def _give(self, batch: Sequence[Message]) -> None:
        try:
            self._handle(batch)
        except Exception as error:  # noqa: BLE001  handed on
            self._stop.set()
            self._failed(error)
        finally:
            self._take_turn()

    def _take_turn(self) -> None:
        if self._behind() and not self._stop.is_set():
            self._loop.call_later(_RELIEF_S, self._take_turn)
        else:
            self._turn.set()

    def _wait_for_turn(self) -> None:
        while not self._turn.wait(0.5) and not self._stop.is_set():
            self._turned_s = time.monotonic()  # it is the loop's turn, which is looked after elsewhere

    def stalled(self) -> str | None:
        """Why whoever runs the process should end it: this thread is stuck where no wait is that long."""
        stuck_s = time.monotonic() - self._turned_s
        if not self._thread.is_alive() or stuck_s < _STALLED_S:
            return None
        return f"the reader {self._name} has not turned for {stuck_s:.0f} s"

    async def close(self) -> None:
        """Stop reading, leave the group, and wait for the thread."""
        self._stop.set()
        self._turn.set()
        await asyncio.to_thread(self._thread.join)


def on_loop(
    loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, None]], limit_s: float, what: str
) -> None:  # fmt: skip
    """Have the loop do this, and wait for it on another thread. Raises what it raises, and `LogError` when it is late.

    What counts is how often it was looked for, not the clock: a process that was frozen gets the rest of the time.
    """
    ended = threading.Event()

    async def told() -> None:
        try:
            await work()
        finally:
            ended.set()

    done = asyncio.run_coroutine_threadsafe(told(), loop)
    for _ in range(max(1, round(limit_s / _LOOK_S))):
        if ended.wait(_LOOK_S):
            done.result(_LOOK_S)
            return
    done.cancel()
    raise LogError(f"{what}: the loop did not do it within {limit_s:g} s")
