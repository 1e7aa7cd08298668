"""Addresses and free ports of this machine's loopback interface."""

import random
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import chain

HOST = "127.0.0.1"
Address = tuple[str, int]
_RANGE = (20_000, 32_000)  # below those of outgoing connections (Linux: ip_local_port_range), so that none takes one
_TRIES = 200

_given: set[int] = set()


def hosts_of(nodes: int) -> list[str]:
    """A loopback address for each node. Raises `OSError` where the machine has no such address."""
    hosts = [_host(number) for number in range(nodes)]
    for host in hosts:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            try:
                probe.bind((host, 0))
            except OSError as error:
                raise OSError(
                    f"no node can have the address {host} ({error.strerror}): add it to the loopback interface "
                    f"(macOS: sudo ifconfig lo0 alias {host}), or start fewer nodes"
                ) from error
    return hosts


def _host(node: int) -> str:
    return f"127.0.0.{node + 1}"


def format_address(address: Address) -> str:
    """As people write it."""
    return f"{address[0]}:{address[1]}"


def read_address(text: str) -> Address:
    """What people write as HOST:PORT. Raises `ValueError`, with what is wrong and the remedy."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{text!r} is no address: give HOST:PORT")
    return host, int(port)


def is_free(port: int, host: str = HOST) -> bool:
    """Whether a server can listen on this port now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(preferred: int | None = None, hosts: Sequence[str] = (HOST,)) -> int:
    """A port nobody listens on at these hosts and this process has not given out yet; `preferred`, if it is such a one.

    Raises `OSError` when none is found.
    """
    tries = (random.randint(*_RANGE) for _ in range(_TRIES))  # noqa: S311  any will do
    for port in chain([] if preferred is None else [preferred], tries):
        if port not in _given and all(is_free(port, host) for host in hosts):
            _given.add(port)
            return port
    raise OSError(f"no free port of {HOST} between {_RANGE[0]} and {_RANGE[1]}: end what listens there")


def settled_port(
    preferred: int, use: str, hosts: Sequence[str] = (HOST,), say: Callable[[str], object] = lambda _: None
) -> int:
    """The port that `use` has everywhere, or another one where it is taken, which `say` is told. Raises `OSError`."""
    port = free_port(preferred, hosts)
    if port != preferred:
        say(f"{use}: {preferred} は使用中、{port} を使用  port {preferred} is taken, {port} is used")
    return port
