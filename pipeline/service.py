"""A service as a process: it starts, tells when it is ready, stops in order on SIGTERM, and exits with a status.

0: stopped as asked. 1: it cannot go on and says why (a record it cannot read, a lost broker): nothing was skipped, and
started again it goes on where it stood. 2: the configuration or the command line is wrong.
"""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Protocol

from pipeline.logs import blacken

OK, FAILED, MISCONFIGURED = 0, 1, 2

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


def run_async(name: str, work: Callable[[Stop], Coroutine[Any, Any, None]]) -> int:
    """Run the coroutine `work(stop)` on an event loop; SIGTERM and SIGINT set its event. Gives the exit status."""

    async def main() -> None:
        stop = Stop()
        loop = asyncio.get_running_loop()

        def on_signal(number: signal.Signals) -> None:
            _log.info("stopping", extra={"signal": number.name, "again": stop.is_set()})
            stop.ask()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal, number)
        await work(stop)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main())
    except Exception as error:  # noqa: BLE001  the last place where it can be said
        return halted(name, error)
    _log.info("stopped")
    return OK


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


def halted(name: str, error: Exception) -> int:
    """Say in the logs and on stderr what a service cannot go on from; gives its exit status."""
    reason = reason_of(error)
    _log.error("halted", extra={"reason": reason, "kind": type(error).__name__}, exc_info=error)
    print(blacken(f"{name}: {reason}"), file=sys.stderr)  # noqa: T201  for who started it by hand
    return FAILED
