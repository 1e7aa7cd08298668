"""Why a broker is not reached, or refuses us: its own words, and the name of the setting to correct.

Errors are told apart by their codes (`KafkaError`), never by their texts, which are quoted. What passes by itself (a
broker that restarts, a leader or a coordinator that moves) is here only where somebody waited for it in vain.
"""

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

from pipeline.kafka_files import refuse_unusable
from pipeline.log import LogError

T = TypeVar("T")

RECENT_S = 60.0
_CONNECT_S = 2.0
_RESOLVE, _TRANSPORT, _ALL_DOWN = KafkaError._RESOLVE, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
_SSL, _AUTHENTICATION = KafkaError._SSL, KafkaError._AUTHENTICATION  # noqa: SLF001
_SIGN_IN = frozenset({
    _AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError.ILLEGAL_SASL_STATE,
})  # fmt: skip
# Newer ones do not pass by themselves: a name, a certificate or a password must be corrected.
LASTING = frozenset({*_SIGN_IN, _SSL, _RESOLVE})


class Troubles:
    """What the clients of one broker tell of their connections in the background: the newest words of each code."""

    def __init__(self) -> None:
        self._heard: dict[int, tuple[float, str]] = {}

    def hear(self, error: KafkaError) -> None:
        """`error_cb` of every client; on whichever thread serves it."""
        self._heard[error.code()] = time.monotonic(), error.str()

    def newest(self, within_s: float = RECENT_S) -> KafkaError | None:
        """What was told of late, and of that the most telling."""
        since = time.monotonic() - within_s
        found = {code: text for code, (at, text) in list(self._heard.items()) if at >= since}
        for code in sorted(found, key=_telling):
            return KafkaError(code, found[code])
        return None

    def forget(self) -> None:
        """A broker has answered."""
        self._heard.clear()


def _telling(code: int) -> int:
    order = (*sorted(_SIGN_IN), _SSL, _RESOLVE, _TRANSPORT)
    return order.index(code) if code in order else len(order)


def sentence(servers: str, error: KafkaError) -> str:
    """Why no broker was reached at `servers`, and what to correct."""
    words, code = error.str(), error.code()
    if code in _SIGN_IN:
        return (
            f"Kafka at {servers} does not let us in ({words}): correct sasl.username, sasl.password and "
            "sasl.mechanisms under kafka.client, and security.protocol, which must be that of the broker's listener"
        )
    if code == _SSL:
        return (
            f"no TLS with Kafka at {servers} ({words}): correct ssl.ca.location and the other ssl settings under "
            "kafka.client, and security.protocol, which must be that of the broker's listener"
        )
    if code == _RESOLVE:
        return (
            f"a name of Kafka at {servers} cannot be resolved ({words}): correct kafka.bootstrap_servers; where the "
            "broker itself gives that name to its clients, its advertised.listeners or this machine's names"
        )
    return (
        f"no Kafka broker answers at {servers} ({words}): start it (`denbun up`) or correct kafka.bootstrap_servers; "
        "where one runs there, security.protocol under kafka.client must be that of its listener"
    )


def not_reached(servers: str, brokers: Iterable[tuple[int, str, int]]) -> list[str]:
    """What keeps us from those brokers that a cluster names to its clients and that cannot be reached."""
    told = []
    for number, host, port in sorted(brokers):
        try:
            socket.create_connection((host, port), _CONNECT_S).close()
        except OSError as error:
            reason = error.strerror or str(error)
            told.append(
                f"Kafka at {servers} sends its clients to {host}:{port} (broker {number}), which is not reached from "
                f"here ({reason}): correct advertised.listeners of that broker, or this machine's names and ways"
            )
    return told


def brokers_of(cluster: ClusterMetadata) -> list[tuple[int, str, int]]:
    """The brokers that a cluster names: number, host and port."""
    return [(int(each.id), str(each.host), int(each.port)) for each in cluster.brokers.values()]


