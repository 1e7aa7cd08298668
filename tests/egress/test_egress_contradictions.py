"""A partner that contradicts itself: what is not plainly the answer ends no payment, and somebody hears of it."""

from typing import Any

import msgspec
import pytest
from test_egress_core import MIDNIGHT, PAN, Rig, sent_record

from egress.acts import Act, Tell
from egress.jobs import Stage, Takeover
from schemas.japan_time import DAY_MS, business_date
from schemas.records import CancelReported, Kind, Original, Outcome, ReportReceived, StrayTelegram, TelegramSent
from schemas.telegrams import REPORT_OF, Role, Value

TODAY, TOMORROW = business_date(MIDNIGHT), business_date(MIDNIGHT + DAY_MS)


def told(acts: list[Act]) -> list[object]:
    return [act.record for act in acts if isinstance(act, Tell)]


def why(acts: list[Act]) -> str:
    """The first line of the one stray that came of it."""
    (stray,) = told(acts)
    assert isinstance(stray, StrayTelegram), stray
    return stray.description.splitlines()[0].removeprefix("answers nothing that awaits an answer: ")


def answer(rig: Rig, who: str, role: Role | None = None, now: int = 100, **changed: Value | None) -> list[Act]:
    """What comes for the last telegram of this transaction, with changes; None: without that field."""
    asked = rig.last[who]
    role = role or REPORT_OF[asked.role]
    values: dict[str, Any] = {**asked.values, "result_code": "000"}
    if role is Role.ERROR_REPORT:
        values |= {"error_code": "C01", "original_type_code": rig.partner.type_code(asked.role)}
    values |= changed
    names = rig.partner.telegrams[role].names
    given = {name: value for name, value in values.items() if name in names and value is not None}
    return rig.core.received(rig.partner.encode(role, given), MIDNIGHT + now)


def asked(command: str | None = None) -> Rig:
    rig = Rig()
    for now, event in ((0, "opened"), (1, "ask a"), (2, "stored")):
        rig.play(event, now)
    if command is not None:
        rig.play("due" if command in ("8930", "8940") else "approved a", 1_010)
        rig.play(f"{command} a 1", 1_020)
        rig.play("stored", 1_021)
    return rig


# --- requests


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"amount": 1_201}, "sale_request 1 has another amount"),
        ({"reference": "b"}, "sale_request 1 has another reference"),
        ({"business_date": TOMORROW}, "sale_request 1 has another business_date"),
        ({"result_code": "001"}, "to sale_request 1, its result code 001 is not among those of cafis"),
        ({"result_code": "D99"}, "to sale_request 1, its result code D99 is not among those of cafis"),
        ({"result_code": "X01"}, "to sale_request 1, its result code X01 is none of a sale_report"),
        ({"error_code": "C13"}, "to sale_request 1, its result code 000 and its error code C13 contradict each other"),
        (
            {"result_code": "D01", "approval_code": "A123456"},
            "to sale_request 1, its result code D01 and its approval code contradict each other",
        ),
        (
            {"result_code": "R01", "approval_code": "A123456"},
            "to sale_request 1, its result code R01 and its approval code contradict each other",
        ),
        (
            {"result_code": "D01", "approval_code": None, "error_code": "C50"},
            "to sale_request 1, its result code D01 and its error code C50 contradict each other",
        ),
        (
            {"result_code": "R01", "approval_code": None, "error_code": "C50"},
            "to sale_request 1, its result code R01 and its error code C50 contradict each other",
        ),
        (
            {"result_code": "D01", "approval_code": None, "error_code": "Z99"},
            "to sale_request 1, its error code Z99 is not among those of cafis",
        ),
        ({"terminal_id": "4980999999999"}, "answers nothing that awaits an answer"),
        ({"trace_number": 2}, "answers nothing that awaits an answer"),
        ({"route_number": 2}, "answers nothing that awaits an answer"),
        ({"company_code": "100002"}, "answers nothing that awaits an answer"),
    ],
)  # fmt: skip
def test_a_report_that_is_not_plainly_the_answer_leaves_the_request_in_doubt(
    changed: dict[str, Value], reason: str
) -> None:
    rig = asked()
    assert why(answer(rig, "a", **changed)) == reason
    assert rig.play("due", 1_002) == "hold r1 a, missing a silence"


def test_what_the_report_does_not_repeat_is_not_missed() -> None:
    (report,) = told(answer(asked(), "a", reference=None))
    assert isinstance(report, ReportReceived)
    assert report.outcome is Outcome.APPROVED


@pytest.mark.parametrize("code", ["D01", "D09", "R01"])
def test_the_codes_of_the_layouts_are_answers(code: str) -> None:
    (report,) = told(answer(asked(), "a", result_code=code, error_code="C13", approval_code=None))
    assert isinstance(report, ReportReceived)
    assert report.result_code == code


def test_what_is_on_the_line_or_in_doubt_keeps_no_card_number() -> None:
    rig = Rig()
    for now, event in ((0, "opened"), (1, "ask a"), (2, "stored"), (1_002, "due")):
        rig.play(event, now)
        for job in rig.core._jobs.values():
            assert PAN not in repr(job)
            assert PAN.encode() not in job.data or job.stage is Stage.STORING


