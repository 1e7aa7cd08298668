"""The door itself: the address that clients call, TLS, and how many may stand there. See `pipeline.threshold`.

Files are what a flood of calls would take first, from the log and the broker too. So there is a limit for every kind of
connection, whose sum the process may have open (`ensure_files`): sessions; callers that have not said hello, with or
without TLS; and those that are being closed.
"""

import asyncio
import logging
import resource
import ssl
from collections.abc import Callable
from functools import partial

from ingress.config import Settings
from ingress.connection import Connection
from pipeline.config import ConfigError
from pipeline.listening import Call, TlsListener, bound
from pipeline.tls import trouble

BACKLOG = 128  # calls that the system holds for us, and that may be taken in one turn of the loop
_OTHERS = 128  # files: log, broker, metrics, keys
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
        self._server: asyncio.Server | TlsListener
        self._greeting: dict[Call, Connection] = {}
        self.port = 0

    async def open(self, context: ssl.SSLContext | None, arrives: Callable[[Connection], None]) -> None:
        """Listen. Raises `OSError`. `arrives` is told of a caller before TLS is agreed on with it."""
        host, port = self._settings.host, self._settings.port
        try:
            if context is None:
                self._server = await asyncio.get_running_loop().create_server(self._make, host, port, backlog=BACKLOG)
            else:
                self._server = TlsListener(
                    await bound(host, port, BACKLOG),
                    context,
                    {
                        "ssl_handshake_timeout": self._settings.hello_timeout_ms / 1000,
                        "ssl_shutdown_timeout": LINGER_S,
                    },
                    arrives=partial(self._called, arrives),
                    greeted=self._greeted,
                )
        except OSError as error:
            text = f"client address {host}:{port}: {error.strerror}: choose another under ingress.host and ingress.port"
            raise OSError(error.errno, text) from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no more calls."""
        self._server.close()

    def _called(self, arrives: Callable[[Connection], None], call: Call) -> Connection:
        connection = self._greeting[call] = self._make()
        connection.greets(call)
        arrives(connection)
        return connection

    def _greeted(self, call: Call, error: BaseException | None) -> None:
        connection = self._greeting.pop(call)
        if isinstance(error, Exception):
            _log.debug("no TLS", extra={"peer": connection.peer, "reason": trouble(error)})
        connection.greeted()
