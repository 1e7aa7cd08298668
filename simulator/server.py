"""The centre's sockets: the lines of the gateway, called or awaited, and the control port. No decisions."""

import asyncio
import contextlib
import datetime as dt
import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never, cast

import msgspec

from schemas.telegrams import FramingError, Role
from simulator import commands
from simulator.centre import Act, Answered, Break, Centre, Rubbish, Send, Station
from simulator.commands import Command, CommandError, Order, Question, read_command
from simulator.ledger import Broken
from simulator.rules import RuleError, rule_from

_REDIAL_S = 0.1
_LINE_MAX = 1 << 20  # bytes of a command
_TIMES_KEPT = 200_000
_JST = dt.timezone(dt.timedelta(hours=9))
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where lines are awaited, where each is called (at the first that takes the call), where commands are taken."""

    listen: Sequence[Address]
    dial: Sequence[Sequence[Address]]
    control: Address


class LineConnection(asyncio.Protocol):
    """One connection of a gateway's line."""

    def __init__(self, server: "CentreServer", called: Address | None = None) -> None:
        self.called = called  # where the centre has called; None: the gateway has called
        self._server = server
        self._deframer = server.centre.partner.framing.deframer()
        self.station = Station(server.number())
        self.closed = asyncio.Event()
        self._asked_s: dict[int, float] = {}  # by trace number: when a telegram of the centre's own went out
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        self._server.connections[self.station.number] = self
        if self._server.stopped:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the protocol's signature
        self._server.connections.pop(self.station.number, None)
        self._server.centre.disconnected(self.station)
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        centre = self._server.centre
        problem = None
        try:
            payloads = self._deframer.feed(data)
        except FramingError as error:
            payloads, problem = list(error.telegrams), str(error)
        for payload in payloads:
            if self.transport.is_closing():
                return
            for act in centre.received(self.station, payload):
                self.perform(act)
        if problem is not None:
            centre.ledger.violation(Broken.UNREADABLE, self.station.name, problem)
            self.transport.abort()

    def ask(self, send: Send) -> None:
        """Send a telegram of the centre's own; how long its answer takes is counted from now."""
        self._asked_s[int(send.values["trace_number"])] = time.monotonic()
        self.perform(send)

    def perform(self, act: Act) -> None:
        """Do what the centre has decided."""
        match act:
            case Break():
                self._server.abort(act.number)
            case _ if self.transport.is_closing():
                return
            case Answered():
                took_ms = (time.monotonic() - self._asked_s.pop(act.trace_number)) * 1_000
                if act.role is Role.KEEPALIVE_ANSWER:
                    self._server.keepalive_times.append((self.station.name, took_ms))
            case Send(after_ms=0):
                self.transport.write(self._server.centre.sent(self.station, act))
            case Send():
                asyncio.get_running_loop().call_later(act.after_ms / 1000, self.perform, act._replace(after_ms=0))
            case Rubbish():
                self.transport.write(act.data)


