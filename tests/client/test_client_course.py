"""The course of one transaction as its client sees it: tables of what happens, where it stands, and what goes out.

    what happens             -> stage setbacks, what is sent or how it ends

`next` asks what is to be sent; a reply that needs a confirmation is `reply N STATUS`, one that does not `final STATUS`.
"""

import re
from typing import Any

import pytest

from client.course import Course, Stage
from client.results import NotSent, OutcomeUnknown, RequestRefused, Result
from schemas.client_frames import (
    Ack,
    Card,
    Inquiry,
    RefusalTold,
    Refused,
    Rejection,
    Reply,
    Request,
    Settled,
    StatusTold,
)
from schemas.records import Status
from schemas.refusals import Refusal

EXPIRES_MS = 10_000
REQUEST = Request(
    reference="r-1", kind="sale", terminal_id="4980123456789", amount=12_800, payment_method="10",
    card=Card(number="4111111111111111", expiry="2812"), wait_ms=1,
)  # fmt: skip
INQUIRY = Inquiry(reference="r-1", original_reference="r-0")
PARTNERS: dict[str, Any] = {
    "approval_code": "A1", "result_code": "000", "error_code": "E1", "trace_number": 12, "route_number": 3,
    "business_date": "20261124",
}  # fmt: skip

PAYMENTS = {
    "approved": """
           0  next                  -> awaiting 0, request 10000
         100  reply 1 approved      -> acknowledged 0, ack 1
         100  next                  -> acknowledged 0
         120  settled 1             -> ended 0, approved
         130  reply 1 approved      -> ended 0, approved
         130  next                  -> ended 0, approved
         140  lost                  -> ended 0, approved
         150  time up               -> ended 0, approved
    """,
    "declined": """
           0  next                  -> awaiting 0, request 10000
         100  reply 1 declined      -> acknowledged 0, ack 1
         120  settled 1             -> ended 0, declined
    """,
    "a reply without a confirmation is the end": """
           0  next                  -> awaiting 0, request 10000
         100  final refused         -> ended 0, refused
    """,
    "not confirmed: what the reply said is void, and it is inquired about": """
           0  next                  -> awaiting 0, request 10000
         100  reply 1 approved      -> acknowledged 0, ack 1
         120  void 1                -> unsure 1
         120  next                  -> inquired 1, inquiry
         200  status being_cancelled -> ended 1, being_cancelled
    """,
    "a session that breaks before the answer": """
           0  next                  -> awaiting 0, request 10000
          50  lost                  -> unsure 0
          60  next                  -> inquired 0, inquiry
          60  next                  -> inquired 0
          70  lost                  -> unsure 0
          80  next                  -> inquired 0, inquiry
         100  reply 1 approved      -> acknowledged 0, ack 1
         110  lost                  -> unsure 0
         120  next                  -> inquired 0, inquiry
         130  reply 2 approved      -> acknowledged 0, ack 2
         140  settled 2             -> ended 0, approved
    """,
    "a session that breaks before anything was sent changes nothing": """
           0  lost                  -> new 0
           5  next                  -> awaiting 0, request 9995
    """,
    "never stored: the same request once more, with the time that is left": """
           0  next                  -> awaiting 0, request 10000
          50  lost                  -> unsure 0
          60  next                  -> inquired 0, inquiry
        4000  status unknown        -> new 0
        4000  next                  -> awaiting 0, request 6000
        4100  reply 1 approved      -> acknowledged 0, ack 1
        4200  settled 1             -> ended 0, approved
    """,
    "in process is no end: the answer is awaited": """
           0  next                  -> awaiting 0, request 10000
          50  lost                  -> unsure 0
          60  next                  -> inquired 0, inquiry
          70  status in_process     -> awaiting 0
          75  next                  -> awaiting 0
          80  reply 1 approved      -> acknowledged 0, ack 1
          90  settled 1             -> ended 0, approved
    """,
    "a status of an earlier inquiry does not undo what came since": """
           0  next                  -> awaiting 0, request 10000
          50  lost                  -> unsure 0
          60  next                  -> inquired 0, inquiry
          70  reply 1 approved      -> acknowledged 0, ack 1
          80  status in_process     -> acknowledged 0
          81  status unknown        -> acknowledged 0
          90  settled 1             -> ended 0, approved
    """,
    "unknown to whoever only awaits does not send it again": """
           0  next                  -> awaiting 0, request 10000
          10  status unknown        -> awaiting 0
          11  status in_process     -> awaiting 0
          12  next                  -> awaiting 0
    """,
    "any delivery that is settled ends it with its own reply": """
           0  next                  -> awaiting 0, request 10000
         100  reply 1 approved      -> acknowledged 0, ack 1
         110  reply 2 declined      -> acknowledged 0, ack 2
         120  settled 1             -> ended 0, approved
    """,
    "an earlier delivery that is void leaves the later one open": """
           0  next                  -> awaiting 0, request 10000
         100  reply 1 approved      -> acknowledged 0, ack 1
         110  reply 2 approved      -> acknowledged 0, ack 2
         120  void 1                -> acknowledged 0
         130  settled 2             -> ended 0, approved
    """,
    "the last delivery that is void is inquired about": """
           0  next                  -> awaiting 0, request 10000
         100  reply 1 approved      -> acknowledged 0, ack 1
         110  reply 2 approved      -> acknowledged 0, ack 2
         120  void 2                -> unsure 1
    """,
    "a settlement of what was never acknowledged is no end, confirmed or not": """
           0  next                  -> awaiting 0, request 10000
         100  settled 7             -> unsure 1
         110  next                  -> inquired 1, inquiry
         120  void 7                -> unsure 2
    """,
    "no time is left to send it": """
       10000  next                  -> new 0
       10001  next                  -> new 0
       10002  time up               -> ended 0, not sent
    """,
    "the last millisecond": """
        9999  next                  -> awaiting 0, request 1
       10000  time up               -> ended 0, outcome unknown
    """,
    "refused for good": """
           0  next                  -> awaiting 0, request 10000
          10  refused invalid_request -> ended 0, refused invalid_request
    """,
    "a gateway that stops has not taken it: another one may": """
           0  next                  -> awaiting 0, request 10000
          10  refused stopping      -> new 0
          20  time up               -> ended 0, not sent
    """,
    "a gateway that has enough has not taken it: the next try waits longer": """
           0  next                  -> awaiting 0, request 10000
          10  refused too_many_in_flight -> new 1
          20  next                  -> awaiting 1, request 9980
          30  refused too_many_in_flight -> new 2
          40  time up               -> ended 2, not sent
    """,
    "turned away once and lost the next time: it may have been taken": """
           0  next                  -> awaiting 0, request 10000
          10  refused stopping      -> new 0
          20  next                  -> awaiting 0, request 9980
          30  lost                  -> unsure 0
          40  time up               -> ended 0, outcome unknown
    """,
    "sent again after it was unknown, and turned away: the first may have been taken": """
           0  next                  -> awaiting 0, request 10000
          10  lost                  -> unsure 0
          20  next                  -> inquired 0, inquiry
          30  status unknown        -> new 0
          40  next                  -> awaiting 0, request 9960
          50  refused stopping      -> new 0
          60  time up               -> ended 0, outcome unknown
    """,
    "sent again and refused for good: only an inquiry can tell of the first": """
           0  next                  -> awaiting 0, request 10000
          10  lost                  -> unsure 0
          20  next                  -> inquired 0, inquiry
          30  status unknown        -> new 0
          40  next                  -> awaiting 0, request 9960
          50  refused invalid_request -> unsure 1
          60  next                  -> inquired 1, inquiry
          70  refused invalid_request -> ended 1, refused invalid_request
    """,
    "setbacks in a row of different kinds are counted together": """
           0  next                  -> awaiting 0, request 10000
          10  refused outcome_unknown inquire -> unsure 1
          20  next                  -> inquired 1, inquiry
          30  status unknown        -> new 1
          40  next                  -> awaiting 1, request 9960
          50  refused invalid_request -> unsure 2
          60  next                  -> inquired 2, inquiry
          70  refused too_many_in_flight -> unsure 3
          80  next                  -> inquired 3, inquiry
          90  reply 1 approved      -> acknowledged 3, ack 1
         100  void 1                -> unsure 4
    """,
    "an inquiry that is turned away is made again": """
           0  next                  -> awaiting 0, request 10000
          10  lost                  -> unsure 0
          20  next                  -> inquired 0, inquiry
          30  refused stopping      -> unsure 0
          40  next                  -> inquired 0, inquiry
          50  refused too_many_in_flight -> unsure 1
          60  time up               -> ended 1, outcome unknown
    """,
    "the gateway does not know itself": """
           0  next                  -> awaiting 0, request 10000
          10  refused outcome_unknown inquire -> unsure 1
          20  next                  -> inquired 1, inquiry
          30  refused outcome_unknown inquire -> unsure 2
          40  time up               -> ended 2, outcome unknown
    """,
    "nothing was sent when the time was up": """
           0  time up               -> ended 0, not sent
    """,
    "the time is up while it is settled": """
           0  next                  -> awaiting 0, request 10000
         100  reply 1 approved      -> acknowledged 0, ack 1
         110  time up               -> ended 0, outcome unknown
         120  settled 1             -> ended 0, outcome unknown
    """,
}
INQUIRIES = {
    "an inquiry that is answered": """
           0  next                  -> inquired 0, inquiry
          10  status approved       -> ended 0, approved
    """,
    "unknown is the end of an inquiry": """
           0  next                  -> inquired 0, inquiry
          10  status unknown        -> ended 0, unknown
    """,
    "an inquiry learns that it is in process and awaits the answer": """
           0  next                  -> inquired 0, inquiry
          10  status in_process     -> awaiting 0
          20  next                  -> awaiting 0
          30  reply 1 approved      -> acknowledged 0, ack 1
          40  settled 1             -> ended 0, approved
    """,
    "an inquiry is made however late it is, and its end is not known when the time is up": """
       99999  next                  -> inquired 0, inquiry
      100000  time up               -> ended 0, outcome unknown
    """,
    "what is only inquired about is never sent": """
           0  next                  -> inquired 0, inquiry
          10  refused stopping      -> unsure 0
          20  next                  -> inquired 0, inquiry
          30  refused invalid_request -> ended 0, refused invalid_request
    """,
    "it may have been taken even if nothing was asked": """
           0  time up               -> ended 0, outcome unknown
    """,
}


