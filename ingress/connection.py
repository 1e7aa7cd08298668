"""One client's socket: hands bytes to the server, and writes what the server has gathered at once."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, Protocol, cast

from ingress.core import Session
from pipeline.listening import Call

_DOES_NOT_READ = "it does not read"
P = ParamSpec("P")


class Owner(Protocol):
    """Who decides what to do with a connection."""

    def connected(self, connection: "Connection") -> None: ...
    def received(self, connection: "Connection", data: bytes) -> None: ...
    def writable(self, connection: "Connection") -> None: ...
    def lost(self, connection: "Connection", error: Exception | None) -> None: ...
    def failed_at(self, connection: "Connection", error: Exception) -> None: ...


class Connection(asyncio.Protocol):
    """`asyncio.Protocol` of a client. A client that does not read is not read from either.

    What goes wrong in one of its callbacks ends this connection, and is told to its owner.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.session: Session | None = None  # from when it can be talked to
        self._transport: asyncio.Transport | None = None  # None: TLS is not agreed on yet
        self._call: Call | None = None  # of TLS, until it is agreed on
        self._holds_back: set[str] = set()  # why it is not read from
        self.address = ""
        self.peer = "unknown"
        self.out: list[bytes] = []
        self.closing_ms: int | None = None
        self.has_a_turn = False  # its owner comes back to what it has sent

    def comes_from(self, name: object) -> None:
        """Take over where the client calls from, as sockets tell it."""
        if isinstance(name, tuple) and len(name) > 1:
            self.address = str(name[0])
            self.peer = f"{name[0]}:{name[1]}"

    def greets(self, call: Call) -> None:
        """TLS is being agreed on."""
        self._call = call
        self.comes_from(call.address)

    def greeted(self) -> None:
        """The handshake is over; without a connection that TLS secures, this was all."""
        self._call = None
        if self._transport is None:
            self._safely(self._owner.lost, self, None)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        self.comes_from(transport.get_extra_info("peername"))
        self._safely(self._owner.connected, self)

    def data_received(self, data: bytes) -> None:
        if self.closing_ms is None:
            self._safely(self._owner.received, self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing_ms = self.closing_ms or 0
        self._safely(self._owner.lost, self, exc)

    def pause_writing(self) -> None:
        self.hold_back(_DOES_NOT_READ)

    def resume_writing(self) -> None:
        self.go_on(_DOES_NOT_READ)
        self._safely(self._owner.writable, self)

    def _safely(self, work: Callable[P, None], *args: P.args, **named: P.kwargs) -> None:
        try:
            work(*args, **named)
        except Exception as error:  # noqa: BLE001  one client's trouble is no other's
            self._owner.failed_at(self, error)

    # --- for its owner

    def hold_back(self, why: str) -> None:
        """Read nothing more from it, for this reason."""
        if not self._holds_back and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._holds_back.add(why)

    def go_on(self, why: str) -> None:
        """This reason is over."""
        held = why in self._holds_back
        self._holds_back.discard(why)
        if held and not self._holds_back and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def is_held_back(self, why: str) -> bool:
        """Whether it is not read from for this reason."""
        return why in self._holds_back

    @property
    def reads(self) -> bool:
        """Whether the client takes what is written."""
        return not self.is_held_back(_DOES_NOT_READ)

    def flush(self) -> None:
        """Write what is gathered."""
        if self.out:
            data = b"".join(self.out)
            self.out.clear()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(data)

    @property
    def unread(self) -> int:
        """How many bytes the client has not taken."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def close(self, now_ms: int) -> None:
        """Write what is gathered and end the stream.

        The socket stays until the client has ended its side too, or the server aborts it: closed with bytes unread, it
        would send a reset, which can take the last frame away from the client.
        """
        if self.closing_ms is not None:
            return
        self.closing_ms = now_ms
        self.flush()
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # TLS has its own goodbye
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
        elif self._call is not None:
            self._call.hang_up()
