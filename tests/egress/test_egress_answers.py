"""What names a telegram of ours, and what an answer may say otherwise: nothing, but for the date around midnight."""

from pathlib import Path

import pytest
from edition_rig import BEFORE, SINCE, write_editions

from egress.answers import NAMELESS, REPEATED, Fields, Named, contradiction, named, named_in_error
from egress.numbers import Numbers
from egress.telegrams import Telegrams
from schemas.japan_time import DAY_MS
from schemas.records import Kind, Original
from schemas.telegrams import Role, Value, load_partner

CAFIS = load_partner("cafis")
NOON_MS = 1_775_012_400_000
TODAY, TOMORROW = "20260401", "20260402"
REFUND: dict[str, Value] = {
    "company_code": "100001", "business_date": TODAY, "sent_time": "120000", "trace_number": 7, "route_number": 3,
    "terminal_id": "4980123456789", "pan": "4111111111111111", "expiry": "2812", "amount": 400,
    "payment_method": "10", "reference": "r", "original_trace_number": 4, "original_business_date": "20260331",
    "original_approval_code": "123456", "original_amount": 1_200,
}  # fmt: skip
SALE: dict[str, Value] = {name: value for name, value in REFUND.items() if not name.startswith("original_")}
IN_ERROR: dict[str, Value] = {  # the original of an error report is the telegram that was in error
    "original_trace_number": 7, "original_route_number": 3, "original_business_date": TODAY, "original_amount": 400,
}  # fmt: skip
OWN = (
    "company_code", "business_date", "trace_number", "route_number", "terminal_id", "amount", "payment_method",
    "reference",
)  # fmt: skip


def test_a_telegram_is_named_by_what_an_answer_can_repeat_and_by_no_card_data() -> None:
    data, ours = named(CAFIS, Role.REFUND_REQUEST, REFUND)
    assert ours.given == {name: REFUND[name] for name in REPEATED if name in REFUND}
    assert data == CAFIS.encode(Role.REFUND_REQUEST, REFUND)
    assert str(REFUND["pan"]) not in repr(ours)
    assert ours.read() == ours.given
    assert not {"pan", "expiry", "track2", "security_code"} & set(REPEATED)


def test_an_error_report_names_the_telegram_in_error_as_its_original_and_not_what_that_one_was_about() -> None:
    ours = named_in_error(CAFIS, Role.REFUND_REQUEST, named(CAFIS, Role.REFUND_REQUEST, REFUND)[1])
    code = CAFIS.type_code(Role.REFUND_REQUEST)
    assert ours.given == {name: REFUND[name] for name in OWN} | IN_ERROR | {"original_type_code": code}


def test_of_a_former_owners_telegram_an_error_report_can_name_what_is_known() -> None:
    header: dict[str, Value] = {"trace_number": 7, "route_number": 3, "business_date": TODAY}
    assert named_in_error(CAFIS, Role.SALE_REQUEST, Named(header)).given == header | {
        "original_trace_number": 7, "original_route_number": 3, "original_business_date": TODAY,
        "original_type_code": CAFIS.type_code(Role.SALE_REQUEST),
    }  # fmt: skip


@pytest.mark.parametrize(("day", "code"), [(BEFORE, "1110"), (SINCE, "1115")])
def test_a_telegram_is_written_read_and_named_by_the_edition_of_its_own_day(
    tmp_path: Path, day: str, code: str
) -> None:
    spec = load_partner(write_editions(tmp_path), BEFORE)
    data, ours = named(spec, Role.SALE_REQUEST, SALE | {"business_date": day})
    assert (ours.edition, data[:4], ours.read()) == (spec.on(day), code.encode(), ours.given)
    assert named_in_error(spec, Role.SALE_REQUEST, ours).given["original_type_code"] == code


@pytest.mark.parametrize("name", sorted(IN_ERROR))
def test_an_error_report_with_another_original_is_about_another_telegram(name: str) -> None:
    ours = named_in_error(CAFIS, Role.REFUND_REQUEST, named(CAFIS, Role.REFUND_REQUEST, REFUND)[1])
    assert contradiction(IN_ERROR, ours, NOON_MS) is None
    of_another: dict[str, Value] = IN_ERROR | {name: TOMORROW if name.endswith("date") else 1}
    assert contradiction(of_another, ours, NOON_MS) == name


# --- contradictions