def refused(code: str, *, inquire: bool = False) -> Refused:
    return Refused(
        code=Rejection(code), text_ja="日本語", text_en="in English", retryable=True, inquire=inquire, closing=False,
        reference="r-1",
    )  # fmt: skip


def _do(course: Course, words: list[str], now_ms: int) -> str:
    match words:
        case ["next"]:
            frame = course.next_frame(now_ms)
            if isinstance(frame, Request):
                assert frame == Request(**{**_fields(REQUEST), "wait_ms": frame.wait_ms})
                return f"request {frame.wait_ms}"
            assert frame in (None, INQUIRY)
            return "" if frame is None else "inquiry"
        case ["reply", number, status]:
            reply = Reply(reference="r-1", status=Status(status), delivery_no=int(number), confirm=True)
            ack = course.take(reply)
            assert ack in (None, Ack(reference="r-1", delivery_no=int(number)))
            return f"ack {number}" if ack else ""
        case ["lost"]:
            course.session_lost()
            return ""
        case ["time", "up"]:
            course.time_up()
            return ""
    assert course.take(_frame(words)) is None
    return ""


def _frame(words: list[str]) -> Reply | StatusTold | Settled | Refused:
    match words:
        case ["final", status]:
            return Reply(reference="r-1", status=Status(status), delivery_no=0, confirm=False)
        case ["status", status]:
            return StatusTold(reference="r-1", status=Status(status))
        case [("settled" | "void") as how, number]:
            return Settled(reference="r-1", delivery_no=int(number), confirmed=how == "settled")
        case ["refused", code, *inquire]:
            return refused(code, inquire=bool(inquire))
    raise AssertionError(words)


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__struct_fields__}


