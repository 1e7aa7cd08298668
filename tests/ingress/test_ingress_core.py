"""A session as text tables: when, what comes, and after the arrow what is told and stored. Times to the millisecond."""

import re

import pytest
from gateway_rig import PAN, TOKEN, settings

from ingress.acts import Act, Close, Delivery, Opened, Send, StoreDelivered, StoreInquiry, StoreRequest
from ingress.core import Session
from ingress.replies import SESSION_GONE, Gone
from schemas.client_frames import (
    Ack,
    Bye,
    Card,
    ClientFrame,
    GatewayBye,
    GatewayFrame,
    Hello,
    Inquiry,
    Ping,
    Pong,
    Refused,
    Reply,
    Request,
    Settled,
    StatusTold,
    Welcome,
    frame,
)
from schemas.records import Answer, Outcome, ReplyReady, Status

SETTINGS = settings(
    confirm_ms=500, gone_after_ms=200, idle_timeout_ms=9_000, hello_timeout_ms=1_000, wait_max_ms=3_000, max_in_flight=2
)

# After an end a delivery is known for confirm_ms + gone_after_ms = 700 ms.
SCENARIOS = {
    "confirmed": """
        0 ask r1               -> store request r1 until 1000
      100 reply r1 1 by 600    -> tell reply r1 1 approved to confirm, after 100
      110 ack r1 1             -> store delivered r1 1
      120 stored r1 1          -> tell settled r1 1 confirmed
     5000 tick                 -> -
    """,
    "an acknowledgement sent twice is answered twice and stored once": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
       10 ack r1 1             -> store delivered r1 1
       11 ack r1 1             -> -
       20 stored r1 1          -> tell settled r1 1 confirmed
       30 ack r1 1             -> tell settled r1 1 confirmed
      719 tick                 -> -
      719 ack r1 1             -> tell settled r1 1 confirmed
      720 tick                 -> -
      720 ack r1 1             -> tell settled r1 1 void
    """,
    "everything in the last millisecond": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
      600 ack r1 1             -> store delivered r1 1
      600 stored r1 1          -> tell settled r1 1 confirmed
    """,
    "acknowledged one millisecond too late": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
      601 ack r1 1             -> store undeliverable r1 1 not_confirmed, tell settled r1 1 void
      602 ack r1 1             -> tell settled r1 1 void
    """,
    "never acknowledged": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
      599 tick                 -> -
      600 tick                 -> store undeliverable r1 1 not_confirmed, tell settled r1 1 void
      601 tick                 -> -
      602 ack r1 1             -> tell settled r1 1 void
    """,
    "acknowledged in time, stored too late: the log has it, the client must ask": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
      590 ack r1 1             -> store delivered r1 1
      600 tick                 -> -
      601 stored r1 1          -> tell settled r1 1 void
    """,
    "acknowledged in time, and nobody knows whether it is stored": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
       10 ack r1 1             -> store delivered r1 1
       20 failed r1 1          -> tell settled r1 1 void
       30 ack r1 1             -> tell settled r1 1 void
      600 tick                 -> -
    """,
    "a reply whose time is over is not even shown": """
        0 ask r1               -> store request r1 until 1000
      600 reply r1 1 by 600    -> store undeliverable r1 1 not_confirmed, tell settled r1 1 void, after 600
    """,
    "copies of a reply": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
        1 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
       10 ack r1 1             -> store delivered r1 1
       11 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
       20 stored r1 1          -> tell settled r1 1 confirmed
       21 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
       22 ack r1 1             -> tell settled r1 1 confirmed
    """,
    "a copy of a void reply is not shown": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
      600 tick                 -> store undeliverable r1 1 not_confirmed, tell settled r1 1 void
      650 reply r1 1 by 600    -> tell settled r1 1 void
    """,
    "two deliveries of one reply are settled each by itself": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
      300 reply r1 2 by 900    -> tell reply r1 2 approved to confirm
      310 ack r1 2             -> store delivered r1 2
      320 stored r1 2          -> tell settled r1 2 confirmed
      600 tick                 -> store undeliverable r1 1 not_confirmed, tell settled r1 1 void
    """,
    "an acknowledgement of what was never told here": """
        0 ack r1 1             -> tell settled r1 1 void
        1 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
        2 ack r1 2             -> tell settled r1 2 void
        3 ack r2 1             -> tell settled r2 1 void
        4 ack r1 1             -> store delivered r1 1
    """,
    "what needs no confirmation": """
        0 ask r1               -> store request r1 until 1000
       50 final r1 refused     -> tell reply r1 0 refused, after 50
       60 inquire r1           -> store inquiry r1
       70 status r1 refused    -> tell status r1 refused, after 10
       80 ack r1 0             -> tell settled r1 0 void
    """,
    "in_process answers the inquiry and leaves the request in flight": """
        0 ask r1               -> store request r1 until 1000
       10 inquire r1           -> store inquiry r1
       20 ask r2               -> tell refused too_many_in_flight r2
       30 status r1 in_process -> tell status r1 in_process
       40 ask r2               -> store request r2 until 1040
       50 reply r1 1 by 600    -> tell reply r1 1 approved to confirm, after 50
       60 final r2 refused     -> tell reply r2 0 refused, after 20
    """,
    "an answer that comes twice is measured once": """
        0 ask r1               -> store request r1 until 1000
       50 final r1 refused     -> tell reply r1 0 refused, after 50
       60 final r1 refused     -> tell reply r1 0 refused
    """,
    "an answer after its time is told all the same": """
        0 ask r1               -> store request r1 until 1000
     1500 ask r2               -> store request r2 until 2500
     1501 ask r3               -> store request r3 until 2501
     1600 final r1 cancelled   -> tell reply r1 0 cancelled
    """,
    "it is not known whether it was stored": """
        0 ask r1               -> store request r1 until 1000
        0 inquire r2           -> store inquiry r2
        5 unstored r1          -> tell refused outcome_unknown r1
        6 unstored inquiry r2  -> tell refused outcome_unknown r2
        7 ask r1               -> store request r1 until 1007
        8 inquire r2           -> store inquiry r2
    """,
    "the client leaves, owed nothing": """
        0 bye                  -> close left
    """,
    "the client leaves, and takes what is in flight along": """
        0 ask r1               -> store request r1 until 1000
        1 bye                  -> -
        2 ask r2               -> tell refused stopping r2
        3 inquire r2           -> tell refused stopping r2
        4 ping                 -> tell pong
       50 reply r1 1 by 600    -> tell reply r1 1 approved to confirm, after 50
       60 tick                 -> -
       70 ack r1 1             -> store delivered r1 1
       80 tick                 -> -
       90 stored r1 1          -> tell settled r1 1 confirmed
      100 tick                 -> close left
    """,
    "the client leaves, and nobody answers": """
        0 ask r1               -> store request r1 until 1000
        1 bye                  -> -
      999 tick                 -> -
     1000 tick                 -> close left
    """,
    "the gateway stops: questions and acknowledgements are taken, payments are not": """
        0 ask r1               -> store request r1 until 1000
        1 stop                 -> tell bye
        2 ask r2               -> tell refused stopping r2
        3 inquire r0           -> store inquiry r0
       50 reply r1 1 by 600    -> tell reply r1 1 approved to confirm, after 50
       60 ack r1 1             -> store delivered r1 1
       70 stored r1 1          -> tell settled r1 1 confirmed
    """,
    "the session is gone: what is owed is handed on, what is being stored is not": """
        0 reply r1 1 by 600    -> tell reply r1 1 approved to confirm
        0 reply r2 1 by 600    -> tell reply r2 1 approved to confirm
        0 reply r3 1 by 600    -> tell reply r3 1 approved to confirm
       10 ack r2 1             -> store delivered r2 1
       11 ack r3 1             -> store delivered r3 1
       20 stored r3 1          -> tell settled r3 1 confirmed
       30 gone                 -> owed r1 1
       40 stored r2 1          -> -
    """,
    "silence": """
        0 ping                 -> tell pong
     8999 tick                 -> -
     9000 tick                 -> tell refused idle_timeout, close idle_timeout
    """,
}


def reply_record(words: str) -> ReplyReady:
    told = words.split()
    inquiry = told[0] == "status"
    status = Status.APPROVED if told[0] == "reply" else Status(told[2])
    approved = status is Status.APPROVED
    return ReplyReady(
        transaction_id=f"AP02:{told[1]}",
        transaction_key=f"AP02:{told[1]}",
        request_id="q",
        session="s-1",
        customer="AP02",
        reference=told[1],
        inquiry=inquiry,
        status=status,
        refusal=None,
        answer=_ANSWER if approved else None,
        delivery_no=int(told[2]) if approved else 0,
        confirm_by_ms=int(told[4]) if approved else None,
    )


_ANSWER = Answer(
    outcome=Outcome.APPROVED,
    trace_number=1,
    route_number=2,
    business_date="20250401",
    result_code="000",
    approval_code="A1",
    error_code=None,
)


def _request(reference: str) -> Request:
    return Request(
        reference=reference,
        kind="sale",
        terminal_id="4980123456789",
        amount=100,
        payment_method="10",
        card=Card(number=PAN, expiry="2812"),
        wait_ms=1_000,
    )


def _frame_of(words: list[str]) -> ClientFrame:
    match words:
        case ["hello"]:
            return Hello(version=1, customer="AP02", token=TOKEN, client="t")
        case ["ask", reference]:
            return _request(reference)
        case ["inquire", reference]:
            return Inquiry(reference=reference)
        case ["ack", reference, number]:
            return Ack(reference=reference, delivery_no=int(number))
        case ["ping"]:
            return Ping(n=1)
        case ["bye"]:
            return Bye()
        case _:
            raise AssertionError(words)


class Player:
    """Plays what comes to a session, and keeps what is being stored."""

    def __init__(self) -> None:
        self.session = Session(SETTINGS, "s-1", 0)
        self.storing: dict[tuple[str, int], Delivery] = {}

    def play(self, what: str, now_ms: int) -> str:
        acts: list[Act] = []
        after: int | None = None
        match what.split():
            case [("reply" | "final" | "status"), *_]:
                acts, asked_ms = self.session.tell(reply_record(what), now_ms)
                after = None if asked_ms is None else now_ms - asked_ms
            case [("stored" | "failed") as outcome, reference, number]:
                delivery = self.storing.pop((reference, int(number)))
                acts = self.session.stored(delivery, now_ms if outcome == "stored" else None, now_ms)
            case ["unstored", *asked]:
                acts = self.session.not_stored(asked[-1], inquiry=len(asked) == 2)
            case ["tick"]:
                acts = self.session.tick(now_ms)
            case ["stop"]:
                acts = self.session.stop()
            case ["gone"]:
                owed = self.session.gone()
                return ", ".join(f"owed {each.reference} {each.delivery_no}" for each in owed) or "-"
            case words:
                acts = self.session.receive(frame(_frame_of(words)), now_ms)
        said = [self._say(act) for act in acts] + ([] if after is None else [f"after {after}"])
        return ", ".join(said) or "-"

    def _say(self, act: Act) -> str:
        match act:
            case Send():
                return f"tell {_say_frame(act.frame)}"
            case Opened():
                return f"opened for {act.customer}"
            case StoreRequest():
                return f"store request {act.request.reference} until {act.expires_ms}"
            case StoreInquiry():
                return f"store inquiry {act.inquiry.reference}"
            case StoreDelivered():
                self.storing[act.delivery.reference, act.delivery.delivery_no] = act.delivery
                return f"store delivered {act.delivery.reference} {act.delivery.delivery_no}"
            case Close():
                return f"close {act.reason}"
            case _:
                return f"store undeliverable {act.delivery.reference} {act.delivery.delivery_no} {act.reason}"


def _say_frame(told: GatewayFrame) -> str:
    match told:
        case Reply():
            return f"reply {told.reference} {told.delivery_no} {told.status}{' to confirm' if told.confirm else ''}"
        case StatusTold():
            return f"status {told.reference} {told.status}"
        case Settled():
            return f"settled {told.reference} {told.delivery_no} {'confirmed' if told.confirmed else 'void'}"
        case Refused():
            return f"refused {told.code} {told.reference or ''}".rstrip()
        case Welcome():
            return "welcome"
        case Pong():
            return "pong"
        case GatewayBye():
            return "bye"
        case _:
            raise AssertionError(told)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    player = Player()
    assert player.play("hello", 0) == "opened for AP02, tell welcome"
    played, expected = [], []
    for line in SCENARIOS[name].strip().splitlines():
        found = re.fullmatch(r"\s*(\d+) (.*?)\s+-> (.*?)\s*", line)
        assert found, line
        now_ms, what, then = int(found[1]), found[2], found[3]
        played.append(f"{now_ms} {what} -> {player.play(what, now_ms)}")
        expected.append(f"{now_ms} {what} -> {then}")
    assert played == expected


def test_before_hello_there_is_only_its_time_and_the_end() -> None:
    late = Player()
    assert late.play("tick", 999) == "-"
    assert late.play("tick", 1_000) == "tell refused hello_timeout, close hello_timeout"
    assert Player().play("stop", 0) == "tell bye, close stopping"


def test_a_session_that_is_closed_says_nothing_more() -> None:
    player = Player()
    player.play("hello", 0)
    player.play("ask r1", 0)
    player.play("gone", 1)
    assert player.play("unstored r1", 2) == "-"
    assert player.play("ask r2", 3) == "-"


# --- replies whose session is gone ----------------------------------------------------------------------------------


def _owed(reference: str = "r1", number: int = 1) -> Delivery:
    return Delivery.of(reply_record(f"reply {reference} {number} by 9000"))


def _due(gone: Gone, now_ms: int) -> list[tuple[str, int, str]]:
    return [(act.delivery.reference, act.delivery.delivery_no, act.reason) for act in gone.due(now_ms)]


def test_what_is_owed_to_a_gone_session_is_undeliverable_after_its_time_and_once() -> None:
    gone = Gone(200)
    gone.add(_owed("r1"), 0)
    gone.add(_owed("r2"), 50)
    assert _due(gone, 199) == []
    assert _due(gone, 200) == [("r1", 1, SESSION_GONE)]
    assert _due(gone, 250) == [("r2", 1, SESSION_GONE)]
    assert _due(gone, 9_000) == []


def test_a_client_that_comes_back_takes_what_it_is_owed_along() -> None:
    gone = Gone(200)
    gone.add(_owed("r1"), 0)
    gone.add(_owed("r2"), 0)
    gone.came_back(reply_record("reply r1 2 by 9000"))
    assert _due(gone, 200) == [("r2", 1, SESSION_GONE)]


def test_a_copy_gets_no_more_time_and_a_later_delivery_its_own() -> None:
    gone = Gone(200)
    gone.add(_owed("r1", 1), 0)
    gone.add(_owed("r1", 1), 150)
    assert _due(gone, 200) == [("r1", 1, SESSION_GONE)]
    gone.add(_owed("r2", 1), 300)
    gone.add(_owed("r2", 2), 400)
    gone.add(_owed("r2", 1), 450)
    assert _due(gone, 599) == []
    assert _due(gone, 600) == [("r2", 2, SESSION_GONE)]
    assert len(gone) == 0
