"""A process that is started under the name of one that runs is refused; one that follows a dead one waits its turn."""

import threading
import time

import pytest

from pipeline.groups import NotAsked
from pipeline.log import LogError, NewTopic
from pipeline.memory import MemoryLog
from wiring.twins import refuse_twin


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.create([NewTopic("t", 1, {})])
    return log


def join(log: MemoryLog, member: str, group: str = "g") -> None:
    log.group_reader(member, group, ["t"], lambda _: None, lambda _: None)


def test_other_nodes_are_no_twins_and_who_does_not_run_is_none(log: MemoryLog) -> None:
    join(log, "router-node10")
    refuse_twin(log, ["g", "nobody's"], "node1", 0)


@pytest.mark.parametrize("member", ["router-node1", "0-node1", "3-node1"])
def test_a_twin_is_named_and_what_to_do(log: MemoryLog, member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wiring.twins._GRACE_S", 0.0)
    join(log, "0-node2", "first")
    join(log, member, "second")
    told = (
        rf"^node node1 runs already \({member} is a member of second\): end that one, or give this one another --node$"
    )
    with pytest.raises(LogError, match=told):
        refuse_twin(log, ["first", "second"], "node1", 0)


def test_a_dead_ones_session_is_waited_for(log: MemoryLog) -> None:
    join(log, "router-node1")
    done = threading.Event()

    def start() -> None:
        refuse_twin(log, ["g"], "node1", 60_000)
        done.set()

    threading.Thread(target=start, daemon=True).start()
    assert not done.wait(0.2)
    log.expel("g", "router-node1")
    until = time.monotonic() + 10
    while not done.is_set():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_where_the_broker_cannot_be_asked_that_is_told_and_nobody_is_refused(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def members(*_: object) -> list[str]:
        raise NotAsked("kafka.client.ssl.keystore.location: the second Kafka client does not know this setting")

    monkeypatch.setattr(log, "members", members)
    refuse_twin(log, ["g"], "node1", 0)
    (told,) = caplog.records
    assert told.getMessage() == "whether this node runs already is unknown"
    assert "ssl.keystore.location" in told.__dict__["reason"]
