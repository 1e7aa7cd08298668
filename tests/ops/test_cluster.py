"""Three brokers: what was acknowledged is there without one of them, and with that one again."""

from pathlib import Path

import pytest

from ops.broker import Cluster
from pipeline.kafka import KafkaLog
from pipeline.log import NewTopic, Outgoing, TopicPartition
from pipeline.spans import read_span

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


def test_two_of_three_brokers_go_on_and_the_third_comes_back(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    place = TopicPartition("kept", 0)
    try:
        cluster.start()
        assert len({broker.servers for broker in cluster.brokers}) == 3
        log = KafkaLog(cluster.servers, write_timeout_ms=60_000, replication=3)
        log.create([NewTopic("kept", 1, {})])
        writer = log.writer("test")
        writer.write([Outgoing("kept", None, b"with three")])
        cluster.brokers[0].process.kill()
        writer.write([Outgoing("kept", None, b"with two")])
        cluster.brokers[0].start()
        cluster.brokers[1].process.kill()
        writer.write([Outgoing("kept", None, b"with two others")])
        writer.close()
        found = [message.value for message in read_span(log, "test", place, *log.span(place))]
        assert found == [b"with three", b"with two", b"with two others"]
    finally:
        cluster.stop()
