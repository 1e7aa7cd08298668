"""Egress servers on a log in memory that has its moods, and the words for what they write."""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from partner_rig import GO, Partner
from prometheus_client import CollectorRegistry
from service_rig import Clock

from egress.config import Settings
from egress.metrics import Metrics
from egress.shell import EgressServer
from pipeline.log import Done, Listener, NewTopic, Outgoing, Stored, TopicPartition, WriteFailed
from pipeline.memory import MemoryGroupReader, MemoryLog, MemorySender
from schemas import wire
from schemas.cards import pack_card
from schemas.installation import Egress, Line
from schemas.records import (
    CancelReported,
    Command,
    Kind,
    LineState,
    LineTaken,
    NeverSent,
    Original,
    Record,
    ReleaseRoute,
    ReportMissing,
    ReportReceived,
    RouteHeld,
    RouteOrdered,
    SendCancel,
    SendRequest,
    StrayTelegram,
    TelegramSent,
    TelegramWithheld,
)
from schemas.sealing import CARD, KeyRing, create_ring, load_ring
from schemas.telegrams import load_partner
from schemas.topics import Topics

LINE = "cafis-1"
KEY = b"AP02:first"
PAN = "4111111111111111"


async def until(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    """Let the loop turn until the condition holds; fails after ten seconds and tells how it stands instead."""
    end = time.monotonic() + GO
    while not condition():
        assert time.monotonic() < end, what()
        await asyncio.sleep(0.002)


# --- the log --------------------------------------------------------------------------------------------------------


class MoodyLog(MemoryLog):
    """Keeps the acknowledgements of one topic back (`hold`), or stores its messages and says it did not (`doubt`).

    Or it gives out anew nothing of what it takes from the members of its groups (`stall`).
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.held = self.doubted = ""
        self.stalled = False
        self.kept: list[Callable[[], None]] = []

    def sender(self, name: str) -> MemorySender:  # noqa: ARG002  the contract's
        return _MoodySender(self)

    def stall(self, *, stalled: bool = True) -> None:
        self.stalled = stalled

    def group_reader(
        self, member: str, group: str, topics: Sequence[str], assigned: Listener, revoked: Listener
    ) -> MemoryGroupReader:
        reader = super().group_reader(member, group, topics, assigned, revoked)
        balanced = reader._balanced

        def moody(timeout_s: float) -> bool:
            if not self.stalled or reader._generation == reader._group.generation:
                return balanced(timeout_s)
            reader._let_go()
            self.wait(lambda: not self.stalled, timeout_s)
            return False

        reader._balanced = moody  # type: ignore[method-assign]
        return reader

    def hold(self, topic: str) -> None:
        self.held = topic

    def doubt(self, topic: str) -> None:
        self.doubted = topic

    def release(self) -> None:
        self.held, kept, self.kept = "", self.kept, []
        for acknowledge in kept:
            acknowledge()


class _MoodySender(MemorySender):
    _log: MoodyLog

    def send(self, message: Outgoing, done: Done) -> None:
        def moody(stored: Stored | None, error: Exception | None) -> None:
            if message.topic == self._log.held:
                self._log.kept.append(functools.partial(done, stored, error))
            elif message.topic == self._log.doubted:
                done(None, WriteFailed(f"{message.topic}: not acknowledged: the broker's answer was lost"))
            else:
                done(stored, error)

        super().send(message, moody)


# --- egress ---------------------------------------------------------------------------------------------------------


class Rig:
    """A line, its topics, its partner; and as many egress servers as a test starts."""

    def __init__(self, folder: Path, mode: str, times: dict[str, int]) -> None:
        self.clock = Clock()
        self.log = MoodyLog(self.clock)
        self.topics = Topics("t-")
        self.partner = Partner(load_partner("cafis"))
        self.registry = CollectorRegistry()
        self.servers: list[EgressServer] = []
        wanted = self.topics.creations([LINE], 3, 1)
        self.log.create(NewTopic(each.name, each.partitions, each.config) for each in wanted)
        create_ring(folder / "keys.json")
        self.ring = load_ring(folder / "keys.json")
        self._mode = mode
        self._times = Egress(metrics_port=0, **{"reconnect_ms": 10, "closing_timeout_ms": 60_000, **times})
        self.dispatch = TopicPartition(self.topics("dispatch", LINE), 0)
        self.sent = self.topics("sent", LINE)

    # --- life

    async def start(
        self, node: str = "n1", *, port: int | None = None, rank: int = 0, nodes: Sequence[str] = (),
        others: Sequence[str] = (), clock_trouble: Callable[[], str | None] = lambda: None,
    ) -> EgressServer:  # fmt: skip
        """Start a process; `others` are lines on which it has sessions already."""
        line = Line.model_validate(
            {
                "name": LINE, "partner": "cafis", "mode": self._mode, "host": "127.0.0.1",
                "port": self.partner.port if port is None else port,
                "station_id": "DNB00001", "company_code": "100001", "routes": [1, 200],
                "nodes": nodes,
            }
        )  # fmt: skip
        settings = Settings((line,), {"cafis": self.partner.spec}, self._times)
        self.registry = CollectorRegistry()
        server = EgressServer(
            settings, self.log, self.topics, self.ring, Metrics(self.registry),
            node=node, rank=rank, now_ms=self.clock, clock_trouble=clock_trouble,
        )  # fmt: skip
        self.servers.append(server)
        for each in others:
            server._sessions.take(each)
        await server.start()
        return server

    async def listening_port(self, server: EgressServer) -> int:
        """Where the server's line listens."""

        def tenure() -> Any:
            return next(iter(server._owners.values()))._tenure

        await until(lambda: tenure() is not None and tenure()._connector._server is not None, lambda: "no listener")
        return int(tenure()._connector._server.sockets[0].getsockname()[1])

    async def die(self, server: EgressServer) -> None:
        """End it as kill -9 does: nothing more is said, to the partner or to the log."""
        for owner in server._owners.values():
            if owner._tenure is not None:
                owner._tenure._end()
                await owner._tenure._connector.stop()
        await server.stop()
        self.servers.remove(server)

    def begin_stop(self, server: EgressServer) -> "asyncio.Task[None]":
        """End it as SIGTERM does."""
        self.servers.remove(server)
        return asyncio.create_task(server.stop())

    async def failure(self, server: EgressServer) -> BaseException:
        """What the server could not go on from."""
        await asyncio.wait([server.failed], timeout=GO)
        error = server.failed.exception()
        assert error is not None
        return error

    # --- orders

    def write(self, record: Record, topic: str | None = None, key: bytes = KEY) -> int:
        """Write a record (by default an order for the line); gives its offset."""
        value, headers = wire.encode(record)
        name = self.dispatch.topic if topic is None else topic
        (offset,) = self.log.writer("test").write([Outgoing(name, key, value, headers)])
        return offset

    def order(
        self, who: str, *, send_in_ms: int = 60_000, sealed_for: str | None = None, ring: KeyRing | None = None
    ) -> int:
        transaction_id = f"AP02:{who}"
        request = SendRequest(
            transaction_id=transaction_id, customer="AP02", reference=who, kind=Kind.SALE,
            terminal_id="4980123456789", amount=1_200, payment_method="10",
            card=(ring or self.ring).seal(CARD, sealed_for or transaction_id, pack_card(PAN, "2812")),
            sensitive=None, original=None, send_by_ms=self.clock() + send_in_ms, report_timeout_ms=30_000, partner=None,
        )  # fmt: skip
        return self.write(request)

    def confirm(self, who: str, attempt: int = 1) -> int:
        """Order 8930 for it; its numbers are for the line to know."""
        original = Original(
            kind=Kind.SALE, line=LINE, trace_number=None, route_number=None, business_date=None, approval_code=None,
            terminal_id="4980123456789", amount=1_200, accepted_ms=self.clock(),
        )  # fmt: skip
        order = SendCancel(
            transaction_id=f"AP02:{who}", command=Command.CONFIRM, attempt=attempt, original=original,
            send_by_ms=self.clock() + 60_000, report_timeout_ms=30_000, partner=None,
        )  # fmt: skip
        return self.write(order)

    def order_route(self, number: int, *, hold: bool) -> int:
        order = RouteOrdered(
            order_id=f"o{number}", route_number=number, hold=hold, operator="Sato", reason="test",
            ordered_ms=self.clock(), seen=None,
        )  # fmt: skip
        return self.write(order)

    def release(self, who: str) -> int:
        return self.write(ReleaseRoute(transaction_id=f"AP02:{who}", reason="attention"))

    # --- what is seen

    def records(self, topic: str) -> list[Record | None]:
        name = self.topics(topic, LINE if topic in ("sent", "dispatch") else None)
        return [None if each.value is None else wire.decode(each) for each in self.log.everything(name)]

    def said(self, topic: str) -> list[str]:
        return [said(record) for record in self.records(topic)]

    async def hears(self, topic: str, *expected: str) -> None:
        """Wait until the topic says exactly this, in any order of its partitions."""
        await until(lambda: sorted(self.said(topic)) == sorted(expected), lambda: (topic, self.said(topic)))

    async def line_is(self, state: str) -> None:
        """Wait for the line's state."""
        await until(lambda: self.said("lines")[-1:] == [state], lambda: self.said("lines"))

    async def position_is(self, offset: int) -> None:
        """Wait until the group has committed this offset of the dispatches."""
        await until(lambda: self.position == offset, lambda: self.position)

    @property
    def position(self) -> int | None:
        return self.log.committed(f"t-egress.{LINE}", self.dispatch)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"denbun_egress_{name}", {"line": LINE})

    def bytes_of_all_topics(self) -> bytes:
        parts: list[bytes] = []
        for topic in self.log._topics:
            for message in self.log.everything(topic):
                parts += [message.key or b"", message.value or b"", *(value for _, value in message.headers)]
        return b"\n".join(parts)


