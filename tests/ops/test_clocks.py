"""The broker's time as `clocks` tells it, and how far the machines' clocks are off."""

import pytest

from ops import clocks
from ops.clocks import broker_time_ms, machine_clocks, told
from ops.topology import ProcessClock
from pipeline.clock import Clock, ClockWatch, Machine
from pipeline.kafka import KafkaLog
from pipeline.log import Message, NewTopic
from schemas import wire
from schemas.installation import Kafka
from schemas.records import ClockTold
from schemas.topics import Topics
from wiring.clock_topic import clock_message

HOUR_MS = 3_600_000


def word(node: str, stamp_ms: int, *, machine_ms: int, off_ms: int | None, service: str = "egress") -> Message:
    value, headers = wire.encode(ClockTold(service=service, node=node, machine_ms=machine_ms, off_ms=off_ms))
    return Message("clocks", 0, stamp_ms, f"{service}-{node}".encode(), value, headers, stamp_ms)


def test_the_last_word_of_each_process_tells_how_far_its_machine_is_off() -> None:
    found = told([
        word("node1", 1_000, machine_ms=1_000 + HOUR_MS, off_ms=HOUR_MS),
        word("node0", 1_100, machine_ms=1_090, off_ms=None),
        word("node1", 3_000, machine_ms=3_004, off_ms=3),
        word("node1", 3_050, machine_ms=3_050, off_ms=-2, service="router"),
        Message("clocks", 0, 9, b"faults-node0", None, (), 3_100),
    ])  # fmt: skip
    assert found == (
        ProcessClock("egress", "node0", -10), ProcessClock("egress", "node1", 3), ProcessClock("router", "node1", -2),
    )  # fmt: skip


class Wrong(Machine):
    """A machine whose clock is an hour ahead."""

    def now_ms(self) -> int:
        return super().now_ms() + HOUR_MS


@pytest.fixture
def kafka(kafka_servers: str, kafka_log: KafkaLog, topic_prefix: str) -> Kafka:
    kafka_log.create([NewTopic(Topics(topic_prefix)("clocks"), 1, {"message.timestamp.type": "LogAppendTime"})])
    return Kafka(bootstrap_servers=kafka_servers, topic_prefix=topic_prefix, partitions=1, replication=1, client={})


@pytest.mark.stack
def test_where_nothing_was_ever_told_no_clock_is_known(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "QUIET_S", 0.0)
    assert broker_time_ms(kafka) is None
    assert machine_clocks(kafka) == ()


@pytest.mark.stack
def test_the_time_is_the_brokers_until_nobody_tells_it_any_more(
    kafka: Kafka, kafka_log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(1_000, Wrong())
    watch = ClockWatch(clock, kafka_log, "clock-test", clock_message(Topics(kafka.topic_prefix), "egress", "node0"))
    watch.start()
    try:
        before_ms = clock.now_ms()
        seen_ms = broker_time_ms(kafka)
        (process,) = machine_clocks(kafka)
    finally:
        watch.close()
    assert seen_ms is not None
    assert before_ms - 1_000 <= seen_ms <= clock.now_ms() + 1_000
    assert (process.service, process.node) == ("egress", "node0")
    assert abs(process.off_ms - HOUR_MS) < 60_000
    monkeypatch.setattr(clocks, "QUIET_S", 0.0)
    assert broker_time_ms(kafka) is None
    assert machine_clocks(kafka) != (), "as it told last"
