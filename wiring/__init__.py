"""What every service does the same before it is itself: arguments, configuration, broker, keys, logs, telemetry.

Joins `schemas` (what) and `pipeline` (how); knows no service.
"""

import argparse
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from pipeline import crash, logs
from pipeline.config import ConfigError, load
from pipeline.kafka import KafkaLog
from pipeline.log import LogError, NewTopic
from pipeline.pulse import Pulse
from pipeline.service import FAILED, MISCONFIGURED, OK, reason_of
from pipeline.telemetry import Health, TelemetryServer
from schemas.crash_points import Point
from schemas.installation import Installation, Kafka
from schemas.sealing import KeyRing, KeyRingError, create_ring, load_ring
from schemas.topics import Topics
from wiring.schema_topic import SchemaTopic
from wiring.twins import refuse_twin

CONFIG_ENVIRONMENT = "DENBUN_CONFIG"
LOOP_S = 10.0  # an event loop waits for nobody


@dataclass(frozen=True, slots=True)
class Process:
    """What a service gets to work with."""

    service: str
    node: str
    arguments: argparse.Namespace
    installation: Installation
    topics: Topics
    log: KafkaLog
    registry: CollectorRegistry
    health: Health
    entered: threading.Event

    def pulse(self, what: str, limit_s: float) -> Pulse:
        """A heartbeat, without which ``/livez`` says that the process should be started anew."""
        pulse = Pulse(what, limit_s)
        self.health.live("pulse", pulse.stalled)
        return pulse

    def enters(self, *groups: str) -> None:
        """Before anything is read or written: tell with which schemas, and be no second one of this node in its groups.

        Raises `LogError`.
        """
        SchemaTopic(self.log, self.topics).share()
        refuse_twin(self.log, groups, self.node, self.installation.kafka.session_timeout_ms)
        self.entered.set()


def run(
    service: str,
    argv: Sequence[str],
    work: Callable[[Process], int],
    *,
    metrics_port: Callable[[Installation], int],
    add_arguments: Callable[[argparse.ArgumentParser], object] = lambda _: None,
    check: Callable[[Installation, argparse.Namespace], object] = lambda _, __: None,
) -> int:
    """Prepare a process and let `work` run in it. Gives the exit status; says on stderr what is wrong.

    `check` raises `ConfigError` for what only the service can see; with ``--check`` that is all that is done.
    """
    arguments = _arguments(service, argv, add_arguments)
    if arguments.config is None:
        print(f"no configuration: give --config FILE, or set {CONFIG_ENVIRONMENT}", file=sys.stderr)  # noqa: T201
        return MISCONFIGURED
    try:
        installation = load(Installation, arguments.config)
        check(installation, arguments)
        _arm_crash(installation)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201  the command's answer
        return MISCONFIGURED
    if arguments.check:
        print(f"{arguments.config}: ok for {service}")  # noqa: T201  the command's answer
        return OK
    logs.configure(service, arguments.node, level=installation.log_level)
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    health, entered = Health(), threading.Event()
    health.ready("start", lambda: None if entered.is_set() else "starting")
    port = metrics_port(installation) if arguments.metrics_port is None else arguments.metrics_port
    try:
        telemetry = TelemetryServer(installation.metrics_host, port, registry, health)
        prepared = Process(
            service=service,
            node=arguments.node,
            arguments=arguments,
            installation=installation,
            topics=Topics(installation.kafka.topic_prefix),
            log=kafka_log(installation.kafka),
            registry=registry,
            health=health,
            entered=entered,
        )
        _spare_the_collector()
        try:
            return work(prepared)
        finally:
            telemetry.close()
    except (KeyRingError, LogError, OSError) as error:
        print(f"{service}: {reason_of(error)}", file=sys.stderr)  # noqa: T201  the command's answer
        return FAILED


def _arguments(
    service: str, argv: Sequence[str], add_arguments: Callable[[argparse.ArgumentParser], object]
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"denbun run {service}", allow_abbrev=False)
    named = os.environ.get(CONFIG_ENVIRONMENT)
    parser.add_argument("--config", type=Path, default=Path(named) if named else None, help="the installation's file")
    parser.add_argument("--node", default=socket.gethostname(), help="this node's name, in logs and states")
    parser.add_argument(
        "--metrics-port", type=_port, default=None, help="instead of the one in the file; 0: a free one"
    )
    parser.add_argument("--check", action="store_true", help="check the configuration and do nothing else")
    add_arguments(parser)
    return parser.parse_args(list(argv))


def _spare_the_collector() -> None:
    """Let cyclic garbage be looked for seldom, and not in what was loaded at the start.

    Records and acts hold no cycles (`gc=False`), and die by their reference counts. Looking for cycles after every 700
    allocations, as is usual, took up to an eighth of a service's time, and now and then all of it for a moment.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give 0 to 65535")
    return int(text)


def _arm_crash(installation: Installation) -> None:
    """Let the environment name a crash point: in development alone. Raises `ConfigError`."""
    if crash.AT in os.environ and not installation.keys.create:
        raise ConfigError(
            f"{crash.AT} is set, and this is no development installation (keys.create is false): unset it"
        )
    crash.arm(os.environ, list(Point))


def kafka_log(kafka: Kafka) -> KafkaLog:
    """The broker of an installation."""
    return KafkaLog(
        kafka.bootstrap_servers,
        session_timeout_ms=kafka.session_timeout_ms,
        replication=kafka.replication,
        extra=kafka.client,
    )


def key_ring(installation: Installation) -> KeyRing:
    """The installation's key ring; made first where the configuration allows it. Raises `KeyRingError`."""
    keys = installation.keys
    if keys.create and not keys.ring.exists():
        create_ring(keys.ring)
    return load_ring(keys.ring)


def create_topics(installation: Installation, log: KafkaLog) -> list[str]:
    """Create the installation's topics that do not exist. Raises `LogError`."""
    lines = [line.name for line in installation.line]
    wanted = Topics(installation.kafka.topic_prefix).creations(
        lines, installation.kafka.partitions, installation.ingress.slots
    )
    return log.create(NewTopic(each.name, each.partitions, each.config) for each in wanted)