def commanded() -> Named:
    """A confirm."""
    original = Original(
        kind=Kind.SALE, line="one", trace_number=4, route_number=3, business_date=TODAY, approval_code=None,
        terminal_id="4980123456789", amount=1_200, accepted_ms=0,
    )  # fmt: skip
    role = Role.FAULT_CONFIRM
    values = Telegrams("100001", "S", CAFIS).command(role, original, Numbers(7, 3, TODAY), NOON_MS)
    return named(CAFIS, role, values)[1]


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({}, None),
        ({"trace_number": 7, "amount": 1_200}, None),
        ({"approval_code": "123456", "result_code": "D01"}, None),
        ({"amount": 1_199}, "amount"),
        ({"original_trace_number": 5}, "original_trace_number"),
        ({"terminal_id": "4980999999999", "company_code": "100002"}, "company_code"),
        ({"amount": 1_199, "business_date": TODAY}, "amount"),
        ({"business_date": TOMORROW}, "business_date"),
        ({"original_business_date": TOMORROW}, "original_business_date"),
    ],
)
def test_what_an_answer_repeats_is_what_was_asked_and_the_first_field_that_is_not_is_told(
    answer: Fields, field: str | None
) -> None:
    assert contradiction(answer, commanded(), NOON_MS) == field


@pytest.mark.parametrize(("date", "field"), [(TODAY, None), (TOMORROW, None), ("20260403", "business_date")])
def test_around_midnight_an_answer_has_either_date_and_its_original_still_one(date: str, field: str | None) -> None:
    midnight_ms = NOON_MS + DAY_MS // 2
    assert contradiction({"business_date": date}, commanded(), midnight_ms) == field
    of_the_original = {"original_business_date": TOMORROW}
    assert contradiction(of_the_original, commanded(), midnight_ms) == "original_business_date"


def test_a_telegram_that_nothing_is_known_of_is_not_contradicted() -> None:
    assert contradiction(REFUND, NAMELESS, NOON_MS) is None


class Writes:
    """A layout that writes two characters of a reference, and nothing that it has no field for."""

    telegrams = CAFIS.telegrams
    decode = staticmethod(CAFIS.decode)

    def dated(self, values: Fields) -> "Writes":  # noqa: ARG002  it has one edition
        return self

    def encode(self, role: Role, values: Fields) -> bytes:
        written = {name: value for name, value in values.items() if name in CAFIS.telegrams[role].names}
        return CAFIS.encode(role, written | {"reference": str(values["reference"])[:2]})


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({"reference": "AB"}, None),
        ({"reference": "ABCD"}, None),
        ({"reference": "B"}, "reference"),
        ({"reference": "AB", "amount": 401}, "amount"),
        ({"reference": "AB", "terminal_id": "4980999999999", "carried_code": "JCN1"}, None),
    ],
)
def test_where_a_layout_writes_less_than_it_was_given_the_answer_repeats_what_was_written(
    answer: Fields, field: str | None
) -> None:
    ours = Named({"reference": "ABCD", "amount": 400, "carried_code": "VISA"}, Writes(), Role.SALE_REQUEST)  # type: ignore[arg-type]
    assert ours.read() == {"reference": "AB", "amount": 400}
    assert (
        named_in_error(CAFIS, Role.SALE_REQUEST, ours).given.items()
        >= {"reference": "AB", "original_amount": 400}.items()
    )
    assert contradiction(answer, ours, NOON_MS) == field


def test_a_telegram_is_read_again_as_the_one_that_it_was_written_as() -> None:
    data, ours = named(Writes(), Role.SALE_REQUEST, SALE | {"reference": "ABCD"})  # type: ignore[arg-type]
    assert CAFIS.decode(data).values["reference"] == "AB"
    assert ours.read() == ours.given | {"reference": "AB"}
    assert contradiction({"reference": "AB", "trace_number": 7}, ours, NOON_MS) is None


def test_what_was_written_is_read_without_what_was_not_given() -> None:
    given: Fields = {"reference": "ABCD", "payment_method": "10"}  # instalments beside it could not be written
    assert Named(given, Writes(), Role.SALE_REQUEST).read() == {"reference": "AB", "payment_method": "10"}  # type: ignore[arg-type]


def test_what_cannot_be_read_again_is_named_as_it_was_given() -> None:
    ours = Named({"trace_number": 7, "amount": -1}, CAFIS, Role.SALE_REQUEST)
    assert ours.read() == {"trace_number": 7, "amount": -1}
    assert contradiction({"trace_number": 8}, ours, NOON_MS) == "trace_number"
