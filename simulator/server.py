"""The centre's sockets: the lines of the gateway, called or awaited, and the control port. No decisions."""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.telegrams import FramingError, Role, Value
from simulator.centre import GARBAGE, Act, Break, Centre, Rubbish, Send, Station
from simulator.ledger import Broken
from simulator.rules import RuleError, rule_from

_log = logging.getLogger(__name__)

_REDIAL_S = 0.1
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the lines are awaited, where they are called, and where commands are taken."""

    listen: Sequence[Address]
    dial: Sequence[Address]
    control: Address


class LineConnection(asyncio.Protocol):
    """One connection of a gateway's line."""

    def __init__(self, server: "CentreServer") -> None:
        self._server = server
        self._deframer = server.centre.partner.framing.deframer()
        self.station = Station(server.number())
        self.closed = asyncio.Event()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the protocol's signature
        self._server.connections.discard(self)
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        centre = self._server.centre
        problem = None
        try:
            payloads = self._deframer.feed(data)
        except FramingError as error:
            payloads, problem = list(error.telegrams), str(error)
        for payload in payloads:
            for act in centre.received(self.station, payload):
                self.perform(act)
        if problem is not None:
            centre.ledger.violation(Broken.UNREADABLE, self.station.name, problem)
            self.transport.abort()

    def perform(self, act: Act) -> None:
        """Do what the centre has decided."""
        if self.transport.is_closing():
            return
        match act:
            case Send(after_ms=0):
                self.transport.write(self._server.centre.sent(self.station, act))
            case Send():
                asyncio.get_running_loop().call_later(act.after_ms / 1000, self.perform, act._replace(after_ms=0))
            case Break():
                self.transport.abort()
            case Rubbish():
                self.transport.write(self._server.centre.partner.framing.wrap(GARBAGE))


class CentreServer:
    """A centre with its sockets."""

    def __init__(self, centre: Centre, addresses: Addresses) -> None:
        self.centre = centre
        self.connections: set[LineConnection] = set()
        self.control_port = 0
        self.listen_ports: list[int] = []
        self._addresses = addresses
        self._numbers = 0
        self._listeners: list[asyncio.Server] = []
        self._dialling: list[asyncio.Task[None]] = []
        self._control: asyncio.Server

    def number(self) -> int:
        """A number for a new connection."""
        self._numbers += 1
        return self._numbers

    # --- life

    async def start(self) -> None:
        """Take commands, then lines. Raises `OSError`."""
        host, port = self._addresses.control
        try:
            self._control = await asyncio.start_server(self._serve_control, host, port)
        except OSError as error:
            raise OSError(error.errno, f"control {host}:{port}: {error.strerror}: choose another --control") from error
        self.control_port = int(self._control.sockets[0].getsockname()[1])
        await self._listen()
        self._dialling = [asyncio.create_task(self._dial(*address)) for address in self._addresses.dial]

    async def stop(self) -> None:
        """End every connection."""
        for task in self._dialling:
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        self._stop_listening()
        self._drop()
        self._control.close()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        ports = self.listen_ports or [port for _, port in self._addresses.listen]
        for (host, _), port in zip(self._addresses.listen, ports, strict=True):
            try:
                self._listeners.append(await loop.create_server(lambda: LineConnection(self), host, port))
            except OSError as error:
                text = f"line {host}:{port}: {error.strerror}: choose another --listen"
                raise OSError(error.errno, text) from error
        self.listen_ports = [int(each.sockets[0].getsockname()[1]) for each in self._listeners]

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def _dial(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(OSError):
                _, connection = await loop.create_connection(lambda: LineConnection(self), host, port)
                await connection.closed.wait()
            await asyncio.sleep(_REDIAL_S)

    def _drop(self) -> None:
        for connection in list(self.connections):
            connection.transport.abort()

    # --- commands

    async def _serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            command = msgspec.json.decode(line, type=dict[str, Any])
            done = self._commands().get(command.pop("do", ""))
            if done is None:
                return {"error": f"unknown command: one of {', '.join(sorted(self._commands()))}"}
            answer = done(command)
            if asyncio.iscoroutine(answer):
                answer = await answer
        except (msgspec.MsgspecError, RuleError, KeyError, TypeError, OSError) as error:
            return {"error": f"{error}"}
        return {"ok": answer}

    def _commands(self) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        centre = self.centre
        return {
            "ping": lambda _: self._where(),
            "ledger": lambda _: list(centre.ledger.rows()),
            "balance": lambda _: centre.ledger.balance(),
            "violations": lambda _: centre.ledger.violations,
            "counters": lambda _: {**centre.counters, "not_arrived": centre.ledger.not_arrived},
            "story": lambda command: centre.story(command.get("since", 0)),
            "behave": self._behave,
            "clear": lambda _: centre.rules.clear(),
            "drop_lines": lambda _: self._drop(),
            "refuse_opening": self._refuse_opening,
            "stop_listening": lambda _: self._stop_listening(),
            "listen_again": lambda _: self._listen(),
            "keepalive": lambda _: self._keepalive(),
        }

    def _where(self) -> dict[str, Any]:
        stations = [each.station.name for each in self.connections if each.station.open]
        return {"partner": self.centre.partner.name, "listen": self.listen_ports, "open": sorted(stations)}

    def _behave(self, command: dict[str, Any]) -> None:
        self.centre.rules.add(rule_from(command["rule"], self.centre.partner, "rule"))

    def _refuse_opening(self, command: dict[str, Any]) -> None:
        self.centre.refuse_opening = bool(command["refuse"])

    def _keepalive(self) -> int:
        now = dt.datetime.now(dt.timezone(dt.timedelta(hours=9)))
        sample = self.centre.partner.telegrams[Role.KEEPALIVE_REQUEST].sample()
        template: dict[str, Value] = {**sample, "business_date": f"{now:%Y%m%d}", "sent_time": f"{now:%H%M%S}"}
        opened = [each for each in self.connections if each.station.open]
        for connection in opened:
            connection.perform(self.centre.keepalive(connection.station, template))
        return len(opened)
