"""Reading what lies between two offsets."""

import pytest
from log_rig import Broker, values

from pipeline import spans
from pipeline.log import LogError, TopicPartition
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
