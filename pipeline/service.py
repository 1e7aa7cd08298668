"""A service as a process: it starts, tells when it is ready, stops in order on SIGTERM, and exits with a status.

0: stopped as asked. 1: it cannot go on and says why (a record it cannot read, a lost broker): nothing was skipped, and
started again it goes on where it stood. 2: the configuration or the command line is wrong.
"""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from types import FrameType
from typing import Any, Protocol

from pipeline.log import LogError
from pipeline.logs import blacken
from pipeline.pulse import Pulse

OK, FAILED, MISCONFIGURED = 0, 1, 2

_BEAT_S = 0.5
_END_S = 60.0  # how long the work may take to end after a mistake

_log = logging.getLogger(__name__)


def run_threaded(name: str, work: Callable[[threading.Event], None]) -> int:
    """Run `work` on the main thread until it returns; SIGTERM and SIGINT set its event. Gives the exit status."""
    stop = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        _log.info("stopping", extra={"signal": signal.Signals(number).name})
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    try:
        work(stop)
    except Exception as error:  # noqa: BLE001  the last place where it can be said
        return halted(name, error)
    _log.info("stopped")
    return OK


class Stop(asyncio.Event):
    """Set when the service shall stop in order; `hurried` when it shall not wait for others while it does."""

    def __init__(self) -> None:
        super().__init__()
        self.hurried = asyncio.Event()

    def ask(self) -> None:
        """SIGTERM: the first one asks to stop, the second to wait for nobody. What is unsafe to leave out stays."""
        if self.is_set():
            self.hurried.set()
        self.set()


async def stop_of(stop: Stop, server: "Stoppable") -> None:
    """Stop the server, sooner when it is asked a second time."""
    hurrying = asyncio.create_task(stop.hurried.wait())
    hurrying.add_done_callback(lambda done: None if done.cancelled() else server.hurry())
    try:
        await server.stop()
    finally:
        hurrying.cancel()


class Stoppable(Protocol):
    """A server with sockets."""

    async def stop(self) -> None:
        """End in order: let what is under way end."""
        ...

    def hurry(self) -> None:
        """Wait for it no longer."""
        ...


def run_async(name: str, work: Callable[[Stop], Coroutine[Any, Any, None]], pulse: Pulse | None = None) -> int:
    """Run the coroutine `work(stop)` on an event loop; SIGTERM and SIGINT set its event. Gives the exit status.

    No callback dies silently: what one raises asks the work to stop, and is what it ends with, in status 1. `pulse`
    beats as long as the loop turns.
    """

    async def main() -> None:
        stop = Stop()
        loop = asyncio.get_running_loop()
        mistakes = Mistakes(loop, stop)

        def on_signal(number: signal.Signals) -> None:
            _log.info("stopping", extra={"signal": number.name, "again": stop.is_set()})
            stop.ask()

        def beat() -> None:
            if pulse is not None:
                pulse.beat()
                loop.call_later(_BEAT_S, beat)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal, number)
        beat()
        await mistakes.await_end(loop.create_task(work(stop)))

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main())
    except Exception as error:  # noqa: BLE001  the last place where it can be said
        return halted(name, error)
    _log.info("stopped")
    return OK


class Mistakes:
    """What callbacks of the loop raise: asyncio would write it down and go on with a part that is missing."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
        self._stop = stop
        self._first: BaseException | None = None
        self._made = asyncio.Event()
        loop.set_exception_handler(self._on)

    def _on(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None or is_harmless(context, error):
            loop.default_exception_handler(context)
            return
        _log.error("a callback failed", extra={"reason": context.get("message")}, exc_info=error)
        if self._first is None:
            self._first = error
            self._made.set()
            self._stop.ask()

    async def await_end(self, work: "asyncio.Task[None]") -> None:
        """Until the work has ended; raises the first mistake, and waits only so long for the work to end after it."""
        made = asyncio.create_task(self._made.wait())
        await asyncio.wait((work, made), return_when=asyncio.FIRST_COMPLETED)
        made.cancel()
        if self._first is None:
            await work
        else:
            await asyncio.wait((work,), timeout=_END_S)
            work.cancel()
        if self._first is not None:
            raise self._first


def is_harmless(context: Mapping[str, Any], error: BaseException) -> bool:
    """Whether it is about a socket whose other end is gone or speaks no TLS: whoever has the connection hears of it.

    So asyncio tells of an `OSError` (`ssl.SSLError` is one) that came with a transport, at an `accept` or in a
    handshake, and of a task about such a connection that nobody has awaited.
    """
    return isinstance(error, (OSError, asyncio.CancelledError)) and "handle" not in context


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  optional: not on every platform
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def reason_of(error: BaseException) -> str:
    """What an error says to a person: without the number that an `OSError` puts before its text."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def halted(name: str, error: BaseException) -> int:
    """Say in the logs and on stderr what a service cannot go on from; gives its exit status.

    What log and system say needs no traceback: an operator mends it, and a programmer would find nothing there.
    """
    reason, mended_elsewhere = reason_of(error), isinstance(error, (LogError, OSError))
    extra = {"reason": reason, "kind": type(error).__name__}
    _log.error("halted", extra=extra, exc_info=None if mended_elsewhere else error)
    print(blacken(f"{name}: {reason}"), file=sys.stderr)  # noqa: T201  for who started it by hand
    return FAILED
