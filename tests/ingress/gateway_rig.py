"""An ingress on the log in memory, a router that answers as it is told, and a client made of nothing but a socket."""

import asyncio
import contextlib
import functools
import hashlib
import json
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from ingress.config import Settings
from ingress.shell import IngressServer
from pipeline.log import Log, NewTopic, Outgoing, TopicPartition
from pipeline.memory import MemoryLog
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


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))  # type: ignore[arg-type]

    return run


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


class Gateway:
    """The parts of a gateway under test."""

    def __init__(
        self, log: MemoryLog, topics: Topics, ring: KeyRing, server: IngressServer, router: FakeRouter
    ) -> None:
        self.log, self.topics, self.ring, self.server, self.router = log, topics, ring, server, router
        self.registry: CollectorRegistry

    def records(self, topic: str) -> list[Record]:
        return [wire.decode(message) for message in self.log.everything(self.topics(topic))]

    def keys(self, topic: str) -> list[bytes | None]:
        return [message.key for message in self.log.everything(self.topics(topic))]

    def bytes_of_all_topics(self) -> bytes:
        parts: list[bytes] = []
        for name in ("requests", "replies", "deliveries"):
            for message in self.log.everything(self.topics(name)):
                parts += [message.key or b"", message.value or b"", *(value for _, value in message.headers)]
        return b"\n".join(parts)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@contextlib.asynccontextmanager
async def gateway(
    tmp_path: Path, *, slot: int = 0, now_ms: Callable[[], int] | None = None, **changes: Any
) -> AsyncIterator[Gateway]:
    log = MemoryLog()
    topics = Topics("t-")
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([], 3, 2))
    create_ring(tmp_path / "keys.json")
    ring = load_ring(tmp_path / "keys.json")
    router = FakeRouter(log, topics)
    registry = CollectorRegistry()
    clock = {} if now_ms is None else {"now_ms": now_ms}
    server = IngressServer(settings(**changes), log, topics, ring, slot=slot, node="n1", registry=registry, **clock)
    await server.start()
    rig = Gateway(log, topics, ring, server, router)
    rig.registry = registry
    try:
        yield rig
    finally:
        if server.trouble() != "does not listen":
            await server.stop()
        router.close()


class RawClient:
    """Follows docs/client-protocol.md with nothing but a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "RawClient":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def greeted(cls, port: int) -> "RawClient":
        client = await cls.open(port)
        client.send(type="hello", version=1, customer="AP02", token=TOKEN, client="raw/1")
        welcome = await client.receive()
        assert welcome["type"] == "welcome", welcome
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
        frame: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        return frame

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
