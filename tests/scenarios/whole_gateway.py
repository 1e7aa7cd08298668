"""The whole gateway in one process, on any log: the services' real shells on threads, partners behind real sockets."""

import asyncio
import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

import faults.__main__ as faults_main
import faults.config
import faults.metrics
import faults.shell
import ingress.config
import router.config
import router.metrics
import router.shell
from client import SyncClient
from egress.config import Settings as EgressSettings
from egress.metrics import Metrics as EgressMetrics
from egress.shell import EgressServer
from ingress.shell import IngressServer
from ops.installations import QUICK
from pipeline.log import Log, Message, NewTopic, TopicPartition
from pipeline.spans import read_span
from schemas import wire
from schemas.installation import Installation
from schemas.records import Record
from schemas.sealing import create_ring, load_ring
from schemas.topics import Topics

T = TypeVar("T")
TOKEN = "the token of the tests"
PARTITIONS = 2


def installation(lines: list[dict[str, Any]], prefix: str, ring: Path, **changes: Any) -> Installation:
    """Two customers, one per partner; the waits are those of the demonstration."""
    kinds = ("authorisation", "sale", "cancel", "refund")
    raw = {
        "kafka": {
            "bootstrap_servers": "given",
            "topic_prefix": prefix,
            "partitions": PARTITIONS,
            "replication": 1,
            "session_timeout_ms": 2_000,
        },
        "keys": {"ring": str(ring)},
        "ingress": {"host": "127.0.0.1", "port": 0, "metrics_port": 0, "slots": 1, **QUICK["ingress"]},
        "router": {"metrics_port": 0, **QUICK["router"]},
        "egress": {"metrics_port": 0, **QUICK["egress"]},
        "faults": {"metrics_port": 0, **QUICK["faults"]},
        "partner": [{"name": name, "telegrams": name, **QUICK["partner"]} for name in ("cafis", "cardnet")],
        "line": lines,
        "customer": [
            {
                "id": name.upper(),
                "token_sha256": hashlib.sha256(f"{TOKEN} {name}".encode()).hexdigest(),
                "partners": dict.fromkeys(kinds, name),
            }
            for name in ("cafis", "cardnet")
        ],
    }
    for place, value in changes.items():
        section, name = place.split("__")
        raw[section][name] = value  # type: ignore[index,call-overload]
    return Installation.model_validate(raw)


class WholeGateway:
    """Every service once. `start`, then `client(...)`; `stop` ends all in order and gives their troubles."""

    def __init__(self, log: Log, config: Installation, node: str = "test") -> None:
        self.log = log
        self.config = config
        self.topics = Topics(config.kafka.topic_prefix)
        self.node = node
        self.troubles: list[BaseException] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._loop = asyncio.new_event_loop()
        self.router_metrics = router.metrics.Metrics(CollectorRegistry())
        self.registry = CollectorRegistry()

    def start(self) -> None:
        """Create the topics and start every service."""
        config = self.config
        wanted = self.topics.creations([line.name for line in config.line], config.kafka.partitions, 1)
        self.log.create(NewTopic(each.name, each.partitions, each.config) for each in wanted)
        if not config.keys.ring.exists():
            create_ring(config.keys.ring)
        self._spawn("loop", self._serve_loop)
        self._spawn("router", self._run_router)
        self._spawn("faults", self._run_faults)
        self.on_loop(self._start_servers())

    def stop(self) -> None:
        """End every service in order; raises the first trouble one had."""
        with contextlib.suppress(RuntimeError):
            self.on_loop(self._stop_servers())
        self._stop.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), thread.name
        self._loop.close()
        if self.troubles:
            raise self.troubles[0]

    def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of ingress and egress."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def client(self, partner: str) -> SyncClient:
        """A session of the partner's customer."""
        return SyncClient(("127.0.0.1", self.ingress.port), customer=partner.upper(), token=f"{TOKEN} {partner}")

    def wait_open(self, count: int = 2) -> None:
        """Until the router sees `count` open lines."""
        gauge = self.router_metrics.open_lines
        wait_until(lambda: sum(gauge.labels(each.name)._value.get() for each in self.config.partner) >= count)

    def records(self, topic: str, line: str | None = None) -> list[tuple[Message, Record | None]]:
        """Everything in a topic; a tombstone as None."""
        name = self.topics(topic, line)
        found = []
        for partition in range(self.log.partition_count(name)):
            place = TopicPartition(name, partition)
            for message in read_span(self.log, "test", place, *self.log.span(place)):
                if message.key != b"~owner":
                    found.append((message, None if message.value is None else wire.decode(message)))
        return found

    # --- inside

    def _spawn(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  told by stop
            self.troubles.append(error)

    def _serve_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _run_router(self) -> None:
        settings = router.config.Settings.from_installation(self.config)
        router.shell.run(settings, self.log, self.topics, self.node, self.router_metrics, self._stop, wall_ms)

    def _run_faults(self) -> None:
        settings = faults.config.Settings.from_installation(self.config, faults_main.trouble_codes(self.config))
        metrics = faults.metrics.Metrics(CollectorRegistry())
        faults.shell.run(settings, self.log, self.topics, self.node, metrics, self._stop, wall_ms)

    async def _start_servers(self) -> None:
        ring = load_ring(self.config.keys.ring)
        self.ingress = IngressServer(
            ingress.config.Settings.from_installation(self.config), self.log, self.topics, ring,
            slot=0, node=self.node, registry=CollectorRegistry(), now_ms=wall_ms,
        )  # fmt: skip
        self.egress = EgressServer(
            EgressSettings.from_installation(self.config), self.log, self.topics, ring, EgressMetrics(self.registry),
            node=self.node, now_ms=wall_ms,
        )  # fmt: skip
        await self.ingress.start()
        await self.egress.start()

    async def _stop_servers(self) -> None:
        await self.ingress.stop()
        await self.egress.stop()
        for server in (self.ingress, self.egress):
            if server.failed.done() and (error := server.failed.exception()) is not None:
                self.troubles.append(error)


def wall_ms() -> int:
    """The time of this machine, and of the broker, which runs on it."""
    return time.time_ns() // 1_000_000


def wait_until(reached: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Until a condition holds that something else brings about; fails when it never does."""
    until = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < until, f"never reached within {limit_s} s"
        time.sleep(0.01)


@contextlib.contextmanager
def running(gateway: WholeGateway) -> Iterator[WholeGateway]:
    """The gateway from start to stop."""
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()
