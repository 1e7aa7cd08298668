"""A broker that refuses us, or is not reached: services and commands end within bounded time, and say what to correct.

The broker is one as others set theirs up (`odd_broker`); the services run as processes, with its plain address unless
a test says otherwise.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tomli_w
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from odd_broker import NOBODY, PASSWORD, USER, OddBroker

from ops.installations import write
from ops.ports import HOST, free_port
from ops.processes import service
from pipeline.config import load
from pipeline.log import NewTopic, Outgoing, WriteFailed
from pipeline.service import FAILED
from schemas.installation import Installation, Kafka
from wiring import create_topics, kafka_log

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
GO = 120.0
GROUPS = ("router", "faults", "egress")
SASL = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "PLAIN", "sasl.username": USER}


class Ended(NamedTuple):
    """How a process ended: its status, what it said on stdout and stderr, and why, as its log has it."""

    status: int
    out: str
    err: str
    halted: str


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OddBroker]:
    odd = OddBroker(tmp_path_factory.mktemp("odd"))
    odd.start()
    try:
        yield odd
    finally:
        odd.stop()


@pytest.fixture
def prefix(topic_prefix: str) -> str:
    return topic_prefix


def configured(
    folder: Path, servers: str, prefix: str, session_ms: int = 6_000, client: dict[str, str] | None = None
) -> Path:  # fmt: skip
    """A file of an installation with this broker."""
    file = write(folder, servers, prefix=prefix, least_session_ms=6_000).file
    installation = load(Installation, file).model_dump(mode="json", exclude_none=True)
    installation["kafka"] |= {"session_timeout_ms": session_ms, "client": client or {}}
    file.write_text(tomli_w.dumps(installation), "utf-8")
    return file


def with_topics(file: Path) -> Path:
    installation = load(Installation, file)
    create_topics(installation, kafka_log(installation.kafka))
    return file


def ended(file: Path, *commands: Sequence[str]) -> list[Ended]:
    """Run these commands side by side until each has ended by itself."""
    quick = "import sys, pipeline.kafka as k; k._ADMIN_S = 4.0; from ops.__main__ import app; app(sys.argv[1:])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DENBUN_")}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", quick, *command, "--config", str(file)],
            cwd=ROOT, env={**environment, "COLUMNS": "400"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for command in commands
    ]  # fmt: skip
    found = []
    for process in started:
        with process:
            out, err = process.communicate(timeout=GO)
        lines: list[Any] = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        halted = [line["reason"] for line in lines if line["event"] == "halted"]
        found.append(Ended(process.returncode, out, err, halted[-1] if halted else ""))
    return found


def run(*services: str) -> list[list[str]]:
    return [["run", name, "--node", "n1", "--metrics-port", "0"] for name in services]


# --- the group


def test_a_broker_that_nobody_has_changed_works_with_the_default_session(
    broker: OddBroker, tmp_path: Path, prefix: str
) -> None:
    file = with_topics(configured(tmp_path, broker.servers, prefix))
    assert Kafka.model_fields["session_timeout_ms"].default == 6_000
    address = (HOST, free_port())
    arguments = ["--config", str(file), "--node", "n1"]
    process = service("router-0", "router", arguments, tmp_path / "router.log", address, sys.executable)
    process.start()
    try:
        process.wait_ready(60)
    finally:
        process.stop()


def test_a_session_that_the_broker_does_not_accept(broker: OddBroker, tmp_path: Path, prefix: str) -> None:
    file = with_topics(configured(tmp_path, broker.servers, prefix, session_ms=2_000))
    for each in ended(file, *run(*GROUPS)):
        assert each.status == FAILED
        assert "Invalid session timeout" in each.err
        assert "kafka.session_timeout_ms is 2000: give one between the broker's group.min.session" in each.halted


@contextmanager
def another_users(broker: OddBroker, kind: ResourceType, prefix: str, operation: AclOperation) -> Iterator[None]:
    """What begins so is another user's alone, to do this with."""
    admin, prefixed = AdminClient({"bootstrap.servers": broker.servers}), ResourcePatternType.PREFIXED
    acl = AclBinding(kind, prefix, prefixed, "User:another", "*", operation, AclPermissionType.ALLOW)
    for made in admin.create_acls([acl]).values():
        made.result(10)
    try:
        yield
    finally:
        every = AclBindingFilter(kind, prefix, prefixed, None, None, AclOperation.ANY, AclPermissionType.ANY)
        for gone in admin.delete_acls([every]).values():
            gone.result(10)


def test_a_group_that_is_not_ours_to_read(broker: OddBroker, tmp_path: Path, prefix: str) -> None:
    file = with_topics(configured(tmp_path, broker.servers, prefix))
    with another_users(broker, ResourceType.GROUP, prefix, AclOperation.READ):
        for each in ended(file, *run(*GROUPS)):
            assert each.status == FAILED
            assert "Group authorization failed" in each.err
            assert "READ and DESCRIBE on the group" in each.halted


def test_topics_that_are_not_ours_to_see(broker: OddBroker, tmp_path: Path, prefix: str) -> None:
    file = with_topics(configured(tmp_path, broker.servers, prefix))
    with another_users(broker, ResourceType.TOPIC, f"{prefix}schemas", AclOperation.READ):
        for each in ended(file, *run("router", "ingress"), ["topics", "create"]):
            assert each.status == FAILED
            assert f"topic {prefix}schemas is not ours to see: " in each.err
            assert "DESCRIBE_CONFIGS on the topic" in each.err


