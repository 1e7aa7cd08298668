"""One client's socket: hands bytes to the server, and writes what the server has gathered at once."""

import asyncio
from typing import Protocol, cast

from ingress.core import Session


class Owner(Protocol):
    """Who decides what to do with a connection."""

    def connected(self, connection: "Connection") -> Session: ...
    def admit(self, connection: "Connection") -> None: ...
    def received(self, connection: "Connection", data: bytes) -> None: ...
    def lost(self, connection: "Connection", error: Exception | None) -> None: ...


class Connection(asyncio.Protocol):
    """`asyncio.Protocol` of a client. A client that does not read is not read from either."""

    session: Session

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport
        self.peer = ""
        self.out: list[bytes] = []
        self.closing_ms: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        address = transport.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}" if address else "unknown"
        self.session = self._owner.connected(self)
        self._owner.admit(self)

    def data_received(self, data: bytes) -> None:
        if self.closing_ms is None:
            self._owner.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing_ms = self.closing_ms or 0
        self._owner.lost(self, exc)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def flush(self) -> None:
        """Write what is gathered."""
        if self.out:
            data = b"".join(self.out)
            self.out.clear()
            if not self._transport.is_closing():
                self._transport.write(data)

    def close(self, now_ms: int) -> None:
        """Write what is gathered and end the stream.

        The socket stays until the client has ended its side too, or the server aborts it: closed with bytes unread, it
        would send a reset, which can take the last frame away from the client.
        """
        if self.closing_ms is not None:
            return
        self.closing_ms = now_ms
        self.flush()
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # TLS has its own goodbye
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()
