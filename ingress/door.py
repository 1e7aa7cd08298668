"""The door itself: the address that clients call, TLS, and how many may stand there. See `ingress.threshold`.

Files are what a flood of calls would take first, from the log and the broker too. So there is a limit for every kind of
connection, whose sum the process may have open (`ensure_files`): sessions; callers that have not said hello, with or
without TLS; and those that are being closed.
"""

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Callable
from functools import partial

from ingress.config import Settings
from ingress.connection import Connection
from pipeline.config import ConfigError
from pipeline.tls import trouble

BACKLOG = 128  # calls that the system holds for us, and that may be taken in one turn of the loop
_OTHERS = 128  # files: log, broker, metrics, keys
_AGAIN_S = 0.5
LINGER_S = 1.0  # a closed session's last frames may take this long to be read by the client

_log = logging.getLogger(__name__)


def files_needed(settings: Settings) -> int:
    """How many files an ingress may have open at once."""
    return settings.max_sessions + 2 * settings.max_ungreeted + BACKLOG + _OTHERS


def ensure_files(settings: Settings) -> None:
    """Let this process open as many files as it may need. Raises `ConfigError` where the system forbids it."""
    needed = files_needed(settings)
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now == resource.RLIM_INFINITY or now >= needed:
        return
    if most not in (resource.RLIM_INFINITY, -1) and most < needed:
        raise ConfigError(
            f"ingress.max_sessions {settings.max_sessions} and ingress.max_ungreeted {settings.max_ungreeted} need "
            f"{needed} open files, and this process may have {most}: raise its limit (LimitNOFILE) or lower them"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))


class Door:
    """Listens; every caller becomes a `Connection` of `make`."""

    def __init__(self, settings: Settings, make: Callable[[], Connection]) -> None:
        self._settings = settings
        self._make = make
        self._server: asyncio.AbstractServer | _TlsServer
        self.port = 0

    async def open(self, context: ssl.SSLContext | None, arrives: Callable[[Connection], None]) -> None:
        """Listen. Raises `OSError`. `arrives` is told of a caller before TLS is agreed on with it."""
        host, port = self._settings.host, self._settings.port
        loop = asyncio.get_running_loop()
        try:
            if context is None:
                server = await loop.create_server(self._make, host, port, backlog=BACKLOG)
                self._server, first = server, server.sockets[0]
            else:
                sockets = await _bound(host, port)
                first = sockets[0]
                self._server = _TlsServer(sockets, context, self._settings.hello_timeout_ms / 1000, self._make, arrives)
        except OSError as error:
            text = f"client address {host}:{port}: {error.strerror}: choose another under ingress.host and ingress.port"
            raise OSError(error.errno, text) from error
        self.port = int(first.getsockname()[1])

    def close(self) -> None:
        """Take no more calls."""
        self._server.close()


async def _bound(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of the host. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, *_, address in found):
            sockets.append(socket.create_server(address[:2], family=family, backlog=BACKLOG))
            sockets[-1].setblocking(False)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


class _TlsServer:
    """Takes calls and agrees on TLS with each.

    asyncio's server would tell nobody of a caller before its handshake has ended, and nobody could count it.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        context: ssl.SSLContext,
        handshake_s: float,
        make: Callable[[], Connection],
        arrives: Callable[[Connection], None],
    ) -> None:
        self._sockets = sockets
        self._context = context
        self._handshake_s = handshake_s
        self._make, self._arrives = make, arrives
        self._tasks = {asyncio.create_task(self._accept(each)) for each in sockets}

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for listening in self._sockets:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                call, address = await loop.sock_accept(listening)
                await asyncio.sleep(0)  # others have their turn, however many wait
            except OSError as error:  # others may be closed soon
                _log.error("no call can be taken", extra={"reason": error.strerror})
                await asyncio.sleep(_AGAIN_S)
                continue
            connection = self._make()
            connection.comes_from(address)
            task = asyncio.create_task(self._greet(connection, call))
            self._tasks.add(task)
            task.add_done_callback(partial(self._greeted, connection, call))
            connection.greets(task)
            self._arrives(connection)

    async def _greet(self, connection: Connection, call: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection,
            call,
            ssl=self._context,
            ssl_handshake_timeout=self._handshake_s,
            ssl_shutdown_timeout=LINGER_S,
        )

    def _greeted(self, connection: Connection, call: socket.socket, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            call.close()  # of one that had not begun; another's is closed by now
        elif isinstance(error, Exception):
            _log.debug("no TLS", extra={"peer": connection.peer, "reason": trouble(error)})
        connection.greeted()
