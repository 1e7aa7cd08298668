"""An event loop of a simulated process: the asyncio that the services see, without selectors, threads or wall clock."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from simulation.network import Network
from simulation.world import SECOND, Crashed, Process, Strand


class Handle:
    """What was asked to be called."""

    __slots__ = ("_cancelled", "arguments", "call")

    def __init__(self, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.call = call
        self.arguments = arguments
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def cancelled(self) -> bool:
        return self._cancelled


class SimLoop:
    """One process's loop; it begins to turn when it is made, on a strand of its own."""

    def __init__(self, process: Process, network: Network) -> None:
        self._process = process
        self._world = process.world
        self._network = network
        self._ready: deque[Handle] = deque()
        self._idle = False
        self._kicked = True
        self._as_asyncio: Any = self  # as much of a loop as tasks and futures ask for
        self._tasks: list[asyncio.Task[Any]] = []
        self._strand = Strand(process, self._turn, "loop", self)
        process.at_end.append(self._abandon)

    # --- turning

    def _turn(self) -> None:
        process, ready = self._process, self._ready
        while True:
            while ready:
                handle = ready.popleft()
                if handle._cancelled:  # noqa: SLF001
                    continue
                try:
                    handle.call(*handle.arguments)
                except Crashed:
                    raise
                except BaseException as error:  # noqa: BLE001  asyncio would log it and go on; here it is a fault
                    self._world.trouble(process, error)
                if process.dead:  # a task keeps `Crashed` to itself
                    raise Crashed
            self._idle, self._kicked = True, False
            self._strand.park()
            self._idle = False

    def _kick(self) -> None:
        if self._idle and not self._kicked:
            self._kicked = True
            self._world.after(0, self._process, self._go_on, self._strand.parking() - 1)

    def _go_on(self, parking: int) -> None:
        self._strand.wake(parking)

    def _abandon(self) -> None:
        """The process is dead: what its tasks were about is over."""
        self._ready.clear()
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
                work = task.get_coro()
                with suppress(BaseException):
                    if work is not None:
                        work.close()
        self._tasks.clear()

    # --- what asyncio asks of a loop

    def call_soon(self, callback: Callable[..., object], *args: Any, context: object = None) -> Any:  # noqa: ARG002
        handle = Handle(callback, args)
        self._ready.append(handle)
        self._kick()
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: object = None) -> Any:  # noqa: ARG002
        return self.call_soon(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: object = None) -> Any:  # noqa: ARG002
        handle = Handle(callback, args)
        self._world.after(max(0, int(delay * SECOND)), self._process, self._due, handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: object = None) -> Any:  # noqa: ARG002
        handle = Handle(callback, args)
        at_us = max(self._world.now_us, int(when * SECOND))
        self._world.at(at_us, self._process, self._due, handle)
        return handle

    def _due(self, handle: Handle) -> None:
        if not handle.cancelled():
            self._ready.append(handle)
            self._kick()

    def time(self) -> float:
        return self._world.now_us / SECOND

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self._as_asyncio)

    def create_task(self, coro: Any, **_: Any) -> Any:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self._as_asyncio)
        self._tasks.append(task)
        if len(self._tasks) > 64:
            self._tasks = [each for each in self._tasks if not each.done()]
        return task

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return self._process.dead

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._process.dead:
            self._world.trouble(self._process, context.get("exception") or context.get("message"))

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> Any:  # noqa: ARG002
        future = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001  handed to who waits
                self.call_soon(_set_exception, future, error)
            else:
                self.call_soon(_set_result, future, result)

        Strand(self._process, work, "executor")
        return future

    # --- sockets

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        return await self._network.connect(self._process, self, protocol_factory, (host, port))

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        return self._network.listen(self._process, self, protocol_factory, (host, port))


def _set_result(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