def tenure_of(server: EgressServer) -> Any:
    """The time in which a server owns its line."""
    return next(iter(server._owners.values()))._tenure


def said(record: Record | None) -> str:
    """A record in a few words."""
    who = getattr(record, "transaction_id", "").removeprefix("AP02:")
    match record:
        case ReportReceived():
            return f"{who} {record.outcome}{' late' if record.late else ''}"
        case ReportMissing():
            return f"{who} {record.doubt}"
        case NeverSent():
            return f"{who} never sent: {record.refusal}"
        case CancelReported():
            return f"{who}#{record.attempt} {record.error_code or 'done'}"
        case TelegramSent():
            return f"{who}#{record.attempt} t{record.trace_number} r{record.route_number} by {record.node}"
        case TelegramWithheld():
            return f"{who}#{record.attempt} withheld: {record.reason}"
        case RouteHeld():
            return f"r{record.route_number} for {who}"
        case None:
            return "free"
        case _:
            return said_of_the_line(record)


def said_of_the_line(record: Record) -> str:
    match record:
        case LineTaken():
            return f"taken by {record.node}"
        case LineState():
            return f"{record.stage}: {record.reason}" if record.reason else record.stage
        case StrayTelegram():
            return record.description
        case _:
            raise AssertionError(record)


@contextlib.asynccontextmanager
async def line(folder: Path, mode: str = "dial", **times: int) -> AsyncIterator[Rig]:
    """A rig whose partner listens where the line dials; after the test no topic holds a card number."""
    rig = Rig(folder, mode, times)
    if mode == "dial":
        await rig.partner.listen()
    try:
        yield rig
    finally:
        rig.log.release()
        for server in list(rig.servers):
            await rig.die(server)
        await rig.partner.close()
    assert PAN.encode() not in rig.bytes_of_all_topics()