def test_past_midnight_a_report_has_either_date() -> None:
    for date in (TODAY, TOMORROW):
        rig = asked()
        (report,) = told(answer(rig, "a", now=DAY_MS, business_date=date))
        assert isinstance(report, ReportReceived)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"original_type_code": "1210"}, "sale_request 1 has another original_type_code"),
        ({"error_code": "C99"}, "to sale_request 1, its error code C99 is not among those of cafis"),
        ({"error_code": "C50"}, "to sale_request 1, its error code C50 leaves open whether it was done"),
        ({"business_date": TOMORROW}, "sale_request 1 has another business_date"),
    ],
)
def test_an_error_report_about_another_telegram_does_not_end_this_one(changed: dict[str, Value], reason: str) -> None:
    rig = asked()
    assert why(answer(rig, "a", Role.ERROR_REPORT, **changed)) == reason
    assert rig.play("due", 1_002) == "hold r1 a, missing a silence"


# --- cancels


CONTRADICTIONS: list[tuple[dict[str, Value], str]] = [
    ({"terminal_id": "4980999999999"}, "has another terminal_id"),
    ({"original_type_code": "1310"}, "has another original_type_code"),
    ({"original_route_number": 2}, "has another original_route_number"),
    ({"amount": 1_199}, "has another amount"),
    ({"original_trace_number": 7}, ""),
    ({"original_business_date": TOMORROW}, ""),
    ({"result_code": "001"}, "its result code 001 is not among those of cafis"),
    ({"error_code": "C13"}, "its result code 000 and its error code C13 contradict each other"),
    ({"result_code": "X01", "error_code": "C99"}, "its error code C99 is not among those of cafis"),
]


@pytest.mark.parametrize("command", ["8910", "8930"])
@pytest.mark.parametrize(("changed", "reason"), CONTRADICTIONS)
def test_a_cancel_report_about_another_original_cancels_nothing(
    command: str, changed: dict[str, Value], reason: str
) -> None:
    rig = asked(command)
    assert why(answer(rig, "a", now=1_100, **changed)).endswith(reason)
    assert rig.play("due", 2_100) == "silent a#1 silence", "so it is commanded once more"


def test_an_error_report_about_the_request_does_not_end_its_cancel() -> None:
    rig = asked("8930")
    assert why(answer(rig, "a", Role.ERROR_REPORT, 1_100, original_type_code="1110")).endswith("original_type_code")


# --- inherited


ORIGINAL = Original(
    kind=Kind.SALE, line="cafis-1", trace_number=4, route_number=3, business_date=TODAY, approval_code=None,
    terminal_id="4980123456789", amount=1_200, accepted_ms=MIDNIGHT,
)  # fmt: skip


def inherited(original: Original | None) -> Rig:
    """A line whose last owner has left a confirm on it."""
    record = sent_record("a", 5, 6, 2, attempt=1, role=Role.FAULT_CONFIRM)
    values = {name: getattr(record, name) for name in record.__struct_fields__} | {"original": original}
    found = Takeover(
        sent=[TelegramSent(**values)], known_since_ms=MIDNIGHT, position=5, holds=(), day_began_at=0
    )  # fmt: skip
    rig = Rig(found)
    rig.play("opened", 1)
    return rig


def confirmed(rig: Rig, **changed: Value) -> list[Act]:
    values: dict[str, Value] = rig.partner.telegrams[Role.FAULT_CONFIRM_REPORT].sample() | {
        "company_code": "100001", "business_date": TODAY, "trace_number": 6, "route_number": 2,
        "terminal_id": "4980123456789", "original_type_code": rig.partner.type_code(Role.SALE_REQUEST),
        "original_trace_number": 4, "original_route_number": 3, "original_business_date": TODAY, "amount": 1_200,
        "result_code": "000",
    }  # fmt: skip
    values.pop("error_code")
    return rig.core.received(rig.partner.encode(Role.FAULT_CONFIRM_REPORT, values | changed), MIDNIGHT + 50)


def test_the_report_of_an_inherited_cancel_is_known_by_what_the_last_owner_wrote() -> None:
    (report,) = told(confirmed(inherited(ORIGINAL)))
    assert isinstance(report, CancelReported)
    assert (report.attempt, report.error_code) == (1, None)


@pytest.mark.parametrize(("changed", "reason"), CONTRADICTIONS)
def test_the_report_of_an_inherited_cancel_is_compared_too(changed: dict[str, Value], reason: str) -> None:
    assert why(confirmed(inherited(ORIGINAL), **changed)).endswith(reason)


def test_an_inherited_cancel_that_no_layout_can_write_any_more_is_in_doubt_like_another() -> None:
    rig = inherited(msgspec.structs.replace(ORIGINAL, terminal_id="端末"))
    assert why(confirmed(rig)).endswith("what fault_confirm 6 of a former owner names is not known")


def test_what_an_older_version_has_not_written_down_cancels_nothing() -> None:
    assert why(confirmed(inherited(None))).endswith("what fault_confirm 6 of a former owner names is not known")


def test_what_goes_onto_the_line_is_written_down_with_its_original() -> None:
    rig = asked("8930")
    acts = rig.command("8940", 1_030, "a", "2", "unknown")
    (record,) = [act.record for act in acts if not isinstance(act, Tell) and hasattr(act, "record")]
    assert isinstance(record, TelegramSent)
    assert record.original is not None
    assert (record.original.trace_number, record.original.route_number) == (1, 1)
