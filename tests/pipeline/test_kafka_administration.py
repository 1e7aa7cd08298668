"""Asking and mending a broker: what it does not do is told with its reason, and a broker not reached by its address."""

import logging
import socket
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from ops.ports import free_port
from pipeline import kafka
from pipeline.kafka import KafkaLog
from pipeline.log import LogError, NewTopic, TopicPartition
from pipeline.topic_faults import Difference

SERVERS = "named:9092"
TOPIC = NewTopic("requests", 6, {"cleanup.policy": "delete"})
UNLIKE = Difference("requests", "cleanup.policy", "compact", "delete")
REFUSED = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not yours"))


class Admin:
    """A broker whose every answer about a topic's configuration is this error, if any."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.altered: list[Any] = []
        self.waited_s: list[float] = []

    def incremental_alter_configs(self, asked: Sequence[Any]) -> dict[Any, Any]:
        self.altered += asked
        return {each: SimpleNamespace(result=self._result) for each in asked}

    def _result(self, timeout: float) -> None:
        self.waited_s.append(timeout)
        if self._error is not None:
            raise self._error


def mended(monkeypatch: pytest.MonkeyPatch, admin: Admin, *found: Sequence[Difference]) -> list[Difference]:
    """Mend a topic whose differences are found so, one time after the other."""
    log, left = KafkaLog(SERVERS), list(found)
    monkeypatch.setitem(log.__dict__, "_admin", admin)
    monkeypatch.setattr(log, "_differences", lambda _: left.pop(0) if len(left) > 1 else left[0])
    return log.mend([TOPIC])


def test_what_was_altered_is_looked_at_until_it_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    admin, slept = Admin(), list[float]()
    monkeypatch.setattr("time.sleep", slept.append)
    fixed = Difference("requests", "partitions", "5", "6")
    assert mended(monkeypatch, admin, [UNLIKE, fixed], [UNLIKE, fixed], [UNLIKE, fixed], [fixed]) == [UNLIKE]
    (asked,) = admin.altered
    assert asked.name == "requests"
    assert [(each.name, each.value) for each in asked.incremental_configs] == [("cleanup.policy", "delete")]
    assert admin.waited_s == [15.0]
    assert slept == [0.02, 0.02]


def test_what_was_altered_and_is_not_so_is_told_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_ADMIN_S", 0.1)
    with pytest.raises(
        LogError,
        match=r"cleanup\.policy.*: it was altered and is not so: somebody else, or a policy of the broker, sets it$",
    ):
        mended(monkeypatch, Admin(), [UNLIKE])


@pytest.mark.parametrize(
    ("error", "told"), [(REFUSED, "not yours: allow DESCRIBE"), (TimeoutError(), "no answer within 15 s")]
)
def test_a_topic_that_cannot_be_altered_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    monkeypatch.setattr(kafka, "why_not", lambda *_: None)
    monkeypatch.setattr(Admin, "poll", lambda *_: 0, raising=False)
    with pytest.raises(LogError) as refused:
        mended(monkeypatch, Admin(error), [UNLIKE])
    assert str(refused.value).startswith(f"topic requests cannot be altered: {told}")


# --- whether its brokers are reached


@pytest.fixture
def reached() -> Iterator[int]:
    """A port that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def reach(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    brokers = {at: SimpleNamespace(id=at, host="127.0.0.1", port=port) for at, port in enumerate(ports)}
    monkeypatch.setattr(KafkaLog, "_cluster", lambda _: SimpleNamespace(brokers=brokers))
    KafkaLog(SERVERS).reach()


def test_brokers_that_are_reached_are_not_spoken_of(
    monkeypatch: pytest.MonkeyPatch, reached: int, caplog: pytest.LogCaptureFixture
) -> None:
    reach(monkeypatch, reached, reached)
    assert caplog.messages == []


def test_where_one_of_two_is_not_reached_that_is_told_and_work_goes_on(
    monkeypatch: pytest.MonkeyPatch, reached: int, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with caplog.at_level(logging.WARNING):
        reach(monkeypatch, reached, port)
    (said,) = caplog.messages
    assert said.startswith(f"Kafka at {SERVERS} sends its clients to 127.0.0.1:{port} (broker 1)")


def test_where_none_is_reached_nothing_goes_on_and_the_first_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ports = free_port(), free_port()
    with pytest.raises(LogError, match=rf"^Kafka at {SERVERS} sends its clients to 127\.0\.0\.1:{ports[0]} \(broker 0"):
        reach(monkeypatch, *ports)
    assert caplog.messages == []


def test_what_the_broker_said_counts_where_no_client_has_told_of_trouble_since(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def list_topics(self, timeout: float) -> None:
            log._troubles.forget()
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, f"nothing within {timeout:g} s"))

    log = KafkaLog(SERVERS)
    monkeypatch.setitem(log.__dict__, "_admin", Silent())
    log._troubles.hear(KafkaError(KafkaError._RESOLVE, "earlier"))
    said = log.trouble()
    assert said is not None
    assert said.startswith(f"no Kafka broker answers at {SERVERS} (nothing within 1 s)")


class Away:
    """A broker that answers nothing, whose client has heard nothing yet."""

    def __init__(self) -> None:
        self.polled: list[float] = []

    def list_topics(self, timeout: float) -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, f"nothing within {timeout:g} s"))

    def describe_configs(self, asked: Sequence[Any]) -> dict[Any, Any]:
        return {each: SimpleNamespace(result=self._result) for each in asked}

    def _result(self, timeout: float) -> None:
        assert timeout == 15.0
        raise TimeoutError

    def poll(self, timeout: float) -> None:
        self.polled.append(timeout)


