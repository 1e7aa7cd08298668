"""What a door writes: its words in the log, its names of requests, and how long a failure of the log counts."""

import logging
from pathlib import Path

import pytest
from gateway_rig import PAN
from prometheus_client import CollectorRegistry

from ingress.acts import Delivery, DeliveryStage, StoreInquiry, StoreRequest, StoreUndeliverable
from ingress.metrics import Metrics
from ingress.storing import Storing, new_id
from pipeline.log import Done, Outgoing, Stored, WriteFailed
from schemas import wire
from schemas.client_frames import Card, Inquiry, Request
from schemas.records import InquiryAsked, Kind, ReplyUndeliverable, RequestAccepted
from schemas.sealing import create_ring, load_ring
from schemas.topics import Topics

INQUIRY = StoreInquiry("s", "AP02", Inquiry(reference="r1"), 5)
REQUEST = StoreRequest(
    "s", "AP02",
    Request(
        reference="r2", kind=Kind.SALE, terminal_id="1234567890123", amount=1_000, payment_method="10",
        card=Card(number=PAN, expiry="2812"), wait_ms=1_000,
    ), 5, 1_005,
)  # fmt: skip
DELIVERY = Delivery(
    transaction_id="AP02:r1", transaction_key="AP02:r1", reference="r1", delivery_no=3, confirm_by_ms=9,
    stage=DeliveryStage.VOID,
)  # fmt: skip


class Held:
    """A writer whose messages are acknowledged, or fail, when a test says so."""

    def __init__(self) -> None:
        self.written: list[tuple[Outgoing, Done]] = []

    def write(self, message: Outgoing, done: Done) -> None:
        self.written.append((message, done))

    def end(self, error: Exception | None = None) -> None:
        """The oldest of them is stored, at offset 0 and the time 77, or failed."""
        _, done = self.written.pop(0)
        done(Stored(0, 77) if error is None else None, error)


class Rig:
    """The door's storing, its time, and what was told."""

    def __init__(self, folder: Path) -> None:
        create_ring(folder / "keys.json")
        self.now_ms = 0
        self.writer = Held()
        self.failures: list[Exception] = []
        self.told: list[int | None] = []
        self.storing = Storing(
            self.writer, Topics("t-"), load_ring(folder / "keys.json"), Metrics(CollectorRegistry()),  # type: ignore[arg-type]
            slot=0, now_ms=lambda: self.now_ms, fail=self.failures.append,
        )  # fmt: skip

    def asks(self, act: StoreRequest | StoreInquiry = INQUIRY) -> RequestAccepted | InquiryAsked:
        """Something is asked for; gives the record that is written."""
        self.storing.asked(act, self.told.append)
        message, _ = self.writer.written[-1]
        record = wire.decode(_Read(message))
        assert isinstance(record, (RequestAccepted, InquiryAsked))
        return record


class _Read:
    """A message as a reader has it."""

    def __init__(self, message: Outgoing) -> None:
        self.topic, self.partition, self.offset = message.topic, 0, 0
        self.value, self.headers = message.value, message.headers


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_name_that_nothing_else_has_is_128_bits() -> None:
    names = {new_id() for _ in range(100)}
    assert len(names) == 100
    assert {len(bytes.fromhex(name)) for name in names} == {16}


def test_requests_and_inquiries_are_counted_from_one_behind_the_name_of_the_process(rig: Rig) -> None:
    names = [rig.asks(act).request_id.split("-") for act in (REQUEST, INQUIRY, REQUEST)]
    assert [count for _, count in names] == ["1", "2", "3"]
    (process,) = {name for name, _ in names}
    assert len(process) == 32


def test_a_reply_that_nobody_confirmed_is_told_to_the_operator_and_the_router(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.storing.undeliverable(StoreUndeliverable(DELIVERY, "not_confirmed", 11))
    (said,) = caplog.records
    assert (said.levelno, said.message) == (logging.WARNING, "reply undeliverable")
    named = [said.__dict__[name] for name in ("transaction_id", "delivery_no", "reason")]
    assert named == ["AP02:r1", 3, "not_confirmed"]
    ((message, _),) = rig.writer.written
    record = ReplyUndeliverable(transaction_id="AP02:r1", delivery_no=3, reason="not_confirmed", noticed_ms=11)
    assert (message.topic, message.key, wire.decode(_Read(message))) == ("t-deliveries", b"AP02:r1", record)


def test_what_was_stored_is_told_with_its_time_and_what_was_not_without(rig: Rig) -> None:
    for error in (None, WriteFailed("t-requests: not acknowledged: gone")):
        rig.asks()
        rig.writer.end(error)
    assert rig.told == [77, None]
    assert rig.failures == []


def test_a_log_that_fails_is_said_once_in_five_seconds_and_counts_as_failing_for_so_long(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    assert not rig.storing.fails
    for rig.now_ms, said in ((100, 1), (101, 1), (5_100, 1), (10_099, 1), (15_099, 2)):
        rig.asks()
        rig.writer.end(WriteFailed(f"gone at {rig.now_ms}"))
        assert len(caplog.records) == said
        assert rig.storing.fails
    told = [(each.levelno, each.message, each.__dict__["record"], each.__dict__["reason"]) for each in caplog.records]
    text = "a record is not known to be stored"
    assert told == [
        (logging.ERROR, text, "InquiryAsked", "gone at 100"),
        (logging.ERROR, text, "InquiryAsked", "gone at 15099"),
    ]
    rig.now_ms = 20_098
    assert rig.storing.fails
    rig.now_ms = 20_099
    assert not rig.storing.fails


def test_a_mistake_of_whoever_is_told_is_handed_on(rig: Rig) -> None:
    def mistaken(_: int | None) -> None:
        raise KeyError("r1")

    rig.storing.asked(INQUIRY, mistaken)
    rig.writer.end()
    assert [type(each) for each in rig.failures] == [KeyError]
