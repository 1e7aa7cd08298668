"""What a writer and a sender on Kafka make of the client's answers: no message counts as written unless it is."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from msgspec.structs import replace

from pipeline import kafka
from pipeline.kafka import KafkaLog, KafkaSender, KafkaWriter
from pipeline.log import LogError, NewTopic, Outgoing, WriteFailed

REFUSED = KafkaError(KafkaError.NOT_ENOUGH_REPLICAS)
TIMED_OUT = KafkaError(KafkaError._MSG_TIMED_OUT)


def outgoing(number: int, partition: int | None = None) -> Outgoing:
    return Outgoing("requests", b"key", f"v{number}".encode(), (("schema", b"s"),), partition)


class Answering:
    """A producer that answers each message, when it is served, as it is told: an offset, or an error."""

    def __init__(self, *answers: int | KafkaError, first: Sequence[int] = ()) -> None:
        self._answers = list(answers)
        self._first = first  # the places that are answered before the others
        self._waiting: list[tuple[int, Callable[[Any, Any], None]]] = []
        self.produced: list[tuple[Any, ...]] = []

    def produce(self, *words: Any, headers: Any, on_delivery: Callable[[Any, Any], None]) -> None:
        self._waiting.append((len(self.produced), on_delivery))
        self.produced.append((*words, headers))

    def flush(self, timeout: float) -> int:
        assert timeout >= 0
        self.poll(timeout)
        return len(self)

    def poll(self, timeout: float) -> int:
        """Answer one message."""
        assert timeout >= 0
        if self._waiting:
            self._waiting.sort(key=lambda each: each[0] not in self._first)
            place, done = self._waiting.pop(0)
            answer = self._answers[place]
            failed = isinstance(answer, KafkaError)
            stored = SimpleNamespace(offset=lambda: -1001 if failed else answer, timestamp=lambda: (2, 5_000))
            done(answer if failed else None, stored)
        return 1

    def __len__(self) -> int:
        return len(self._waiting)


# --- a writer


def written(producer: Answering, count: int) -> list[int]:
    return KafkaWriter(producer).write([outgoing(number) for number in range(count)])  # type: ignore[arg-type]


def test_each_message_has_the_offset_that_it_was_given_in_whatever_order_they_are_acknowledged() -> None:
    assert written(Answering(7, 0, 9), 3) == [7, 0, 9]
    assert written(Answering(7, 0, 9, first=(2, 1)), 3) == [7, 0, 9]
    assert written(Answering(), 0) == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((REFUSED, 1, 2), "1 of 3"),
        ((0, REFUSED, 2), "1 of 3"),
        ((0, 1, REFUSED), "1 of 3"),
        ((0, REFUSED, TIMED_OUT), "2 of 3"),
        ((REFUSED, TIMED_OUT, REFUSED), "3 of 3"),
    ],
)
def test_a_batch_of_which_any_part_failed_has_failed(answers: tuple[int | KafkaError, ...], said: str) -> None:
    producer = Answering(*answers)
    with pytest.raises(WriteFailed, match=rf"{said} messages were not acknowledged: .*Not enough in-sync replicas"):
        written(producer, 3)
    assert len(producer) == 0  # and every message was answered before it is said


def test_a_batch_that_has_failed_names_its_topics() -> None:
    batch = [outgoing(1), replace(outgoing(2), topic="deliveries"), outgoing(3)]
    with pytest.raises(WriteFailed, match=r"^deliveries, requests: 1 of 3 messages were not acknowledged: "):
        KafkaWriter(Answering(0, REFUSED, 2)).write(batch)  # type: ignore[arg-type]


def test_a_message_goes_out_whole_and_to_its_partition() -> None:
    producer = Answering(0, 0)
    KafkaWriter(producer).write([outgoing(1), outgoing(2, partition=4)])  # type: ignore[arg-type]
    assert producer.produced == [
        ("requests", b"v1", b"key", [("schema", b"s")]),
        ("requests", b"v2", b"key", 4, [("schema", b"s")]),
    ]
    producer = Answering(0)
    KafkaWriter(producer).write([outgoing(1, partition=0)])  # type: ignore[arg-type]
    assert producer.produced == [("requests", b"v1", b"key", 0, [("schema", b"s")])]


class Full:
    """A producer that takes nothing."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def produce(self, *_: Any, **__: Any) -> None:
        raise self._error

    def poll(self, timeout: float) -> int:
        assert timeout == 0
        return 0

    def flush(self, timeout: float) -> int:
        raise AssertionError(timeout)

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize("error", [BufferError("Local: Queue full"), KafkaException(REFUSED)])
def test_what_the_client_does_not_take_has_failed_and_says_where(error: Exception) -> None:
    with pytest.raises(WriteFailed, match=r"^requests: not accepted for sending: "):
        KafkaWriter(Full(error)).write([outgoing(1)])  # type: ignore[arg-type]


# --- a sender


class Heard:
    """What a sender says became of its messages."""

    def __init__(self) -> None:
        self.offsets: list[int | None] = []
        self.errors: list[str] = []

    def done(self, stored: Any, error: Exception | None) -> None:
        self.offsets.append(getattr(stored, "offset", stored))
        self.errors.append(str(error) if error else "")


