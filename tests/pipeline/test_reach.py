"""What is said of a broker that is not reached or refuses us: its own words and the setting, by the code."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from confluent_kafka import KafkaError

from ops.ports import free_port
from pipeline import kafka, reach
from pipeline.kafka import KafkaLog
from pipeline.log import LogError, TopicPartition

SERVERS = "kafka:9092"
WORDS = "the broker's own words"

WAYS = {
    KafkaError._AUTHENTICATION: "sasl.password",
    KafkaError.SASL_AUTHENTICATION_FAILED: "sasl.username",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "sasl.mechanisms",
    KafkaError.ILLEGAL_SASL_STATE: "security.protocol",
    KafkaError._SSL: "ssl.ca.location",
    KafkaError._RESOLVE: "advertised.listeners",
    KafkaError._TRANSPORT: "security.protocol",
    KafkaError._ALL_BROKERS_DOWN: "kafka.bootstrap_servers",
    KafkaError._TIMED_OUT: "kafka.bootstrap_servers",
}


@pytest.mark.parametrize(("code", "setting"), WAYS.items(), ids=str)
def test_a_broker_that_is_not_reached_is_told_with_its_words_and_the_setting(code: int, setting: str) -> None:
    said = reach.sentence(SERVERS, KafkaError(code, WORDS))
    assert SERVERS in said
    assert f"({WORDS})" in said
    assert setting in said


def test_the_most_telling_of_what_was_heard_is_told() -> None:
    troubles = reach.Troubles()
    assert troubles.newest() is None
    for code in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._AUTHENTICATION, KafkaError._RESOLVE):
        troubles.hear(KafkaError(code, f"words of {code}"))
    newest = troubles.newest()
    assert newest is not None
    assert (newest.code(), newest.str()) == (KafkaError._AUTHENTICATION, f"words of {KafkaError._AUTHENTICATION}")
    assert troubles.newest(within_s=-1) is None
    troubles.forget()
    assert troubles.newest() is None


# --- members that are refused

REFUSALS = {
    KafkaError.INVALID_SESSION_TIMEOUT: "kafka.session_timeout_ms is 2000",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "allow READ and DESCRIBE on the group g",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "a member of the group g is no service",
    KafkaError.GROUP_MAX_SIZE_REACHED: "group.max.size",
    KafkaError.INVALID_GROUP_ID: "kafka.topic_prefix",
    KafkaError.FENCED_INSTANCE_ID: "group.instance.id",
    KafkaError.UNSUPPORTED_VERSION: "run a broker of a version",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "denbun topics create",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "allow READ and DESCRIBE on the topic",
    KafkaError._FATAL: "start the service again",
}
PASSING = (
    KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.REBALANCE_IN_PROGRESS, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION,
    KafkaError.LEADER_NOT_AVAILABLE, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT,
)  # fmt: skip


class Refusing:
    """A consumer whose next poll brings this error."""

    def __init__(self, code: int) -> None:
        self._left = [Told(code)]

    def subscribe(self, *_: Any, **__: Any) -> None:
        """Nothing is given out."""

    def consume(self, *_: Any) -> list[Any]:
        return []

    def poll(self, _: float) -> Any:
        return self._left.pop() if self._left else None

    def assign(self, _: Any) -> None:
        """Nothing is there."""


class Told:
    """A message that is an error, as the client gives it."""

    about: str | None = None

    def __init__(self, code: int) -> None:
        self._error = KafkaError(code, WORDS)

    def error(self) -> KafkaError:
        return self._error

    def topic(self) -> str | None:
        return self.about


def nothing(_: Any) -> None:
    """A listener that does nothing."""


def group_reader(monkeypatch: pytest.MonkeyPatch, code: int) -> Any:
    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: Refusing(code))
    return KafkaLog(SERVERS, session_timeout_ms=2_000).group_reader("m", "g", ["t"], nothing, nothing)


@pytest.mark.parametrize(("code", "remedy"), REFUSALS.items(), ids=str)
def test_a_member_that_the_broker_refuses_ends_with_its_words_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    with pytest.raises(LogError) as refused:
        group_reader(monkeypatch, code).poll(10, 1.0)
    assert WORDS in str(refused.value)
    assert remedy in str(refused.value)


@pytest.mark.parametrize(("about", "named"), [(None, ""), ("requests", " requests")])
def test_a_refusal_names_the_topic_that_it_is_about(
    monkeypatch: pytest.MonkeyPatch, about: str | None, named: str
) -> None:
    monkeypatch.setattr(Told, "about", about)
    with pytest.raises(LogError) as refused:
        group_reader(monkeypatch, KafkaError.TOPIC_AUTHORIZATION_FAILED).poll(10, 1.0)
    assert str(refused.value).startswith(f"the broker refuses{named} ({WORDS}): allow READ and DESCRIBE")


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_by_itself_ends_no_member_and_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    monkeypatch.setattr(kafka._log, "filters", [])  # the same trouble is told once in ten seconds
    assert group_reader(monkeypatch, code).poll(10, 1.0) == []
    assert caplog.messages == [WORDS]


def test_who_reads_in_no_group_does_not_end_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: Refusing(KafkaError.GROUP_AUTHORIZATION_FAILED))
    assert KafkaLog(SERVERS).reader("r", {TopicPartition("t", 0): 0}).poll(10, 1.0) == []


# --- what a service shows of it


def test_a_broker_that_answers_no_more_is_told_while_that_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    log, asked = KafkaLog(f"127.0.0.1:{free_port()}"), []
    monkeypatch.setattr(kafka, "_ONCE_S", 0.2)
    assert log.trouble() is None, "nobody has told of trouble"
    log._troubles.hear(KafkaError(KafkaError._TRANSPORT, WORDS))
    said = log.trouble()
    assert said is not None
    assert said.startswith("no Kafka broker answers at 127.0.0.1:")

    class Answering:
        def list_topics(self, timeout: float) -> None:
            asked.append(timeout)

    monkeypatch.setitem(log.__dict__, "_admin", Answering())
    assert log.trouble() is None
    assert log.trouble() is None
    assert len(asked) == 1, "a broker that has answered is asked no more"


def test_one_of_the_brokers_that_is_not_reached_is_told_although_another_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Answering:
        def list_topics(self, timeout: float) -> None:
            """It answers."""

    log = KafkaLog(SERVERS)
    monkeypatch.setitem(log.__dict__, "_admin", Answering())
    log._troubles.hear(KafkaError(KafkaError._RESOLVE, WORDS))
    said = log.trouble()
    assert said is not None
    assert WORDS in said


@pytest.mark.parametrize("extra", [{"no.such.setting": "1"}, {"security.protocol": "TLS"}])
@pytest.mark.parametrize("kind", ["writer", "sender", "reader", "group", "admin"])
def test_settings_that_the_client_does_not_know_are_told_by_every_kind_of_client(
    extra: Mapping[str, str], kind: str
) -> None:
    log = KafkaLog(SERVERS, extra=extra)
    kinds: dict[str, Any] = {
        "writer": lambda: log.writer("w"),
        "sender": lambda: log.sender("s"),
        "reader": lambda: log.reader("r", {}),
        "group": lambda: log.group_reader("m", "g", ["t"], nothing, nothing),
        "admin": lambda: log.partition_count("t"),
    }
    with pytest.raises(LogError, match=r"^kafka\.client cannot be used \(.+\): correct it"):
        kinds[kind]()
    told = reach.why_not(SERVERS, extra, 0.1)
    assert told is not None
    assert told.startswith("kafka.client cannot be used (")


def test_a_broker_that_is_named_and_not_reached() -> None:
    port = free_port()
    assert reach.not_reached(SERVERS, []) == []
    (told,) = reach.not_reached(SERVERS, [(1, "127.0.0.1", port)])
    assert told.startswith(f"Kafka at {SERVERS} sends its clients to 127.0.0.1:{port} (broker 1), which is not reached")
    assert "advertised.listeners" in told


# --- no image of a process's memory


def test_a_process_that_must_leave_no_image_leaves_none() -> None:
    source = (
        "import json, resource, ctypes; from pipeline.secrecy import forbid_dumps; forbid_dumps();"
        "print(json.dumps([resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)]))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    limits, dumpable = json.loads(done.stdout)
    assert limits == [0, 0]
    assert dumpable == (0 if sys.platform == "linux" else dumpable)
