"""A network between the gateway's lines and the centres that can be made bad: ``python -m ops.line_proxy``.

Each line has an address at which the proxy awaits whoever calls (the gateway or the centre), and calls the other side
itself. Where the gateway waits for its partner's call, every node does; the proxy calls all of them and keeps the one
that speaks first, for a frozen node takes calls, and says nothing.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import struct
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ops.line_faults import (
    AT_ONCE,
    CANCEL_REPORTS,
    COUNTED,
    GARBAGE,
    NOISE,
    REPORTS,
    LineFault,
    Splitter,
    Telegram,
    Trouble,
    names,
)
from ops.line_lanes import Flood, Lane
from ops.ports import HOST, Address
from schemas.telegrams import Message, PartnerSpec, load_partner

_CHUNK = 65_536
_FIRST_WORD_S = 1.0  # a line's owner opens the station at once


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """One connection of a line, from end to end."""

    def __init__(self, line: "ProxiedLine", gateway: Stream, centre: Stream, first: bytes) -> None:
        self._line = line
        self._writers = (gateway[1], centre[1])
        self._readers = (gateway[0], centre[0])
        self._to_centre = Lane(line.trouble, centre[1], line.counts)
        self._to_gateway = Lane(line.trouble, gateway[1], line.counts)
        self._reports = Splitter(line.partner)
        self._first = first  # what the gateway has said already
        self._came_later = line.trouble.half_open
        self._flood = Flood(line.partner, line.trouble, line.counts, self._to_gateway)
        self.swallowed = False
        for writer in self._writers:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self) -> None:
        """Pass what comes until one end closes, or the line is cut."""
        gateway, centre = self._readers
        if self._first:
            self._from_gateway(self._first)
        writing = [asyncio.create_task(lane.run()) for lane in (self._to_centre, self._to_gateway)]
        reading = [
            asyncio.create_task(self._read(gateway, self._from_gateway)),
            asyncio.create_task(self._read(centre, self._from_centre)),
        ]
        flooding = asyncio.create_task(self._flood.run())
        try:
            await asyncio.wait((*writing, *reading), return_when=asyncio.FIRST_COMPLETED)
            if self.swallowed:  # the other end does not learn of it
                await asyncio.wait(reading)
                return
            await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*reading, *writing, flooding):
                task.cancel()
            await asyncio.gather(*reading, *writing, flooding, return_exceptions=True)
            for writer in self._writers:
                writer.close()

    async def _read(self, reader: asyncio.StreamReader, take: Any) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                if reader is self._readers[0]:
                    await self._flood.hears()
                take(data)
        take(b"")

    def _from_gateway(self, data: bytes) -> None:
        self._flood.learn(data)
        if not self._swallows():
            self._to_centre.put(data)

    def _from_centre(self, data: bytes) -> None:
        if self._swallows():
            return
        if not data:
            self._to_gateway.put(data)
            return
        for telegram in self._reports.feed(data):
            self._line.deliver(self, telegram)

    @property
    def spoilt(self) -> bool:
        """Whether it is no good any more, when the line is healed."""
        return self.swallowed or self._flood.came

    def _swallows(self) -> bool:
        trouble = self._line.trouble
        if trouble.swallow or (trouble.half_open and not self._came_later):
            self._line.counts[LineFault.SWALLOW if trouble.swallow else LineFault.HALF_OPEN] += 1
            self.swallowed = True
        return self.swallowed

    def to_gateway(self, raw: bytes) -> None:
        """Bytes for the gateway."""
        if raw and not self._swallows():
            self._to_gateway.put(raw)

    def cut(self, *, reset: bool) -> None:
        """Break it, for both ends."""
        for writer in self._writers:
            if reset:
                linger = struct.pack("ii", 1, 0)
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()


class ProxiedLine:
    """One line: where it is awaited, whom it leads to, and how it stands with it."""

    def __init__(self, proxy: "LineProxy", name: str, partner: PartnerSpec, *, gateway_calls: bool) -> None:
        self.name = name
        self.partner = partner
        self.trouble = Trouble()
        self.counts = proxy.counts
        self.links: list[Link] = []
        self._proxy = proxy
        self._gateway_calls = gateway_calls
        self._held: list[tuple[Link, Telegram]] = []

    async def serve(self, caller: Stream, calls: Sequence[Address]) -> None:
        """One call, from its begin to its end."""
        first, called = b"", None
        if self._gateway_calls:
            with contextlib.suppress(OSError):
                called = await asyncio.open_connection(*calls[0])
        else:
            called, first = await _who_speaks(calls)
        if called is None:
            caller[1].close()
            return
        gateway, centre = (caller, called) if self._gateway_calls else (called, caller)
        link = Link(self, gateway, centre, first)
        self.links.append(link)
        try:
            await link.run()
        finally:
            self.links.remove(link)
            self._held = [(held, telegram) for held, telegram in self._held if held is not link]

    def deliver(self, link: Link, telegram: Telegram) -> None:
        """A telegram of the centre on its way to the gateway."""
        message = telegram.message
        if message is None or message.role not in REPORTS:
            link.to_gateway(telegram.raw)
            return
        if self.trouble.hold and message.role not in CANCEL_REPORTS:
            self.trouble.hold -= 1
            self.counts[LineFault.HOLD] += 1
            self._held.append((link, telegram))
            return
        if self.trouble.elsewhere and (other := self._proxy.other_link(self)) is not None:
            self.trouble.elsewhere -= 1
            self.counts[LineFault.ELSEWHERE] += 1
            other.to_gateway(telegram.raw)
            return
        link.to_gateway(telegram.raw)
        if self.trouble.twice:
            self.trouble.twice -= 1
            self.counts[LineFault.TWICE] += 1
            link.to_gateway(telegram.raw)
        if message.role in CANCEL_REPORTS:
            self._let_go(message)

    def _let_go(self, after: Message | None) -> None:
        """What was held comes now: what this cancel's report is about, or everything."""
        held, self._held = self._held, []
        for link, telegram in held:
            assert telegram.message is not None
            if after is None or names(telegram.message) == names(after):
                link.to_gateway(telegram.raw)
            else:
                self._held.append((link, telegram))

    def do(self, fault: LineFault, count: int, ms: int) -> None:
        """Do this from now on."""
        if fault not in AT_ONCE:
            self.trouble.begin(fault, count, ms)
            return
        self.counts[fault] += len(self.links)
        for link in list(self.links):
            if fault in (LineFault.CUT, LineFault.RESET):
                link.cut(reset=fault is LineFault.RESET)
            else:
                link.to_gateway(NOISE if fault is LineFault.NOISE else self.partner.framing.wrap(GARBAGE))

    def heal(self) -> None:
        """Be a good line again."""
        self.trouble.end()
        self._let_go(None)
        for link in list(self.links):
            if link.spoilt:
                link.cut(reset=True)


