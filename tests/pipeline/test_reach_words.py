"""What is said of a broker that is not reached or refuses us, word for word; and how it is looked for."""

import socket
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline import reach
from pipeline.log import LogError

SERVERS = "kafka:9092"
LISTENER = "security.protocol, which must be that of the broker's listener"
ACL = "to this user in the broker's ACLs; the user is sasl.username, or the certificate's, under kafka.client"

SENTENCES = {
    KafkaError._AUTHENTICATION: (
        "Kafka at kafka:9092 does not let us in (words): correct sasl.username, sasl.password and sasl.mechanisms "
        f"under kafka.client, and {LISTENER}"
    ),
    KafkaError._SSL: (
        "no TLS with Kafka at kafka:9092 (words): correct ssl.ca.location and the other ssl settings under "
        f"kafka.client, and {LISTENER}"
    ),
    KafkaError._RESOLVE: (
        "a name of Kafka at kafka:9092 cannot be resolved (words): correct kafka.bootstrap_servers; where the broker "
        "itself gives that name to its clients, its advertised.listeners or this machine's names"
    ),
    KafkaError._TRANSPORT: (
        "no Kafka broker answers at kafka:9092 (words): start it (`denbun up`) or correct kafka.bootstrap_servers; "
        "where one runs there, security.protocol under kafka.client must be that of its listener"
    ),
}


@pytest.mark.parametrize(("code", "said"), SENTENCES.items(), ids=str)
def test_why_no_broker_was_reached(code: int, said: str) -> None:
    assert reach.sentence(SERVERS, KafkaError(code, "words")) == said


def test_what_was_heard_exactly_so_long_ago_is_told_still(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(reach.time, "monotonic", lambda: now[0])
    troubles = reach.Troubles()
    troubles.hear(KafkaError(KafkaError._SSL, "words"))
    now[0] += reach.RECENT_S
    assert troubles.newest() is not None
    now[0] += 0.5
    assert troubles.newest() is None


REFUSALS = {
    KafkaError.INVALID_SESSION_TIMEOUT: (
        "kafka.session_timeout_ms is 2000: give one between the broker's group.min.session.timeout.ms (6000, where "
        "nobody has set it) and its group.max.session.timeout.ms, or set those"
    ),
    KafkaError.GROUP_AUTHORIZATION_FAILED: f"allow READ and DESCRIBE on the group g {ACL}",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
        "a member of the group g is no service of this version (ours share out by `range`): end it, or use another "
        "kafka.topic_prefix"
    ),
    KafkaError.GROUP_MAX_SIZE_REACHED: (
        "raise the broker's group.max.size, or end members of the group g that are not needed"
    ),
    KafkaError.INVALID_GROUP_ID: "correct kafka.topic_prefix, which the group's name begins with",
    KafkaError.FENCED_INSTANCE_ID: "remove group.instance.id under kafka.client",
    KafkaError.UNSUPPORTED_VERSION: "run a broker of a version that knows the request: Apache Kafka 3.0 or later",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create the topics first (`denbun topics create`)",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: f"allow READ and DESCRIBE on the topic {ACL}",
    KafkaError._FATAL: "start the service again",
}


def test_the_remedy_of_each_refusal_of_a_member() -> None:
    assert reach.refusals("g", 2_000) == REFUSALS


CREATING = (
    f"allow DESCRIBE and DESCRIBE_CONFIGS on the topic, and CREATE and ALTER_CONFIGS to who creates the topics, {ACL}"
)


@pytest.mark.parametrize(
    ("code", "asking", "writing"),
    [
        (None, "", ""),
        (KafkaError._TIMED_OUT, "", ""),
        (
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            f": {CREATING}",
            f": allow WRITE and DESCRIBE on the topic {ACL}",
        ),
        (KafkaError.MSG_SIZE_TOO_LARGE, "",
         ": see max.message.bytes of the topic (`denbun topics create` compares it)"),
        (KafkaError.INVALID_REPLICATION_FACTOR, ": correct kafka.replication: no more copies than brokers run", ""),
    ],
)  # fmt: skip
def test_the_remedy_where_a_question_or_a_record_is_refused(code: int | None, asking: str, writing: str) -> None:
    assert reach.remedy_of(code) == reach.remedy_of(code, writing=False) == asking
    assert reach.remedy_of(code, writing=True) == writing


