"""One reference for two originals: two transactions, of which no frame says which one it is about.

Nothing that is told or acknowledged about the one may count for the other.
"""

import pytest
from gateway_rig import PAN
from msgspec.structs import replace
from test_ingress_core import Player, reply_record

from client.course import Course, Stage
from ingress.acts import Act, Send, StoreDelivered, StoreInquiry, StoreRequest, StoreUndeliverable
from schemas.client_frames import Ack, Card, Inquiry, Refused, Rejection, Reply, Request, Settled, frame
from schemas.records import ReplyReady


def cancel(original: str | None) -> Request:
    return Request(
        reference="c1", kind="cancel" if original else "sale", original_reference=original, amount=100,
        terminal_id="4980123456789", payment_method="10", card=Card(number=PAN, expiry="2812"), wait_ms=1_000,
    )  # fmt: skip


def about(original: str | None, event: str) -> ReplyReady:
    """The record of such an event of the tables, about the transaction under this original."""
    named = "AP02:c1" if original is None else f"AP02:{original}/c1"
    return replace(reply_record(event), transaction_id=named, transaction_key=named.partition("/")[0])


class Twice:
    """A session that has a client's frames and the log's records."""

    def __init__(self) -> None:
        player = Player()
        player.play("hello", 0)
        self.session = player.session

    @classmethod
    def told_of(cls, original: str | None) -> "Twice":
        """One that has asked under this original, and been told an answer that it has to confirm."""
        rig = cls()
        rig.asks(cancel(original), 0)
        rig.session.tell(about(original, "reply c1 1 by 600"), 10)
        return rig

    def asks(self, message: Request | Inquiry | Ack, now: int) -> list[Act]:
        return self.session.receive(frame(message), now)

    def refuses(self, message: Request | Inquiry, now: int) -> None:
        (act,) = self.asks(message, now)
        assert isinstance(act, Send)
        assert isinstance(act.frame, Refused)
        assert (act.frame.code, act.frame.reference) == (Rejection.REFERENCE_IN_FLIGHT, "c1")


@pytest.mark.parametrize("first", ["o1", None])
@pytest.mark.parametrize("stands", ["being stored", "owed"])
def test_while_the_one_is_not_settled_the_other_is_not_shown(stands: str, first: str | None) -> None:
    rig = Twice.told_of(first)
    session = rig.session
    if stands == "being stored":
        rig.asks(Ack(reference="c1", delivery_no=1), 20)
    course = Course(Inquiry(reference="c1", original_reference="o2"), cancel("o2"), 1_100)
    request = course.next_frame(100)
    assert isinstance(request, Request)
    (asked,) = rig.asks(request, 100)
    assert isinstance(asked, StoreRequest)
    (void, told), asked_ms = session.tell(about("o2", "reply c1 1 by 700"), 110)
    assert isinstance(void, StoreUndeliverable)
    assert (void.delivery.transaction_id, void.reason, void.noticed_ms) == ("AP02:o2/c1", "not_confirmed", 110)
    assert told == Send(Settled(reference="c1", delivery_no=1, confirmed=False))
    assert asked_ms == 100
    assert isinstance(told.frame, Settled)
    assert course.take(told.frame) is None
    assert course.stage is Stage.UNSURE, "it asks what became of it"


@pytest.mark.parametrize("first", ["o1", None])
@pytest.mark.parametrize("ended", ["confirmed", "void"])
def test_once_the_one_is_settled_the_other_is_shown_and_confirmed_by_itself(ended: str, first: str | None) -> None:
    rig = Twice.told_of(first)
    session = rig.session
    (store,) = rig.asks(Ack(reference="c1", delivery_no=1), 20)
    assert isinstance(store, StoreDelivered)
    session.stored(store.delivery, 30 if ended == "confirmed" else None, 30)
    rig.asks(cancel("o2"), 100)
    (told,), asked_ms = session.tell(about("o2", "reply c1 1 by 700"), 110)
    assert isinstance(told, Send)
    assert isinstance(told.frame, Reply)
    assert asked_ms == 100
    (store,) = rig.asks(Ack(reference="c1", delivery_no=1), 120)
    assert isinstance(store, StoreDelivered)
    assert store.delivery.transaction_id == "AP02:o2/c1"
    assert session.stored(store.delivery, 130, 130) == [Send(Settled(reference="c1", delivery_no=1, confirmed=True))]
    session.tick(729)
    session.tick(830)
    assert rig.asks(Ack(reference="c1", delivery_no=1), 830) == [
        Send(Settled(reference="c1", delivery_no=1, confirmed=False))
    ], "forgotten by now, as any other"


def test_a_reference_is_in_flight_for_one_transaction_whether_it_is_asked_for_or_about() -> None:
    rig = Twice()
    about_one, about_two = (Inquiry(reference="c1", original_reference=each) for each in ("o1", "o2"))
    rig.asks(cancel("o1"), 0)
    rig.refuses(cancel("o2"), 1)
    rig.refuses(about_two, 2)
    (asked,) = rig.asks(about_one, 3)
    assert isinstance(asked, StoreInquiry)
    rig.refuses(about_two, 4)
    assert rig.asks(about_one, 5) == [], "the answer that is owed answers this, too"


def test_while_the_one_is_inquired_about_the_other_is_not_asked_for() -> None:
    rig = Twice()
    rig.asks(Inquiry(reference="c1", original_reference="o1"), 0)
    rig.refuses(cancel("o2"), 1)
    rig.refuses(cancel(None), 2)
    rig.session.tell(about("o1", "status c1 refused"), 3)
    (asked,) = rig.asks(cancel("o2"), 4)
    assert isinstance(asked, StoreRequest)


@pytest.mark.parametrize("late", ["final c1 refused", "status c1 refused", "reply c1 2 by 900"])
def test_a_late_answer_about_the_one_is_not_taken_for_the_others(late: str) -> None:
    rig = Twice()
    rig.asks(cancel("o1"), 0)
    rig.session.tell(about("o1", "final c1 refused"), 10)
    rig.asks(cancel("o2"), 20)
    acts, asked_ms = rig.session.tell(about("o1", late), 30)
    assert asked_ms is None
    assert [type(act) for act in acts] == ([StoreUndeliverable] if late.startswith("reply") else [])
    assert rig.session.in_flight == 1
    (told,), asked_ms = rig.session.tell(about("o2", "final c1 refused"), 40)
    assert isinstance(told, Send)
    assert asked_ms == 20


def test_an_answer_about_the_one_ends_no_inquiry_about_the_other() -> None:
    rig = Twice()
    rig.asks(Inquiry(reference="c1", original_reference="o2"), 0)
    assert rig.session.tell(about("o1", "status c1 refused"), 10) == ([], None)
    assert rig.session.in_flight == 1
