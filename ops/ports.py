"""Free ports of this machine's loopback interface."""

import random
import socket
from contextlib import closing

HOST = "127.0.0.1"
_RANGE = (20_000, 32_000)  # below those of outgoing connections (Linux: ip_local_port_range), so that none takes one
_TRIES = 200

_given: set[int] = set()


def is_free(port: int) -> bool:
    """Whether a server can listen on this port now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(preferred: int | None = None) -> int:
    """A port nobody listens on and this process has not given out yet; `preferred`, if it is such a one.

    Raises `OSError` when none is found.
    """
    if preferred is not None and preferred not in _given and is_free(preferred):
        _given.add(preferred)
        return preferred
    for _ in range(_TRIES):
        port = random.randint(*_RANGE)  # noqa: S311  any will do
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free port of {HOST} between {_RANGE[0]} and {_RANGE[1]}: end what listens there")
