"""Reading what lies between two offsets."""

from collections.abc import Mapping, Sequence

import pytest
from log_rig import Broker, values

from pipeline import spans
from pipeline.log import LogError, Message, TopicPartition
from pipeline.memory import MemoryLog, MemoryReader
from pipeline.spans import read_span


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 0, []), (3, 2, []), (0, 2, [b"0", b"1"]), (1, 4, [b"1", b"2", b"3"]), (3, 4, [b"3"])],
)
def test_it_gives_what_lies_between(broker: Broker, start: int, end: int, expected: list[bytes]) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    broker.put("t", b"0", b"1", b"2", b"3")
    assert values(list(read_span(broker.log, "r", place, start, end))) == expected


def test_what_is_written_meanwhile_beyond_the_end_is_not_given(broker: Broker) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    broker.put("t", b"0", b"1")
    reading = read_span(broker.log, "r", place, 0, 2)
    first = next(reading)
    broker.put("t", b"2")
    assert values([first, *reading]) == [b"0", b"1"]


def test_an_end_that_never_comes_is_said(memory: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_READ_S", 0.0)
    place = TopicPartition(memory.topic("t"), 0)
    memory.put("t", b"0")
    with pytest.raises(LogError) as raised:
        list(read_span(memory.log, "r", place, 0, 5))
    assert str(raised.value) == "t/0 could not be read up to 5: see the broker's log"


# --- how long is waited, by a clock that only polling moves on

PLACE = TopicPartition("t", 0)


class Slow(MemoryLog):
    """What its reader gives, poll by poll, and then nothing. A poll takes `takes_s`, or all the time it is given."""

    def __init__(self, now_s: list[float], polls: Sequence[Sequence[int]] = (), takes_s: float | None = None) -> None:
        super().__init__()
        self.now_s = now_s
        self.polls = iter(polls)
        self.takes_s = takes_s

    def reader(self, name: str, starts: Mapping[TopicPartition, int]) -> "SlowReader":  # noqa: ARG002  the contract's
        return SlowReader(self, dict(starts))


class SlowReader(MemoryReader):
    _log: Slow

    def poll(self, count: int, timeout_s: float) -> list[Message]:  # noqa: ARG002  the contract's
        self._log.now_s[0] += self._log.takes_s or timeout_s
        return [Message("t", 0, offset, b"k", b"%d" % offset, (), 0) for offset in next(self._log.polls, ())]


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now_s = [1_000.0]
    monkeypatch.setattr("pipeline.spans.time.monotonic", lambda: now_s[0])
    return now_s


@pytest.mark.parametrize(
    "polls", [([], [], [], [0, 1]), ([0], [], [], [], [1])], ids=["at the beginning", "behind what has come"]
)
def test_nothing_may_come_for_half_a_minute(now_s: list[float], polls: Sequence[Sequence[int]]) -> None:
    log = Slow(now_s, polls, takes_s=10.0)
    assert values(list(read_span(log, "r", PLACE, 0, 2))) == [b"0", b"1"]


def test_it_is_given_up_after_half_a_minute(now_s: list[float]) -> None:
    with pytest.raises(LogError):
        list(read_span(Slow(now_s), "r", PLACE, 0, 2))
    assert 1_030.0 < now_s[0] < 1_031.0


@pytest.mark.parametrize("limit_s", [0.0, 1.0, 10.0])
def test_no_poll_makes_it_half_a_second_late(
    now_s: list[float], monkeypatch: pytest.MonkeyPatch, limit_s: float
) -> None:
    monkeypatch.setattr(spans, "_READ_S", limit_s)
    with pytest.raises(LogError):
        list(read_span(Slow(now_s), "r", PLACE, 0, 2))
    assert 1_000.0 + limit_s < now_s[0] < 1_000.5 + limit_s


def test_nothing_is_waited_for_where_nothing_lies_between(now_s: list[float]) -> None:
    assert list(read_span(Slow(now_s), "r", PLACE, 4, 4)) == []
    assert now_s == [1_000.0]


def test_what_lies_at_the_end_is_not_given_when_the_one_before_it_is_gone(now_s: list[float]) -> None:
    assert values(list(read_span(Slow(now_s, [[0, 2]]), "r", PLACE, 0, 2))) == [b"0"]
