"""The broker of a test: in memory, and Kafka (marker `stack`), for everything the contract promises of both."""

from collections.abc import Iterator

import pytest
from log_rig import Broker
from owned_rig import Start, starting

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


@pytest.fixture
def start(broker: Broker) -> Iterator[Start]:
    for name in ("numbers", "sums", "said"):
        broker.topic(name)
    with starting(broker) as start:
        yield start


@pytest.fixture
def start_in_memory(memory: Broker) -> Iterator[Start]:
    for name in ("numbers", "sums", "said"):
        memory.topic(name)
    with starting(memory) as start:
        yield start
