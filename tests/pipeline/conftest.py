"""The broker of a test: in memory, and Kafka (marker `stack`), for everything the contract promises of both."""

from collections.abc import Iterator

import pytest
from log_rig import Broker

from pipeline.memory import MemoryLog


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.stack)])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    if request.param == "memory":
        yield Broker(MemoryLog(), "", kafka=False)
    else:
        yield Broker(request.getfixturevalue("kafka_log"), request.getfixturevalue("topic_prefix"), kafka=True)


@pytest.fixture
def memory() -> Broker:
    return Broker(MemoryLog(), "", kafka=False)
