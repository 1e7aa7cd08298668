"""An ingress on the log in memory, a router that answers as it is told, and a client made of nothing but a socket."""

import asyncio
import contextlib
import hashlib
import json
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from certificates import SERVER_NAME
from prometheus_client import CollectorRegistry

from ingress.config import Settings
from ingress.shell import IngressServer
from pipeline.log import Done, Log, NewTopic, Outgoing, TopicPartition
from pipeline.memory import MemoryLog, MemorySender
from schemas import wire
from schemas.installation import Customer
from schemas.records import (
    Answer,
    InquiryAsked,
    Outcome,
    Record,
    ReplyReady,
    RequestAccepted,
    Status,
)
from schemas.refusals import Refusal
from schemas.sealing import KeyRing, create_ring, load_ring
from schemas.topics import Topics

PAN = "4111111111111111"
TRACK2 = "4111111111111111=28122010000000000000"
TOKEN = "the-token-of-ap02"
SECRETS = (PAN, TRACK2, TOKEN, TRACK2.split("=")[1])
CONFIRM_MS = 5_000


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "tls": None,
        "customers": {
            name: Customer(id=name, token_sha256=hashlib.sha256(token.encode()).hexdigest(), partners={})
            for name, token in (("AP02", TOKEN), ("AP22", "another-token"))
        },
        "slots": 2,
        "max_sessions": 8,
        "max_in_flight": 4,
        "max_frame_bytes": 2_048,
        "hello_timeout_ms": 5_000,
        "idle_timeout_ms": 60_000,
        "wait_max_ms": 30_000,
        "confirm_ms": CONFIRM_MS,
        "gone_after_ms": 200,
        "drain_ms": 5_000,
    }
    return Settings(**{**given, **changes})


def reply_to(
    record: RequestAccepted | InquiryAsked,
    status: Status = Status.APPROVED,
    *,
    delivery_no: int = 1,
    confirm_in_ms: int | None = CONFIRM_MS,
    refusal: Refusal | None = None,
) -> ReplyReady:
    """What a router answers to a request or an inquiry."""
    told = status in (Status.APPROVED, Status.DECLINED)
    answer = Answer(
        outcome=Outcome(status.value) if told else Outcome.APPROVED,
        trace_number=12,
        route_number=3,
        business_date="20250401",
        result_code="000" if status is Status.APPROVED else "100",
        approval_code="A12345" if status is Status.APPROVED else None,
        error_code=None,
    )
    original = record.original_reference if isinstance(record, RequestAccepted) else None
    return ReplyReady(
        transaction_id=record.transaction_id,
        transaction_key=f"{record.customer}:{original or record.reference}",
        request_id=record.request_id,
        session=record.session,
        customer=record.customer,
        reference=record.reference,
        inquiry=isinstance(record, InquiryAsked),
        status=status,
        refusal=refusal,
        answer=answer if told else None,
        delivery_no=delivery_no,
        confirm_by_ms=None if confirm_in_ms is None else time.time_ns() // 1_000_000 + confirm_in_ms,
    )


def approve(record: RequestAccepted | InquiryAsked) -> list[ReplyReady]:
    return [reply_to(record)]


class FakeRouter:
    """Answers what comes over `requests` with what `answer` gives, on a thread of its own."""

    def __init__(self, log: Log, topics: Topics) -> None:
        self._log, self._topics = log, topics
        self.answer: Callable[[RequestAccepted | InquiryAsked], list[ReplyReady]] = approve
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        count = self._log.partition_count(self._topics("requests"))
        starts = {TopicPartition(self._topics("requests"), number): 0 for number in range(count)}
        reader = self._log.reader("fake-router", starts)
        while not self._stop.is_set():
            for message in reader.poll(100, 0.02):
                record = wire.decode(message)
                assert isinstance(record, (RequestAccepted, InquiryAsked))
                for reply in self.answer(record):
                    self.tell(record.slot, reply)
        reader.close()

    def tell(self, slot: int, reply: ReplyReady) -> None:
        value, headers = wire.encode(reply)
        writer = self._log.writer("fake-router")
        writer.write([Outgoing(self._topics("replies"), None, value, headers, slot)])
        writer.close()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


