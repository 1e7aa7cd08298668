"""The TLS face of a line: both ends show a certificate, and the name in the partner's can be asked for."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from pipeline import tls as shared
from schemas.installation import Egress, Line, LineTls

_LINGER_S = 1.0  # on hanging up: how long the partner's goodbye is awaited
_ACCEPT_AGAIN_S = 1.0
_GREETED_MAX = 64  # callers of one line whose certificates are being looked at

_log = logging.getLogger(__name__)

Address = tuple[Any, ...]  # of a caller: host, port, and for IPv6 more


def context_of(line: Line) -> ssl.SSLContext | None:
    """What the line's connections are secured with; None where they are not. Raises `ConfigError`."""
    tls, place = line.tls, f"line {line.name}, tls"
    if tls is None:
        return None
    protocol = ssl.PROTOCOL_TLS_CLIENT if line.mode == "dial" else ssl.PROTOCOL_TLS_SERVER
    context = shared.context(protocol, tls.certificate, tls.key, place)
    shared.trust(context, tls.authority, place)
    return context


def limits(times: Egress) -> dict[str, float]:
    """How long a handshake and a goodbye may take, as asyncio has it."""
    return {"ssl_handshake_timeout": times.connect_timeout_ms / 1000, "ssl_shutdown_timeout": _LINGER_S}


def is_named(tls: LineTls, certificate: dict[str, Any] | None) -> bool:
    """Whether the name that is asked for stands in the caller's certificate (subject alternative name, DNS)."""
    names = {value.lower() for kind, value in (certificate or {}).get("subjectAltName", ()) if kind == "DNS"}
    return tls.name is None or tls.name.lower() in names


class Listener:
    """Takes calls, and lets nobody be heard of before both have shown their certificates.

    It stands where asyncio's server does on a line without TLS. That one would greet a stranger first, and it keeps to
    itself why a handshake failed.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        context: ssl.SSLContext,
        times: Egress,
        *,
        known: Callable[[Address], bool],
        make: Callable[[], asyncio.Protocol],
        failed: Callable[[Address, OSError], None],
    ) -> None:
        self.sockets = sockets
        self._context = context
        self._times = times
        self._known, self._make, self._failed = known, make, failed
        self._greeted = 0
        self._tasks = {asyncio.create_task(self._accept(each)) for each in sockets}
        for task in self._tasks:
            task.add_done_callback(let_out)

    def close(self) -> None:
        """Take no more calls, and forget who is being greeted."""
        for task in self._tasks:
            task.cancel()
        for listening in self.sockets:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                call, address = await loop.sock_accept(listening)
                await asyncio.sleep(0)  # others have their turn, however many wait
            except OSError as error:  # no more file descriptors: as asyncio's server has it, others may be closed soon
                _log.error("no call can be taken", extra={"reason": error.strerror})
                await asyncio.sleep(_ACCEPT_AGAIN_S)
                continue
            if not self._known(address):
                call.close()
                continue
            if self._greeted >= _GREETED_MAX:
                call.close()
                self._failed(address, ConnectionAbortedError(errno.ECONNABORTED, "too many are being greeted"))
                continue
            self._greeted += 1
            task = asyncio.create_task(self._greet(call, address))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(let_out)

    async def _greet(self, call: socket.socket, address: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._make, call, ssl=self._context, **limits(self._times))
        except OSError as error:
            self._failed(address, error)
        finally:
            self._greeted -= 1


def let_out(task: "asyncio.Task[None]") -> None:
    """Have the loop hear of what a task that nobody awaits has died of."""
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


async def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of the host. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, *_, address in found):
            sockets.append(socket.create_server(address[:2], family=family))
            sockets[-1].setblocking(False)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets
