"""What a session tells its client, word for word: the tables of the refusals, and no gateway is opened for them."""

import json
from typing import Any

import pytest
from gateway_rig import PAN, TOKEN, request_fields, settings
from test_ingress_layouts import asked
from test_ingress_refusals import FIRST_FRAMES, LATER_FRAMES, WRONG_FIELDS, framed

from ingress.acts import Act, Close, Opened, Send, StoreInquiry, StoreRequest
from ingress.core import FRAMES_A_TURN, Session
from schemas.client_frames import Ack, Bye, ClientFrame, Hello, Inquiry, Ping, Pong, Rejection, frame

HELLO = Hello(version=1, customer="AP02", token=TOKEN, client="t")
RULE = "must be 1 to 32 characters of A-Z a-z 0-9 . _ -"


def greeted(**changes: Any) -> Session:
    session = Session(settings(**changes), "s", 0)
    assert isinstance(session.receive(frame(HELLO), 0)[0], Opened)
    return session


def say(session: Session, *frames: ClientFrame, now_ms: int = 0) -> list[Act]:
    return session.receive(b"".join(frame(each) for each in frames), now_ms)


def bytes_of(sent: bytes | dict[str, Any]) -> bytes:
    return sent if isinstance(sent, bytes) else framed(json.dumps(sent).encode())


def refused(code: Rejection, place: str | None = None, reference: str | None = None) -> list[Act]:
    return [Send(code.told(place=place, reference=reference))]


def turned_away(code: Rejection, place: str | None = None) -> list[Act]:
    return [*refused(code, place), Close(code.value)]


# --- what ends the session ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "code", "place"), [case[1:] for case in FIRST_FRAMES], ids=[case[0] for case in FIRST_FRAMES]
)
def test_a_first_frame_that_cannot_be_taken_is_told_why(
    sent: bytes | dict[str, Any], code: Rejection, place: str | None
) -> None:
    assert Session(settings(), "s", 0).receive(bytes_of(sent), 0) == turned_away(code, place)


@pytest.mark.parametrize(
    ("sent", "code", "place"), [case[1:] for case in LATER_FRAMES], ids=[case[0] for case in LATER_FRAMES]
)
def test_a_later_frame_that_cannot_be_taken_is_told_why(
    sent: bytes | dict[str, Any], code: Rejection, place: str | None
) -> None:
    assert greeted().receive(bytes_of(sent), 0) == turned_away(code, place)


def test_only_a_first_hello_is_asked_for_its_version() -> None:
    later = Hello(version=2, customer="AP02", token=TOKEN, client="t")
    assert say(greeted(), later) == turned_away(Rejection.BAD_FRAME, "hello comes once")


def test_only_the_first_bytes_of_a_session_are_guessed_at() -> None:
    assert greeted().receive(b"GET / HTTP/1.1\r\n", 0) == turned_away(Rejection.FRAME_TOO_LONG, "1 to 2048 bytes")


@pytest.mark.parametrize("wrong", [framed(b"?"), b"\0\0\0\0", b"\xff\xff\xff\xff"], ids=["no JSON", "empty", "long"])
def test_what_came_before_a_wrong_frame_is_answered_before_it(wrong: bytes) -> None:
    answer, _, closed = greeted().receive(frame(Ping(n=1)) + wrong, 0)
    assert answer == Send(Pong(n=1))
    assert isinstance(closed, Close)


def test_a_session_that_has_had_its_turn_says_that_there_may_be_more() -> None:
    session = greeted()
    assert len(say(session, *[Ping(n=1)] * (FRAMES_A_TURN + 1))) == FRAMES_A_TURN
    assert session.more
    assert len(say(session)) == 1
    assert not session.more


@pytest.mark.parametrize("client", ["", "a" * 65, "端末", "a\nb", "端" * 65])
def test_the_name_of_a_client_is_up_to_64_printable_ascii_characters(client: str) -> None:
    hello = Hello(version=1, customer="AP02", token=TOKEN, client=client)
    place = "client must be 1 to 64 printable ASCII characters"
    assert say(Session(settings(), "s", 0), hello) == turned_away(Rejection.BAD_FRAME, place)


@pytest.mark.parametrize("client", ["a", "a" * 64])
def test_the_shortest_and_the_longest_name_of_a_client_are_taken(client: str) -> None:
    hello = Hello(version=1, customer="AP02", token=TOKEN, client=client)
    assert say(Session(settings(), "s", 0), hello)[0] == Opened("AP02", client)


def test_a_customer_without_a_place_is_told_why() -> None:
    session = Session(settings(), "s", 0, lambda customer: f"{customer} has two")
    assert say(session, HELLO) == turned_away(Rejection.TOO_MANY_SESSIONS, "AP02 has two")


def test_a_session_for_which_there_is_no_room_is_told_why() -> None:
    session = Session(settings(), "s", 0)
    assert session.turn_away(Rejection.TOO_MANY_SESSIONS, "it waits") == turned_away(
        Rejection.TOO_MANY_SESSIONS, "it waits"
    )


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        (b"", None),
        (b"\0\0\0", None),
        (b"\0\0\0\x32", "the frame is not whole"),
        (frame(HELLO)[:-1], "the frame is not whole"),
        (b"\0\0\0\x14" + bytes(8), "the frame is not whole"),
        (b"\0\0\0\x14" + bytes(16), "four bytes are missing: the length does not count its own four"),
    ],
)
def test_a_hello_that_is_late_is_told_what_it_lacks(sent: bytes, place: str | None) -> None:
    session = Session(settings(hello_timeout_ms=1_000), "s", 50_000)
    assert session.receive(sent, 50_000) == []
    assert session.tick(50_999) == []
    assert session.tick(51_000) == turned_away(Rejection.HELLO_TIMEOUT, place)


# --- what the session survives --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "place"), WRONG_FIELDS, ids=[str(number) for number in range(len(WRONG_FIELDS))])
def test_a_request_with_a_wrong_field_is_told_which_and_by_its_reference(changes: dict[str, Any], place: str) -> None:
    sent = bytes_of(request_fields("r-1") | changes)
    assert greeted().receive(sent, 0) == refused(Rejection.INVALID_REQUEST, place, "r-1")


@pytest.mark.parametrize(
    "sent",
    [asked(reference="r 1"), Inquiry(reference="r 1"), Ack(reference="r 1", delivery_no=1)],
    ids=["request", "inquiry", "ack"],
)
def test_an_unsound_reference_is_told_without_being_repeated(sent: ClientFrame) -> None:
    assert say(greeted(), sent) == refused(Rejection.INVALID_REQUEST, f"reference {RULE}")


def test_a_reference_that_holds_the_requests_own_card_is_not_repeated() -> None:
    sent = asked(reference="4111a1111b1111c1111", card={"number": PAN, "expiry": "2812"})
    assert say(greeted(), sent) == refused(Rejection.INVALID_REQUEST, "reference must not hold the card's number")


def test_an_inquiry_about_an_unsound_original_is_told_so_by_its_own_reference() -> None:
    sent = Inquiry(reference="r-1", original_reference="r 0")
    assert say(greeted(), sent) == refused(Rejection.INVALID_REQUEST, f"original_reference {RULE}", "r-1")


def test_an_inquiry_about_a_sound_original_is_stored() -> None:
    sent = Inquiry(reference="r-1", original_reference="r-0")
    assert say(greeted(), sent) == [StoreInquiry("s", "AP02", sent, 0)]


def test_other_content_under_a_reference_in_flight_is_refused_by_name() -> None:
    session = greeted()
    assert isinstance(say(session, asked())[0], StoreRequest)
    assert say(session, asked(amount=1)) == refused(Rejection.REFERENCE_IN_FLIGHT, None, "r-1")


def test_one_too_many_in_flight_is_told_how_many_may_be() -> None:
    session = greeted(max_in_flight=1)
    say(session, asked())
    assert say(session, asked(reference="r-2")) == refused(Rejection.TOO_MANY_IN_FLIGHT, "at most 1", "r-2")
    assert say(session, Inquiry(reference="r-3")) == refused(Rejection.TOO_MANY_IN_FLIGHT, "at most 1", "r-3")


def test_what_is_asked_after_bye_is_told_that_bye_was_said() -> None:
    session = greeted()
    say(session, asked(), Bye())
    assert say(session, asked(reference="r-2")) == refused(Rejection.STOPPING, "bye was said", "r-2")
    assert say(session, Inquiry(reference="r-3")) == refused(Rejection.STOPPING, "bye was said", "r-3")