def test_where_nothing_was_heard_of_a_broker_its_client_has_the_word(monkeypatch: pytest.MonkeyPatch) -> None:
    log, away = KafkaLog(SERVERS), Away()
    monkeypatch.setitem(log.__dict__, "_admin", away)
    with pytest.raises(LogError, match=rf"^no Kafka broker answers at {SERVERS} \(nothing within 15 s\)"):
        log.partition_count("requests")
    assert away.polled == [0]


@pytest.mark.parametrize("why", ["no TLS with Kafka", None])
def test_what_is_not_answered_is_told_with_what_keeps_it_or_with_how_long_it_was_waited_for(
    monkeypatch: pytest.MonkeyPatch, why: str | None
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(kafka, "why_not", lambda *words: asked.append(words) or why)
    log, away = KafkaLog(SERVERS, extra={"ssl.ca.location": "ca.pem"}), Away()
    monkeypatch.setitem(log.__dict__, "_admin", away)
    partitions = {0: SimpleNamespace(replicas=[1])}
    monkeypatch.setattr(log, "_topics", lambda: {"requests": SimpleNamespace(partitions=partitions)})
    with pytest.raises(LogError) as refused:
        log.found(["requests"])
    told = "no answer within 15 s" if why is None else why
    assert str(refused.value) == f"the configuration of topic requests cannot be read: {told}"
    assert (asked, away.polled) == ([(SERVERS, {"ssl.ca.location": "ca.pem"}, 8.0)], [0])


# --- what a member has done with


class Offsets:
    """A consumer that keeps no offset."""

    def __init__(self, code: int) -> None:
        self._code = code

    def subscribe(self, *_: Any, **__: Any) -> None:
        """Nothing is given out."""

    def store_offsets(self, offsets: Sequence[Any]) -> None:
        assert [(each.topic, each.partition, each.offset) for each in offsets] == [("requests", 2, 9)]
        raise KafkaException(KafkaError(self._code, "words"))


def done(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: Offsets(code))
    reader = KafkaLog(SERVERS).group_reader("m", "g", ["requests"], lambda _: None, lambda _: None)
    reader.done({TopicPartition("requests", 2): 9})


def test_an_offset_that_the_client_does_not_keep_is_told_but_for_one_that_is_no_longer_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done(monkeypatch, KafkaError._STATE)
    with pytest.raises(LogError, match=r"^offsets cannot be stored: words$"):
        done(monkeypatch, KafkaError._FATAL)


class Sharing:
    """A consumer of a group, that knows whom to call back and what was committed how."""

    def __init__(self) -> None:
        self.calls: dict[str, Any] = {}
        self.committed: list[dict[str, Any]] = []

    def subscribe(self, topics: Sequence[str], **calls: Any) -> None:
        assert topics == ["requests"]
        self.calls = calls

    def commit(self, **how: Any) -> None:
        self.committed.append(how)


def test_what_is_given_up_is_committed_before_another_has_it_and_what_is_lost_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer, told = Sharing(), list[str]()
    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: consumer)
    KafkaLog(SERVERS).group_reader(
        "m", "g", ["requests"],
        lambda places: told.append(f"given {places}, committed {len(consumer.committed)}"),
        lambda places: told.append(f"taken {places}, committed {len(consumer.committed)}"),
    )  # fmt: skip
    place = TopicPartition("requests", 2)
    for call in ("on_assign", "on_lost", "on_revoke"):
        consumer.calls[call](consumer, [KafkaPartition(*place)])
    assert told == [f"given {[place]}, committed 0"] + [f"taken {[place]}, committed 0"] * 2
    assert consumer.committed == [{"asynchronous": False}]
