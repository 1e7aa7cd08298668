"""How long a reader waits for more: where there is much, long enough for large batches."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.kafka import KafkaLog
from pipeline.log import LogError

SHORT_S, LONG_S = 0.001, 0.006


class Raw:
    """A message, as the client gives it."""

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000


class Full:
    """A consumer that gives so many messages each time, and knows how long it was asked to gather."""

    def __init__(self, *counts: int) -> None:
        self._counts = list(counts)
        self.gathered_s: list[float] = []

    def assign(self, _: Any) -> None:
        """It gives what it was made with."""

    def consume(self, count: int, timeout_s: float) -> list[Raw]:
        self.gathered_s.append(timeout_s)
        return [Raw()] * min(count, self._counts.pop(0))


def test_a_reader_gathers_the_longer_the_more_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Full(15, 16, 500, 1, 25, 1)
    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: consumer)
    reader = KafkaLog("127.0.0.1:1").reader("r", {})
    assert [len(reader.poll(100, 0)) for _ in range(6)] == [15, 16, 100, 1, 25, 1]
    assert consumer.gathered_s == [SHORT_S, SHORT_S, pytest.approx(0.0032), LONG_S, SHORT_S, pytest.approx(0.005)]


class Late(Full):
    """A consumer whose first message comes while it is polled, and the others with it."""

    def poll(self, timeout_s: float) -> Raw:
        assert timeout_s == 0.5
        return Raw()


def test_what_comes_with_the_first_of_many_is_taken_with_it_and_nothing_more_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = Late(0, 500)
    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: consumer)
    reader = KafkaLog("127.0.0.1:1").reader("r", {})
    assert len(reader.poll(100, 0.5)) == 100
    assert consumer.gathered_s == [SHORT_S, 0]


def test_a_reading_that_failed_is_told_in_the_clients_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Full):
        def consume(self, count: int, timeout_s: float) -> list[Raw]:
            raise KafkaException(KafkaError(KafkaError._FATAL, f"no {count} within {timeout_s} s"))

    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: Failing())
    with pytest.raises(LogError, match=r"^reading failed: no 100 within 0\.001 s$"):
        KafkaLog("127.0.0.1:1").reader("r", {}).poll(100, 0.5)