def test_a_sender_tells_each_message_what_became_of_it_alone() -> None:
    heard = Heard()
    sender = KafkaSender(Answering(7, REFUSED, 0))  # type: ignore[arg-type]
    for number in range(3):
        sender.send(outgoing(number), heard.done)
    assert heard.offsets == []
    assert sender.serve() is not None  # two are left
    sender.close()
    assert heard.offsets == [7, None, 0]
    assert heard.errors[0] == heard.errors[2] == ""
    assert heard.errors[1].startswith("requests: not acknowledged: ")
    assert "Not enough in-sync replicas" in heard.errors[1]
    assert sender.serve() is None


def test_what_the_broker_refuses_to_store_is_told_with_what_to_allow() -> None:
    refused, heard = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), Heard()
    sender = KafkaSender(Answering(refused))  # type: ignore[arg-type]
    sender.send(outgoing(1), heard.done)
    sender.close()
    (told,) = heard.errors
    with pytest.raises(WriteFailed) as of_a_writer:
        written(Answering(refused), 1)
    for each in (told, str(of_a_writer.value)):
        assert ": allow WRITE and DESCRIBE on the topic to this user" in each


def test_what_a_sender_cannot_hand_over_fails_when_it_is_served_and_not_in_the_middle_of_sending() -> None:
    heard = Heard()
    sender = KafkaSender(Full(BufferError("full")))  # type: ignore[arg-type]
    sender.send(outgoing(1), heard.done)
    sender.send(outgoing(2), heard.done)
    assert heard.offsets == []
    assert sender.serve() is None
    assert heard.offsets == [None, None]
    assert heard.errors == ["requests: not accepted for sending: full"] * 2
    assert sender.serve() is None
    assert len(heard.offsets) == 2  # each is told once


# --- topics


class Admin:
    """A broker's administration that has no topic until it is asked for some, and writes down how."""

    error: Exception | None = None

    def __init__(self, *_: Any) -> None:
        self.created: list[Any] = []
        self.hidden: list[Any] = []

    def list_topics(self, timeout: float) -> Any:
        assert timeout > 0
        there = {
            each.topic: SimpleNamespace(partitions=range(each.num_partitions), error=None) for each in self.created
        }
        return SimpleNamespace(topics=there)

    def describe_topics(self, _: Any) -> dict[str, Any]:
        return {name: SimpleNamespace(result=self._result) for name in self.hidden}

    def create_topics(self, topics: Sequence[Any], operation_timeout: float) -> Any:
        assert operation_timeout > 0
        self.created += topics
        return {each.topic: SimpleNamespace(result=self._result) for each in topics}

    def _result(self, timeout: float) -> None:
        assert timeout == 15.0
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("replication", [1, 3])
def test_a_topic_is_created_with_its_partitions_its_settings_and_as_many_copies_as_the_installation_wants(
    replication: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = Admin()
    monkeypatch.setattr(kafka, "AdminClient", lambda *_: admin)
    log = KafkaLog("nobody:1", replication=replication)
    assert log.create([NewTopic("requests", 6, {"cleanup.policy": "delete"})]) == ["requests"]
    (made,) = admin.created
    assert (made.topic, made.num_partitions, made.replication_factor) == ("requests", 6, replication)
    assert made.config["cleanup.policy"] == "delete"


def made(monkeypatch: pytest.MonkeyPatch, admin: Admin) -> list[str]:
    monkeypatch.setattr(kafka, "AdminClient", lambda *_: admin)
    return KafkaLog("nobody:1").create([NewTopic("requests", 6, {})])


def test_a_topic_that_another_process_has_made_meanwhile_is_there_and_that_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = Admin()
    admin.error = KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS))
    assert made(monkeypatch, admin) == []


def test_a_topic_that_the_broker_does_not_make_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Admin()
    admin.error = KafkaException(KafkaError(KafkaError.INVALID_REPLICATION_FACTOR, "too many"))
    with pytest.raises(LogError, match=r"^topic requests cannot be created: too many: correct kafka\.replication"):
        made(monkeypatch, admin)


def test_a_topic_that_was_made_is_awaited_until_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    admin, slept = Admin(), list[float]()
    late, there = iter(range(3)), admin.list_topics  # before it is made, and twice afterwards

    def listed(timeout: float) -> Any:
        return there(timeout) if next(late, None) is None else SimpleNamespace(topics={})

    monkeypatch.setattr(admin, "list_topics", listed)
    monkeypatch.setattr("time.sleep", slept.append)
    assert made(monkeypatch, admin) == ["requests"]
    assert slept
    assert set(slept) == {0.02}


def test_a_topic_that_was_made_and_is_not_seen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Admin()
    monkeypatch.setattr(kafka, "_ADMIN_S", 0.1)
    monkeypatch.setattr(admin, "_result", lambda _: None)
    monkeypatch.setattr(admin, "list_topics", lambda timeout: SimpleNamespace(topics={}, timeout=timeout))
    with pytest.raises(LogError, match=r"^topic requests was created but does not appear: see the broker's log$"):
        made(monkeypatch, admin)


def test_a_topic_that_is_hidden_from_us_is_told_from_one_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Admin()
    admin.hidden = ["requests"]
    admin.error = KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    monkeypatch.setattr(kafka, "AdminClient", lambda *_: admin)
    assert KafkaLog("nobody:1").found(["requests"]) == {}
    admin.error = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not yours"))
    with pytest.raises(LogError, match=r"^topic requests is not ours to see: not yours: allow DESCRIBE"):
        KafkaLog("nobody:1").found(["requests"])
