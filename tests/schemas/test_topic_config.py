"""How topics are configured, and what no service rests on."""

from typing import Any

import pytest

from schemas.topic_config import DAY_MS, config_of, unsafe
from schemas.topics import TABLE

COMPACTED, DELETED = config_of(None, 3), config_of(7 * DAY_MS, 3)


def test_a_topic_of_states_keeps_the_newest_of_every_key() -> None:
    assert config_of(None, 1) == {
        "cleanup.policy": "compact",
        "compression.type": "producer",
        "delete.retention.ms": "86400000",
        "max.compaction.lag.ms": "86400000",
        "max.message.bytes": "1048588",
        "message.timestamp.type": "LogAppendTime",
        "min.cleanable.dirty.ratio": "0.5",
        "min.compaction.lag.ms": "3600000",
        "min.insync.replicas": "1",
        "retention.bytes": "-1",
        "retention.ms": "-1",
        "segment.bytes": "104857600",
        "segment.ms": "3600000",
        "unclean.leader.election.enable": "false",
    }


def test_a_topic_of_facts_keeps_them_for_its_time_however_many_they_are() -> None:
    assert config_of(7 * DAY_MS, 1) == {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "max.message.bytes": "1048588",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "1",
        "retention.bytes": "-1",
        "retention.ms": "604800000",
        "segment.bytes": "1073741824",
        "segment.ms": "86400000",
        "unclean.leader.election.enable": "false",
    }


@pytest.mark.parametrize(("replication", "enough"), [(1, "1"), (2, "2"), (3, "2"), (4, "3"), (5, "3")])
def test_what_is_acknowledged_lies_on_most_of_the_copies(replication: int, enough: str) -> None:
    assert config_of(None, replication)["min.insync.replicas"] == enough


@pytest.mark.parametrize("topic", TABLE, ids=lambda topic: topic.name)
def test_the_broker_stamps_every_topic_and_no_topic_loses_by_size(topic: Any) -> None:
    config = config_of(topic.keep_ms, 3)
    assert (config["message.timestamp.type"], config["retention.bytes"]) == ("LogAppendTime", "-1")
    assert (config["cleanup.policy"] == "compact") == (topic.keep_ms is None)


@pytest.mark.parametrize("wanted", [COMPACTED, DELETED], ids=["compacted", "deleted"])
def test_what_is_as_wanted_is_safe(wanted: dict[str, str]) -> None:
    assert list(unsafe(wanted, wanted)) == []
    assert list(unsafe(wanted, {**wanted, "segment.ms": "1", "segment.bytes": "1", "compression.type": "zstd"})) == []


FOUND = [
    (COMPACTED, {"cleanup.policy": "delete"}, ["cleanup.policy"]),
    (COMPACTED, {"cleanup.policy": "compact,delete"}, ["cleanup.policy"]),
    (COMPACTED, {"message.timestamp.type": "CreateTime"}, ["message.timestamp.type"]),
    (COMPACTED, {"unclean.leader.election.enable": "true"}, ["unclean.leader.election.enable"]),
    (COMPACTED, {"min.insync.replicas": "1"}, ["min.insync.replicas"]),
    (COMPACTED, {"min.insync.replicas": "3"}, []),
    (COMPACTED, {"max.message.bytes": "1000"}, ["max.message.bytes"]),
    (COMPACTED, {"max.message.bytes": "2000000"}, []),
    (COMPACTED, {"min.compaction.lag.ms": "0"}, ["min.compaction.lag.ms"]),
    (COMPACTED, {"delete.retention.ms": "86399999"}, ["delete.retention.ms"]),
    (COMPACTED, {"retention.ms": "1", "retention.bytes": "1"}, []),  # nothing is deleted by age or size
    (DELETED, {"cleanup.policy": "compact"}, ["cleanup.policy"]),
    (DELETED, {"retention.ms": "604799999"}, ["retention.ms"]),
    (DELETED, {"retention.ms": "604800001"}, []),
    (DELETED, {"retention.ms": "-1"}, []),
    (DELETED, {"retention.bytes": "1073741824"}, ["retention.bytes"]),
    (DELETED, {"retention.ms": "3600000", "retention.bytes": "1"}, ["retention.ms", "retention.bytes"]),
    (DELETED, {"retention.ms": "what"}, ["retention.ms"]),
    (DELETED, {"min.compaction.lag.ms": "0", "delete.retention.ms": "0"}, []),
]


@pytest.mark.parametrize(("wanted", "found", "told"), FOUND)
def test_what_no_service_rests_on_is_told(wanted: dict[str, str], found: dict[str, str], told: list[str]) -> None:
    assert [name for name, _, _ in unsafe(wanted, {**wanted, **found})] == told


def test_it_is_told_with_what_is_there_and_what_is_wanted() -> None:
    found = {**DELETED, "retention.ms": "3600000", "retention.bytes": "1", "cleanup.policy": "compact"}
    del found["message.timestamp.type"]
    assert list(unsafe(DELETED, found)) == [
        ("cleanup.policy", "compact", "delete"),
        ("message.timestamp.type", "nothing", "LogAppendTime"),
        ("retention.ms", "3600000", "604800000 or more"),
        ("retention.bytes", "1", "-1"),
    ]
