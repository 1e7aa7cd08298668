"""A link by itself: what it tells of a gateway that is none, how it stays alive, and how it is let go of."""

import asyncio
import contextlib
import os
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from certificates import self_signed
from gateway_rig import until
from loop_rig import in_loop

from client import ConnectError, NotAuthenticated, link
from client.link import Address, Credentials, Link, decode
from ingress.tls import server_context
from schemas.client_frames import Bye, Deframer, GatewayBye, Ping, Pong, Rejection, Welcome, frame

HOST = "127.0.0.1"
GO = 10.0  # in which everything here is over
WHO = Credentials("AP02", "a-token", "test/1")
MAX = 1_048_576
NO_FRAME = "the peer sent a frame that protocol version 1 does not have: is it a gateway?"
TWICE = "the peer sent a frame with a field that stands twice: is it a gateway?"


def welcome(idle_timeout_ms: int = 60_000) -> bytes:
    return frame(
        Welcome(
            version=1, session="s", max_frame_bytes=MAX, max_in_flight=9, idle_timeout_ms=idle_timeout_ms,
            wait_max_ms=60_000, confirm_ms=5_000,
        )
    )  # fmt: skip


# --- opening --------------------------------------------------------------------------------------------------------


class Peer(asyncio.Protocol):
    """Answers the first that it hears with these bytes. With none it says nothing; with None it closes."""

    def __init__(self, says: bytes | None) -> None:
        self._says = says
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  the base class's
        assert self.transport is not None
        if self._says is None:
            self.transport.close()
        else:
            self.transport.write(self._says)


@contextlib.asynccontextmanager
async def peer(says: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Address]:
    """Where one listens."""
    one = Peer(says)
    server = await asyncio.get_running_loop().create_server(lambda: one, HOST, 0, ssl=tls)
    yield server.sockets[0].getsockname()
    if one.transport is not None:
        one.transport.abort()
    server.close()


async def opened(address: Address, tls: ssl.SSLContext | None = None, timeout_s: float = GO) -> Link:
    async with asyncio.timeout(2 * GO):
        return await Link.open(address, WHO, tls, timeout_s, lambda *_: None)


async def fault(address: Address, timeout_s: float = GO) -> ConnectError:
    """Why no session can be opened there."""
    with pytest.raises(ConnectError) as caught:
        await opened(address, None, timeout_s)
    return caught.value


@pytest.mark.parametrize(
    ("says", "kind", "text"),
    [
        (b"\0\0\0\2[]", ConnectError, NO_FRAME),
        (b"HTTP/1.1", ConnectError, f"a frame of {int.from_bytes(b'HTTP')} bytes where 1 to {MAX} are allowed"),
        (None, ConnectError, "the connection was closed before the session was open"),
        (
            frame(Rejection.NOT_AUTHENTICATED.told()),
            NotAuthenticated,
            "not_authenticated: customer or token is wrong",
        ),
        (
            frame(Rejection.TOO_MANY_SESSIONS.told()),
            ConnectError,
            "too_many_sessions: every session of this gateway is in use",
        ),
    ],
)
@in_loop
async def test_why_no_session_was_opened_is_told_with_the_address(
    says: bytes | None, kind: type[ConnectError], text: str
) -> None:
    async with peer(says) as address:
        error = await fault(address)
        assert (type(error), str(error)) == (kind, f"{HOST}:{address[1]}: {text}")


@in_loop
async def test_a_gateway_that_says_nothing_is_waited_for_no_longer_than_was_asked() -> None:
    async with peer(b"") as address:
        error = await fault(address, 0.05)
        assert str(error) == f"{HOST}:{address[1]}: no gateway answered within 0.05 s"


@in_loop
async def test_an_error_of_the_system_is_told_in_its_words_without_its_number() -> None:
    with socket.socket() as silent:
        silent.bind((HOST, 0))  # and listens not
        error = await fault(silent.getsockname())
        assert isinstance(error.__cause__, ConnectionRefusedError)
        assert str(error) == f"{HOST}:{silent.getsockname()[1]}: {error.__cause__.strerror}"


@in_loop
async def test_a_host_name_that_is_none_is_told_as_python_tells_it() -> None:
    error = await fault(("a" * 64, 1))
    assert isinstance(error.__cause__, UnicodeError)
    assert str(error) == f"{'a' * 64}:1: {error.__cause__}"


