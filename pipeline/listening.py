"""Takes calls and agrees on TLS with each, in the sight of whoever listens.

asyncio's server tells nobody of a caller before its handshake has ended, and keeps to itself why one failed: so nobody
could count callers, turn one away, or say what was wrong.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

Address = tuple[Any, ...]
"""Where a caller calls from, as sockets tell it: host, port, and for IPv6 more."""

_AGAIN_S = 0.5  # after no call could be taken

_log = logging.getLogger(__name__)


class Call:
    """A caller with which TLS is being agreed on."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.handshake: asyncio.Task[None] | None = None

    def hang_up(self) -> None:
        """Give it up, unless TLS is agreed on."""
        if self.handshake is not None:
            self.handshake.cancel()


class TlsListener:
    """Listens on sockets until it is closed. `limits`: how long a handshake and a goodbye may take, as asyncio has it.

    ``arrives(call)`` is asked about each caller before the handshake, and gives the protocol of its connection, or None
    to have it hung up. ``greeted(call, error)`` tells that the handshake is over: None says that TLS is agreed on, an
    `Exception` why it is not, and `asyncio.CancelledError` that we have hung up.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        context: ssl.SSLContext,
        limits: Mapping[str, float],
        *,
        arrives: Callable[[Call], asyncio.Protocol | None],
        greeted: Callable[[Call, BaseException | None], None],
    ) -> None:
        self.sockets = sockets
        self._context = context
        self._limits = limits
        self._arrives, self._greeted = arrives, greeted
        self._tasks = {asyncio.create_task(self._accept(each)) for each in sockets}
        for task in self._tasks:
            task.add_done_callback(let_out)

    def close(self) -> None:
        """Take no more calls, and give up those with which TLS is not agreed on."""
        for task in self._tasks:
            task.cancel()
        for listening in self.sockets:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                caller, address = await loop.sock_accept(listening)
                await asyncio.sleep(0)  # others have their turn, however many wait
            except OSError as error:  # no more file descriptors: as asyncio's server has it, others may be closed soon
                _log.error("no call can be taken", extra={"reason": error.strerror})
                await asyncio.sleep(_AGAIN_S)
                continue
            self._take(caller, Call(address))

    def _take(self, caller: socket.socket, call: Call) -> None:
        protocol = self._arrives(call)
        if protocol is None:
            caller.close()
            return
        call.handshake = asyncio.create_task(self._agree(caller, protocol))
        self._tasks.add(call.handshake)
        call.handshake.add_done_callback(partial(self._over, caller, call))

    async def _agree(self, caller: socket.socket, protocol: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: protocol, caller, ssl=self._context, **self._limits)

    def _over(self, caller: socket.socket, call: Call, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled():
            caller.close()  # of one that had not begun; another's is closed by now
        self._greeted(call, asyncio.CancelledError() if task.cancelled() else task.exception())


def let_out(task: "asyncio.Task[None]") -> None:
    """Have the loop hear of what a task that nobody awaits has died of."""
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


async def bound(host: str, port: int, backlog: int = 100) -> list[socket.socket]:
    """Sockets that listen on every address of the host, of the families that the system speaks. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    unspoken: OSError | None = None
    for family, address in dict.fromkeys((family, address) for family, *_, address in found):
        try:
            sockets.append(socket.create_server(address, family=family, backlog=backlog))
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:  # names have addresses of IPv6 where the system has none
                unspoken = error
                continue
            for each in sockets:
                each.close()
            raise
        sockets[-1].setblocking(False)
    if unspoken is not None and not sockets:
        raise unspoken
    return sockets
