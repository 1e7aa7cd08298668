"""An answer that matches nothing is told which request it nearly matches, and by what it does not."""

import pytest

from images.matching import Asked, Difference, compare, is_answer, near_miss
from schemas.telegrams import FAMILY_OF, REPORT_OF, Message, PartnerSpec, Role, Value, load_partner

PARTNERS = CAFIS, CARDNET = load_partner("cafis"), load_partner("cardnet")
PAIRS = [pytest.param(spec, role, id=f"{spec.name}-{role}") for spec in PARTNERS for role in REPORT_OF]


def asked(spec: PartnerSpec, role: Role, number: int = 1, **changed: Value) -> Asked:
    return Asked(number, role, {**spec.telegrams[role].sample(), **changed})


def answer(spec: PartnerSpec, role: Role, **changed: Value) -> Message:
    return Message(role, {**spec.telegrams[role].sample(), **changed})


@pytest.mark.parametrize(("spec", "role"), PAIRS)
def test_a_report_is_the_answer_to_its_request(spec: PartnerSpec, role: Role) -> None:
    assert is_answer(spec, asked(spec, role), answer(spec, REPORT_OF[role]))


@pytest.mark.parametrize(("spec", "role"), PAIRS)
def test_each_match_field_alone_keeps_a_report_from_its_request_and_is_named(spec: PartnerSpec, role: Role) -> None:
    report = answer(spec, REPORT_OF[role])
    for name in spec.match_fields[FAMILY_OF[role]]:
        value = report.values[name]
        other = value + 1 if isinstance(value, int) else "9" * len(value)
        changed = answer(spec, REPORT_OF[role], **{name: other})
        assert not is_answer(spec, asked(spec, role), changed)
        miss = near_miss(spec, [asked(spec, role)], changed)
        assert miss is not None
        assert miss.differences == (Difference(name, value, other),)


def test_another_amount_keeps_a_report_from_its_request() -> None:
    miss = near_miss(CAFIS, [asked(CAFIS, Role.SALE_REQUEST)], answer(CAFIS, Role.SALE_REPORT, amount=1))
    assert miss is not None
    assert miss.differences == (Difference("amount", 12_800, 1),)


def test_a_report_of_another_kind_is_told_to_be_so() -> None:
    miss = near_miss(CAFIS, [asked(CAFIS, Role.SALE_REQUEST)], answer(CAFIS, Role.REFUND_REPORT))
    assert miss is not None
    assert miss.differences == (Difference("role", "sale_report", "refund_report"),)


@pytest.mark.parametrize("role", [Role.SALE_REQUEST, Role.FAULT_CONFIRM, Role.AUTHORISATION_REQUEST])
def test_an_error_report_answers_any_request_by_its_header(role: Role) -> None:
    report = answer(CAFIS, Role.ERROR_REPORT)
    assert is_answer(CAFIS, asked(CAFIS, role), report)
    miss = near_miss(CAFIS, [asked(CAFIS, role, route_number=9)], report)
    assert miss is not None
    assert miss.differences == (Difference("route_number", 9, 7),)


def test_the_nearest_request_is_the_one_with_the_same_trace_number() -> None:
    requests = [
        asked(CAFIS, Role.SALE_REQUEST, 1, trace_number=5, terminal_id="4980000000000", amount=3),
        asked(CAFIS, Role.SALE_REQUEST, 2, trace_number=6),
        asked(CAFIS, Role.SALE_REQUEST, 3, trace_number=5, terminal_id="4980000000000"),
    ]
    miss = near_miss(CAFIS, requests, answer(CAFIS, Role.SALE_REPORT, trace_number=5))
    assert miss is not None
    assert (miss.asked.number, [each.name for each in miss.differences]) == (3, ["terminal_id"])


def test_of_requests_that_are_equally_near_those_without_an_answer_come_first_then_later_ones() -> None:
    first, second, third = (asked(CAFIS, Role.SALE_REQUEST, number) for number in (1, 2, 3))
    report = answer(CAFIS, Role.SALE_REPORT)
    assert near_miss(CAFIS, [first, second], report) == compare(CAFIS, second, report)
    found = near_miss(CAFIS, [first, second, third._replace(answered_by=9)], report)
    assert found is not None
    assert found.asked.number == 2
    repeated = near_miss(CAFIS, [first._replace(answered_by=9)], report)
    assert repeated is not None
    assert (repeated.differences, repeated.asked.answered_by) == ((), 9)


def test_what_is_not_known_of_a_request_is_not_compared_and_is_said() -> None:
    little = Asked(1, Role.SALE_REQUEST, {"company_code": "290001", "trace_number": 123_456, "route_number": 7})
    report = answer(CAFIS, Role.SALE_REPORT)
    miss = near_miss(CAFIS, [little], report)
    assert miss is not None
    assert (miss.differences, miss.unknown) == ((), ("terminal_id",))
    assert not is_answer(CAFIS, little, report)


def test_far_requests_and_those_of_another_family_are_not_near() -> None:
    report = answer(CAFIS, Role.SALE_REPORT, trace_number=1, route_number=2, terminal_id="4980000000000")
    assert near_miss(CAFIS, [asked(CAFIS, Role.SALE_REQUEST)], report) is None
    assert near_miss(CAFIS, [asked(CAFIS, Role.KEEPALIVE_REQUEST)], answer(CAFIS, Role.SALE_REPORT)) is None
    assert near_miss(CAFIS, [], report) is None
    assert compare(CAFIS, asked(CAFIS, Role.SALE_REQUEST), answer(CAFIS, Role.ENVELOPE_REPORT)) is None
