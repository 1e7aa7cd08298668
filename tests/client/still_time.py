"""Gateways made of nothing, on an event loop that leaps: its time stands still while there is something to do.

When nothing is left to do, it is at once the time of the next timer. So a test may wait for hours, and knows to the
millisecond when what came.
"""

import asyncio
import functools
import selectors
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from client import Card, Client, Kind
from schemas.client_frames import (
    FRAME_MAX_BYTES,
    AnyClientFrame,
    Bye,
    Deframer,
    GatewayFrame,
    Hello,
    Ping,
    Pong,
    Rejection,
    Welcome,
    frame,
)

_frames: msgspec.json.Decoder[AnyClientFrame] = msgspec.json.Decoder(AnyClientFrame)
CARD = Card(number="4111111111111111", expiry="2812")
AN_INSTANT_S = 0.001


def payment(reference: str, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "reference": reference, "kind": Kind.SALE, "terminal_id": "4980123456789", "amount": 12_800, "card": CARD,
    }  # fmt: skip
    return {**given, **changes}


class Session(asyncio.Transport):
    """The gateway's end of a connection: it keeps what comes, and says what the test has it say."""

    def __init__(self, loop: "LeapingLoop", host: str, link: asyncio.Protocol) -> None:
        super().__init__()
        self.host = host
        self.heard: list[tuple[float, AnyClientFrame]] = []  # when, what; without what every session has
        self._loop, self._link = loop, link
        self._deframer = Deframer(FRAME_MAX_BYTES)
        self._gone = False

    @property
    def references(self) -> list[str]:
        """Whose frames came."""
        return [message.reference for _, message in self.heard if not isinstance(message, (Hello, Ping, Bye))]

    def say(self, *messages: GatewayFrame) -> None:
        self._link.data_received(b"".join(map(frame, messages)))

    def refuse(self, reference: str, rejection: Rejection) -> None:
        self.say(rejection.told(reference=reference))

    def write(self, data: Any) -> None:
        self._deframer.feed(data)
        while (payload := self._deframer.next()) is not None:
            match _frames.decode(payload):
                case Hello():
                    if self.host not in self._loop.mute:
                        self._loop.call_soon(self.say, self._loop.welcome())
                case Ping(n=number):
                    self._loop.call_soon(self.say, Pong(n=number))
                case Bye():
                    if self.host not in self._loop.deaf:
                        self.abort()
                case message:
                    self.heard.append((self._loop.time(), message))

    def abort(self) -> None:
        """The connection breaks, whoever breaks it."""
        if not self._gone:
            self._gone = True
            self._loop.call_soon(self._link.connection_lost, None)

    def is_closing(self) -> bool:
        return self._gone


class _Leaps(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing is left to wait for"
            self.now_s += timeout
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """The loop, and what can be reached from it."""

    def __init__(self) -> None:
        self._leaps = _Leaps()
        super().__init__(self._leaps)
        self.dialled: list[tuple[float, str]] = []
        self.contexts: list[ssl.SSLContext | None] = []  # with which each was dialled
        self.sessions: list[Session] = []
        self.down: set[str] = set()  # hosts that take no connection,
        self.mute: set[str] = set()  # take it and never say a word,
        self.deaf: set[str] = set()  # do not go when they are said goodbye to
        self.lives_s: list[float] = []  # after how long the connections break, one after the other
        self.room = 9  # for transactions in flight, in each session

    def time(self) -> float:
        return self._leaps.now_s

    def welcome(self) -> Welcome:
        return Welcome(
            version=1, session="s", max_frame_bytes=16_384, max_in_flight=self.room, idle_timeout_ms=60_000,
            wait_max_ms=60_000, confirm_ms=5_000,
        )  # fmt: skip

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int, *, ssl: ssl.SSLContext | None
    ) -> None:
        self.dialled.append((round(self.time(), 6), host))
        self.contexts.append(ssl)
        if host in self.down:
            raise ConnectionRefusedError(111, f"nobody is at {port}")
        link = protocol_factory()
        session = Session(self, host, link)
        self.sessions.append(session)
        link.connection_made(session)
        if self.lives_s:
            self.call_later(self.lives_s.pop(0), session.abort)


def here() -> LeapingLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    return loop


def now_ms() -> int:
    return round(here().time() * 1_000)


def leaping(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on a loop that leaps."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            runner.run(test(*args, **kwargs))  # type: ignore[arg-type]

    return run


async def connected(*hosts: str, **changes: Any) -> Client:
    return await Client.connect([(host, 7010) for host in hosts], customer="AP02", token="t", **changes)


async def instant() -> None:
    """Whatever can be done now is done."""
    await asyncio.sleep(AN_INSTANT_S)


async def ended(work: Awaitable[object]) -> tuple[float, object]:
    """When something has come to its end, and with what result or error."""
    try:
        result = await work
    except Exception as error:  # noqa: BLE001  it is what is asked for
        result = error
    return round(here().time(), 6), result
