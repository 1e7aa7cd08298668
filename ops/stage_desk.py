"""Takes orders about a stage that `denbun up` runs, over a socket in its folder: one order each, told until its end."""

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

_NAME = "control.sock"
_ORDER_MAX = 1 << 16


class DeskError(Exception):
    """Nobody takes orders there, or whoever did has ended."""


class StageOrder:
    """An order, and whoever gave it, who hears what comes of it for as long as he listens."""

    def __init__(self, asked: Mapping[str, Any], connection: socket.socket) -> None:
        self.asked = asked
        self._connection = connection

    def say(self, text: str) -> None:
        """Tell how it goes on."""
        self._send({"say": text})

    def end(self, status: int) -> None:
        """Tell that it has ended."""
        self._send({"status": status})
        self._connection.close()

    def _send(self, what: Mapping[str, Any]) -> None:
        with suppress(OSError):  # who does not listen any more changes nothing
            self._connection.sendall(json.dumps(what, ensure_ascii=False).encode() + b"\n")


class StageDesk:
    """Where orders are taken: those in `orders` are to be carried out and ended. `folder` is the owner's alone."""

    def __init__(self, folder: Path) -> None:
        self.orders: queue.SimpleQueue[StageOrder] = queue.SimpleQueue()
        self._path = folder / _NAME
        self._path.unlink(missing_ok=True)  # of one that was killed
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(str(self._path))
        except OSError as error:
            raise OSError(error.errno, f"{self._path}: {error.strerror or error}: choose a shorter --folder") from error
        self._path.chmod(0o600)
        self._socket.listen()
        threading.Thread(target=self._serve, name="stage desk", daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        try:
            with connection.makefile("rb") as coming:
                asked = json.loads(coming.readline(_ORDER_MAX))
        except (OSError, ValueError):
            connection.close()
            return
        if isinstance(asked, dict):
            self.orders.put(StageOrder(asked, connection))
        else:
            connection.close()

    def close(self) -> None:
        """Take no more orders; those that wait are told so."""
        self._socket.close()
        self._path.unlink(missing_ok=True)
        with suppress(queue.Empty):
            while True:
                order = self.orders.get_nowait()
                order.say("denbun up ends: nothing was done")
                order.end(1)


def give(folder: Path, asked: Mapping[str, Any], say: Callable[[str], object]) -> int:
    """Give an order to whoever runs in this folder, and hear it out; gives its status. Raises `DeskError`."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        try:
            connection.connect(str(folder / _NAME))
        except OSError as error:
            raise DeskError(
                f"no `denbun up` runs in {folder} ({error.strerror or error}): start it, or give its --folder"
            ) from error
        connection.sendall(json.dumps(asked).encode() + b"\n")
        for told in _heard(connection):
            if "status" in told:
                return int(told["status"])
            say(told["say"])
    raise DeskError(f"`denbun up` in {folder} has ended before it was done: see what it said")


def _heard(connection: socket.socket) -> Iterator[Mapping[str, Any]]:
    with connection.makefile("rb") as coming:
        for line in coming:
            yield json.loads(line)
