"""The connection of a line to its partner: dialled, or waited for. Bytes in and out, no decisions."""

import asyncio
import contextlib
import logging
from typing import Protocol, cast

from schemas.installation import Egress, Line
from schemas.telegrams import Framing, FramingError

_log = logging.getLogger(__name__)


class Hears(Protocol):
    """Whoever is told what happens on a line."""

    def sought(self, trouble: str | None) -> None:
        """A connection is being sought; `trouble` tells why there is none yet."""
        ...

    def connected(self) -> None: ...

    def received(self, payload: bytes) -> None: ...

    def unreadable(self, problem: str) -> None:
        """The bytes that came are no telegrams; the connection is about to be broken."""
        ...

    def writable(self, writable: bool) -> None: ...

    def disconnected(self, reason: str) -> None: ...


class Connection(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, owner: "Connector") -> None:
        self._owner = owner
        self._deframer = owner.framing.deframer()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self.reason: str | None = None
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        if not self._owner.opened(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._owner.connection is not self:
            return
        problem = None
        try:
            payloads = self._deframer.feed(data)
        except FramingError as error:
            payloads, problem = list(error.telegrams), str(error)
        for payload in payloads:
            self._owner.ears.received(payload)
        if problem is not None:
            self._owner.ears.unreadable(problem)
            self.hang(problem)

    def connection_lost(self, exc: Exception | None) -> None:
        self.reason = self.reason or str(exc or "the partner closed the connection")
        self.closed.set()
        self._owner.lost(self)

    def pause_writing(self) -> None:
        self._owner.ears.writable(False)

    def resume_writing(self) -> None:
        self._owner.ears.writable(True)

    def transmit(self, data: bytes) -> None:
        """Hand the bytes to the network, together with all others of this turn of the loop."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        if self._out:
            assert self._transport is not None
            data, self._out = b"".join(self._out), []
            self._transport.write(data)

    def hang(self, reason: str) -> None:
        """Break the connection; what is buffered goes out if the partner still takes it at once."""
        assert self._transport is not None
        self._flush()
        self.reason = reason
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()


class Connector:
    """Seeks one connection at a time, by dialling or by listening, until it is stopped."""

    def __init__(self, line: Line, framing: Framing, times: Egress, ears: Hears) -> None:
        self._line = line
        self.framing = framing
        self._times = times
        self.ears = ears
        self.connection: Connection | None = None
        self._server: asyncio.Server | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Begin to seek. Raises `OSError` where it cannot listen."""
        if self._line.mode == "dial":
            self._dialling = asyncio.create_task(self._dial())
            return
        host, port = self._line.host, self._line.port
        try:
            self._server = await asyncio.get_running_loop().create_server(lambda: Connection(self), host, port)
        except OSError as error:
            text = (
                f"line {self._line.name}: cannot listen on {host}:{port}: {error.strerror}: correct its host and port"
            )
            raise OSError(error.errno, text) from error

    async def stop(self) -> None:
        """Seek no longer, and break what there is."""
        self._stopped = True
        if self._dialling is not None:
            self._dialling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._dialling
        if self._server is not None:
            self._server.close()
        if self.connection is not None:
            connection = self.connection
            connection.hang("closed")
            await connection.closed.wait()

    def opened(self, connection: Connection) -> bool:
        """Whether a new connection is taken: one at a time, so that a stranger cannot push the partner out.

        None after `stop`, which one that was accepted just before may outrun: nobody would ever open its station.
        """
        if self._stopped:
            return False
        if self.connection is not None:
            _log.warning("a second connection was refused", extra={"line": self._line.name})
            return False
        self.connection = connection
        self.ears.connected()
        return True

    def lost(self, connection: Connection) -> None:
        """A connection has ended."""
        if self.connection is connection:
            self.connection = None
            self.ears.disconnected(connection.reason or "closed")

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = self._line.host, self._line.port
        while True:
            try:
                async with asyncio.timeout(self._times.connect_timeout_ms / 1000):
                    _, connection = await loop.create_connection(lambda: Connection(self), host, port)
            except OSError as error:  # TimeoutError is one
                self.ears.sought(f"{host}:{port}: {error.strerror or 'no answer in time'}")
            else:
                await connection.closed.wait()
            await asyncio.sleep(self._times.reconnect_ms / 1000)
