"""Every setting of an installation's `kafka` reaches the client of its broker."""

from typing import Any

import pytest

import wiring
from schemas.installation import Kafka


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