async def _who_speaks(addresses: Sequence[Address]) -> tuple[Stream | None, bytes]:
    """Call all of these; the one that speaks first, and what it said."""
    calls = await asyncio.gather(*(asyncio.open_connection(*each) for each in addresses), return_exceptions=True)
    reading = {asyncio.create_task(call[0].read(_CHUNK)): call for call in calls if not isinstance(call, BaseException)}
    chosen, said = None, b""
    loop, waiting = asyncio.get_running_loop(), set(reading)
    until = loop.time() + _FIRST_WORD_S
    while waiting and chosen is None and (left := until - loop.time()) > 0:
        done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.exception() is None and task.result() and chosen is None:
                chosen, said = reading[task], task.result()
    for task, call in reading.items():
        task.cancel()
        if call is not chosen:
            call[1].close()
    return chosen, said


class LineProxy:
    """All lines of a stage, and the port that takes commands."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._lines: dict[str, ProxiedLine] = {}
        self._servers: list[asyncio.Server] = []

    async def add(
        self, name: str, partner: PartnerSpec, awaits: int, calls: Sequence[Address], *, gateway_calls: bool
    ) -> int:
        """Await the calls of one more line; gives the port. Raises `OSError`."""
        line = self._lines[name] = ProxiedLine(self, name, partner, gateway_calls=gateway_calls)

        async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await line.serve((reader, writer), calls)

        server = await asyncio.start_server(called, HOST, awaits)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def listen(self, port: int) -> None:
        """Take commands. Raises `OSError`."""
        server = await asyncio.start_server(self._commanded, HOST, port)
        self._servers.append(server)
        self.port = int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take no calls any more, and cut what there is."""
        for server in self._servers:
            server.close()
        for line in self._lines.values():
            for link in list(line.links):
                link.cut(reset=False)

    def other_link(self, line: ProxiedLine) -> Link | None:
        """A connection of another line of the same partner."""
        for other in self._lines.values():
            if other is not line and other.partner.name == line.partner.name and other.links:
                return other.links[-1]
        return None

    async def _commanded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while text := await reader.readline():
                writer.write(json.dumps(self._answer(text)).encode() + b"\n")
                await writer.drain()
        writer.close()

    def _answer(self, text: bytes) -> dict[str, Any]:
        try:
            return {"ok": self._done(json.loads(text))}
        except (ValueError, KeyError, TypeError) as error:
            return {"error": f"no command: {error}"}

    def _done(self, command: dict[str, Any]) -> object:
        what, name = command["do"], command.get("line")
        if what == "counts":
            return self.counts
        if name is not None and name not in self._lines:
            raise ValueError(f"there is no line {name}: one of {', '.join(self._lines)}")
        lines = list(self._lines.values()) if name is None else [self._lines[name]]
        if what == "heal":
            for line in lines:
                line.heal()
            return None
        if what == "links":
            return sum(len(line.links) for line in lines)
        fault = LineFault(what)
        if fault in COUNTED and command["count"] < 1:
            raise ValueError(f"{fault} needs a count")
        for line in lines:
            line.do(fault, command["count"], command["ms"])
        return None


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.line_proxy", allow_abbrev=False)
    parser.add_argument("--control", required=True, help="HOST:PORT that takes commands")
    parser.add_argument("--line", action="append", required=True, help="NAME:PARTNER:gateway|centre:PORT:HOST:PORT,…")
    return parser.parse_args(list(argv))


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    proxy = LineProxy()
    for each in arguments.line:
        name, partner, caller, awaits, calls = each.split(":", 4)
        addresses = [(host, int(port)) for host, _, port in (call.partition(":") for call in calls.split(","))]
        await proxy.add(name, load_partner(partner), int(awaits), addresses, gateway_calls=caller == "gateway")
    await proxy.listen(int(arguments.control.rpartition(":")[2]))
    await stop.wait()
    await proxy.stop()


def main(argv: Sequence[str]) -> int:
    """Run a proxy until SIGTERM; gives the exit status."""
    arguments = _arguments(argv)
    try:
        asyncio.run(_serve(arguments))
    except OSError as error:
        print(f"line proxy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
