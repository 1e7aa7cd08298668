"""The door alone: where it listens, what it says when it cannot or nobody agrees on TLS, and which files it counts."""

import contextlib
import errno
import logging
import resource
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from gateway_rig import RawClient, gateway, settings, until
from loop_rig import in_loop

from ingress.connection import Connection
from ingress.door import BACKLOG, LINGER_S, Door, ensure_files, files_needed
from ingress.tls import server_context
from ops.ports import free_port
from pipeline.config import ConfigError
from pipeline.listening import TlsListener

HOST = "127.0.0.1"
with_tls_and_without = pytest.mark.parametrize("tls", [True, False], ids=["TLS", "no TLS"])


def _nobody_comes() -> Connection:
    raise AssertionError


@contextlib.asynccontextmanager
async def opened(folder: Path, *, tls: bool, **changes: Any) -> AsyncIterator[Door]:
    """A door before which no caller is waited for."""
    door = Door(settings(**changes), _nobody_comes)
    await door.open(server_context(self_signed(folder, "one")) if tls else None, lambda _: None)
    try:
        yield door
    finally:
        door.close()


# --- listening ------------------------------------------------------------------------------------------------------


@with_tls_and_without
@in_loop
async def test_it_listens_at_the_address_of_its_settings_and_nowhere_else(tmp_path: Path, *, tls: bool) -> None:
    port = free_port()
    async with opened(tmp_path, tls=tls, port=port) as door:
        assert [each.getsockname() for each in door._server.sockets] == [(HOST, port)]
        assert door.port == port


@with_tls_and_without
@in_loop
async def test_while_the_loop_is_busy_the_system_holds_as_many_calls_as_are_counted(
    tmp_path: Path, *, tls: bool
) -> None:
    async with opened(tmp_path, tls=tls) as door:
        with contextlib.ExitStack() as calls:
            for _ in range(BACKLOG):
                calls.enter_context(socket.create_connection((HOST, door.port), timeout=10))
            door.close()


@with_tls_and_without
@in_loop
async def test_an_address_that_is_taken_is_told_with_the_settings_that_name_it(tmp_path: Path, *, tls: bool) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            OSError,
            match=rf"client address {HOST}:{port}: .*[Aa]ddress already in use.*: "
            r"choose another under ingress\.host and ingress\.port$",
        ) as raised:
            async with opened(tmp_path, tls=tls, port=port):
                pass
    assert raised.value.errno == errno.EADDRINUSE
    assert str(raised.value.strerror).startswith("client address ")


@in_loop
async def test_a_handshake_may_take_as_long_as_a_hello(tmp_path: Path) -> None:
    async with opened(tmp_path, tls=True, hello_timeout_ms=7_000) as door:
        assert isinstance(door._server, TlsListener)
        assert door._server._limits == {"ssl_handshake_timeout": 7.0, "ssl_shutdown_timeout": LINGER_S}


@in_loop
async def test_a_handshake_that_fails_is_told_to_whoever_looks_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(tmp_path, tls=self_signed(tmp_path, "one")) as rig:
        client = await RawClient.open(rig.server.port)
        host, port = client._writer.get_extra_info("sockname")
        client.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
        await client.ended()
        await client.close()
        await until(lambda: not rig.server._connections, "the end of the connection")
    (line,) = [each for each in caplog.records if each.name == "ingress.door"]
    assert (line.getMessage(), line.levelno) == ("no TLS", logging.DEBUG)
    assert (line.__dict__["peer"], line.__dict__["reason"]) == (f"{host}:{port}", "TLS: http request")


# --- files ----------------------------------------------------------------------------------------------------------


def test_every_kind_of_connection_and_what_the_process_has_open_besides_is_counted() -> None:
    assert files_needed(settings(max_sessions=1_000, max_ungreeted=300)) == 1_000 + 2 * 300 + 128 + 128


def _limited(monkeypatch: pytest.MonkeyPatch, most: int) -> list[tuple[int, int]]:
    """Let this process have one file open, and at most so many if it asks; gives what it asks for."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1, most))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))
    return asked


def test_a_process_that_may_have_just_as_many_files_as_it_needs_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = files_needed(settings())
    asked = _limited(monkeypatch, needed)
    ensure_files(settings())
    assert asked == [(needed, needed)]


@pytest.mark.parametrize("unlimited", [-1, 2**63 - 1])
def test_no_limit_is_none_however_the_system_writes_it(monkeypatch: pytest.MonkeyPatch, unlimited: int) -> None:
    monkeypatch.setattr(resource, "RLIM_INFINITY", 2**63 - 1)
    asked = _limited(monkeypatch, unlimited)
    ensure_files(settings())
    assert asked == [(files_needed(settings()), unlimited)]


def test_a_limit_of_a_single_file_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _limited(monkeypatch, 1)
    with pytest.raises(ConfigError, match="this process may have 1: raise"):
        ensure_files(settings())
