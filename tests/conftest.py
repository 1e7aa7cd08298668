"""The stack of a test session: started once, and only when a test asks for it; tests part by topic prefix.

``--stack embedded`` (the default) starts the real Kafka of `ops.broker`, ``--stack containers`` the same in a container
where Docker runs; anything else is the address of a broker that is there. A stack that cannot be had is an error,
never a skip.
"""

import os
import signal
import uuid
from collections.abc import Generator, Iterator

import pytest

from ops.broker import KAFKA_VERSION, least_session_ms, running
from ops.ports import free_port
from pipeline.kafka import KafkaLog
from schemas import wire


def pytest_configure() -> None:
    """What tests start ends at SIGHUP as in a terminal, also where the tests run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", default="embedded", help="embedded, containers, or HOST:PORT of a Kafka broker")


@pytest.fixture(scope="session")
def kafka_servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the session's broker."""
    stack = request.config.getoption("--stack")
    if stack == "embedded":
        with running(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker.servers
    elif stack == "containers":
        yield from _in_a_container()
    elif ":" in stack:
        yield stack
    else:
        raise pytest.UsageError(f"--stack {stack}: give embedded, containers, or HOST:PORT of a Kafka broker")


def _in_a_container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415  slow, and seldom needed
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    port = free_port()
    container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}")
    container.ports["9092/tcp"] = ("127.0.0.1", port)  # type: ignore[assignment]  # by its own method: on every address
    for name, value in {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }.items():
        container.with_env(name, value)
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    with container:
        yield f"127.0.0.1:{port}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where ``CI`` is set nothing is skipped: a tool that is missing there is a fault of the set-up."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which counts as failed where CI is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def kafka_log(kafka_servers: str) -> KafkaLog:
    """The log on the session's broker."""
    return KafkaLog(
        kafka_servers, session_timeout_ms=max(3_000, least_session_ms(kafka_servers)), write_timeout_ms=10_000
    )


@pytest.fixture
def topic_prefix() -> str:
    """What keeps a test's topics and groups apart from all others."""
    return f"t{uuid.uuid4().hex[:10]}-"


@pytest.fixture(autouse=True)
def nobody_asked() -> Iterator[None]:
    """Whom a test has asked for unknown schemas, a later test does not ask."""
    before = list(wire._askers)
    yield
    wire._askers[:] = before
