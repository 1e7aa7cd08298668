"""A client that was told `settled` cancels at once, and its request overtakes the confirmation on the way."""

from collections import Counter
from itertools import takewhile
from pathlib import Path

import pytest
from test_courses import Centres
from whole_gateway import WholeGateway, installation, running

from ops.player import CARD, TERMINAL
from pipeline.log import Message, TopicPartition
from pipeline.memory import MemoryLog
from schemas.records import Kind, RequestAccepted, Status

SALES = 30
SALE = {"terminal_id": TERMINAL, "amount": 12_800, "card": CARD, "wait_ms": 10_000}


class ConfirmationsLast(MemoryLog):
    """A broker that shows a confirmation only after its client has asked for something more."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: Counter[bytes | None] = Counter()  # requests that were read, by transaction key

    def fetch(self, positions: dict[TopicPartition, int], count: int) -> list[Message]:
        shown: list[Message] = []
        for place in sorted(positions, key=lambda each: not each.topic.endswith("requests")):
            found = super().fetch({place: positions[place]}, count - len(shown))
            if place.topic.endswith("requests"):
                self._asked.update(each.key for each in found)
            elif place.topic.endswith("deliveries"):
                found = list(takewhile(lambda each: self._asked[each.key] > 1, found))
            positions[place] += len(found)
            shown += found
        return shown


@pytest.mark.parametrize("kind", [Kind.CANCEL, Kind.REFUND])
def test_a_follow_up_right_after_settled_is_done(tmp_path: Path, kind: Kind) -> None:
    centres = Centres()
    gateway = WholeGateway(ConfirmationsLast(), installation(centres.lines(), "f-", tmp_path / "ring.json"))
    try:
        with running(gateway), gateway.client("cafis") as client:
            gateway.wait_open()
            told = []
            for number in range(SALES):
                assert client.pay(reference=f"s-{number}", kind=Kind.SALE, **SALE).approved
                follow_up = client.pay(reference=f"f-{number}", kind=kind, original_reference=f"s-{number}", **SALE)
                told.append(follow_up.status)
            assert told == [Status.APPROVED] * SALES
            assert not [
                record for _, record in gateway.records("deliveries")
                if isinstance(record, RequestAccepted) and record.original_reference is None
            ], "what follows nothing waits for nothing"  # fmt: skip
    finally:
        centres.close()