@in_loop
async def test_a_link_is_encrypted_when_it_is_given_what_to_trust(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    trusting = ssl.create_default_context(cafile=str(tls.certificate))
    trusting.check_hostname = False  # it is for a name that exists nowhere
    async with peer(welcome(), server_context(tls)) as address:
        each = await opened(address, trusting)
        assert each._transport is not None
        assert each._transport.get_extra_info("ssl_object").version() == "TLSv1.3"
        each.abort()
        await each.ended


@pytest.mark.parametrize(
    ("payload", "text"),
    [(b"[]", NO_FRAME), (b'{"type":"pong","n":1,"n":1}', TWICE)],
)
def test_a_frame_that_cannot_be_taken_is_told_in_one_sentence(payload: bytes, text: str) -> None:
    with pytest.raises(ConnectError) as caught:
        decode(payload)
    assert str(caught.value) == text


# --- a session ------------------------------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """Keeps what is written; `aborted` once it was, though nobody is told of the end."""

    def __init__(self, at: socket.socket | None = None) -> None:
        super().__init__({} if at is None else {"socket": at})
        self.written = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class ByHand:
    """A link's loop whose turns and time go on by hand."""

    def __init__(self) -> None:
        self._soon: list[Callable[[], None]] = []
        self.later: list[tuple[float, Callable[[], None]]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        self.later.append((delay_s, callback))

    def go_on(self) -> None:
        """What is due next happens, and the turn ends."""
        _, callback = self.later.pop(0)
        callback()
        while self._soon:
            self._soon.pop(0)()


def wired(wire: Wire | None, idle_timeout_ms: int = 60_000) -> Link:
    """A link on that wire, with its session open."""
    each = Link((HOST, 1), lambda *_: None)
    if wire is not None:
        each.connection_made(wire)
        each.data_received(welcome(idle_timeout_ms))
    return each


def kept_alive(wire: Wire, idle_timeout_ms: int = 60_000) -> tuple[Link, ByHand]:
    each, hand = wired(wire, idle_timeout_ms), ByHand()
    each._loop = hand  # type: ignore[assignment]
    each._keep_alive_later()
    return each, hand


def written(wire: Wire) -> list[bytes]:
    deframer = Deframer(MAX)
    deframer.feed(wire.written)
    return list(iter(deframer.next, None))


def payloads(*frames: Ping | Bye) -> list[bytes]:
    return [frame(each)[4:] for each in frames]


@pytest.mark.parametrize(("idle_ms", "interval_s"), [(3_000, 1.0), (12_000, 4.0), (15_000, 5.0), (60_000, 5.0)])
@in_loop
async def test_a_ping_is_sent_three_times_in_the_idle_time_and_every_five_seconds_at_least(
    idle_ms: int, interval_s: float
) -> None:
    _, hand = kept_alive(Wire(), idle_ms)
    assert [delay_s for delay_s, _ in hand.later] == [interval_s]
    hand.go_on()
    assert [delay_s for delay_s, _ in hand.later] == [interval_s]


@in_loop
async def test_a_gateway_that_answers_is_pinged_on_and_on_and_each_ping_has_its_number() -> None:
    wire = Wire()
    each, hand = kept_alive(wire)
    for n in (1, 2, 3):
        hand.go_on()
        each.data_received(frame(Pong(n=n)))
    assert not wire.aborted
    assert written(wire) == payloads(Ping(n=1), Ping(n=2), Ping(n=3))


@in_loop
async def test_a_gateway_that_says_nothing_from_one_ping_to_the_next_is_given_up() -> None:
    wire = Wire()
    each, hand = kept_alive(wire)
    hand.go_on()
    each.data_received(frame(Pong(n=1)))
    hand.go_on()
    assert not wire.aborted
    hand.go_on()
    assert wire.aborted
    assert hand.later == []
    assert written(wire) == payloads(Ping(n=1), Ping(n=2))


@in_loop
async def test_nothing_new_is_sent_to_a_gateway_that_said_goodbye() -> None:
    wire = Wire()
    each = wired(wire)
    assert (each.room, each.left.done()) == (9, False)
    each.data_received(frame(GatewayBye()))
    assert (each.room, each.left.done()) == (0, True)
    assert not wire.aborted  # what is in flight is finished


@in_loop
async def test_a_gateway_that_does_not_close_is_cut_off_after_the_time_that_was_given() -> None:
    wire = Wire()
    each = wired(wire)
    closing = asyncio.create_task(each.close(0.01))
    await until(lambda: wire.aborted, "the end of its patience")
    each.connection_lost(None)
    await closing
    assert written(wire) == payloads(Bye())


@in_loop
async def test_closing_has_an_end_though_the_end_of_the_connection_is_never_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "_GONE_S", 0.01)
    wire = Wire()
    each = wired(wire)
    async with asyncio.timeout(GO):
        await each.close(0.01)
    assert wire.aborted
    assert not each.ended.done()


# --- after a fork ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    there.settimeout(GO)
    with here, there:
        yield here, there


@pytest.fixture
def null() -> Iterator[int]:
    number = os.open(os.devnull, os.O_RDWR)
    yield number
    os.close(number)


def is_nothing(number: int) -> bool:
    return os.fstat(number).st_rdev == Path(os.devnull).stat().st_rdev


@in_loop
async def test_a_connection_that_is_let_go_of_is_held_no_more_and_its_number_is_nothing(
    pair: tuple[socket.socket, socket.socket], null: int
) -> None:
    here, there = pair
    wired(Wire(here)).let_go(null)
    assert there.recv(1) == b""
    assert is_nothing(here.fileno())
    assert not os.get_inheritable(here.fileno())  # a program that is run later does not have it


@in_loop
async def test_a_connection_of_the_number_0_is_let_go_of_too(
    pair: tuple[socket.socket, socket.socket], null: int
) -> None:
    here, there = pair
    input_ = os.dup(0)
    os.dup2(here.fileno(), 0)  # as in a daemon that closed its input
    here.close()
    first = socket.socket(fileno=0)
    try:
        wired(Wire(first)).let_go(null)
        assert there.recv(1) == b""
    finally:
        first.detach()
        os.dup2(input_, 0)
        os.close(input_)


@in_loop
async def test_where_there_is_no_connection_there_is_nothing_to_let_go_of(
    pair: tuple[socket.socket, socket.socket], null: int
) -> None:
    pair[0].close()
    for wire in (None, Wire(), Wire(pair[0])):
        wired(wire).let_go(null)
    assert is_nothing(null)


@in_loop
async def test_the_child_of_a_fork_lets_go_of_every_connection_and_knows_none_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "_connected", weakref.WeakSet())
    pairs = [socket.socketpair() for _ in range(2)]
    links = [wired(Wire(here)) for here, _ in pairs]
    assert set(link._connected) == set(links)
    link._let_go_of_all()
    for here, there in pairs:
        there.settimeout(GO)
        assert there.recv(1) == b""
        assert is_nothing(here.fileno())
        here.close()
        there.close()
    assert set(link._connected) == set()