def _end(course: Course) -> str:
    if course.end is not None:
        assert course.end.reference == "r-1"  # type: ignore[union-attr]
    match course.end:
        case None:
            return ""
        case Result():
            return course.end.status
        case NotSent():
            return "not sent"
        case OutcomeUnknown():
            return "outcome unknown"
        case RequestRefused():
            return f"refused {course.end.code}"
    raise AssertionError(course.end)


def play(course: Course, table: str) -> tuple[list[str], list[str]]:
    """The table as it was played, and as it is written."""
    played, expected = [], []
    for line in table.strip().splitlines():
        found = re.fullmatch(r"\s*(\d+)\s+(.*?)\s+-> (.*?)\s*", line)
        assert found, line
        went = _do(course, found[2].split(), int(found[1]))
        after = ", ".join(filter(None, (f"{course.stage.value} {course.setbacks}", went or _end(course))))
        played.append(f"{found[1]} {found[2]} -> {after}")
        expected.append(f"{found[1]} {found[2]} -> {found[3]}")
        assert (course.end is not None) is (course.stage is Stage.ENDED)
        assert course.reference == "r-1"
    return played, expected


@pytest.mark.parametrize("name", PAYMENTS)
def test_a_payment_goes_as_the_table_says(name: str) -> None:
    played, expected = play(Course(INQUIRY, REQUEST, EXPIRES_MS), PAYMENTS[name])
    assert played == expected


