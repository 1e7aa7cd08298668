"""What each kind of client is told: all of it, for what is left out is the client's default, and some of those lose."""

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import kafka
from pipeline.kafka import KafkaLog
from pipeline.log import TopicPartition

COMMON = {
    "bootstrap.servers": "one:9092,two:9092",
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,
    "socket.nagle.disable": True,
    "allow.auto.create.topics": False,
    "log_level": 3,
    "security.protocol": "SASL_SSL",
}
WRITES = {
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
    "message.timeout.ms": 20_000,
    "queue.buffering.max.messages": 200_000,
}
READS = {
    "isolation.level": "read_uncommitted",
    "fetch.error.backoff.ms": 50,
    "fetch.wait.max.ms": 100,
    "queued.max.messages.kbytes": 16_384,
    "auto.offset.reset": "earliest",
}
ASKS = {name: value for name, value in READS.items() if name != "auto.offset.reset"} | {"enable.auto.commit": False}
IN_A_GROUP = {
    "group.id": "g",
    "partition.assignment.strategy": "range",
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 1_000,
    "enable.auto.commit": True,
    "enable.auto.offset.store": False,
    "auto.commit.interval.ms": 500,
}
KINDS: dict[str, tuple[Callable[[KafkaLog], object], dict[str, Any]]] = {
    "writer": (lambda log: log.writer("w"), WRITES | {"client.id": "w", "linger.ms": 20}),
    "sender": (lambda log: log.sender("s"), WRITES | {"client.id": "s", "linger.ms": 0.2}),
    "reader": (
        lambda log: log.reader("r", {}),
        READS | {"client.id": "r", "group.id": "none", "enable.auto.commit": False},
    ),
    "group": (
        lambda log: log.group_reader("m", "g", ["t"], lambda _: None, lambda _: None),
        READS | {"client.id": "m"} | IN_A_GROUP,
    ),
    "admin": (lambda log: log._admin, {"client.id": "admin"}),
    "asker": (
        lambda log: log.span(TopicPartition("t", 0)),
        ASKS | {"client.id": "asker", "group.id": "none"},
    ),
    "asker about a group": (
        lambda log: log.committed("g", TopicPartition("t", 0)),
        ASKS | {"client.id": "asker", "group.id": "g"},
    ),
}


class Client:
    """Any client, that knows what it was told."""

    told: dict[str, Any]

    def __init__(self, settings: dict[str, Any]) -> None:
        type(self).told = settings

    def assign(self, _: Any) -> None:
        """It is given nothing."""

    def subscribe(self, *_: Any, **__: Any) -> None:
        """It is given nothing."""

    def get_watermark_offsets(self, _: Any, timeout: float) -> tuple[int, int]:
        assert timeout == 1.0
        return 0, 0

    def committed(self, _: Any, timeout: float) -> list[Any]:
        assert timeout == 1.0
        return [SimpleNamespace(offset=0, error=None)]

    def close(self) -> None:
        """It is not needed any more."""


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("Producer", "Consumer", "AdminClient"):
        monkeypatch.setattr(kafka, kind, Client)


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_is_told_all_of_this(kind: str) -> None:
    make, more = KINDS[kind]
    log = KafkaLog("one:9092,two:9092", write_timeout_ms=20_000, extra={"security.protocol": "SASL_SSL"})
    make(log)
    told = dict(Client.told)
    assert told.pop("logger") is kafka.CLIENT_LOG
    assert told.pop("error_cb") == log._troubles.hear
    assert told == COMMON | more


@pytest.mark.parametrize(("session_ms", "heartbeat_ms"), [(6_000, 1_000), (10_003, 1_667), (600, 100), (500, 100)])
def test_a_member_beats_six_times_a_session_and_ten_times_a_second_at_most(session_ms: int, heartbeat_ms: int) -> None:
    KafkaLog("one:9092", session_timeout_ms=session_ms).group_reader("m", "g", [], lambda _: None, lambda _: None)
    assert Client.told["session.timeout.ms"] == session_ms
    beats = Client.told["heartbeat.interval.ms"]
    assert (beats, type(beats)) == (heartbeat_ms, int)


def test_what_the_installation_sets_counts_but_for_what_a_client_is_there_for() -> None:
    KafkaLog("one:9092", extra={"socket.nagle.disable": "false", "enable.idempotence": "false"}).writer("w")
    assert (Client.told["socket.nagle.disable"], Client.told["enable.idempotence"]) == ("false", True)


def test_where_nobody_says_how_long_a_write_is_tried_for_half_a_minute() -> None:
    KafkaLog("one:9092").writer("w")
    assert Client.told["message.timeout.ms"] == 30_000


def test_the_same_trouble_is_told_once_in_ten_seconds_whatever_numbers_are_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [5.0]  # a machine that was started just now
    monkeypatch.setattr(kafka, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    calm = kafka._Calm()

    def told(at_s: float, text: str) -> bool:
        now_s[0] = at_s
        return calm.filter(logging.makeLogRecord({"msg": text}))

    assert told(5.0, "one:9092/1: refused (3 times)")
    assert not told(14.9, "one:9092/12: refused (31 times)")
    assert told(14.9, "two:9092/12: refused (31 times)")
    assert told(15.0, "one:9092/1: refused (32 times)")
