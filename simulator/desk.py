"""What people and programs ask a running centre, and order: over the control port, HTTP, or at once."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from schemas.telegrams import PartnerSpec
from simulator import commands
from simulator.centre import Centre
from simulator.commands import (
    AboutBooks,
    AboutConduct,
    AboutTraffic,
    Command,
    CommandError,
    Occasion,
    Order,
    Question,
    read_command,
)
from simulator.rule_files import RuleError, rule_from
from simulator.scenario import PLAIN, Scenario, event_from, load_scenario, packaged, scenario_from, to_toml
from simulator.states import record_of, state_of
from simulator.timeline import Event, Occurrence

if TYPE_CHECKING:
    from simulator.server import CentreServer

_LINE_MAX = 1 << 20  # bytes of a command


class Desk:
    """The commands of a centre's server, and the port where they are taken."""

    def __init__(self, server: "CentreServer") -> None:
        self.port = 0
        self._server = server
        self._control: asyncio.Server | None = None
        self._controlled: set[asyncio.StreamWriter] = set()

    @property
    def partner(self) -> PartnerSpec:
        """Whose centre it is."""
        return self._server.centre.partner

    # --- the port

    async def open(self, host: str, port: int) -> None:
        """Take commands. Raises `OSError`."""
        self._control = await asyncio.start_server(self._serve, host, port, limit=_LINE_MAX)
        self.port = int(self._control.sockets[0].getsockname()[1])

    def shut(self) -> None:
        """Take no new connections."""
        if self._control is not None:
            self._control.close()

    async def close(self) -> None:
        """End those there are; they have ended when this returns."""
        controlled = list(self._controlled)
        for writer in controlled:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in controlled), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._controlled.add(writer)
        with contextlib.suppress(ConnectionError):
            while not self._server.stopped and (line := await self._read(reader)):
                writer.write(msgspec.json.encode(await self.answer(line)) + b"\n")
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

    # --- commands

    async def answer(self, line: bytes) -> dict[str, Any]:
        """What a command of this text leads to: ``{"ok": …}`` or ``{"error": …}``."""
        try:
            return {"ok": await self.done(read_command(line))}
        except (CommandError, RuleError, OSError) as error:
            return {"error": getattr(error, "strerror", None) or str(error)}

    async def done(self, command: Command) -> object:
        """Answer a question, or obey an order. Raises `CommandError`, `RuleError`, `OSError`."""
        if isinstance(command, commands.Record):  # of a long run it takes a second, in which telegrams go on
            return await asyncio.to_thread(to_toml, record_of(self._of(command), command.name))
        return self._told(command) if isinstance(command, Question) else await self._obeyed(command)

    def _of(self, command: Command) -> Centre:
        centre = self._server.centre
        try:
            return centre.of(command.partner)
        except KeyError:
            known = ", ".join([centre.partner.name, *(each.partner.name for each in centre.carries.values())])
            raise CommandError(f"partner: nothing of {command.partner} comes here: one of {known}") from None

    def _told(self, question: Question) -> object:
        centre = self._of(question)
        if isinstance(question, AboutBooks):
            return _of_books(centre, question)
        if isinstance(question, AboutTraffic):
            return self._of_traffic(centre, question)
        return self._of_conduct(centre, question)

    def _of_traffic(self, centre: Centre, question: AboutTraffic) -> object:
        match question:
            case commands.Ping():
                opened = sorted(each.station.name for each in self._server.connections.values() if each.station.open)
                return {"partner": centre.partner.name, "listen": self._server.listen_ports, "open": opened}
            case commands.Counters():
                return {**centre.counters, "not_arrived": centre.ledger.not_arrived}
            case commands.KeepaliveTimes():
                return [{"station": station, "ms": round(ms, 3)} for station, ms in self._server.keepalive_times]
            case commands.StorySince():
                return centre.story(question.since)
            case commands.Telegrams():
                return centre.last_told(question.last)
            case _:
                assert_never(question)

    def _of_conduct(self, centre: Centre, question: AboutConduct) -> object:
        match question:
            case commands.RulesInForce():
                return list(centre.rules)
            case commands.State():
                return state_of(self._server, centre)
            case commands.Scenarios():
                every = [PLAIN, *(load_scenario(name, centre.partner) for name in packaged())]
                return [{"name": each.name, "japanese": each.japanese, "english": each.english} for each in every]
            case _:
                assert_never(question)

    async def _obeyed(self, order: Order) -> int | None:
        centre, server = self._of(order), self._server
        match order:
            case commands.Behave():
                centre.rules.add(rule_from(order.rule, centre.partner, "rule"))
            case commands.Clear():
                centre.rules.clear()
            case commands.Use():
                server.use(_scenario(order.scenario, centre.partner), centre)
            case commands.CallAgain():
                return await server.call_again(order.port)
            case _:
                about = await server.happen(_event(order))
                return about if isinstance(order, _COUNTED) else None
        return None


_COUNTED = (commands.Happen, commands.Keepalive, commands.CloseStations)


def _event(order: Occasion) -> Event:
    """What an order has happen. Raises `RuleError`."""
    match order:
        case commands.Happen():
            return event_from(order.event, "event", timed=False)
        case commands.DropLines():
            return Event(Occurrence.DROP_LINE, station=order.station)
        case commands.RefuseOpening():
            return Event(Occurrence.REFUSE_OPENINGS if order.refuse else Occurrence.ACCEPT_OPENINGS)
        case commands.StopListening():
            return Event(Occurrence.STOP_LISTENING)
        case commands.ListenAgain():
            return Event(Occurrence.LISTEN_AGAIN)
        case commands.Keepalive():
            return Event(Occurrence.KEEPALIVE)
        case commands.CloseStations():
            return Event(Occurrence.ASK_TO_CLOSE)
        case _:
            assert_never(order)


def _of_books(centre: Centre, question: AboutBooks) -> object:
    match question:
        case commands.LedgerRows():
            return list(centre.ledger.rows(question.last))
        case commands.Balance():
            return centre.ledger.balance()
        case commands.Violations():
            return centre.ledger.violations
        case commands.Suspicions():
            return centre.ledger.suspicions
        case _:
            assert_never(question)


def _scenario(given: str | dict[str, Any], partner: PartnerSpec) -> Scenario:
    """One that comes with the package, by name; or a whole one. Raises `RuleError`."""
    if not isinstance(given, str):
        return scenario_from(given, partner, "scenario")
    if given != PLAIN.name and given not in packaged():
        raise RuleError(f"{given}: no scenario of this name: one of {', '.join([PLAIN.name, *packaged()])}")
    return load_scenario(given, partner)
