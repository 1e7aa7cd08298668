"""The client library, and a gateway that may say anything: lines as in `fuzz.door`.

Each line is the payload of a frame but ``=…`` (bytes as they are) and ``x`` (the connection is lost, the next one is
there). A payment `p1` and an inquiry `q1` are under way.

What must hold: only `ClientError` reaches the application and nothing the event loop; approved is only what was
settled as confirmed, or told as final; a request goes out again only when the gateway said that it does not have it.
"""

import asyncio
from typing import Any

from client import Card, Client, ClientError, ConnectError, Result
from client.link import Credentials, Link, decode
from schemas.client_frames import (
    FRAME_MAX_BYTES,
    LENGTH_BYTES,
    Deframer,
    FramingError,
    GatewayFrame,
    Refused,
    Reply,
    Settled,
    StatusTold,
    Welcome,
    frame,
)
from schemas.records import Kind, Status

CARD = Card(number="4111111111111111", expiry="2812")
WELCOME = Welcome(
    version=1, session="s-1", max_frame_bytes=16_384, max_in_flight=4, idle_timeout_ms=60_000, wait_max_ms=60_000,
    confirm_ms=5_000,
)  # fmt: skip
_NOT_TAKEN = ("stopping", "too_many_in_flight")
_LINKS_MAX = 8


def client(data: bytes) -> None:
    """One gateway's say, from the welcome to the client's last patience."""
    with asyncio.Runner() as runner:
        runner.run(_talk(data.split(b"\n")))


async def _talk(lines: list[bytes]) -> None:
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    gateway = Gateway()
    calls = [
        asyncio.create_task(
            gateway.client.pay(reference="p1", kind=Kind.SALE, terminal_id="T1", amount=100, card=CARD, wait_ms=60_000)
        ),
        asyncio.create_task(gateway.client.inquire("q1", wait_ms=60_000)),
    ]
    await _settle()
    for line in lines:
        if line == b"x":
            gateway.lose()
        elif line:
            gateway.say(line[1:] if line[:1] == b"=" else len(line).to_bytes(LENGTH_BYTES) + line)
        await _settle()
    for reference in ("p1", "q1"):
        gateway.client._time_up(reference)
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert raised == [], "an exception reached the event loop"
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, ClientError):
            raise end
        if isinstance(end, Result) and end.approved:
            assert gateway.has_approved(end.reference), "approved, and never told so for good"


async def _settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


class Gateway:
    """The other end of a client's connections, and what both sides said over them."""

    def __init__(self) -> None:
        self.client = Client([("gateway", 7010)], Credentials("AP02", "token", "fuzz"), None, 5.0)
        self._told: list[GatewayFrame] = []
        self._asked_again = False  # the gateway said that it does not have the payment
        self._requests = 0
        self._links = 0
        self._connect()

    def _connect(self) -> None:
        self._links += 1
        self._link = Link(("gateway", 7010), self.client._on_frame)
        self._reading = Deframer(FRAME_MAX_BYTES)
        self._wire = Wire(self._link, self)
        self._link.connection_made(self._wire)
        self.say(frame(WELCOME))
        self.client._opened(self._link)

    def lose(self) -> None:
        """The connection breaks; a new one is there at once, but not for ever."""
        if self._links < _LINKS_MAX:
            self._wire.abort()
            self._connect()

    def say(self, data: bytes) -> None:
        """Bytes to the client. The judge reads what it reads."""
        if self._wire.is_closing():
            return
        self._reading.feed(data)
        try:
            while (payload := self._reading.next()) is not None:
                told = decode(payload)
                if told is not None:
                    self._hear(told)
        except (FramingError, ConnectError):
            pass  # what the client must find out, too
        self._link.data_received(data)

    def _hear(self, told: GatewayFrame) -> None:
        self._told.append(told)
        match told:
            case StatusTold(reference="p1", status=Status.UNKNOWN) | Refused(reference="p1", inquire=False):
                self._asked_again |= isinstance(told, StatusTold) or told.code in _NOT_TAKEN

    def written(self, data: bytes) -> None:
        """Bytes from the client."""
        for _ in range(data.count(b'"type":"request"')):
            self._requests += 1
            assert self._requests == 1 or self._asked_again, "a request was repeated without being asked for"

    def has_approved(self, reference: str) -> bool:
        """Whether a frame says so for good."""
        shown: set[int] = set()
        for told in self._told:
            match told:
                case StatusTold(status=Status.APPROVED) | Reply(status=Status.APPROVED, confirm=False):
                    if told.reference == reference:
                        return True
                case Reply(status=Status.APPROVED) if told.reference == reference:
                    shown.add(told.delivery_no)
                case Settled(confirmed=True) if told.reference == reference and told.delivery_no in shown:
                    return True
        return False


class Wire(asyncio.Transport):
    """A connection without a network."""

    def __init__(self, link: Link, gateway: Gateway) -> None:
        super().__init__()
        self._link = link
        self._gateway = gateway
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._gateway.written(bytes(data))

    def is_closing(self) -> bool:
        return self._closed

    def abort(self) -> None:
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().call_soon(self._link.connection_lost, None)