# --- looking for it


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(113, "No route to host"), "No route to host"), (TimeoutError("timed out"), "timed out")],
)
def test_a_broker_that_is_named_is_tried_for_two_seconds_and_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    tried: list[tuple[tuple[str, int], float]] = []

    def connect(address: tuple[str, int], timeout: float) -> Any:
        tried.append((address, timeout))
        if address[0] == "b":
            raise error
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(socket, "create_connection", connect)
    (told,) = reach.not_reached(SERVERS, [(2, "b", 2), (1, "a", 1)])
    assert told == (
        f"Kafka at {SERVERS} sends its clients to b:2 (broker 2), which is not reached from here ({reason}): correct "
        "advertised.listeners of that broker, or this machine's names and ways"
    )
    assert tried == [(("a", 1), 2.0), (("b", 2), 2.0)]


def cluster(*brokers: tuple[int, str, int]) -> Any:
    named = {number: SimpleNamespace(id=number, host=host, port=port) for number, host, port in brokers}
    return SimpleNamespace(brokers=named)


class Admin:
    """A client that answers so, or raises; and with which settings it was made."""

    def __init__(self, settings: Mapping[str, Any], answer: Any, heard: KafkaError | None) -> None:
        self.settings, self.asked_s, self.polled_s = settings, [], []
        self._answer, self._heard = answer, heard

    asked_s: list[float]
    polled_s: list[float]

    def list_topics(self, *, timeout: float) -> Any:
        self.asked_s.append(timeout)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def poll(self, timeout: float) -> None:
        self.polled_s.append(timeout)
        if self._heard is not None:
            self.settings["error_cb"](self._heard)


def looked(monkeypatch: pytest.MonkeyPatch, answer: Any, heard: KafkaError | None = None) -> tuple[str | None, Admin]:
    """What is found out with a client that answers so, and that client."""
    made: list[Admin] = []
    monkeypatch.setattr(reach, "AdminClient", lambda given: made.append(Admin(given, answer, heard)) or made[-1])
    told = reach.why_not(SERVERS, {"sasl.username": "u"}, 1.5)
    return told, made[0]


def test_a_broker_that_answers_and_is_reached_has_nothing_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "not_reached", lambda servers, brokers: [] if brokers == [(1, "a", 9)] else [servers])
    told, admin = looked(monkeypatch, cluster((1, "a", 9)))
    assert told is None
    heard = admin.settings.pop("error_cb")
    assert callable(heard)
    assert admin.settings == {
        "bootstrap.servers": SERVERS, "client.id": "reach", "log_level": 0, "sasl.username": "u",
    }  # fmt: skip
    assert (admin.asked_s, admin.polled_s) == ([1.5], [])


def test_the_first_of_the_brokers_that_are_not_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "not_reached", lambda servers, brokers: [f"{servers} {each}" for each in brokers])
    told, _ = looked(monkeypatch, cluster((1, "a", 9), (2, "b", 9)))
    assert told == f"{SERVERS} (1, 'a', 9)"


def test_a_broker_that_does_not_answer_is_told_by_what_was_heard_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    late = KafkaException(KafkaError(KafkaError._TRANSPORT, "late"))
    told, admin = looked(monkeypatch, late, KafkaError(KafkaError._RESOLVE, "no such name"))
    assert told == reach.sentence(SERVERS, KafkaError(KafkaError._RESOLVE, "no such name"))
    assert admin.polled_s == [0]
    told, _ = looked(monkeypatch, late)
    assert told == reach.sentence(SERVERS, KafkaError(KafkaError._TRANSPORT, "late"))


@pytest.mark.parametrize(
    ("error", "words"),
    [(KafkaException(KafkaError(KafkaError._INVALID_ARG, "no such")), "no such"), (ValueError("a number"), "a number")],
)
def test_settings_of_which_no_client_can_be_made(error: Exception, words: str) -> None:
    def make() -> None:
        raise error

    with pytest.raises(LogError) as told:
        reach.made(make)
    assert str(told.value) == f"kafka.client cannot be used ({words}): correct it; its names are librdkafka's"
