"""Asking a broker about a partition whose leader moves: it is asked again until there is a leader that can tell."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka import KafkaLog
from pipeline.log import LogError, TopicPartition

PLACE = TopicPartition("transactions", 3)


class Moving:
    """A consumer whose questions fail these times before they are answered."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)
        self.closed = False

    def get_watermark_offsets(self, place: KafkaPartition, timeout: float) -> tuple[int, int]:
        assert (place.topic, place.partition) == PLACE
        assert timeout > 0
        if self._codes:
            raise KafkaException(KafkaError(self._codes.pop(0)))
        return 4, 7

    def close(self) -> None:
        self.closed = True


def asked(monkeypatch: pytest.MonkeyPatch, moving: Moving) -> tuple[int, int]:
    def consumer(*_: Any) -> Moving:
        return moving

    monkeypatch.setattr(KafkaLog, "_consumer", consumer)
    try:
        return KafkaLog("nobody:1").span(PLACE)
    finally:
        assert moving.closed


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,  # a new leader that does not know yet what the others have
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    ],
    ids=lambda code: KafkaError(code).name(),
)
def test_what_passes_when_a_leader_moves_is_waited_for(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    assert asked(monkeypatch, Moving(code, code, code)) == (4, 7)


def test_what_does_not_pass_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        LogError, match=r"^transactions/3 cannot be asked: Broker: Topic authorization failed: allow DESCRIBE "
    ):
        asked(monkeypatch, Moving(KafkaError.TOPIC_AUTHORIZATION_FAILED))


# --- what a group has done with


class Committed(Moving):
    """A consumer that knows what its group has committed."""

    def __init__(self, offset: int, error: KafkaError | None = None) -> None:
        super().__init__()
        self._found = SimpleNamespace(offset=offset, error=error)

    def committed(self, places: list[KafkaPartition], timeout: float) -> list[SimpleNamespace]:
        assert [(each.topic, each.partition) for each in places] == [PLACE]
        assert timeout > 0
        return [self._found]


@pytest.mark.parametrize(("offset", "known"), [(-1_001, None), (-1, None), (0, 0), (1, 1)])
def test_a_group_that_has_committed_nothing_is_told_from_one_that_stands_at_the_beginning(
    monkeypatch: pytest.MonkeyPatch, offset: int, known: int | None
) -> None:
    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: Committed(offset))
    assert KafkaLog("nobody:1").committed("g", PLACE) == known


def test_an_offset_that_the_broker_does_not_tell_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED, "not yours")
    monkeypatch.setattr(KafkaLog, "_consumer", lambda *_: Committed(-1, refused))
    with pytest.raises(
        LogError, match=r"^transactions/3 cannot be asked: not yours: allow READ and DESCRIBE on the group"
    ):
        KafkaLog("nobody:1").committed("g", PLACE)