def why_not(servers: str, extra: Mapping[str, str], limit_s: float) -> str | None:
    """Look why nothing works with this broker; None where it answers and its brokers are all reached."""
    troubles = Troubles()
    settings: dict[str, Any] = {"bootstrap.servers": servers, "client.id": "reach", "log_level": 0, **extra}
    settings["error_cb"] = troubles.hear
    try:
        refuse_unusable(extra)
        client = made(lambda: AdminClient(settings))
    except LogError as error:
        return str(error)
    try:
        found = brokers_of(client.list_topics(timeout=limit_s))
    except KafkaException as error:
        client.poll(0)
        return sentence(servers, troubles.newest() or error.args[0])
    return next(iter(not_reached(servers, found)), None)


def made(make: Callable[[], T]) -> T:
    """A client. Raises `LogError` where the installation's settings make none."""
    try:
        return make()
    except (KafkaException, TypeError, ValueError) as error:
        words = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise LogError(f"kafka.client cannot be used ({words}): correct it; its names are librdkafka's") from error


def refusals(group: str, session_ms: int) -> Mapping[int, str]:
    """The remedy for each code by which a broker refuses a member of a group, and goes on to refuse it."""
    return {
        **TOPIC_REFUSALS,
        KafkaError.INVALID_SESSION_TIMEOUT: (
            f"kafka.session_timeout_ms is {session_ms}: give one between the broker's group.min.session.timeout.ms "
            "(6000, where nobody has set it) and its group.max.session.timeout.ms, or set those"
        ),
        KafkaError.GROUP_AUTHORIZATION_FAILED: f"allow READ and DESCRIBE on the group {group} {_ACL}",
        KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
            f"a member of the group {group} is no service of this version (ours share out by `range`): end it, or use "
            "another kafka.topic_prefix"
        ),
        KafkaError.GROUP_MAX_SIZE_REACHED: (
            f"raise the broker's group.max.size, or end members of the group {group} that are not needed"
        ),
        KafkaError.INVALID_GROUP_ID: "correct kafka.topic_prefix, which the group's name begins with",
        KafkaError.FENCED_INSTANCE_ID: "remove group.instance.id under kafka.client",
        KafkaError.UNSUPPORTED_VERSION: "run a broker of a version that knows the request: Apache Kafka 3.0 or later",
    }


def remedy_of(code: int | None, *, writing: bool = False) -> str:
    """What to correct where the broker refuses a question, or a record, with this code, behind a colon; or nothing."""
    remedy = None if code is None else (_WRITTEN if writing else _ASKED).get(code)
    return "" if remedy is None else f": {remedy}"


_ACL = "to this user in the broker's ACLs; the user is sasl.username, or the certificate's, under kafka.client"
TOPIC_REFUSALS: Mapping[int, str] = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create the topics first (`denbun topics create`)",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: f"allow READ and DESCRIBE on the topic {_ACL}",
    KafkaError._FATAL: "start the service again",  # noqa: SLF001
}
_ASKED: Mapping[int, str] = {
    **TOPIC_REFUSALS,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (
        "allow DESCRIBE and DESCRIBE_CONFIGS on the topic, and CREATE and ALTER_CONFIGS to who creates the topics, "
        f"{_ACL}"
    ),
    KafkaError.GROUP_AUTHORIZATION_FAILED: f"allow READ and DESCRIBE on the group {_ACL}",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: f"allow CREATE and DESCRIBE on the cluster {_ACL}",
    KafkaError.INVALID_REPLICATION_FACTOR: "correct kafka.replication: no more copies than brokers run",
    KafkaError.POLICY_VIOLATION: "the broker's own policy for topics (create.topic.policy.class.name) refuses it",
}
_WRITTEN: Mapping[int, str] = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: f"allow WRITE and DESCRIBE on the topic {_ACL}",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: f"allow IDEMPOTENT_WRITE on the cluster {_ACL}",
    KafkaError._UNKNOWN_TOPIC: "create the topics first (`denbun topics create`)",  # noqa: SLF001
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create the topics first (`denbun topics create`)",
    KafkaError.NOT_ENOUGH_REPLICAS: "start brokers again: fewer have the topic than its min.insync.replicas asks for",
    KafkaError.MSG_SIZE_TOO_LARGE: "see max.message.bytes of the topic (`denbun topics create` compares it)",
}
