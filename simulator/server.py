"""The centre's lines: called or awaited, and what the partner does on them of its own accord. No decisions."""

import asyncio
import contextlib
import datetime as dt
import logging
import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from schemas.japan_time import JST
from schemas.telegrams import FramingError, Role
from simulator.acts import Act, Answered, Break, Rubbish, Send, Station
from simulator.centre import Centre
from simulator.commands import CommandError
from simulator.conduct import Moment
from simulator.desk import Desk
from simulator.ledger import Broken
from simulator.scenario import PLAIN, Scenario
from simulator.sessions import Excess
from simulator.states import LineState
from simulator.timeline import Event, Occurrence, Timeline

_LOG = logging.getLogger(__name__)
_REDIAL_S = 0.1
_TURNS = 5  # of the loop, within which what the system has accepted is a connection that can be ended
_TIMES_KEPT = 200_000
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
        if self._server.stopped or self._server.is_full:
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
            for act in centre.received(self.station, payload, self._server.now()):
                self.perform(act)
        if problem is not None:
            centre.ledger.violation(Broken.UNREADABLE, self.station.name, problem)
            self.transport.abort()

    def ask(self, send: Send) -> None:
        """Send a telegram of the centre's own; how long its answer takes is counted from now."""
        self._asked_s[int(send.values["trace_number"])] = time.monotonic()
        self.perform(send)

    def state(self) -> LineState:
        """What people may see of it."""
        here, there = (self.transport.get_extra_info(name) for name in ("sockname", "peername"))
        station = self.station
        return LineState(
            station.number, station.name, station.open, _place(here), _place(there), called=self.called is not None
        )

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
        self.listen_ports: list[int] = []
        self._addresses = addresses
        self._numbers = 0
        self._listeners: list[asyncio.Server] = []
        self._dialling: list[asyncio.Task[None]] = []
        self._playing: asyncio.Task[None] | None = None
        self.desk = Desk(self)

    @property
    def control_port(self) -> int:
        """Where commands are taken."""
        return self.desk.port

    def number(self) -> int:
        """A number for a new connection."""
        self._numbers += 1
        return self._numbers

    @property
    def is_full(self) -> bool:
        """Whether there are more connections than the scenario lets there be; the newest is hung up then."""
        limits = self.centre.conduct.scenario.sessions
        if limits.per_centre is None or limits.excess is Excess.REFUSE_OPENING:
            return False
        return len(self.connections) > limits.per_centre

    @property
    def listening(self) -> bool:
        """Whether lines are awaited and called."""
        return bool(self._listeners or self._dialling)

    def lines(self) -> list[LineState]:
        """The connections there are."""
        return [each.state() for each in self.connections.values()]

    # --- life

    async def start(self, scenario: Scenario | None = None) -> None:
        """Take commands, then lines, and behave as the scenario says. Raises `OSError`."""
        host, port = self._addresses.control
        try:
            await self.desk.open(host, port)
        except OSError as error:
            raise _cannot("--control", host, port, error) from error
        if scenario is not None:
            self.centre.use(scenario, self.now())
        try:
            await self._begin()
        except OSError:
            await self.stop()
            raise
        self._play_events()

    async def stop(self) -> None:
        """End every connection; they have ended when this returns."""
        self.stopped = True  # for what the system has accepted and the loop has not seen yet
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
        for _ in range(_TURNS):  # a server that is closed before forgets the socket
            await asyncio.sleep(0)
        self.desk.shut()
        await self._retreat()
        dropped = list(self.connections.values())
        self._drop(None)
        await asyncio.gather(*(connection.closed.wait() for connection in dropped))
        await self.desk.close()

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

    def _drop(self, station: str | None) -> int:
        dropped = [each for each in self.connections.values() if station in (None, each.station.name)]
        for connection in dropped:
            connection.transport.abort()
        return len(dropped)

    # --- what the centre does of its own accord

    def now(self) -> Moment:
        """The time, for the centre."""
        return Moment(time.monotonic(), dt.datetime.now(JST))

    def use(self, scenario: Scenario, centre: Centre | None = None) -> None:
        """Behave as this scenario says from now on; `centre`: only one that telegrams are passed on to.

        Raises `CommandError`.
        """
        now = self.now()
        if centre is not None and centre is not self.centre:
            if scenario.events or scenario.sessions != PLAIN.sessions:
                raise CommandError(
                    f"{scenario.name}: its events and sessions are those of the lines: leave out partner"
                )
            centre.use(scenario, now)
            return
        self.centre.use(scenario, now)
        self._play_events()

    def _play_events(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None
        timeline = Timeline(self.centre.conduct.scenario.events, self.now().clock.time())
        if timeline.next_s is not None:
            self._playing = asyncio.create_task(self._play(timeline))

    async def _play(self, timeline: Timeline) -> None:
        """The events of a scenario, each when it is due."""
        conduct = self.centre.conduct
        while (next_s := timeline.next_s) is not None:
            await asyncio.sleep(max(0.0, next_s - conduct.since_s(self.now())))
            for event in timeline.take(conduct.since_s(self.now())):
                try:
                    await self.happen(event)
                except OSError as error:  # a port that was taken meanwhile: the rest goes on
                    _LOG.warning("%s: %s", event.do, error.strerror)

    async def happen(self, event: Event) -> int:
        """Have this happen now; gives how many lines it was about. Raises `OSError`."""
        self.centre.conduct.record(event, self.now())
        self.centre.conduct.happened(event)
        match event.do:
            case Occurrence.KEEPALIVE:
                return self._ask(Role.KEEPALIVE_REQUEST, event.station)
            case Occurrence.CLOSE | Occurrence.ASK_TO_CLOSE:
                return self._ask(Role.CLOSING_REQUEST, event.station)
            case Occurrence.DROP_LINE:
                return self._drop(event.station)
            case Occurrence.STOP_LISTENING:
                await self._retreat()
            case Occurrence.REOPEN | Occurrence.LISTEN_AGAIN:
                await self._begin()
        return len(self.connections)

    async def call_again(self, port: int) -> int:
        """Call the line of this port once more; gives how many connections it has. Raises `CommandError`."""
        line = next((each for each in self._addresses.dial if any(place[1] == port for place in each)), None)
        if line is None:
            called = ", ".join(str(each[0][1]) for each in self._addresses.dial) or "no line at all"
            raise CommandError(f"no line is called at port {port}: the centre calls {called}")
        there = [each.called for each in self.connections.values() if each.called in line]
        await self._call([address for address in there if address is not None] or line)
        return len(there)

    def _ask(self, role: Role, station: str | None = None) -> int:
        clock = self.now().clock
        opened = [
            each for each in self.connections.values()
            if each.station.open and station in (None, each.station.name)
        ]  # fmt: skip
        for connection in opened:
            connection.ask(self.centre.ask(connection.station, role, f"{clock:%Y%m%d}", f"{clock:%H%M%S}"))
        return len(opened)


def _place(address: object) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "?"


def _cannot(option: str, host: str, port: int, error: OSError) -> OSError:
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return OSError(error.errno, f"{option} {host}:{port}: {why}: choose another address")