def test_topics_that_are_not_ours_to_write(broker: OddBroker, tmp_path: Path, prefix: str) -> None:
    installation = load(Installation, with_topics(configured(tmp_path, broker.servers, prefix)))
    writer, topic = kafka_log(installation.kafka).writer("w"), f"{prefix}requests"

    def write_on() -> None:
        while True:  # until the broker knows of it
            writer.write([Outgoing(topic, b"k", b"v", (), 0)])

    with another_users(broker, ResourceType.TOPIC, topic, AclOperation.WRITE), pytest.raises(WriteFailed) as refused:
        write_on()
    assert str(refused.value).startswith(f"{topic}: 1 of 1 messages were not acknowledged: ")
    assert "allow WRITE and DESCRIBE on the topic" in str(refused.value)


def test_a_group_that_shares_out_otherwise(broker: OddBroker, tmp_path: Path, prefix: str) -> None:
    file = with_topics(configured(tmp_path, broker.servers, prefix))
    stranger = Consumer(
        {
            "bootstrap.servers": broker.servers,
            "group.id": f"{prefix}router",
            "partition.assignment.strategy": "cooperative-sticky",
        }
    )
    given: list[object] = []
    stranger.subscribe([f"{prefix}requests"], on_assign=lambda *_: given.append(1))
    try:
        while not given:
            stranger.poll(0.1)
        (router,) = ended(file, *run("router"))
    finally:
        stranger.close()
    assert router.status == FAILED
    assert "Inconsistent group protocol" in router.err
    assert f"a member of the group {prefix}router is no service of this version" in router.halted


# --- the way to the broker

UNREACHED = {
    "advertised under a name that nobody knows": ("lost", {}, [f"{NOBODY}:9092", "advertised.listeners"]),
    "advertised where nobody listens": ("shut", {}, ["advertised.listeners"]),
    "TLS to a plain listener": ("servers", {"security.protocol": "SSL"}, ["security.protocol"]),
    "a wrong password": (
        "sasl", {**SASL, "sasl.password": "wrong"}, ["does not let us in", "Authentication failed", "sasl.password"],
    ),
    "a mechanism that the broker does not have": (
        "sasl", {**SASL, "sasl.mechanisms": "SCRAM-SHA-256", "sasl.password": PASSWORD}, ["sasl.mechanisms"],
    ),
    "no sign-in where one is asked for": ("sasl", {}, ["security.protocol"]),
    "a sign-in where none is asked for": ("servers", {**SASL, "sasl.password": PASSWORD}, ["security.protocol"]),
    "TLS to a listener that signs in": ("sasl", {"security.protocol": "SSL"}, ["security.protocol"]),
}  # fmt: skip


@pytest.mark.parametrize(("way", "client", "told"), UNREACHED.values(), ids=UNREACHED)
def test_a_broker_that_is_not_reached(
    broker: OddBroker, tmp_path: Path, prefix: str, way: str, client: dict[str, str], told: list[str]
) -> None:
    file = configured(tmp_path, getattr(broker, way), prefix, client=client)
    commands = [["topics", "create"], ["lines", "list"], ["topology"], *run("router", "ingress")]
    for command, each in zip(commands, ended(file, *commands), strict=True):
        assert each.status == 1, (command, each)
        said = " ".join((each.out + each.err).split())
        assert all(words in said for words in told), (command, said)
        assert "Traceback" not in each.err, command


def test_with_the_right_sign_in_it_works(broker: OddBroker, tmp_path: Path, prefix: str) -> None:
    file = configured(tmp_path, broker.sasl, prefix, client={**SASL, "sasl.password": PASSWORD})
    (created,) = ended(file, ["topics", "create"])
    assert (created.status, "as configured" in created.out) == (0, True)
    (listed,) = ended(file, ["lines", "list"])
    assert listed.status == 0


@pytest.mark.parametrize(
    "client",
    [
        {"security.protocol": "TLS"},
        {"no.such.setting": "1"},
        {"ssl.ca.location": "/nowhere.pem", "security.protocol": "SSL"},
    ],
)
def test_settings_that_the_client_does_not_know(
    broker: OddBroker, tmp_path: Path, prefix: str, client: dict[str, str]
) -> None:
    file = configured(tmp_path, broker.servers, prefix, client=client)
    commands = [["topics", "create"], *run("router")]
    if "no.such.setting" not in client:  # which the tools' own client has no word for
        commands.append(["lines", "list"])
    for command, each in zip(commands, ended(file, *commands), strict=True):
        assert each.status == 1, (command, each)
        assert "kafka.client" in each.out + each.err, command
        assert "Traceback" not in each.err, command


# --- the topics


def test_topics_that_somebody_made_otherwise_stop_every_service(broker: OddBroker, tmp_path: Path, prefix: str) -> None:
    file = with_topics(configured(tmp_path, broker.servers, prefix))
    installation = load(Installation, file)
    log = kafka_log(installation.kafka)
    harm = {"schemas": {"cleanup.policy": "delete", "message.timestamp.type": "CreateTime"}}
    log.mend([NewTopic(f"{prefix}{name}", 1, config) for name, config in harm.items()])
    for each in ended(file, *run("router", "faults", "egress", "ingress")):
        assert each.status == FAILED
        assert f"topic {prefix}schemas: cleanup.policy: found delete, wanted compact" in each.halted
        assert f"topic {prefix}schemas: message.timestamp.type: found CreateTime, wanted LogAppendTime" in each.halted
        assert "denbun topics create --alter" in each.halted
    (refused,) = ended(file, ["topics", "create"])
    assert refused.status == 1
    assert f"topic {prefix}schemas: cleanup.policy: found delete, wanted compact" in refused.err
    (mended,) = ended(file, ["topics", "create", "--alter"])
    assert mended.status == 0
    assert f"{prefix}schemas: cleanup.policy: delete -> compact" in mended.out
    (again,) = ended(file, ["topics", "create"])
    assert again.status == 0
