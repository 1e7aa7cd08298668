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
from pipeline.clock import MACHINE, SHIFT_FILE, Clock, ClockWatch
from pipeline.config import ConfigError, load
from pipeline.kafka import KafkaLog
from pipeline.log import Log, LogError, NewTopic
from pipeline.pulse import Pulse
from pipeline.secrecy import forbid_dumps
from pipeline.service import MISCONFIGURED, OK, halted
from pipeline.telemetry import Health, TelemetryServer
from pipeline.topic_faults import Difference
from schemas import wire
from schemas.crash_points import Point
from schemas.installation import Installation, Kafka
from schemas.sealing import KeyRing, KeyRingError, create_ring, load_ring
from schemas.topics import Topics
from wiring.about import epilog, of
from wiring.clock_topic import clock_message
from wiring.metrics import Metrics
from wiring.schema_topic import SchemaTopic
from wiring.topic_check import refuse_unsafe
from wiring.twins import refuse_twin

CONFIG_ENVIRONMENT = "DENBUN_CONFIG"
_TRY = "`denbun up` writes .denbun/up/denbun.toml; deploy/environments has one for each environment"
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
    clock: Clock
    clock_watch: ClockWatch

    def pulse(self, what: str, limit_s: float) -> Pulse:
        """A heartbeat, without which ``/livez`` says that the process should be started anew."""
        pulse = Pulse(what, limit_s)
        self.health.live("pulse", pulse.stalled)
        return pulse

    def enters(self, *groups: str) -> None:
        """What comes before anything is read or written. Raises `LogError`.

        Look at the topics, tell with which schemas it writes, know the broker's time, and be no second one of this node
        in its groups.
        """
        self.log.reach()
        refuse_unsafe(self.log, self.service, self.installation)
        SchemaTopic(self.log, self.topics).share()
        self.clock_watch.start()
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
    forbid_dumps()
    arguments = parser_of(service, add_arguments).parse_args(list(argv))
    if arguments.config is None:
        print(f"no configuration: give --config FILE, or set {CONFIG_ENVIRONMENT}: {_TRY}", file=sys.stderr)  # noqa: T201
        return MISCONFIGURED
    try:
        installation = load(Installation, arguments.config)
        check(installation, arguments)
        _arm_crash(installation)
        _shift_clock(installation)
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
    clock = Clock(installation.clock_tolerance_ms)
    health.ready("clock", clock.trouble)
    Metrics(registry, lambda: clock.off_ms)
    port = metrics_port(installation) if arguments.metrics_port is None else arguments.metrics_port
    try:
        log = kafka_log(installation.kafka)
        health.ready("broker", log.trouble)
        telemetry = TelemetryServer(installation.metrics_host, port, registry, health)
        topics, node = Topics(installation.kafka.topic_prefix), arguments.node
        watch = watch_of(clock, log, topics, service, node)
        process = Process(
            service, node, arguments, installation, topics, log, registry, health, entered, clock, watch
        )  # fmt: skip
        _spare_the_collector()
        try:
            return work(process)
        finally:
            watch.close()
            telemetry.close()
    except (KeyRingError, LogError, wire.RecordError, OSError) as error:
        return halted(service, error)


def parser_of(
    service: str, add_arguments: Callable[[argparse.ArgumentParser], object] = lambda _: None
) -> argparse.ArgumentParser:
    """The arguments of a service: those that all have, and its own."""
    parser = argparse.ArgumentParser(
        prog=f"denbun run {service}", allow_abbrev=False, description=of(service).what, epilog=epilog(service),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    named = os.environ.get(CONFIG_ENVIRONMENT)
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(named) if named else None,
        help="the installation's file",
    )
    parser.add_argument("--node", default=socket.gethostname(), help="this node's name, in logs and states")
    parser.add_argument(
        "--metrics-port", type=_port, default=None, help="instead of the one in the file; 0: a free one"
    )
    parser.add_argument("--check", action="store_true", help="check the configuration and do nothing else")
    add_arguments(parser)
    return parser


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


def _shift_clock(installation: Installation) -> None:
    """Let the environment make the machine's clock wrong: in development alone. Raises `ConfigError`."""
    named = os.environ.get(SHIFT_FILE)
    if named is not None and not installation.keys.create:
        raise ConfigError(
            f"{SHIFT_FILE} is set, and this is no development installation (keys.create is false): unset it"
        )
    MACHINE.shift_file = None if named is None else Path(named)


def watch_of(clock: Clock, log: Log, topics: Topics, service: str, node: str) -> ClockWatch:
    """What keeps a process' clock to the broker's time."""
    message = clock_message(topics, service, node)
    return ClockWatch(clock, log, f"{service}-{node}-clock", message)


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
    """Create the installation's topics that do not exist. Raises `LogError`, where others differ with all of it."""
    log.reach()
    return log.create(wanted_topics(installation))


def mend_topics(installation: Installation, log: KafkaLog) -> list[Difference]:
    """Set the entries of topics that exist to what is wanted; give what was set. Raises `LogError`."""
    return log.mend(wanted_topics(installation))


def wanted_topics(installation: Installation) -> list[NewTopic]:
    """Every topic of the installation."""
    kafka, lines = installation.kafka, [line.name for line in installation.line]
    wanted = Topics(kafka.topic_prefix).creations(
        lines, kafka.partitions, installation.ingress.slots, kafka.replication
    )
    return [NewTopic(each.name, each.partitions, each.config) for each in wanted]
