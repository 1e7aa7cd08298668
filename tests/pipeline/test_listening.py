"""Listening for calls: at which addresses, how many wait, and what is done when one cannot be taken or secured."""

import asyncio
import errno
import logging
import socket
import ssl
import struct
import time
from collections.abc import Callable

import pytest
from log_rig import GO
from loop_rig import in_loop

from pipeline import listening
from pipeline.listening import Call, TlsListener, bound, let_out

HOST = "127.0.0.1"


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds."""
    end = time.monotonic() + GO
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.002)


class Listening:
    """A listener at a socket, and what it tells."""

    def __init__(self, at: socket.socket, *, takes: bool) -> None:
        self.arrived: list[Call] = []
        self.greeted: list[BaseException | None] = []
        self._takes = takes
        self.listener = TlsListener(
            [at],
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),  # which has no certificate to show
            {"ssl_handshake_timeout": GO, "ssl_shutdown_timeout": GO},
            arrives=self._arrives,
            greeted=lambda _, error: self.greeted.append(error),
        )

    def _arrives(self, call: Call) -> asyncio.Protocol | None:
        self.arrived.append(call)
        return asyncio.Protocol() if self._takes else None


# --- calls ----------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_call_that_cannot_be_taken_is_told_and_the_next_one_is_taken_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "_AGAIN_S", 0.01)
    with socket.socket() as at:
        at.bind((HOST, 0))
        at.setblocking(False)
        rig = Listening(at, takes=False)  # where nobody can call yet
        await until(lambda: len(caplog.records) > 0)
        at.listen()
        _, writer = await asyncio.open_connection(*at.getsockname())
        await until(lambda: len(rig.arrived) == 1)
        assert [call.address for call in rig.arrived] == [writer.get_extra_info("sockname")]
        writer.close()
        rig.listener.close()
    line = caplog.records[0]
    assert (line.getMessage(), line.levelno) == ("no call can be taken", logging.ERROR)
    assert line.__dict__["reason"] == "Invalid argument"


@in_loop
async def test_nothing_is_kept_of_a_handshake_that_is_over() -> None:
    (at,) = await bound(HOST, 0)
    rig = Listening(at, takes=True)
    before = set(rig.listener._tasks)
    _, writer = await asyncio.open_connection(*at.getsockname())
    writer.write(b"no TLS")
    await until(lambda: len(rig.greeted) == 1)
    assert isinstance(rig.greeted[0], ssl.SSLError)
    writer.close()
    assert rig.listener._tasks == before
    rig.listener.close()


@in_loop
async def test_what_a_task_died_of_is_let_out_and_nothing_of_one_that_ended_or_was_cancelled() -> None:
    async def divide(by: int) -> None:
        await asyncio.sleep(0)
        assert 1 // by == 1

    ended, cancelled, died = (asyncio.create_task(divide(by)) for by in (1, 1, 0))
    cancelled.cancel()
    await asyncio.wait([ended, cancelled, died])
    let_out(ended)
    let_out(cancelled)
    with pytest.raises(ZeroDivisionError):
        let_out(died)


# --- sockets --------------------------------------------------------------------------------------------------------


async def addresses(host: str) -> set[str]:
    """Where it is listened for this host; nothing there may ever block the loop."""
    sockets = await bound(host, 0)
    assert not any(each.getblocking() for each in sockets)
    found = {str(each.getsockname()[0]) for each in sockets}
    assert len(found) == len(sockets)
    for each in sockets:
        each.close()
    return found


@in_loop
async def test_for_a_host_it_is_listened_at_its_address_alone() -> None:
    assert await addresses(HOST) == {HOST}


@in_loop
async def test_without_a_host_it_is_listened_at_every_address() -> None:
    assert "0.0.0.0" in await addresses("")


def unspoken(monkeypatch: pytest.MonkeyPatch, *families: socket.AddressFamily) -> None:
    """Let the system speak none of these families; the others have a server of their own."""

    def created(_: tuple[str, int], *, family: socket.AddressFamily, **__: int) -> socket.socket:
        if family in families:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return socket.socket(socket.AF_INET)

    monkeypatch.setattr(socket, "create_server", created)


@in_loop
async def test_an_address_of_one_interface_is_listened_at_on_that_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    address, asked = ("fe80::1", 9, 0, 4), []

    async def found(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", address)]

    def created(at: tuple[object, ...], *, family: socket.AddressFamily, **_: int) -> socket.socket:
        asked.append((at, family))
        return socket.socket(socket.AF_INET)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    monkeypatch.setattr(socket, "create_server", created)
    for each in await bound("fe80::1%4", 9):
        each.close()
    assert asked == [(address, socket.AF_INET6)]


@pytest.mark.parametrize(
    ("families", "count"), [((), 2), ((socket.AF_INET6,), 1), ((socket.AF_INET,), 1)], ids=["both", "IPv4", "IPv6"]
)
@in_loop
async def test_without_a_host_it_is_listened_by_every_family_that_the_system_speaks(
    families: tuple[socket.AddressFamily, ...], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unspoken(monkeypatch, *families)
    sockets = await bound("", 0)
    assert len(sockets) == count
    for each in sockets:
        each.close()


@in_loop
async def test_where_the_system_speaks_no_family_of_the_host_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    unspoken(monkeypatch, socket.AF_INET, socket.AF_INET6)
    with pytest.raises(OSError, match="Address family not supported by protocol"):
        await bound("", 0)


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux tells how many calls a socket holds")
@pytest.mark.parametrize(("asked", "held"), [((), 100), ((7,), 7)])
@in_loop
async def test_so_many_calls_wait_as_are_asked_for_and_else_a_hundred(asked: tuple[int, ...], held: int) -> None:
    (at,) = await bound(HOST, 0, *asked)
    with at:
        told = at.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
        assert struct.unpack_from("@I", told, 28) == (held,)  # tcpi_sacked, of a socket that listens
