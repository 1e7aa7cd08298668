"""One connection to a gateway: frames out gathered, frames in handed on, kept alive."""

import asyncio
import contextlib
import os
import ssl
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import msgspec

from client.course import Course
from client.results import ConnectError, NotAuthenticated
from schemas.client_frames import (
    FRAME_MAX_BYTES,
    VERSION,
    AnyGatewayFrame,
    Bye,
    ClientFrame,
    Deframer,
    FramingError,
    GatewayBye,
    Greeting,
    Hello,
    Ping,
    Pong,
    Refused,
    Rejection,
    Reply,
    Settled,
    StatusTold,
    Welcome,
    frame,
)
from schemas.doubled_fields import doubled_field

_frames: msgspec.json.Decoder[AnyGatewayFrame] = msgspec.json.Decoder(AnyGatewayFrame)
_type = msgspec.json.Decoder(Greeting)
_UNREADABLE = (ValueError, RecursionError)  # the second: of JSON nested without end
_TYPES = frozenset({"welcome", "reply", "status", "settled", "pong", "refused", "bye"})
_PING_MAX_S = 5.0
_GIVEN_UP = 10_000
_GONE_S = 1.0  # in which an aborted connection is gone

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the client is."""

    customer: str
    token: str
    client: str

    def __repr__(self) -> str:
        return f"Credentials({self.customer!r})"


def decode(payload: bytes) -> AnyGatewayFrame | None:
    """The frame in a payload; None for one of a type that this version does not know. Raises `ConnectError`."""
    try:
        message = _frames.decode(payload)
        if doubled_field(payload, message) is None:
            return message
    except _UNREADABLE:
        with contextlib.suppress(*_UNREADABLE):
            if _type.decode(payload).type not in _TYPES:
                return None
        raise ConnectError("the peer sent a frame that protocol version 1 does not have: is it a gateway?") from None
    raise ConnectError("the peer sent a frame with a field that stands twice: is it a gateway?")


class Link(asyncio.Protocol):
    """A session. `on_frame` gets what concerns transactions; `ended` is done when the connection is no more."""

    def __init__(
        self, address: Address, on_frame: Callable[["Link", Reply | StatusTold | Settled | Refused], None]
    ) -> None:
        self.address = address
        self.courses: dict[str, Course] = {}  # what was sent here and has no end
        # References of which the last may still be answered here though nobody waits, and their originals.
        self.given_up: OrderedDict[str, str | None] = OrderedDict()
        self.welcome: Welcome | None = None
        self.leaving = False  # the gateway takes nothing new here
        self._on_frame = on_frame
        self._loop = asyncio.get_running_loop()
        self._welcomed: asyncio.Future[Welcome] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.left: asyncio.Future[None] = self._loop.create_future()  # nothing new can be sent here
        self._deframer = Deframer(FRAME_MAX_BYTES)
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._heard = True
        self._pings = 0
        self._ping_timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls,
        address: Address,
        credentials: Credentials,
        tls: ssl.SSLContext | None,
        timeout_s: float,
        on_frame: Callable[["Link", Reply | StatusTold | Settled | Refused], None],
    ) -> "Link":
        """Connect and greet. Raises `ConnectError`."""
        link = cls(address, on_frame)
        where = f"{address[0]}:{address[1]}"
        try:
            async with asyncio.timeout(timeout_s):
                await link._loop.create_connection(lambda: link, *address, ssl=tls)
                hello = Hello(
                    version=VERSION,
                    customer=credentials.customer,
                    token=credentials.token,
                    client=credentials.client,
                )
                link.send(hello)
                await link._welcomed
        except TimeoutError:
            link.abort()
            raise ConnectError(f"{where}: no gateway answered within {timeout_s:g} s") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: of a host name that is none
            link.abort()
            raise ConnectError(f"{where}: {getattr(error, 'strerror', None) or error}") from error
        except BaseException:
            link.abort()
            raise
        link._keep_alive_later()
        return link

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        _connected.add(self)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            self._deframer.feed(data)
            while (payload := self._deframer.next()) is not None:
                message = decode(payload)
                if message is not None:
                    self._take(message)
        except (ConnectError, FramingError) as error:
            self._unwelcome(ConnectError(f"{self.address[0]}:{self.address[1]}: {error}"))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the base class's
        _connected.discard(self)
        where = f"{self.address[0]}:{self.address[1]}"
        self._unwelcome(ConnectError(f"{where}: the connection was closed before the session was open"))
        if self._ping_timer is not None:
            self._ping_timer.cancel()
        for future in (self.left, self.ended):
            if not future.done():
                future.set_result(None)

    def _take(self, message: AnyGatewayFrame) -> None:
        match message:
            case Welcome():
                self.welcome = message
                if not self._welcomed.done():
                    self._welcomed.set_result(message)
            case GatewayBye():
                self.leave()
            case Pong():
                pass
            case Refused() if message.reference is None:
                self._refused(message)
            case Reply() | StatusTold() | Settled() | Refused():
                self._on_frame(self, message)

    def _refused(self, refused: Refused) -> None:
        kind = NotAuthenticated if refused.code == Rejection.NOT_AUTHENTICATED else ConnectError
        self._unwelcome(kind(f"{self.address[0]}:{self.address[1]}: {refused.code}: {refused.text_en}"))
        if refused.closing:
            self.leave()

    def _unwelcome(self, error: ConnectError) -> None:
        if not self._welcomed.done():
            self._welcomed.set_exception(error)
            self._welcomed.exception()  # told or not, it is no surprise

    # --- for the client

    @property
    def room(self) -> int:
        """How many more transactions may be in flight here."""
        if self.welcome is None or self.leaving or self._transport is None or self._transport.is_closing():
            return 0
        return self.welcome.max_in_flight - len(self.courses)

    def give_up(self, course: Course) -> None:
        """Nobody waits for this one any more; it may be answered here all the same."""
        self.given_up[course.reference] = course.original
        if len(self.given_up) > _GIVEN_UP:
            self.given_up.popitem(last=False)

    def send(self, message: ClientFrame) -> None:
        """Send a frame, together with what else is sent in this turn of the loop."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame(message))

    def _flush(self) -> None:
        data = b"".join(self._out)
        self._out.clear()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def leave(self) -> None:
        """Send nothing new here."""
        self.leaving = True
        if not self.left.done():
            self.left.set_result(None)

    async def close(self, timeout_s: float) -> None:
        """Say goodbye; the gateway closes."""
        self.leave()
        self.send(Bye())
        self._flush()
        await asyncio.wait((self.ended,), timeout=timeout_s)
        self.abort()
        await asyncio.wait((self.ended,), timeout=_GONE_S)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def let_go(self, null: int) -> None:
        """In a child of this process: be no end of the connection. `null`: a file that is nothing."""
        socket = None if self._transport is None else self._transport.get_extra_info("socket")
        if socket is not None and (number := socket.fileno()) >= 0:
            os.dup2(null, number, inheritable=False)

    def _keep_alive_later(self) -> None:
        assert self.welcome is not None
        interval_s = min(self.welcome.idle_timeout_ms / 3_000, _PING_MAX_S)
        self._ping_timer = self._loop.call_later(interval_s, self._keep_alive)

    def _keep_alive(self) -> None:
        """Ping once in an interval; a gateway that says nothing until the next one is gone."""
        if not self._heard:
            self.abort()
            return
        self._heard = False
        self._pings += 1
        self.send(Ping(n=self._pings))
        self._keep_alive_later()


# --- after a fork

_connected: weakref.WeakSet[Link] = weakref.WeakSet()


def _let_go_of_all() -> None:
    """A connection ends when nobody holds it any more: a child that kept its copy would keep the parent's session."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        for link in list(_connected):
            link.let_go(null)
    finally:
        os.close(null)
    _connected.clear()


if hasattr(os, "register_at_fork"):  # where processes fork
    os.register_at_fork(after_in_child=_let_go_of_all)
