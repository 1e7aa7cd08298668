"""A line's connector alone, on real sockets: what it tells, counts and logs, and a partner that calls or is called."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

from line_rig import LINE, until
from partner_rig import GO
from prometheus_client import CollectorRegistry

from egress.connection import Connector
from egress.metrics import Counts, Metrics
from schemas.installation import Egress, Line
from schemas.telegrams import load_partner

FRAMING = load_partner("cafis").framing
HOST = "127.0.0.1"


def a_line(**changes: Any) -> Line:
    return Line.model_validate({
        "name": LINE, "partner": "cafis", "mode": "listen", "host": HOST, "port": 0, "station_id": "DNB00001",
        "company_code": "100001", "routes": [1, 200], **changes,
    })  # fmt: skip


class Ears:
    """Hears what happens on the line, in words."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.awaited = True
        self.log_behind = False
        self.on_telegram: Callable[[bytes], None] = lambda _: None

    def sought(self, trouble: str | None) -> None:
        self.heard.append(f"sought: {trouble}")

    def connected(self) -> None:
        self.heard.append("connected")

    def received(self, payload: bytes) -> bool:
        self.heard.append(f"received {payload.decode()}")
        self.on_telegram(payload)
        return self.awaited

    def behind(self) -> bool:
        return self.log_behind

    def unreadable(self, problem: str) -> None:
        self.heard.append(f"unreadable: {problem}")

    def writable(self, writable: bool) -> None:
        self.heard.append("writable" if writable else "not writable")

    def disconnected(self, reason: str) -> None:
        self.heard.append(f"disconnected: {reason}")

    def called_again(self) -> None:
        self.heard.append("called again")


class Rig:
    """One connector and its surroundings."""

    def __init__(self, line: Line, times: dict[str, int]) -> None:
        self.ears = Ears()
        self.registry = CollectorRegistry()
        counts = Counts(Metrics(self.registry), line.name)
        self.connector = Connector(line, FRAMING, Egress(metrics_port=0, **times), self.ears, counts)
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        server = self.connector._server
        assert server is not None
        return int(server.sockets[0].getsockname()[1])

    async def call(self, tls: ssl.SSLContext | None = None, name: str | None = None) -> "Caller":
        """Call the line, as its partner does, or as a stranger does."""
        reader, writer = await asyncio.open_connection(HOST, self.port, ssl=tls, server_hostname=name)
        self._writers.append(writer)
        return Caller(reader, writer)

    async def hears(self, *expected: str) -> None:
        await until(lambda: self.ears.heard == list(expected), lambda: self.ears.heard)

    def refused(self, reason: str) -> float:
        labels = {"line": LINE, "reason": reason}
        return self.registry.get_sample_value("denbun_egress_calls_refused_total", labels) or 0

    def attempts(self, outcome: str) -> float:
        labels = {"line": LINE, "outcome": outcome}
        return self.registry.get_sample_value("denbun_egress_attempts_total", labels) or 0

    async def close(self) -> None:
        await self.connector.stop()
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class Caller:
    """One call of the line, seen from outside."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @property
    def name(self) -> str:
        host, port = self.writer.get_extra_info("sockname")[:2]
        return f"{host}:{port}"

    def send(self, payload: str) -> None:
        self.writer.write(FRAMING.wrap(payload.encode()))

    async def ended(self) -> bytes:
        """What came before the line hung up."""
        try:
            return await asyncio.wait_for(self.reader.read(), GO)
        except (ConnectionError, ssl.SSLError):
            return b""

    async def receive(self, payload: str) -> None:
        """Wait for exactly this."""
        expected = FRAMING.wrap(payload.encode())
        assert await asyncio.wait_for(self.reader.readexactly(len(expected)), GO) == expected


@contextlib.asynccontextmanager
async def seeking(line: Line, **times: int) -> AsyncIterator[Rig]:
    """A connector that seeks its partner."""
    rig = Rig(line, {"reconnect_ms": 10, **times})
    await rig.connector.start()
    try:
        yield rig
    finally:
        await rig.close()


class Called:
    """A partner's port: every call of a line that dials is taken, and kept or hung up."""

    def __init__(self, *, hangs_up: bool = False) -> None:
        self.calls: list[Caller] = []
        self._hangs_up = hangs_up
        self._server: asyncio.Server

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._take, HOST, 0, ssl=tls)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls.append(Caller(reader, writer))
        if self._hangs_up:
            writer.close()

    async def close(self) -> None:
        self._server.close()
        for call in self.calls:
            call.writer.close()
            with contextlib.suppress(OSError):
                await call.writer.wait_closed()


@contextlib.asynccontextmanager
async def called(*, hangs_up: bool = False, tls: ssl.SSLContext | None = None) -> AsyncIterator[Called]:
    partner = Called(hangs_up=hangs_up)
    await partner.listen(tls)
    try:
        yield partner
    finally:
        await partner.close()
