"""The frames of replies with every field, and what becomes of replies whose session is gone."""

from typing import Any

import pytest

from ingress.acts import Delivery, DeliveryStage, Send, StoreUndeliverable
from ingress.replies import Gone, settled, told
from schemas.client_frames import RefusalTold, Reply, Settled, StatusTold
from schemas.records import Answer, Outcome, ReplyReady, Status
from schemas.refusals import Refusal

ANSWER = Answer(
    outcome=Outcome.APPROVED, trace_number=12, route_number=3, business_date="20261124", result_code="000",
    approval_code="A1", error_code="E1",
)  # fmt: skip
ANSWERED: dict[str, Any] = {
    "trace_number": 12, "route_number": 3, "business_date": "20261124", "result_code": "000", "approval_code": "A1",
    "error_code": "E1",
}  # fmt: skip


def ready(**changed: Any) -> ReplyReady:
    base: dict[str, Any] = {
        "transaction_id": "AP02:r-1", "transaction_key": "AP02:r-0", "request_id": "q", "session": "s",
        "customer": "AP02", "reference": "r-1", "inquiry": False, "status": Status.APPROVED, "refusal": None,
        "answer": ANSWER, "delivery_no": 4, "confirm_by_ms": 3_000,
    }  # fmt: skip
    return ReplyReady(**{**base, **changed})


# --- frames


@pytest.mark.parametrize("inquiry", [False, True])
@pytest.mark.parametrize("confirm_by_ms", [3_000, None])
def test_what_is_to_be_confirmed_is_a_reply_and_the_answer_to_an_inquiry_a_status(
    inquiry: bool, confirm_by_ms: int | None
) -> None:
    frame = told(ready(inquiry=inquiry, confirm_by_ms=confirm_by_ms))
    if inquiry and confirm_by_ms is None:
        assert frame == StatusTold(reference="r-1", status=Status.APPROVED, refusal=None, **ANSWERED)
    else:
        confirm = confirm_by_ms is not None
        assert frame == Reply(
            reference="r-1", status=Status.APPROVED, refusal=None, delivery_no=4, confirm=confirm, **ANSWERED
        )


@pytest.mark.parametrize("inquiry", [False, True])
def test_a_refusal_is_told_in_both_languages_and_without_an_answer(inquiry: bool) -> None:
    record = ready(
        inquiry=inquiry, status=Status.REFUSED, refusal=Refusal.NO_OPEN_LINE, answer=None, confirm_by_ms=None,
        delivery_no=0,
    )  # fmt: skip
    refusal = RefusalTold.of(Refusal.NO_OPEN_LINE)
    assert refusal.text_ja
    assert refusal.text_en
    frame = told(record)
    if inquiry:
        assert frame == StatusTold(reference="r-1", status=Status.REFUSED, refusal=refusal)
    else:
        assert frame == Reply(reference="r-1", status=Status.REFUSED, refusal=refusal, delivery_no=0, confirm=False)


def delivery(number: int = 1, name: str = "AP02:r-1") -> Delivery:
    return Delivery(name, name, name.removeprefix("AP02:"), number, 3_000)


def test_a_delivery_is_what_its_record_says() -> None:
    assert Delivery.of(ready()) == Delivery("AP02:r-1", "AP02:r-0", "r-1", 4, 3_000, DeliveryStage.OWED)


@pytest.mark.parametrize("stage", DeliveryStage)
def test_settled_says_confirmed_of_what_is_confirmed_alone(stage: DeliveryStage) -> None:
    over = delivery(2)
    over.stage = stage
    confirmed = stage is DeliveryStage.CONFIRMED
    assert settled(over) == Send(Settled(reference="r-1", delivery_no=2, confirmed=confirmed))


# --- replies whose session is gone


def test_a_reply_waits_for_its_client_and_then_it_is_undeliverable_once() -> None:
    gone, owed = Gone(500), delivery()
    gone.add(owed, 1_000)
    assert (len(gone), gone.due(1_499)) == (1, [])
    assert gone.due(1_500) == [StoreUndeliverable(owed, "session_gone", 1_500)]
    assert (len(gone), gone.due(9_999)) == (0, [])


def test_replies_are_given_up_in_the_order_of_their_times_and_no_earlier() -> None:
    gone = Gone(500)
    for number, name in enumerate(("AP02:a", "AP02:b", "AP02:c")):
        gone.add(delivery(1, name), 1_000 + number)
    assert [act.delivery.transaction_id for act in gone.due(1_501)] == ["AP02:a", "AP02:b"]
    assert [act.delivery.transaction_id for act in gone.due(1_502)] == ["AP02:c"]


def test_a_copy_changes_nothing_and_a_later_delivery_waits_anew_in_its_place() -> None:
    gone = Gone(500)
    first, copy, later = delivery(1), delivery(1), delivery(2)
    gone.add(first, 1_000)
    gone.add(copy, 1_100)
    assert gone.due(1_499) == []
    gone.add(later, 1_200)
    gone.add(first, 1_300)  # an earlier one comes late
    gone.add(delivery(1, "AP02:other"), 1_250)
    assert (len(gone), gone.due(1_699)) == (2, [])
    (due,) = gone.due(1_700)
    assert due.delivery is later
    assert [act.delivery.transaction_id for act in gone.due(1_750)] == ["AP02:other"]


def test_whoever_comes_back_is_not_given_up() -> None:
    gone = Gone(500)
    gone.add(delivery(1, "AP02:r-1"), 1_000)
    gone.add(delivery(1, "AP02:r-2"), 1_000)
    gone.came_back(ready())
    gone.came_back(ready(transaction_id="AP02:nobody"))
    gone.came_back(ready(transaction_id="AP02:r-2", delivery_no=0, confirm_by_ms=None))  # refuses another of its name
    assert [act.delivery.transaction_id for act in gone.due(9_999)] == ["AP02:r-2"]
