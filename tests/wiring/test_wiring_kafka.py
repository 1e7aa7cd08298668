"""What an installation says of its broker, topics and keys reaches whoever makes them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from memory_service import INSTALLATION, MemoryBroker, with_topics

import wiring
from pipeline.config import load
from pipeline.log import LogError, NewTopic
from pipeline.topic_faults import Difference
from schemas.installation import Installation, Kafka
from schemas.sealing import KeyRingError

DEVELOPMENT = Path(__file__).parents[2] / "deploy" / "environments" / "development" / "denbun.toml"


class Recorded:
    """Stands in for the log on Kafka, and keeps what it was made with."""

    def __init__(self, servers: str, **settings: Any) -> None:
        self.servers = servers
        self.settings = settings


@pytest.mark.parametrize("replication", [1, 3])
@pytest.mark.parametrize("session_timeout_ms", [2_000, 6_000])
def test_the_log_is_made_with_what_the_installation_says(
    replication: int, session_timeout_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "KafkaLog", Recorded)
    log: Any = wiring.kafka_log(
        Kafka(
            bootstrap_servers="b1:9092,b2:9092",
            partitions=6,
            replication=replication,
            session_timeout_ms=session_timeout_ms,
            client={"security.protocol": "ssl"},
        )
    )
    assert log.servers == "b1:9092,b2:9092"
    assert log.settings["replication"] == replication
    assert log.settings["session_timeout_ms"] == session_timeout_ms
    assert log.settings["extra"]["security.protocol"] == "ssl"


class Creating:
    """A log that keeps what it is to create."""

    def __init__(self) -> None:
        self.wanted: list[NewTopic] = []

    def reach(self) -> None:
        """It is there."""

    def create(self, topics: Iterable[NewTopic]) -> list[str]:
        self.wanted = list(topics)
        return [topic.name for topic in self.wanted]


@pytest.mark.parametrize(("partitions", "slots"), [(6, 2), (12, 5)])
def test_the_topics_are_made_with_the_partitions_the_slots_and_the_lines_of_the_installation(
    partitions: int, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("DENBUN_")]:
        monkeypatch.delenv(name)
    given = load(Installation, DEVELOPMENT)
    kafka = given.kafka.model_copy(update={"topic_prefix": "p-", "partitions": partitions})
    installation = given.model_copy(
        update={"kafka": kafka, "ingress": given.ingress.model_copy(update={"slots": slots})}
    )
    log: Any = Creating()
    created = wiring.create_topics(installation, log)
    by_name = {topic.name: topic for topic in log.wanted}
    assert created == list(by_name)
    lines = [line.name for line in installation.line]
    assert len(lines) > 1
    counts = {name: topic.partitions for name, topic in by_name.items()}
    assert {counts[f"p-{name}"] for name in ("requests", "transactions", "reports", "cancels")} == {partitions}
    assert counts["p-replies"] == slots
    assert {counts[f"p-{name}.{line}"] for name in ("dispatch", "sent") for line in lines} == {1}


@pytest.mark.parametrize(("replication", "written_to"), [(1, "1"), (3, "2"), (5, "3")])
def test_what_is_acknowledged_lies_on_most_of_the_copies_that_the_installation_keeps(
    replication: int, written_to: str
) -> None:
    given = load(Installation, DEVELOPMENT, {})
    kafka = given.kafka.model_copy(update={"replication": replication})
    wanted = wiring.wanted_topics(given.model_copy(update={"kafka": kafka}))
    assert {topic.config["min.insync.replicas"] for topic in wanted} == {written_to}


def test_topics_are_mended_to_what_the_installation_wants_and_what_was_set_is_told() -> None:
    log: Any = with_topics(MemoryBroker())
    log.alter("x-transactions", "cleanup.policy", "delete")
    with pytest.raises(LogError):
        wiring.create_topics(INSTALLATION, log)
    assert wiring.mend_topics(INSTALLATION, log) == [
        Difference("x-transactions", "cleanup.policy", "delete", "compact")
    ]
    assert wiring.create_topics(INSTALLATION, log) == []


def test_a_key_ring_is_made_where_that_is_allowed_and_read_as_it_is_ever_after(tmp_path: Path) -> None:
    given = load(Installation, DEVELOPMENT)

    def with_ring(*, create: bool) -> Installation:
        keys = given.keys.model_copy(update={"create": create, "ring": tmp_path / "keys.json"})
        return given.model_copy(update={"keys": keys})

    with pytest.raises(KeyRingError, match="No such file"):
        wiring.key_ring(with_ring(create=False))
    assert not (tmp_path / "keys.json").exists()
    first = wiring.key_ring(with_ring(create=True))
    for create in (True, False):
        assert wiring.key_ring(with_ring(create=create)).digest(b"a") == first.digest(b"a")