@pytest.mark.parametrize("name", INQUIRIES)
def test_an_inquiry_goes_as_the_table_says(name: str) -> None:
    played, expected = play(Course(INQUIRY, None, EXPIRES_MS), INQUIRIES[name])
    assert played == expected


def test_the_end_holds_all_that_the_settled_reply_told() -> None:
    course = Course(INQUIRY, REQUEST, EXPIRES_MS)
    course.next_frame(0)
    course.take(Reply(reference="r-1", status=Status.APPROVED, delivery_no=1, confirm=True, **PARTNERS))
    course.take(Settled(reference="r-1", delivery_no=1, confirmed=True))
    assert course.end == Result(reference="r-1", status=Status.APPROVED, refusal=None, **PARTNERS)
    assert isinstance(course.end, Result)
    assert course.end.approved


def test_a_refusal_of_the_gateway_is_told_whole() -> None:
    told = RefusalTold.of(Refusal.NO_OPEN_LINE)
    course = Course(INQUIRY, REQUEST, EXPIRES_MS)
    course.next_frame(0)
    course.take(Reply(reference="r-1", status=Status.REFUSED, refusal=told, delivery_no=0, confirm=False))
    assert course.end == Result(reference="r-1", status=Status.REFUSED, refusal=told)
    assert isinstance(course.end, Result)
    assert not course.end.approved


def test_an_error_names_the_reference_and_what_to_do() -> None:
    errors = [NotSent("r-1"), OutcomeUnknown("r-1"), RequestRefused("r-1", refused("invalid_request"))]
    assert [(error.reference, str(error)) for error in errors] == [
        ("r-1", "r-1: no gateway could be reached in time; nothing was sent, it may be tried again"),
        (
            "r-1",
            (
                "r-1: not known yet what became of it; do not repeat it under another reference, "
                "inquire about this one until it has an end"
            ),
        ),
        ("r-1", "invalid_request: in English"),
    ]
    told = errors[2]
    assert isinstance(told, RequestRefused)
    assert (told.code, told.text_en, told.text_ja, told.retryable) == ("invalid_request", "in English", "日本語", True)


@pytest.mark.parametrize("status", Status)
def test_only_what_is_approved_is_approved(status: Status) -> None:
    assert Result(reference="r-1", status=status).approved is (status is Status.APPROVED)
