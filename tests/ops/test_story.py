"""The story of a transaction: its records, in the order of time, without what an operator may not or need not see."""

import pytest

from ops.story import Line, story
from pipeline.log import Message
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.records import (
    Command,
    Kind,
    NeverSent,
    Original,
    Record,
    ReplyDelivered,
    RequestAccepted,
    Sealed,
    SendCancel,
    StrayTelegram,
    TelegramSent,
)
from schemas.refusals import Refusal

SEALED = Sealed(key_id="ring-1", nonce=b"n" * 12, ciphertext=b"secret")


def at(at_ms: int, topic: str, record: Record, key: bytes = b"AP02:a") -> Message:
    value, headers = wire.encode(record)
    return Message(topic, 0, at_ms, key, value, headers, at_ms)


def accepted(name: str = "AP02:a") -> RequestAccepted:
    return RequestAccepted(
        transaction_id=name, request_id="r1", customer="AP02", reference="a", original_reference=None, kind=Kind.SALE,
        terminal_id="4980000000001", amount=1_000, payment_method="10", card=SEALED, sensitive=SEALED,
        content_digest="digest", slot=0, session="session", accepted_ms=1, expires_ms=2,
    )  # fmt: skip


def sent(name: str = "AP02:a") -> TelegramSent:
    return TelegramSent(
        transaction_id=name, transaction_key=name, attempt=0, role="sale_request", dispatch_offset=7, trace_number=8,
        route_number=9, business_date="20260401", sent_ms=3, report_by_ms=4, node="node0", partner=None, original=None,
    )  # fmt: skip


def test_the_records_of_all_topics_stand_in_the_order_of_time() -> None:
    topics = {
        "sent.cafis-1": [at(20, "acceptance-sent.cafis-1", sent())],  # told as whoever read the topic calls it
        "deliveries": [
            at(30, "deliveries", ReplyDelivered(transaction_id="AP02:a", delivery_no=1, confirmed_ms=1)),
            at(31, "deliveries", ReplyDelivered(transaction_id="AP02:a", delivery_no=2, confirmed_ms=1)),
        ],
        "requests": [at(10, "requests", accepted())],
    }
    assert story(topics, "AP02:a") == [
        Line(10, "requests", "RequestAccepted", "kind=sale terminal_id=4980000000001 amount=1000 payment_method=10"),
        Line(
            20,
            "sent.cafis-1",
            "TelegramSent",
            "attempt=0 role=sale_request dispatch_offset=7 trace_number=8 route_number=9 business_date=20260401 "
            "node=node0",
        ),
        Line(30, "deliveries", "ReplyDelivered", "delivery_no=1"),
        Line(31, "deliveries", "ReplyDelivered", "delivery_no=2"),
    ]


def test_what_tells_how_records_are_read_is_no_record() -> None:
    schema = Message("demo-schemas", 0, 0, b"0123456789abcdef", b"{}", (), 15)
    topics = {"demo-schemas": [schema], "demo-requests": [at(10, "demo-requests", accepted())]}
    assert [line.topic for line in story(topics, "AP02:a")] == ["demo-requests"]


def test_another_transaction_a_marker_and_a_gap_are_no_part_of_it() -> None:
    stray = StrayTelegram(line="cafis-1", role=None, description="?", received_ms=1)
    topics = {
        "requests": [at(10, "requests", accepted("AP02:ab")), at(11, "requests", accepted("AP02:a/b"))],
        "strays": [at(12, "strays", stray)],  # about no transaction
        "transactions": [
            Message("transactions", 0, 0, MARKER_KEY, b"node0", (), 13),
            Message("transactions", 0, 1, b"AP02:a", None, (), 14),
        ],
    }
    assert story(topics, "AP02:a") == []


def test_sealed_data_is_left_out() -> None:
    (line,) = story({"requests": [at(10, "requests", accepted())]}, "AP02:a")
    assert "ring-1" not in line.facts
    assert "Sealed" not in line.facts


def test_what_a_cancel_names_is_told_without_what_is_not_known() -> None:
    original = Original(
        kind=Kind.SALE, line="cafis-1", trace_number=8, route_number=9, business_date=None, approval_code=None,
        terminal_id="4980000000001", amount=1_000, accepted_ms=1,
    )  # fmt: skip
    cancel = SendCancel(
        transaction_id="AP02:a",
        command=Command.CONFIRM,
        attempt=1,
        original=original,
        send_by_ms=1,
        report_timeout_ms=2,
        partner=None,
    )
    (line,) = story({"dispatch.cafis-1": [at(10, "dispatch.cafis-1", cancel)]}, "AP02:a")
    assert line.facts == (
        'command=confirm attempt=1 original={"kind":"sale","line":"cafis-1","trace_number":8,"route_number":9,'
        '"terminal_id":"4980000000001","amount":1000,"accepted_ms":1}'
    )


def test_a_refusal_is_told_by_its_name() -> None:
    record = NeverSent(transaction_id="AP02:a", line="cafis-1", refusal=Refusal.LINE_NOT_OPEN, noticed_ms=1)
    (line,) = story({"reports": [at(10, "reports", record)]}, "AP02:a")
    assert line.facts == "line=cafis-1 refusal=line_not_open"


def test_a_record_that_cannot_be_read_is_told_by_its_place() -> None:
    damaged = Message("reports", 3, 14, b"AP02:a", b"damaged", (), 10)
    with pytest.raises(wire.RecordError, match=r"^record reports/3@14 carries no 'schema' header"):
        story({"reports": [damaged]}, "AP02:a")
