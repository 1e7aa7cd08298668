"""A process of its own for tests: it has a client, forks, and tells on its output what the child and it hear.

Run by `test_client_places.py`. The gateway is another thread's: the smallest there can be.
"""

import json
import os
import socket
import struct
import sys
import threading
from typing import Any

from client import Card, SyncClient, UsedElsewhere

ASKED: dict[str, Any] = {"kind": "sale", "terminal_id": "498", "amount": 100, "wait_ms": 5_000}
CARD = Card(number="4111111111111111", expiry="2812")
LIMITS = {
    "version": 1, "session": "s", "max_frame_bytes": 16_384, "max_in_flight": 9, "idle_timeout_ms": 60_000,
    "wait_max_ms": 60_000, "confirm_ms": 5_000,
}  # fmt: skip


def answers(frame: dict[str, Any]) -> list[dict[str, Any]]:
    match frame["type"]:
        case "hello":
            return [{"type": "welcome", **LIMITS}]
        case "request":
            named = {"reference": frame["reference"], "delivery_no": 1}
            return [{"type": "reply", **named, "status": "approved", "confirm": True}]
        case "ack":
            return [{"type": "settled", "reference": frame["reference"], "delivery_no": 1, "confirmed": True}]
        case _:
            return []


def received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionError:  # ended in haste
        return b""


def serve(connection: socket.socket, ended: threading.Event) -> None:
    buffer = b""
    while data := received(connection):
        buffer += data
        while len(buffer) >= 4 and len(buffer) >= 4 + int.from_bytes(buffer[:4], "big"):
            end = 4 + int.from_bytes(buffer[:4], "big")
            frame, buffer = json.loads(buffer[4:end]), buffer[end:]
            for answer in answers(frame):
                payload = json.dumps(answer).encode()
                connection.sendall(struct.pack(">I", len(payload)) + payload)
    ended.set()  # nobody holds the other end any more


def tell(*words: object) -> None:
    """A line, at once and whole: two processes write."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    threading.Thread(target=lambda: serve(listener.accept()[0], ended), daemon=True).start()
    client = SyncClient(listener.getsockname(), customer="AP02", token="t")
    tell("parent", client.pay(reference="p-1", card=CARD, **ASKED).status)
    stays, leaves = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(leaves)
        for ask in (lambda: client.pay(reference="c-1", card=CARD, **ASKED), lambda: client.inquire("p-1")):
            try:
                ask()
            except UsedElsewhere as error:
                tell("child", error)
        client.close()
        tell("child closed")
        os.read(stays, 1)  # it stays until its parent lets it go
        os._exit(0)
    os.close(stays)
    tell("parent", client.pay(reference="p-2", card=CARD, **ASKED).status)
    client.close()
    tell("session", "ended" if ended.wait(30) else "stays", "with the parent's client")
    os.close(leaves)
    os.waitpid(child, 0)


if __name__ == "__main__":
    sys.exit(main())
