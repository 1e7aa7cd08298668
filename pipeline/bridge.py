"""The log joined to an event loop: threads wait for the broker, the loop is woken once per batch, never per message.

For services with sockets (ingress, egress).
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.log import Message, Outgoing, Reader, Sender


class LoopWriter:
    """Writes from a coroutine: ``await writer.write(message)`` gives the offset, or raises `WriteFailed`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._loop = asyncio.get_running_loop()
        self._acknowledged: deque[tuple[asyncio.Future[int], int | None, Exception | None]] = deque()
        self._woken = False

    def write(self, message: Outgoing) -> asyncio.Future[int]:
        """Hand the message to the log at once; messages to one partition keep the order of the calls."""
        future: asyncio.Future[int] = self._loop.create_future()

        def done(offset: int | None, error: Exception | None) -> None:
            self._acknowledged.append((future, offset, error))
            if not self._woken:
                self._woken = True
                self._loop.call_soon_threadsafe(self._tell)

        self._sender.send(message, done)
        return future

    def _tell(self) -> None:
        self._woken = False  # first: what is appended from here on wakes the loop again
        while self._acknowledged:
            future, offset, error = self._acknowledged.popleft()
            if future.done():  # its waiter gave up
                continue
            if error is not None:
                future.set_exception(error)
            else:
                assert offset is not None
                future.set_result(offset)

    async def close(self) -> None:
        """Wait until everything handed over is acknowledged or has failed."""
        await asyncio.to_thread(self._sender.close)


class LoopReader:
    """Reads on a thread and gives batches to a function on the loop, one after the other.

    The next batch is handed over when the function has returned, so that a busy loop slows the reading down.
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
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._open = open_reader
        self._handle = handle
        self._failed = failed
        self._count = count
        self._idle_s = idle_s
        self._idle = idle
        self._stop = threading.Event()
        self._turn = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            reader = self._open()
            try:
                while not self._stop.is_set():
                    batch = reader.poll(self._count, self._idle_s)
                    if self._idle is not None:
                        self._idle()
                    if batch:
                        self._turn.clear()
                        self._loop.call_soon_threadsafe(self._give, batch)
                        self._wait_for_turn()
            finally:
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
            self._turn.set()

    def _wait_for_turn(self) -> None:
        while not self._turn.wait(0.5) and not self._stop.is_set():
            pass

    async def close(self) -> None:
        """Stop reading, leave the group, and wait for the thread."""
        self._stop.set()
        self._turn.set()
        await asyncio.to_thread(self._thread.join)