class CentreServer:
    """A centre with its sockets."""

    def __init__(self, centre: Centre, addresses: Addresses) -> None:
        self.centre = centre
        self.connections: dict[int, LineConnection] = {}
        self.keepalive_times: deque[tuple[str, float]] = deque(maxlen=_TIMES_KEPT)  # station, milliseconds
        self.stopped = False
        self.control_port = 0
        self.listen_ports: list[int] = []
        self._addresses = addresses
        self._numbers = 0
        self._listeners: list[asyncio.Server] = []
        self._dialling: list[asyncio.Task[None]] = []
        self._control: asyncio.Server | None = None
        self._controlled: set[asyncio.StreamWriter] = set()

    def number(self) -> int:
        """A number for a new connection."""
        self._numbers += 1
        return self._numbers

    # --- life

    async def start(self) -> None:
        """Take commands, then lines. Raises `OSError`."""
        host, port = self._addresses.control
        try:
            self._control = await asyncio.start_server(self._serve_control, host, port, limit=_LINE_MAX)
        except OSError as error:
            raise _cannot("--control", host, port, error) from error
        self.control_port = int(self._control.sockets[0].getsockname()[1])
        try:
            await self._begin()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every connection; they have ended when this returns."""
        self.stopped = True  # for what the system has accepted and the loop has not seen yet
        await self._retreat()
        dropped, controlled = list(self.connections.values()), list(self._controlled)
        self._drop(None)
        for writer in controlled:
            writer.close()
        await asyncio.gather(
            *(connection.closed.wait() for connection in dropped),
            *(writer.wait_closed() for writer in controlled),
            return_exceptions=True,
        )
        if self._control is not None:
            self._control.close()

    async def _begin(self) -> None:
        """Await and call the lines."""
        loop = asyncio.get_running_loop()
        if not self._listeners:
            ports = self.listen_ports or [port for _, port in self._addresses.listen]
            for (host, _), port in zip(self._addresses.listen, ports, strict=True):
                try:
                    self._listeners.append(await loop.create_server(lambda: LineConnection(self), host, port))
                except OSError as error:
                    await self._retreat()
                    raise _cannot("--listen", host, port, error) from error
            self.listen_ports = [int(each.sockets[0].getsockname()[1]) for each in self._listeners]
        if not self._dialling:
            self._dialling = [asyncio.create_task(self._dial(each)) for each in self._addresses.dial]

    async def _retreat(self) -> None:
        """Neither await nor call lines; those there are go on."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for task in self._dialling:
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        self._dialling.clear()

    async def _dial(self, line: Sequence[Address]) -> None:
        while True:
            called = next((each for each in self.connections.values() if each.called in line), None)
            if called is None:
                called = await self._call(line)
            if called is not None:
                await called.closed.wait()
            await asyncio.sleep(_REDIAL_S)

    async def _call(self, line: Sequence[Address]) -> LineConnection | None:
        """Call at one address after the other; None where nobody takes the call."""
        for address in line:
            with contextlib.suppress(OSError):
                loop = asyncio.get_running_loop()
                _, called = await loop.create_connection(partial(LineConnection, self, address), *address)
                return called
        return None

    def abort(self, number: int) -> None:
        """Break the connection of this number, if it is there."""
        connection = self.connections.get(number)
        if connection is not None:
            connection.transport.abort()

    def _drop(self, station: str | None) -> None:
        for connection in list(self.connections.values()):
            if station in (None, connection.station.name):
                connection.transport.abort()

    # --- commands

    async def _serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._controlled.add(writer)
        with contextlib.suppress(ConnectionError):
            while not self.stopped and (line := await self._read(reader)):
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self._controlled.discard(writer)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readline()
        except ValueError:
            return b""  # longer than any command: nothing after it could be found

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": await self._done(read_command(line))}
        except (CommandError, RuleError, OSError) as error:
            return {"error": getattr(error, "strerror", None) or str(error)}

    async def _done(self, command: Command) -> object:
        return self._told(command) if isinstance(command, Question) else await self._obeyed(command)

    def _of(self, command: Command) -> Centre:
        try:
            return self.centre.of(command.partner)
        except KeyError:
            known = ", ".join([self.centre.partner.name, *(each.partner.name for each in self.centre.carries.values())])
            raise CommandError(f"partner: nothing of {command.partner} comes here: one of {known}") from None

    def _told(self, question: Question) -> object:
        centre = self._of(question)
        match question:
            case commands.Ping():
                opened = sorted(each.station.name for each in self.connections.values() if each.station.open)
                return {"partner": centre.partner.name, "listen": self.listen_ports, "open": opened}
            case commands.LedgerRows():
                return list(centre.ledger.rows())
            case commands.Balance():
                return centre.ledger.balance()
            case commands.Violations():
                return centre.ledger.violations
            case commands.Suspicions():
                return centre.ledger.suspicions
            case commands.Counters():
                return {**centre.counters, "not_arrived": centre.ledger.not_arrived}
            case commands.KeepaliveTimes():
                return [{"station": station, "ms": round(ms, 3)} for station, ms in self.keepalive_times]
            case commands.StorySince():
                return centre.story(question.since)
            case commands.RulesInForce():
                return list(centre.rules)
            case _:
                assert_never(question)

    async def _obeyed(self, order: Order) -> int | None:
        centre = self._of(order)
        match order:
            case commands.Behave():
                centre.rules.add(rule_from(order.rule, centre.partner, "rule"))
            case commands.Clear():
                centre.rules.clear()
            case commands.DropLines():
                self._drop(order.station)
            case commands.RefuseOpening():
                self.centre.refuse_opening = order.refuse
            case commands.StopListening():
                await self._retreat()
            case commands.ListenAgain():
                await self._begin()
            case commands.Keepalive():
                return self._ask(Role.KEEPALIVE_REQUEST)
            case commands.CloseStations():
                return self._ask(Role.CLOSING_REQUEST)
            case commands.CallAgain():
                return await self._call_again(order.port)
            case _:
                assert_never(order)
        return None

    async def _call_again(self, port: int) -> int:
        line = next((each for each in self._addresses.dial if any(place[1] == port for place in each)), None)
        if line is None:
            called = ", ".join(str(each[0][1]) for each in self._addresses.dial) or "no line at all"
            raise CommandError(f"no line is called at port {port}: the centre calls {called}")
        there = [each.called for each in self.connections.values() if each.called in line]
        await self._call([address for address in there if address is not None] or line)
        return len(there)

    def _ask(self, role: Role) -> int:
        now = dt.datetime.now(_JST)
        opened = [each for each in self.connections.values() if each.station.open]
        for connection in opened:
            connection.ask(self.centre.ask(connection.station, role, f"{now:%Y%m%d}", f"{now:%H%M%S}"))
        return len(opened)


def _cannot(option: str, host: str, port: int, error: OSError) -> OSError:
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return OSError(error.errno, f"{option} {host}:{port}: {why}: choose another address")
