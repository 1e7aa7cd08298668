"""A centre with its sockets on a thread of its own, and the gateway's end of a line as nothing but a socket."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Self

from centre_rig import NUMBERS, partner_named, values_for

from schemas.telegrams import STATION_REQUESTS, Message, PartnerSpec, Role, Value
from simulator.centre import Centre
from simulator.control import Control
from simulator.rules import Rule, Rules
from simulator.server import Addresses, CentreServer

HOST = "127.0.0.1"
WAIT_S = 20.0


class Served:
    """A centre that runs, its server, and a control to it."""

    def __init__(self, server: CentreServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.partner = server.centre.partner
        self.loop = loop
        self.control = Control(HOST, server.control_port)

    @property
    def port(self) -> int:
        return self.server.listen_ports[0]

    def line(self, name: str = "DNB00001", *, opened: bool = True) -> "LineSocket":
        """A line to the centre, called."""
        line = LineSocket(self.partner, socket.create_connection((HOST, self.port), WAIT_S), name)
        if opened:
            line.ask(Role.OPENING_REQUEST, route_number=0)
        return line


class LineSocket:
    """One connection of the gateway."""

    def __init__(self, partner: PartnerSpec, connected: socket.socket, name: str = "DNB00001") -> None:
        self.partner = partner
        self.name = name
        self._socket = connected
        self._socket.settimeout(WAIT_S)
        self._deframer = partner.framing.deframer()
        self._heard: list[Message] = []

    def framed(self, role: Role, **given: Value | None) -> bytes:
        number = {"trace_number": next(NUMBERS)} if role in STATION_REQUESTS else {}
        values = values_for(self.partner, role, **{"station_id": self.name, **number, **given})
        return self.partner.framing.wrap(self.partner.encode(role, values))

    def send(self, role: Role, **given: Value | None) -> None:
        self.put(self.framed(role, **given))

    def put(self, data: bytes) -> None:
        self._socket.sendall(data)

    def hear(self) -> Message:
        """The next telegram of the centre."""
        while not self._heard:
            data = self._socket.recv(65_536)
            assert data, "the centre has hung up"
            self._heard += [self.partner.decode(each) for each in self._deframer.feed(data)]
        return self._heard.pop(0)

    def hear_bytes(self) -> bytes:
        """The next bytes of the centre."""
        return self._socket.recv(65_536)

    def ask(self, role: Role, **given: Value | None) -> Message:
        self.send(role, **given)
        return self.hear()

    def has_ended(self) -> bool:
        """Wait for the end of the connection; False where something comes instead."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def wait_end(self) -> None:
        """Wait for the end of the connection, whatever comes before it."""
        while not self.has_ended():
            pass

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def serving(
    partner: str, *rules: Rule, listen: int = 1, dial: tuple[tuple[str, int], ...] = (),
    carries: Mapping[str, Centre] | None = None,
) -> Iterator[Served]:  # fmt: skip
    """A centre that runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    centre = Centre(partner_named(partner), Rules(rules), carries=carries, clock_s=time.time)
    server = CentreServer(centre, Addresses([(HOST, 0)] * listen, [[each] for each in dial], (HOST, 0)))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(WAIT_S)
    served = Served(server, loop)
    try:
        yield served
    finally:
        served.control.close()
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(WAIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
        loop.close()


async def _end(server: CentreServer) -> None:
    await server.stop()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*rest, return_exceptions=True)