class HeldLog(MemoryLog):
    """A broker that takes its time: what comes to a held topic is stored, and acknowledged, when it is let go."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        super().__init__(clock_ms)
        self._held: set[str] = set()
        self._waiting: list[tuple[MemorySender, Outgoing, Done]] = []

    def hold(self, topic: str) -> None:
        self._held.add(topic)

    def let_go(self) -> None:
        self._held.clear()
        waiting, self._waiting = self._waiting, []
        for sender, message, done in waiting:
            sender.send(message, done)
            sender.serve()

    def sender(self, name: str) -> MemorySender:  # noqa: ARG002  the contract's
        log = self

        class Sender(MemorySender):
            def send(self, message: Outgoing, done: Done) -> None:
                if message.topic in log._held:
                    log._waiting.append((self, message, done))
                else:
                    super().send(message, done)

            def close(self) -> None:
                log.let_go()

        return Sender(self)


class Gateway:
    """The parts of a gateway under test."""

    def __init__(self, log: HeldLog, topics: Topics, ring: KeyRing, server: IngressServer, router: FakeRouter) -> None:
        self.log, self.topics, self.ring, self.server, self.router = log, topics, ring, server, router
        self.registry: CollectorRegistry

    def records(self, topic: str) -> list[Record]:
        return [wire.decode(message) for message in self.log.everything(self.topics(topic))]

    def keys(self, topic: str) -> list[bytes | None]:
        return [message.key for message in self.log.everything(self.topics(topic))]

    def bytes_of_all_topics(self) -> bytes:
        parts: list[bytes] = []
        for topic in self.log._topics:
            for message in self.log.everything(topic):
                parts += [message.key or b"", message.value or b"", *(value for _, value in message.headers)]
        return b"\n".join(parts)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def wall_ms() -> int:
    """The time of this machine, and of the log."""
    return time.time_ns() // 1_000_000


@contextlib.asynccontextmanager
async def gateway(
    tmp_path: Path,
    *,
    slot: int = 0,
    now_ms: Callable[[], int] = wall_ms,
    broker_ms: Callable[[], int] | None = None,
    **changes: Any,
) -> AsyncIterator[Gateway]:
    log = HeldLog(broker_ms or now_ms)
    topics = Topics("t-")
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([], 3, 2))
    create_ring(tmp_path / "keys.json")
    ring = load_ring(tmp_path / "keys.json")
    router = FakeRouter(log, topics)
    registry = CollectorRegistry()
    server = IngressServer(
        settings(**changes), log, topics, ring, slot=slot, node="n1", registry=registry, now_ms=now_ms
    )  # fmt: skip
    await server.start()
    rig = Gateway(log, topics, ring, server, router)
    rig.registry = registry
    try:
        yield rig
    finally:
        if server.trouble() != "does not listen":
            for connection in list(server._connections):  # a test that ends has nothing to drain
                connection.abort()
            await server.stop()
        router.close()
    stored = rig.bytes_of_all_topics()
    assert not any(secret.encode() in stored for secret in SECRETS)


@contextlib.asynccontextmanager
async def beside(rig: Gateway, *, slot: int = 1, **changes: Any) -> AsyncIterator[IngressServer]:
    """Another ingress on the same log."""
    server = IngressServer(
        settings(**changes), rig.log, rig.topics, rig.ring,
        slot=slot, node="n2", registry=CollectorRegistry(), now_ms=wall_ms,
    )  # fmt: skip
    await server.start()
    try:
        yield server
    finally:
        for connection in list(server._connections):
            connection.abort()
        await server.stop()


class RawClient:
    """Follows docs/client-protocol.md with nothing but a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.welcome: dict[str, Any] = {}

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None = None, *, name: str = SERVER_NAME) -> "RawClient":
        hostname = {} if tls is None else {"server_hostname": name}
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, **hostname))

    @classmethod
    async def greeted(cls, port: int, tls: ssl.SSLContext | None = None) -> "RawClient":
        client = await cls.open(port, tls)
        client.send(type="hello", version=1, customer="AP02", token=TOKEN, client="raw/1")
        client.welcome = await client.receive()
        assert client.welcome["type"] == "welcome", client.welcome
        return client

    def send(self, **fields: Any) -> None:
        payload = json.dumps(fields).encode()
        self.send_bytes(struct.pack(">I", len(payload)) + payload)

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    def ask(self, reference: str, **changes: Any) -> None:
        self.send(**{**request_fields(reference), **changes})

    async def receive(self) -> dict[str, Any]:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        payload = await self._reader.readexactly(length)
        assert not any(secret in payload.decode() for secret in SECRETS)
        frame: dict[str, Any] = json.loads(payload)
        return frame

    async def receive_many(self, count: int) -> list[dict[str, Any]]:
        return [await self.receive() for _ in range(count)]

    def ack(self, reply: dict[str, Any]) -> None:
        self.send(type="ack", reference=reply["reference"], delivery_no=reply["delivery_no"])

    async def answered(self, reference: str, **changes: Any) -> dict[str, Any]:
        """Ask, and give the reply."""
        self.ask(reference, **changes)
        reply = await self.receive()
        assert (reply["type"], reply["reference"]) == ("reply", reference), reply
        return reply

    async def pong(self) -> None:
        """A round trip: whatever the gateway had to say before is behind it."""
        self.send(type="ping", n=7)
        assert await self.receive() == {"type": "pong", "n": 7}

    def pause(self) -> None:
        """Read nothing more."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def resume(self) -> None:
        """Read again."""
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]

    def end_input(self) -> None:
        """End this side of the stream."""
        self._writer.write_eof()

    @property
    def tls_version(self) -> str:
        """What was agreed on."""
        return str(self._writer.get_extra_info("ssl_object").version())

    @property
    def unsent(self) -> int:
        """Bytes the gateway has not taken."""
        return self._writer.transport.get_write_buffer_size()

    async def ended(self) -> bool:
        """Waits for the gateway to close; whether it said nothing more before."""
        return await self._reader.read() == b""

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def request_fields(reference: str) -> dict[str, Any]:
    return {
        "type": "request",
        "reference": reference,
        "kind": "sale",
        "terminal_id": "4980123456789",
        "amount": 12_800,
        "payment_method": "10",
        "card": {"number": PAN, "expiry": "2812"},
        "wait_ms": 10_000,
    }


async def until(condition: Callable[[], bool], what: str) -> None:
    """Let the loop turn until the condition holds; fails after ten seconds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        await asyncio.sleep(0.002)
